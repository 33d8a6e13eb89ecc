"""The agent's own importer: its packages are imported by its own modules alone.

The application never finds them: they stand in sys.modules behind a prefix, and their folder is not
on sys.path. Each of their modules runs with an `__import__` of its own (the import statement looks it
up among the builtins of the module that it stands in: "The import statement" in Python's reference),
which decides by who asks for what:

- the agent's packages among themselves: the agent's;
- an instrumentation for the library that it instruments: the application's, once the application has
  imported it, and not before (`NotYet`);
- the standard library: the one that the application has, found in its own folders alone.

Nothing else is found. So no file of the application, of the script's folder or of the working
directory is executed because the agent asked for a module.
"""

import _thread
import builtins
import importlib
import os
import sys
from importlib.machinery import (
    BuiltinImporter,
    ExtensionFileLoader,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)

# What the agent's modules are called in sys.modules.
ROOT = "_opentelemetry_injector"
PREFIX = ROOT + "."

# Modules that work on the application's libraries.
OUTER = ("opentelemetry.instrumentation", "opentelemetry.util.http", "wrapt")


def under(name, package):
    return name == package or name.startswith(package + ".")


class NotYet(ModuleNotFoundError):
    """The application has not imported a library that an instrumentation is for."""


class Loader(SourceFileLoader):
    """Runs a module of the agent under its public name, with the agent's own builtins."""

    importer = None

    def exec_module(self, module):
        public = self.name[len(PREFIX):]
        space = vars(module)
        space["__name__"] = public
        space["__package__"] = public if hasattr(module, "__path__") else public.rpartition(".")[0]
        space["__builtins__"] = self.importer.builtins
        self.importer.show(public, module)
        exec(self.get_code(self.name), space)


class Alias:
    """Gives a module of the agent under its public name."""

    def __init__(self, importer, stays=False):
        self.importer = importer
        self.stays = stays

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__spec__.name
        if not self.stays:
            # Before the module itself is shown in place of this one.
            self.importer.shown.setdefault(name, None)
        sys.modules[name] = self.importer.load(name)


