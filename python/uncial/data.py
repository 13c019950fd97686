"""Data sets. MNIST comes with this package; others are downloaded."""

import os as _os
import pathlib as _pathlib

from ._uncial.data import *  # noqa: F403
from ._uncial.data import Splits as _Splits
from ._uncial.data import _load

_packaged = _pathlib.Path(__file__).parent / "share" / "data"


def load(name, directory=None) -> _Splits:
    """The data set called `name`, `.train` and `.test`, its checksums verified.

    Without a directory it is looked for where UNCIAL_DATA says, in this package, and where the library was built.
    """
    if directory is None and "UNCIAL_DATA" not in _os.environ and (_packaged / name).is_dir():
        directory = _packaged
    return _load(name, directory)


def mnist(directory=None) -> _Splits:
    """60,000 training and 10,000 test images (1, 28, 28) of the digits 0 to 9 (LeCun, Cortes & Burges, 1998)."""
    return load("mnist", directory)
