"""uncial: a deep-learning library for small networks, from scratch. python/README.md of its repository shows it."""

import contextlib as _contextlib
import functools as _functools

from . import _uncial
from . import cuda, data, figures, io, nn, optim, train, vision
from ._uncial import *  # noqa: F403
from ._uncial import CompiledFunction as _CompiledFunction
from ._uncial import _NoGrad
from ._uncial import __version__  # noqa: F401

float32, float64, bfloat16 = "float32", "float64", "bfloat16"
int64, int32, uint8, bool_ = "int64", "int32", "uint8", "bool"


class no_grad(_contextlib.ContextDecorator):
    """`with no_grad():` or `@no_grad()`: operators of this thread append nothing to the tape."""

    def __init__(self):
        self._guard = _NoGrad()

    def __enter__(self):
        self._guard.__enter__()
        return self

    def __exit__(self, *trouble):
        self._guard.__exit__(*trouble)


def compile(function=None, *, fuse=True, precision="float32"):
    """A function of tensors that is recorded at its first call and replayed from then on; also a decorator.

    What it returns is overwritten by the next call. `.reason` says why it runs eagerly, if it does.
    """
    if function is None:
        return _functools.partial(compile, fuse=fuse, precision=precision)
    return _CompiledFunction(function, fuse=fuse, precision=precision)


__all__ = [
    *_uncial.__all__,
    "bfloat16", "bool_", "compile", "cuda", "data", "figures", "float32", "float64", "int32", "int64", "io", "nn", "no_grad",
    "optim", "train", "uint8", "vision",
]  # fmt: skip
