"""The flags' values as one frozen value: made once from the command line, changed only by making another."""

import dataclasses

from utils.flags import FLAGS


def _changed(self, **values):
    """The same options but for these values; `explicit`, too, can be given."""
    return dataclasses.replace(self, **values)


def _defaulting(self, **values):
    """The same options with these values of the flags that the command line does not name."""
    return self.changed(**{name: value for name, value in values.items() if name not in self.explicit})


# An attribute for each flag, and `explicit`: a frozenset of the flags that the command line names.
Options = dataclasses.make_dataclass(
    "Options", [*FLAGS, "explicit"], frozen=True, repr=False, namespace={"changed": _changed, "defaulting": _defaulting}
)
Options.__module__ = __name__  # so that it can be handed to another process
