"""The GPUs of this machine; without any, available() is false and the rest says why."""

from ._uncial.cuda import *  # noqa: F403
