"""gevent and eventlet replace modules of the standard library when the application says so. What has
used the originals before does not work any more, and neither do the replacements: the agent starts
afterwards."""

import sys

from .application import command_line
from .importlib_bootstrap import after_each

LIBRARIES = ("gevent", "eventlet")

# The module and the function of it that replaces.
PATCHES = (("gevent.monkey", "patch_all"), ("eventlet", "monkey_patch"), ("eventlet.patcher", "monkey_patch"))

# Instrumentations for what every program uses, before it patches, too.
COMMON = ("asgi", "asyncio", "dbapi", "logging", "system_metrics", "threading", "urllib", "wsgi")


def may_patch(application):
    """Whether the application has one of them."""
    return any(application.finds(library) for library in LIBRARIES)


def is_loaded():
    return any(library in sys.modules for library in LIBRARIES)


def says_so():
    """Whether the command line chooses one, as in `gunicorn -k gevent`, `celery -P eventlet`."""
    return any(library in argument for argument in command_line()[1:] for library in LIBRARIES)


def when_patched(hooks, start, stop):
    """Calls `stop` when one of them is imported, and `start` when it has replaced."""

    def imported(module, function):
        stop()
        if getattr(sys.modules[module], function, None) is not None:
            after_each(sys.modules[module], function, start)

    for module, function in PATCHES:
        hooks.after(module, lambda module=module, function=function: imported(module, function))


def when_needed(hooks, names, start):
    """Calls `start` before the application imports one of these modules, unless it has loaded gevent
    or eventlet: then it will patch, or it uses them as they are."""

    def watch(name, path):
        if name in names and not is_loaded():
            hooks.watchers.remove(watch)
            start()
        return None

    hooks.watchers.append(watch)


def instrumented(files):
    """The modules that the agent has instrumentations for, by the names of its distributions."""
    start = "opentelemetry_instrumentation_"
    names = {name[len(start):].partition("-")[0] for name in files if name.startswith(start)}
    names -= set(COMMON)
    names |= {name.partition("_")[0] for name in names}
    return names | {"urllib.request", "opentelemetry"}
