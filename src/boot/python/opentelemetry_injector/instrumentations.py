"""Instruments a library when the application imports it, and not before."""

import sys

from .importlib_bootstrap import before_first
from .imports import PREFIX, NotYet

GROUP = "opentelemetry_instrumentor"

# Django's instrumentation reads the settings, and makes some up where there are none yet. The first
# handler of requests is made when they are there.
DJANGO = "opentelemetry.instrumentation.django"
HANDLER = "django.core.handlers.base"

# Hands names of its own modules to the framework, which cannot import them.
BY_NAME = ("opentelemetry.instrumentation.pyramid",)


class Instrumentations:
    def __init__(self, importer, hooks, tell):
        self.importer = importer
        self.hooks = hooks
        self.tell = tell
        self.unfinished = []
        self.module = importer.load("opentelemetry.instrumentation.auto_instrumentation._load")
        self.entry_points = self.module.entry_points
        # Nothing is instrumented while the agent starts.
        self.only(())

    def only(self, entry_points, groups=True):
        """What the agent's own loop over the instrumentations finds."""

        def select(**chosen):
            if chosen.get("group") == GROUP:
                return entry_points
            return self.entry_points(**chosen) if groups else ()

        self.module.entry_points = select

    def start(self):
        self.distribution = self.module._load_distro()
        self.hooks.watchers.append(self.look_again)
        for entry_point in self.entry_points(group=GROUP):
            if module_of(entry_point) in BY_NAME:
                self.tell("%s is not instrumented: it would not find the agent's modules" % entry_point.name)
            elif module_of(entry_point) == DJANGO:
                self.hooks.after(HANDLER, lambda each=entry_point: self.before_requests(each))
            else:
                self.attempt(entry_point)

    def before_requests(self, entry_point):
        def instrument():
            self.attempt(entry_point)
            # Django imports it by its name.
            settings = sys.modules["django.conf"].settings
            settings.MIDDLEWARE = [
                PREFIX + name if name.startswith(DJANGO + ".") else name for name in settings.MIDDLEWARE
            ]

        before_first(sys.modules[HANDLER].BaseHandler, "load_middleware", instrument)

    def attempt(self, entry_point):
        """Instruments, or waits for what is missing."""
        importer = self.importer
        importer.missed = missed = []
        half_way = []
        try:
            try:
                importer.load(module_of(entry_point))
            except (AttributeError, ImportError):
                # The application may be within an import of what the library itself is part of.
                half_way = self.half_way()
                raise
            if not missed:
                self.only((entry_point,), groups=False)
                self.module._load_instrumentors(self.distribution)
        except NotYet:
            pass
        except Exception as error:
            # A single library goes without.
            self.tell("%s: %s: %s" % (entry_point.name, type(error).__name__, error))
        finally:
            importer.missed = []
        if missed:
            importer.drop(module_of(entry_point))
            self.wait(missed, entry_point)
        elif half_way:
            self.unfinished.append((half_way, lambda: self.attempt(entry_point)))

    def half_way(self):
        """The application's modules that are being imported."""
        return [
            module
            for name, module in list(sys.modules.items())
            if is_initializing(module) and not self.importer.is_standard(name.partition(".")[0])
            and name not in self.importer.finished and not name.startswith(PREFIX)
        ]

    def wait(self, names, entry_point):
        is_done = []

        def arrived(name):
            if not is_done:
                is_done.append(name)
                self.importer.finished.add(name)
                # From now on the others are those that the application does without.
                self.importer.absent.update(firsts - {name})
                self.attempt(entry_point)

        firsts = {self.first(name) for name in names}
        for name in firsts:
            module = sys.modules.get(name)
            if is_initializing(module):
                self.unfinished.append(([module], lambda name=name: arrived(name)))
            self.hooks.after(name, lambda name=name: arrived(name))

    def first(self, name):
        """The outermost package that is a file: of a namespace, the application may have others."""
        parts = name.split(".")
        end = 1
        while end < len(parts) and is_namespace(sys.modules.get(".".join(parts[:end]))):
            end += 1
        return name if self.importer.is_standard(parts[0]) else ".".join(parts[:end])

    def look_again(self, name, path):
        """Modules that were half way when they were asked for."""
        if self.unfinished:
            done = [each for each in self.unfinished if not any(map(is_initializing, each[0]))]
            self.unfinished = [each for each in self.unfinished if each not in done]
            for _, function in done:
                function()
        return None


def module_of(entry_point):
    return entry_point.value.partition(":")[0]


def is_initializing(module):
    return getattr(getattr(module, "__spec__", None), "_initializing", False)


def is_namespace(module):
    return module is not None and hasattr(module, "__path__") and not getattr(module, "__file__", None)
