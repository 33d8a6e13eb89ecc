"""Where the application has OpenTelemetry's API and no SDK, its spans go to the agent: it gets the
agent's modules of the API in place of its own, whose releases are compatible within a major version
("Versioning and stability for OpenTelemetry clients"). An older agent would lack what the
application uses, so there both have their own."""

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

from .imports import Alias


class SharedApi:
    def __init__(self, importer, tell):
        self.importer = importer
        self.tell = tell
        self.modules = None
        self.version, self.names = own_api(importer.folder)

    def find(self, name, path):
        """What the application imports, if that is a module of the API."""
        if path is None or name not in self.names or self.importer.at_work_here():
            return None
        # Its own, and not one that it finds beside a module of the agent.
        places = self.places(name)
        own = PathFinder.find_spec(name, places) if places else None
        if own is None or not own.has_location:
            return own
        if not self.is_older(own.origin, name):
            return None
        return ModuleSpec(name, Alias(self.importer, stays=True), is_package=own.submodule_search_locations is not None)

    def places(self, name):
        """The application's folders for a module within `opentelemetry`."""
        package = sys.modules.get("opentelemetry")
        inner = name.split(".")[1:-1]
        return [os.path.join(place, *inner) for place in getattr(package, "__path__", ())]

    def is_older(self, origin, name):
        root = origin
        for _ in range(len(name.split(".")) + (os.path.basename(origin) == "__init__.py")):
            root = os.path.dirname(root)
        version, _ = own_api(root)
        if version is None or self.version is None:
            return False
        is_older = version[0] == self.version[0] and version <= self.version
        if not is_older and self.modules is None:
            self.modules = ()
            self.tell("the application's OpenTelemetry API is newer than the agent's: both have their own")
        return is_older


def own_api(folder):
    """The version of the API in a folder with packages, and the names of its modules."""
    start, end = "opentelemetry_api-", ".dist-info"
    for entry in os.listdir(folder) if os.path.isdir(folder) else ():
        if entry.startswith(start) and entry.endswith(end):
            version = tuple(int(number) for number in entry[len(start):-len(end)].split(".")[:2])
            with open(os.path.join(folder, entry, "RECORD"), encoding="utf-8") as record:
                paths = [line.split(",")[0] for line in record]
            modules = [path[:-3].replace("/", ".") for path in paths if path.endswith(".py")]
            return version, {name[:-9] if name.endswith(".__init__") else name for name in modules}
    return None, frozenset()
