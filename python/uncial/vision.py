"""Random changes of images: for fit(augment=...), and for arrays."""

from ._uncial.vision import *  # noqa: F403
