"""What networks are made of. Derive from Module for one of your own."""

import functools as _functools

from ._uncial.nn import *  # noqa: F403
from ._uncial.nn import Module as _Module
from ._uncial.nn import _initialize_untouched
from ._uncial.nn import init  # noqa: F401


def _init_subclass(cls, **options):
    """Start values are keyed by path, which only the finished object knows: so they are given when __init__ is through."""
    super(_Module, cls).__init_subclass__(**options)
    built_in = next((base for base in cls.__mro__[1:] if base.__module__.startswith("uncial.")), _Module)
    if "forward" in cls.__dict__ and built_in is not _Module:
        raise TypeError(
            f"{cls.__name__}: forward() of a {built_in.__name__} cannot be replaced. Derive from uncial.nn.Module."
        )
    own_init = cls.__dict__.get("__init__")
    if own_init is None:
        return

    @_functools.wraps(own_init)
    def __init__(self, *arguments, **keywords):
        own_init(self, *arguments, **keywords)
        _initialize_untouched(self)

    cls.__init__ = __init__


_Module.__init_subclass__ = classmethod(_init_subclass)
