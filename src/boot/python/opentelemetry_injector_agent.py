"""Starts the distribution; for the versions of Python that it exists for.

The preload object is asked through libc's getenv: nothing of what it says is in the environment.
"""

import ctypes
import logging
import os
import sys
import warnings
from collections.abc import MutableMapping
from fnmatch import fnmatch
from importlib.machinery import PathFinder

AGENT_PATH = b"OPENTELEMETRY_INJECTOR_BOOT_AGENT_PATH"
SETTINGS = b"OPENTELEMETRY_INJECTOR_BOOT_SETTINGS"
STARTED = b"OPENTELEMETRY_INJECTOR_BOOT_STARTED"


def ask(name):
    """What the preload object answers; None where it has injected nothing."""
    getenv = ctypes.CDLL(None).getenv
    getenv.argtypes = [ctypes.c_char_p]
    getenv.restype = ctypes.c_char_p
    answer = getenv(name)
    return None if answer is None else os.fsdecode(answer)


def start(is_told):
    """Starts it, or raises."""
    folder = ask(AGENT_PATH)
    ask(STARTED)
    if folder is None:
        return
    folder = folder.replace("{version}", "%d.%d" % sys.version_info[:2])
    if sys.version_info[:2] < needed(folder):
        raise ImportError("the packages in %s are for newer versions of Python" % folder)
    # Last, so that the application's own version of a package is found first.
    sys.path.append(folder)
    finder = ApplicationFirst(folder)
    sys.meta_path.insert(0, finder)
    own = os.environ
    os.environ = environment = Environment(own, settings())
    try:
        instrument(folder, is_told)
    finally:
        environment.end_merging()
        os.environ = own
        sys.meta_path.remove(finder)


def needed(folder):
    """The oldest version of Python that the packages in a folder say they run on."""
    names = os.listdir(folder)
    name = next(name for name in names if fnmatch(name, "opentelemetry_instrumentation-*.dist-info"))
    with open(os.path.join(folder, name, "METADATA"), encoding="utf-8") as metadata:
        line = next(line for line in metadata if line.startswith("Requires-Python:"))
    version = line.split(">=")[1].split(",")[0]
    return tuple(int(number) for number in version.strip().split("."))


def settings():
    lines = (ask(SETTINGS) or "").split("\n")
    return dict(line.split("=", 1) for line in lines if line)


def instrument(folder, is_told):
    # Without a handler, what the agent logs would appear in the application's standard error.
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(logging.StreamHandler() if is_told else logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = set(sys.modules)
        try:
            from opentelemetry.instrumentation.auto_instrumentation import initialize
        except BaseException:
            # For example packages that do not fit those of the application.
            forget(folder, before)
            raise
        initialize()


def forget(folder, before):
    """Takes the agent away again, so that the application does not meet half of it."""

    def is_its(module):
        places = [getattr(module, "__file__", None) or ""]
        places.extend(getattr(module, "__path__", None) or ())
        return any(place.startswith(folder + os.sep) for place in places)

    # All of them first: a namespace package looks its path up in its parent and in sys.path.
    names = [name for name in set(sys.modules) - before if is_its(sys.modules[name])]
    for name in names:
        del sys.modules[name]
    sys.path.remove(folder)


def application():
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


class ApplicationFirst:
    """Finds packages of the agent beside the application's script first, which are not on sys.path
    yet. Of other names nothing is taken from there: a script may be called like a module of the
    standard library."""

    def __init__(self, folder):
        self.names = {name.split(".")[0] for name in os.listdir(folder)}
        self.application = application()

    def find_spec(self, name, path=None, target=None):
        if path is not None or name not in self.names or self.application is None:
            return None
        spec = PathFinder.find_spec(name, [self.application])
        # A namespace package, such as `opentelemetry`, may have parts everywhere.
        if spec is None or not spec.has_location:
            return None
        is_script = os.path.realpath(spec.origin) == os.path.realpath(sys.argv[0])
        return None if is_script else spec


class Environment(MutableMapping):
    """os.environ with the settings over it. What the agent sets stays here: in os.environ, it would
    reach every child. Modules may hold this for ever (`from os import environ`), so everything else
    goes through."""

    def __init__(self, own, settings):
        self.own = own
        self.settings = settings

    def end_merging(self):
        """From now on what the user has set is what the user has set: whoever copies the whole for a
        child reads it name by name."""
        for name in [name for name in self.settings if name in self.own]:
            del self.settings[name]

    def __getitem__(self, name):
        return self.settings[name] if name in self.settings else self.own[name]

    def __setitem__(self, name, value):
        if name.startswith("OTEL_"):
            self.settings[name] = value
        elif self.own.get(name) != value:
            self.own[name] = value

    def __delitem__(self, name):
        if self.settings.pop(name, None) is None:
            del self.own[name]

    def __contains__(self, name):
        return name in self.settings or name in self.own

    # Whoever looks at the whole copies it for a child.
    def __iter__(self):
        return iter(self.own)

    def __len__(self):
        return len(self.own)

    def items(self):
        return self.own.items()

    def values(self):
        return self.own.values()

    def __or__(self, other):
        return self.own | other

    def __ror__(self, other):
        return other | self.own

    def __ior__(self, other):
        self.update(other)
        return self

    def __getattr__(self, name):
        if name == "own":
            raise AttributeError(name)
        return getattr(self.own, name)
