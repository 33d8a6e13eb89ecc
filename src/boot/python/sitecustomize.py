"""Starts the OpenTelemetry distribution before a Python application.

The injector answers PYTHONPATH with this folder in front, so Python's `site` imports this module.
It leaves no trace of itself: not on sys.path, not in sys.modules, not in os.environ.

Any Python may come by here: this must parse on 2.7 and 3.6, and must never fail aloud.
"""

import os
import sys

# The oldest version that this was tried with; what the packages need is in their metadata.
FLOOR = (3, 8)


# What the application finds in sys.modules without us.
BEFORE = set(sys.modules)


def load():
    if sys.version_info < FLOOR:
        stand_down("VERSION")
        raise ImportError("Python %d.%d is too old" % sys.version_info[:2])
    whole = sys.path[:]
    # A module of the user's may be called like one of the standard library.
    sys.path[:] = [os.path.dirname(__file__)] + standard_path()
    try:
        import opentelemetry_injector
    finally:
        sys.path[:] = whole
    return opentelemetry_injector


def standard_path():
    """The entries of sys.path with the standard library."""
    library = os.path.dirname(os.__file__)
    archive = "python%d%d.zip" % sys.version_info[:2]
    return [entry for entry in sys.path if entry == library or os.path.basename(entry) in (archive, "lib-dynload")]


def stand_down(code):
    """Tells the preload object that no agent is started, through libc's getenv."""
    import ctypes

    ctypes.CDLL(None).getenv(b"OPENTELEMETRY_INJECTOR_BOOT_STARTED")
    ctypes.CDLL(None).getenv(b"OPENTELEMETRY_INJECTOR_BOOT_STOOD_DOWN_" + code.encode("ascii"))


def leave():
    """Takes this folder from sys.path, and its modules from sys.modules; and this folder from the
    environment, where a parent has handed it on: children get none of it."""
    folder = os.path.dirname(__file__)
    value = os.environ.get("PYTHONPATH", "").split(":")
    users = [entry for entry in value if entry != folder]
    if users != value:
        os.environ["PYTHONPATH"] = ":".join(users)
        if not users:
            del os.environ["PYTHONPATH"]
    sys.path[:] = [entry for entry in sys.path if entry != folder]
    sys.path_importer_cache.pop(folder, None)
    for name in [name for name in sys.modules if name.split(".")[0] == "opentelemetry_injector"]:
        del sys.modules[name]
    # Python 2 empties a module that nobody holds any more.
    globals()["itself"] = sys.modules.pop(__name__)


def is_told():
    return os.environ.get("OPENTELEMETRY_INJECTOR_DEBUG", "").lower() in ("1", "true", "trace")


def told(what):
    if is_told():
        sys.stderr.write("opentelemetry-injector[%d python]: %s\n" % (os.getpid(), what))


try:
    try:
        agent = load()
    finally:
        leave()
    agent.start(told, is_told(), BEFORE, standard_path())
except KeyboardInterrupt:
    raise
except BaseException as error:
    told("%s: %s" % (type(error).__name__, error))

# The user's own, if there is one; if not, `site` expects this error.
import sitecustomize
