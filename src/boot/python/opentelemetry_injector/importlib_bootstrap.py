"""Calls something once the application has imported a module.

The name of this file keeps its frames out of warnings: Python takes those of files whose names
contain `importlib` and `_bootstrap` for its own, and looks for the line that is to blame in the frame
before (`is_internal_filename` in Python/_warnings.c, CPython 3.8 to 3.13)."""

import sys


class Hooks:
    """A finder that finds nothing by itself: it looks who runs the module, and is told when it ran."""

    def __init__(self):
        self.waiting = {}
        # Asked of every module that is looked for.
        self.watchers = []
        self.is_looking = False
        sys.meta_path.insert(0, self)

    def after(self, name, function):
        """Calls `function` after the next import of a module."""
        self.waiting.setdefault(name, []).append(function)

    def find_spec(self, name, path=None, target=None):
        for watcher in self.watchers[:]:
            spec = watcher(name, path)
            if spec is not None:
                return spec
        if name not in self.waiting:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                return self.watched(name, spec)
        return None

    def watched(self, name, spec):
        if spec.loader is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = Told(spec.loader, lambda: self.tell(name))
        return spec

    def tell(self, name):
        for function in self.waiting.pop(name, ()):
            function()

    def forget(self):
        self.waiting.clear()
        self.watchers.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class Told:
    """A loader that tells. The module itself is left with the loader that it would have had."""

    def __init__(self, loader, tell):
        self.loader = loader
        self.tell = tell

    def create_module(self, spec):
        create = getattr(self.loader, "create_module", None)
        return None if create is None else create(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.tell()

    def __getattr__(self, name):
        return getattr(self.loader, name)


def before_first(owner, name, function):
    """Calls `function` before the first call of a method or function, which stays what it is."""
    original = vars(owner)[name]

    def call(*arguments, **named):
        setattr(owner, name, original)
        function()
        return original(*arguments, **named)

    setattr(owner, name, call)


def after_each(owner, name, function):
    """Calls `function` after each call of a module's function."""
    original = getattr(owner, name)

    def call(*arguments, **named):
        try:
            return original(*arguments, **named)
        finally:
            function()

    call.__name__ = name
    call.__wrapped__ = original
    setattr(owner, name, call)
