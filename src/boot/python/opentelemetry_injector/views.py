"""What the agent's modules see of some modules of the standard library, where the application must
not notice what they do there.

Those modules are imported when the agent starts, and not with this file: where gevent or eventlet is
to replace something first, that is later."""

import sys
from collections.abc import MutableMapping

from .imports import PREFIX


class View(type(sys)):
    """A module with some other attributes. What the agent sets stays here."""

    def __init__(self, real, **own):
        super().__init__(real.__name__)
        space = vars(self)
        for name in ("__doc__", "__loader__", "__package__", "__spec__"):
            space.pop(name, None)
        space.update(own, _real=real)

    def __getattr__(self, name):
        return getattr(vars(self)["_real"], name)

    def __dir__(self):
        return dir(vars(self)["_real"])


class System(View):
    """`sys`, with the agent's modules among the others and no finder of the application."""

    importer = None

    @property
    def modules(self):
        return Modules(self.importer)

    @property
    def meta_path(self):
        who = sys._getframe(1).f_globals.get("__name__", "")
        # wrapt waits for the application's imports; importlib.metadata asks every finder.
        return sys.meta_path if who.startswith("wrapt") else [self.importer.distributions]

    def __setattr__(self, name, value):
        setattr(vars(self)["_real"], name, value)


class Modules(MutableMapping):
    def __init__(self, importer):
        self.importer = importer

    def key(self, name):
        own = PREFIX + name
        if own not in sys.modules:
            return name
        who = sys._getframe(2).f_globals.get("__name__", "")
        return own if self.importer.is_own(who, name) else name

    def __getitem__(self, name):
        return sys.modules[self.key(name)]

    def __contains__(self, name):
        return self.key(name) in sys.modules

    def get(self, name, default=None):
        return sys.modules.get(self.key(name), default)

    def __setitem__(self, name, module):
        sys.modules[PREFIX + name] = module

    def __delitem__(self, name):
        del sys.modules[PREFIX + name]

    def __iter__(self):
        return (name[len(PREFIX):] for name in list(sys.modules) if name.startswith(PREFIX))

    def __len__(self):
        return sum(1 for _ in self)


class Root:
    """The application's root logger, to the agent. A handler there would make `basicConfig` and the
    last resort for warnings do nothing, so the agent's stand beside it."""

    def __init__(self, logging):
        vars(self).update(logging=logging, real=logging.getLogger(), own=[], call=None)

    @property
    def handlers(self):
        return self.own + self.real.handlers

    def addHandler(self, handler):
        # Or `logging.shutdown` would flush it, when no thread may be started any more.
        references = self.logging._handlerList
        references[:] = [each for each in references if each() is not handler]
        if handler not in self.own:
            self.own.append(handler)
        if self.call is None:
            self.listen()

    def removeHandler(self, handler):
        if handler in self.own:
            self.own.remove(handler)

    def listen(self):
        kind, own, real = self.logging.Logger, self.own, self.real
        call = kind.callHandlers

        def callHandlers(logger, record):
            call(logger, record)
            while logger is not None and logger is not real:
                logger = logger.parent if logger.propagate else None
            if logger is real:
                for handler in list(own):
                    if record.levelno >= handler.level:
                        handler.handle(record)

        vars(self)["call"] = call
        kind.callHandlers = callHandlers

    def forget(self):
        self.own.clear()

    def __getattr__(self, name):
        return getattr(self.real, name)

    def __setattr__(self, name, value):
        setattr(self.real, name, value)


def loggers(logging, is_told):
    """A tree of loggers of the agent's own."""
    root = logging.RootLogger(logging.WARNING)
    root.addHandler(logging.StreamHandler() if is_told else logging.NullHandler())
    root.manager = logging.Manager(root)
    return root


def logging_view(logging, is_told):
    own, outer = loggers(logging, is_told), Root(logging)

    def get_logger(name=None):
        if not name or name == "root":
            return outer
        return own.manager.getLogger(name)

    names = ("debug", "info", "warning", "error", "exception", "critical", "log", "warn")
    functions = {name: getattr(own, name) for name in names if hasattr(own, name)}
    view = View(logging, getLogger=get_logger, root=outer, **functions)
    vars(view)["config"] = View(logging.config)
    return view


class NoWarnings:
    """`warnings.catch_warnings`, of which nothing comes."""

    def __init__(self, **_):
        pass

    def __enter__(self):
        return []

    def __exit__(self, *_):
        pass


def warnings_view(warnings):
    """An application may make errors of warnings: none of them comes from the agent."""

    def nothing(*_, **__):
        pass

    def deprecated(*_, **__):
        return lambda decorated: decorated

    return View(
        warnings,
        warn=nothing,
        warn_explicit=nothing,
        simplefilter=nothing,
        filterwarnings=nothing,
        resetwarnings=nothing,
        catch_warnings=NoWarnings,
        deprecated=deprecated,
    )


def importlib_view(importlib, importer):
    def caller():
        return sys._getframe(2).f_globals.get("__name__", "")

    def import_module(name, package=None):
        if name.startswith("."):
            name = importlib.util.resolve_name(name, package)
        return importer.module(caller(), name)

    class Importlib(View):
        @property
        def metadata(self):
            return importer.load("importlib.metadata")

        @property
        def resources(self):
            return importer.views["importlib.resources"]

    return Importlib(importlib, import_module=import_module)


def resources_view(real, importer):
    """`importlib.resources`, whose functions take a package by name."""
    def with_own(function):
        def call(package, *more, **named):
            if isinstance(package, str):
                who = sys._getframe(1).f_globals.get("__name__", "")
                package = importer.module(who, package)
            return function(package, *more, **named)

        return call

    names = [name for name in getattr(real, "__all__", ()) if name[0].islower() and name != "as_file"]
    return View(real, **{name: with_own(getattr(real, name)) for name in names})


def install(importer, environment, at_exit, is_told):
    """Gives an importer its views."""
    import atexit
    import importlib.resources
    import importlib.util
    import logging.config
    import os
    import warnings

    system = type("System", (System,), {"importer": importer})(sys)
    importer.views.update(
        {
            "sys": system,
            "os": View(os, environ=environment, getenv=environment.get),
            "logging": logging_view(logging, is_told),
            "warnings": warnings_view(warnings),
            "atexit": View(atexit, register=at_exit.register, unregister=at_exit.unregister),
            "importlib": importlib_view(importlib, importer),
            "importlib.resources": resources_view(importlib.resources, importer),
        }
    )
