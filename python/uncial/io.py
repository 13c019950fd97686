"""Files that other tools read: safetensors, PNG."""

from ._uncial.io import *  # noqa: F403
