"""Starts the OpenTelemetry distribution; for the versions of Python that it exists for.

The preload object is asked through libc's getenv: nothing of what it says is in the environment.
"""

import ctypes
import functools
import gc
import os
import sys
from fnmatch import fnmatch
from importlib.machinery import PathFinder

from . import green
from .application import Application, started_module
from .agent import Agent
from .importlib_bootstrap import Hooks

QUESTION = "OPENTELEMETRY_INJECTOR_BOOT_"

# `opentelemetry.sdk` itself may be a folder without a file.
SDK = "opentelemetry.sdk.trace"


class Refusal(Exception):
    """The agent is not started; `code` says why, to the preload object."""

    def __init__(self, code, why):
        super().__init__(why)
        self.code = code


def ask(name):
    """What the preload object answers; None where it has injected nothing."""
    getenv = ctypes.CDLL(None).getenv
    getenv.argtypes = [ctypes.c_char_p]
    getenv.restype = ctypes.c_char_p
    answer = getenv(os.fsencode(QUESTION + name))
    return None if answer is None else os.fsdecode(answer)


def start(tell, is_told, before, standard_path):
    """Starts it, or raises a Refusal. `tell` is called with what is worth telling, and tells it where
    `is_told`. `before` are the modules that were there before us, `standard_path` the entries of sys.path
    with the standard library."""
    folder = ask("AGENT_PATH")
    settings = ask("SETTINGS")
    allows_own_sdk = ask("ALLOW_OWN_SDK") is not None
    ask("STARTED")
    if folder is None:
        return
    # The real one: a link to the current version may be switched while modules are still to be imported.
    folder = os.path.realpath(folder.replace("{version}", "%d.%d" % sys.version_info[:2]))
    application = Application()
    try:
        check(folder, application, allows_own_sdk)
        settings = dict(line.split("=", 1) for line in (settings or "").split("\n") if line)
        make = functools.partial(Agent, folder, settings, application, standard_path, tell, is_told)
        Starter(folder, make, application, tell, allows_own_sdk).begin(before)
    except BaseException as error:
        stand_down(error.code if isinstance(error, Refusal) else "FAILED")
        raise


def stand_down(code):
    """From now on the preload object answers settings as they stand in the environment."""
    ask("STOOD_DOWN_" + code)


def check(folder, application, allows_own_sdk):
    if sys.implementation.name != "cpython":
        raise Refusal("VERSION", "the agent is for CPython, and this is " + sys.implementation.name)
    if sys.version_info[:2] < needed(folder):
        raise Refusal("VERSION", "the packages in %s are for newer versions of Python" % folder)
    if not allows_own_sdk and application.finds(SDK):
        raise Refusal("OWN_SDK", "the application has OpenTelemetry's SDK itself")


def needed(folder):
    """The oldest version of Python that the packages in a folder say they run on."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise Refusal("FAILED", str(error))
    for name in names:
        if fnmatch(name, "opentelemetry_instrumentation-*.dist-info"):
            with open(os.path.join(folder, name, "METADATA"), encoding="utf-8") as metadata:
                line = next(line for line in metadata if line.startswith("Requires-Python:"))
            version = line.split(">=")[1].split(",")[0]
            return tuple(int(number) for number in version.strip().split("."))
    raise Refusal("FAILED", "no opentelemetry-instrumentation in " + folder)


class Starter:
    """Decides when the agent starts, and whether again."""

    def __init__(self, folder, make, application, tell, allows_own_sdk):
        self.folder = folder
        self.make = make
        self.application = application
        self.tell = tell
        self.agent = None
        self.hooks = Hooks()
        if not allows_own_sdk:
            self.hooks.watchers.append(self.own_sdk)

    def begin(self, before):
        green.when_patched(self.hooks, self.start_later, self.stop)
        if not green.may_patch(self.application):
            self.start(before)
            # The application's own modules are not there yet. Its garbage collector shall not walk through the agent.
            gc.freeze()
        elif green.says_so():
            self.tell("waits until gevent or eventlet has patched")
        else:
            self.tell("waits for what is to be instrumented: gevent or eventlet may patch before")
            green.when_needed(self.hooks, green.instrumented(os.listdir(self.folder)), self.start_later)

    def start(self, before):
        if self.agent is not None:
            return
        self.agent = agent = self.make(self.hooks)
        try:
            agent.start(before, started_module())
        except BaseException as error:
            self.stop()
            self.hooks.forget()
            if isinstance(error, KeyboardInterrupt):
                raise
            raise Refusal("FAILED", "%s: %s" % (type(error).__name__, error))

    def start_later(self):
        """Within an import of the application, which nothing may happen to."""
        try:
            self.start(set(sys.modules))
        except Refusal as refusal:
            stand_down(refusal.code)
            self.tell(str(refusal))

    def stop(self):
        agent, self.agent = self.agent, None
        if agent is not None:
            agent.stop()

    def own_sdk(self, name, path):
        """It was not there when Python started: sys.path has grown since."""
        if not path or not name.startswith("opentelemetry.sdk.") or self.imports():
            return
        if PathFinder.find_spec(name, path) is not None:
            self.tell("the application has OpenTelemetry's SDK itself")
            self.stop()
            self.hooks.forget()
            stand_down("OWN_SDK")

    def imports(self):
        """Whether it is the agent that imports."""
        return self.agent is not None and self.agent.importer.at_work_here()