class Importer:
    def __init__(self, folder, application, standard_path):
        self.folder = folder
        self.application = application
        self.files = os.listdir(folder)
        self.names = {name.partition(".")[0] for name in self.files} - {"bin"}
        self.standard_path = standard_path
        self.views = {}
        # Of the standard library: what the application has other modules of the same name for.
        self.shadowed = set()
        self.genuine = {}
        self.supports = {}
        self.missed = []
        self.absent = set()
        self.finished = set()
        # Threads that import for the agent, how deeply, and what they show under public names.
        self.at_work = {}
        self.shown = {}
        self.starting = False
        self.builtins = dict(vars(builtins), __import__=self.import_)
        self.loader = type("Loader", (Loader,), {"importer": self})
        root = type(sys)(ROOT)
        root.__path__ = [folder]
        sys.modules[ROOT] = root
        sys.meta_path.insert(0, self)

    # The import statement of the agent's modules.

    def import_(self, name, globals=None, locals=None, fromlist=(), level=0):
        if globals is None:
            globals = sys._getframe(1).f_globals
        who = globals.get("__name__", "")
        if level:
            package = globals.get("__package__") or who
            base = package.rsplit(".", level - 1)[0]
            name = base + "." + name if name else base
        if fromlist:
            module = self.module(who, name)
            if hasattr(module, "__path__"):
                self.load_names(who, name, module, fromlist)
            return module
        module = self.module(who, name)
        top = name.partition(".")[0]
        return module if top == name else self.module(who, top)

    def load_names(self, who, name, module, names):
        for each in names:
            if each == "*":
                self.load_names(who, name, module, getattr(module, "__all__", ()))
            elif not hasattr(module, each):
                inner = name + "." + each
                try:
                    self.module(who, inner)
                except NotYet:
                    raise
                except ModuleNotFoundError as error:
                    if error.name not in (inner, PREFIX + inner):
                        raise

    def module(self, who, name):
        """The module of that name for one that is called `who`."""
        view = self.views.get(name)
        if view is not None:
            return view
        if self.is_own(who, name):
            return self.load(name)
        return self.found(who, name)

    def is_own(self, who, name):
        """Whether `who` means the agent's module by a name."""
        top = name.partition(".")[0]
        if top in self.shadowed or under(name, "importlib.metadata"):
            return True
        if top not in self.names:
            return False
        return top == "opentelemetry" or not is_outer(who) or top in self.support(who)

    def support(self, who):
        """Of the agent's packages: those that one which works on others' needs for itself."""
        if under(who, "wrapt"):
            return ("wrapt",)
        package = "_".join(who.split(".")[:3])
        if package not in self.supports:
            base = self.required("opentelemetry_instrumentation")
            self.supports[package] = base | self.required(package)
        return self.supports[package]

    def required(self, package):
        """What a distribution requires, without its extras: those name what is instrumented."""
        start = package + "-"
        for name in self.files:
            if name.startswith(start) and name.endswith(".dist-info"):
                with open(os.path.join(self.folder, name, "METADATA"), encoding="utf-8") as file:
                    lines = [line for line in file if line.startswith("Requires-Dist:")]
                lines = [line.split(":", 1)[1].strip() for line in lines if "extra ==" not in line]
                return {word(line).replace("-", "_").lower() for line in lines}
        return set()

    def load(self, name):
        """The agent's module of that name."""
        with Work(self):
            return importlib.import_module(PREFIX + name)

    def found(self, who, name):
        """A module of the standard library or of the application."""
        top = name.partition(".")[0]
        if top == "__main__":
            return sys.modules[top]
        if self.is_standard(top):
            return self.standard(who, name, top)
        if is_outer(who):
            self.be_there(name, top)
            with Rest(self):
                importlib.import_module(name)
            return sys.modules[name]
        # What the application has already executed may be looked at.
        if name in sys.modules and not self.at_work_here():
            return sys.modules[name]
        raise ModuleNotFoundError("No module named %r" % name, name=name)

    def be_there(self, name, top):
        """Raises where the application has not imported a library."""
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            package = ".".join(parts[:end])
            module = sys.modules.get(package)
            if module is None or package in self.shown:
                break
            if is_namespace(module):
                continue
            spec = getattr(module, "__spec__", None)
            if package in self.finished or not getattr(spec, "_initializing", False):
                return
            break
        else:
            return
        if package not in self.absent:
            self.missed.append(name)
        raise NotYet("No module named %r" % name, name=name)

    # The standard library.

    def is_standard(self, top):
        names = getattr(sys, "stdlib_module_names", None)
        if names is not None:
            return top in names
        return top in self.genuine or self.standard_spec(top) is not None

    def standard_spec(self, top):
        for finder, path in ((BuiltinImporter, None), (FrozenImporter, None), (PathFinder, self.standard_path)):
            spec = finder.find_spec(top, path)
            if spec is not None:
                return spec
        return None

    def is_genuine(self, module):
        spec = getattr(module, "__spec__", None)
        origin = getattr(spec, "origin", None) or getattr(module, "__file__", None)
        if origin in (None, "built-in", "frozen"):
            return True
        return os.path.dirname(origin) in self.standard_path or any(
            origin.startswith(entry + os.sep) and "-packages" + os.sep not in origin
            for entry in self.standard_path
        )

    def standard(self, who, name, top):
        there = sys.modules.get(top)
        if there is not None and self.genuine.get(top) is not there:
            if not self.is_genuine(there):
                self.shadowed.add(top)
                return self.load(name)
            self.genuine[top] = there
        if name in sys.modules:
            # A part of the standard library may be what is instrumented.
            return importlib.import_module(name)
        parts = who.split(".")
        if parts[:2] == ["opentelemetry", "instrumentation"] and parts[2:3] == [top]:
            self.missed.append(name)
            raise NotYet("No module named %r" % name, name=name)
        before = set(sys.modules)
        with Work(self):
            importlib.import_module(name)
        if self.starting:
            return sys.modules[name]
        module = sys.modules[name]
        self.hide_shadowed(before)
        return module

    def hide_shadowed(self, before):
        """Takes those modules of the standard library, imported since, out of the application's sight
        of which it has others itself; the agent keeps them."""
        path = self.application.path_before(self.standard_path)
        if not path:
            return
        new = [name for name in sys.modules if name not in before and not name.startswith(ROOT)]
        for top in {name.partition(".")[0] for name in new}:
            module = sys.modules.get(top)
            if module is None or top in self.shown or not self.is_genuine(module):
                continue
            spec = PathFinder.find_spec(top, path)
            if spec is not None and spec.has_location:
                self.shadowed.add(top)
                for name in [name for name in new if under(name, top)]:
                    sys.modules[PREFIX + name] = sys.modules.pop(name)

    # The finder of the agent's modules, and of what is imported meanwhile.

    def find_spec(self, name, path=None, target=None):
        if name.startswith(PREFIX):
            return self.own_spec(name, path)
        if not self.at_work_here():
            return None
        top = name.partition(".")[0]
        if self.starting and top in self.names or top in self.shadowed:
            return ModuleSpec(name, Alias(self))
        if path is not None:
            return None
        spec = self.standard_spec(top)
        if spec is None:
            raise ModuleNotFoundError("No module named %r" % name, name=name)
        return spec

    def own_spec(self, name, path):
        public = name[len(PREFIX):]
        if public == "importlib":
            return ModuleSpec(name, None, is_package=True)
        if under(public, "importlib.metadata") and public.count(".") == 1:
            path = importlib.__path__
        elif public.count(".") == 0 and public not in self.names:
            path = self.standard_path
        spec = PathFinder.find_spec(name, path)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = self.loader(name, spec.origin)
        return spec

    # What is seen under public names while the agent imports: C extensions, dataclasses and
    # importlib.resources look there.

    def show(self, name, module):
        if name in self.shown:
            sys.modules[name] = module
        elif self.starting or (under(name, "opentelemetry") and name not in sys.modules):
            self.shown[name] = sys.modules.get(name)
            sys.modules[name] = module

    def hide(self):
        for name, before in self.shown.items():
            if before is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = before
        self.shown.clear()

    def begin(self, before):
        """What is imported until `end` in this thread is the agent's or the standard library's. What
        is new since `before` is not the application's either."""
        self.starting = True
        for name in [name for name in sys.modules if name.partition(".")[0] in self.names]:
            self.shown[name] = sys.modules.pop(name)
        self.before = before
        self.at_work[_thread.get_ident()] = 1

    def end(self):
        del self.at_work[_thread.get_ident()]
        self.starting = False
        self.hide()
        self.hide_shadowed(self.before)

    def at_work_here(self):
        """Whether this thread imports for the agent."""
        return _thread.get_ident() in self.at_work

    def keep(self, name):
        """Takes a module of the standard library out of the application's sight."""
        if name in sys.modules and name not in self.before:
            sys.modules[PREFIX + name] = sys.modules.pop(name)

    def drop(self, name):
        """Takes a module of the agent away, to be loaded anew."""
        for each in [each for each in sys.modules if under(each, PREFIX + name)]:
            del sys.modules[each]

    def forget(self):
        """Takes everything of the agent away."""
        self.hide()
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in [name for name in sys.modules if under(name, ROOT)]:
            del sys.modules[name]


class Work:
    """While a thread imports for the agent."""

    def __init__(self, importer):
        self.importer = importer

    def __enter__(self):
        depths = self.importer.at_work
        thread = _thread.get_ident()
        depths[thread] = depths.get(thread, 0) + 1

    def __exit__(self, *_):
        depths = self.importer.at_work
        thread = _thread.get_ident()
        depths[thread] -= 1
        if not depths[thread]:
            del depths[thread]
            if not depths:
                self.importer.hide()


class Rest:
    """While a thread that imports for the agent imports a library of the application."""

    def __init__(self, importer):
        self.importer = importer

    def __enter__(self):
        self.depth = self.importer.at_work.pop(_thread.get_ident(), None)

    def __exit__(self, *_):
        if self.depth is not None:
            self.importer.at_work[_thread.get_ident()] = self.depth


def is_outer(who):
    return any(under(who, package) for package in OUTER)


def is_namespace(module):
    return hasattr(module, "__path__") and getattr(module, "__file__", None) is None


def word(text):
    """The name at the beginning of a requirement."""
    end = next((at for at, sign in enumerate(text) if not (sign.isalnum() or sign in "-_.")), len(text))
    return text[:end]
