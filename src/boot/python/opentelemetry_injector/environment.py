"""The environment as the agent sees it."""

from collections.abc import MutableMapping


class Environment(MutableMapping):
    """os.environ with the settings over it. What the agent sets stays here: in os.environ, it would
    reach every child."""

    def __init__(self, own, settings):
        self.own = own
        self.settings = settings

    def end_merging(self):
        """From now on what the user has set is what the user has set: whoever copies the whole for a
        child reads it name by name."""
        for name in [name for name in self.settings if name in self.own]:
            del self.settings[name]

    def __getitem__(self, name):
        return self.settings[name] if name in self.settings else self.own[name]

    def __setitem__(self, name, value):
        if name.startswith("OTEL_"):
            self.settings[name] = value
        elif self.own.get(name) != value:
            self.own[name] = value

    def __delitem__(self, name):
        if self.settings.pop(name, None) is None:
            del self.own[name]

    def __contains__(self, name):
        return name in self.settings or name in self.own

    # Whoever looks at the whole copies it for a child.
    def __iter__(self):
        return iter(self.own)

    def __len__(self):
        return len(self.own)

    def items(self):
        return self.own.items()

    def values(self):
        return self.own.values()

    def __or__(self, other):
        return self.own | other

    def __ror__(self, other):
        return other | self.own

    def __ior__(self, other):
        self.update(other)
        return self

    def __getattr__(self, name):
        if name == "own":
            raise AttributeError(name)
        return getattr(self.own, name)
