"""Starts the OpenTelemetry distribution before a Python application.

The injector answers PYTHONPATH with this folder in front, so Python's `site` imports this module.
It leaves no trace of itself: not on sys.path, not in sys.modules, not in os.environ.

Any Python may come by here: this must parse on 2.7 and 3.6, and must never fail aloud.
"""

import os
import sys

# The oldest version that this was tried with; what the packages need is in their metadata.
FLOOR = (3, 8)


def load():
    if sys.version_info < FLOOR:
        raise ImportError("Python %d.%d is too old" % sys.version_info[:2])
    import opentelemetry_injector_agent

    return opentelemetry_injector_agent


def leave():
    """Takes this folder from sys.path, and its modules from sys.modules."""
    folder = os.path.dirname(__file__)
    sys.path[:] = [entry for entry in sys.path if entry != folder]
    sys.path_importer_cache.pop(folder, None)
    sys.modules.pop("opentelemetry_injector_agent", None)
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
    agent.start(is_told())
except KeyboardInterrupt:
    raise
except BaseException as error:
    told("%s: %s" % (type(error).__name__, error))

# The user's own, if there is one; if not, `site` expects this error.
import sitecustomize
