"""The packages that the agent finds by their metadata."""

import sys


class Distributions:
    """For the agent's own copy of importlib.metadata, in place of every finder.

    Entry points are those of the agent. Versions are those of the application, whose libraries are
    instrumented, except for OpenTelemetry's own packages."""

    def __init__(self, folder):
        self.folder = folder

    def find_distributions(self, context):
        kind = type(context)
        finder = kind.__init__.__globals__["MetadataPathFinder"]
        path = vars(context).get("path")
        if path is None:
            path = self.path(context.name)
        return finder.find_distributions(kind(name=context.name, path=path))

    def path(self, name):
        if name is None or name.lower().startswith("opentelemetry"):
            return [self.folder]
        return sys.path + [self.folder]
