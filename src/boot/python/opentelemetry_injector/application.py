"""What can be told of the application before it runs."""

import os
import sys
from importlib.machinery import PathFinder


class Application:
    def __init__(self):
        self.folder = folder()

    def path(self):
        """sys.path as it will be when the application runs."""
        return ([self.folder] if self.folder else []) + sys.path

    def path_before(self, entries):
        """The entries that come before these ones."""
        path = self.path()
        index = next((index for index, entry in enumerate(path) if entry in entries), 0)
        return [os.getcwd() if entry == "" else entry for entry in path[:index]]

    def finds(self, name):
        """Whether the application can import a module; nothing is imported for it."""
        path = self.path()
        for part in name.split("."):
            # Under its last name alone: a namespace would look its parents up in sys.modules.
            spec = PathFinder.find_spec(part, path)
            if spec is None:
                return False
            places = spec.submodule_search_locations
            path = list(getattr(places, "_path", None) or places or ())
        return spec.has_location


def folder():
    """The folder that Python puts in front of sys.path once `site` is done; None where it does not.

    Source: "Command line and environment" in Python's documentation; sys.flags.safe_path is -P.
    """
    script = sys.argv[0] if getattr(sys, "argv", None) else ""
    if not script or sys.flags.isolated or getattr(sys.flags, "safe_path", False):
        return None
    if script in ("-c", "-m", "-"):
        return os.getcwd()
    script = os.path.realpath(script)
    return script if os.path.isdir(script) else os.path.dirname(script)


def command_line():
    """The whole command line; sys.argv lacks it while `site` is imported."""
    whole = getattr(sys, "orig_argv", None)
    if whole:
        return whole
    with open("/proc/self/cmdline", "rb") as file:
        return [os.fsdecode(part) for part in file.read().split(b"\0")[:-1]]


def started_module():
    """The module that `-m` names."""
    line = command_line()
    if sys.argv[:1] != ["-m"]:
        return None
    for index, argument in enumerate(line[1:], 1):
        if argument.startswith("-") and not argument.startswith("--") and "m" in argument:
            inner = argument.partition("m")[2]
            return inner or (line[index + 1] if index + 1 < len(line) else None)
    return None
