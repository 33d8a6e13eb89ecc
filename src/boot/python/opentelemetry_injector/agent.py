"""One agent in this process: its importer, its view of the world, its instrumentations."""

import os
import sys
import warnings

from . import views
from .distributions import Distributions
from .environment import Environment
from .exits import Exit
from .imports import PREFIX, Importer
from .instrumentations import Instrumentations
from .shared_api import SharedApi

AUTO = "opentelemetry.instrumentation.auto_instrumentation"


class Agent:
    def __init__(self, folder, settings, application, standard_path, tell, is_told, hooks):
        self.hooks = hooks
        self.tell = tell
        self.is_told = is_told
        self.importer = Importer(folder, application, standard_path)
        self.importer.distributions = Distributions(folder)
        self.exit = Exit()
        self.environment = Environment(os.environ, dict(settings))

    def start(self, before, started_module):
        """Starts it, or raises; `stop` is to be called then."""
        importer = self.importer
        importer.begin(before)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                views.install(importer, self.environment, self.exit, self.is_told)
                self.initialize()
                self.environment.end_merging()
                self.api = SharedApi(importer, self.tell)
                self.hooks.watchers.append(self.api.find)
        finally:
            importer.end()
            # Python warns where it is to run as a program what has been imported before.
            if started_module:
                importer.keep(started_module)

    def initialize(self):
        importer = self.importer
        self.instrumentations = Instrumentations(importer, self.hooks, self.tell)
        initialize = importer.load(AUTO).initialize
        logger = importer.views["logging"].getLogger(AUTO)
        failures = Failures(logger)
        initialize()
        failures.check()
        self.instrumentations.start()

    def stop(self):
        """Takes it away, as if it had never been."""
        undo(self.importer)
        self.exit.forget()
        view = self.importer.views.get("logging")
        if view is not None:
            view.root.forget()
        if hasattr(self, "api"):
            self.hooks.watchers[:] = [
                each
                for each in self.hooks.watchers
                if each not in (self.api.find, self.instrumentations.look_again)
            ]
        give_back(self.importer)
        self.importer.forget()


class Failures:
    """Sees what the agent only logs when it cannot start."""

    def __init__(self, logger):
        self.records = []
        self.logger = logger
        logger.addFilter(self.filter)

    def filter(self, record):
        if record.exc_info and "initialize" in record.getMessage():
            self.records.append(record)
        return True

    def check(self):
        self.logger.removeFilter(self.filter)
        if self.records:
            raise self.records[0].exc_info[1]


def undo(importer):
    """Takes the instrumentation from the libraries."""
    base = sys.modules.get(PREFIX + "opentelemetry.instrumentation.instrumentor")
    if base is None:
        return
    for kind in subclasses(base.BaseInstrumentor):
        instance = vars(kind).get("_instance")
        if instance is not None and instance.is_instrumented_by_opentelemetry:
            try:
                instance.uninstrument()
            except Exception:
                pass


def give_back(importer):
    """Lets the application set providers of its own where it has got the agent's API."""
    for name in ("opentelemetry.trace", "opentelemetry.metrics._internal", "opentelemetry._logs._internal"):
        space = vars(sys.modules.get(PREFIX + name, importer))
        for each, value in list(space.items()):
            if each.endswith("_PROVIDER_SET_ONCE"):
                value._done = False
                space[each[: -len("_SET_ONCE")]] = None


def subclasses(kind):
    for inner in kind.__subclasses__():
        yield inner
        yield from subclasses(inner)
