"""Pictures of data, of training, and of what a net sees."""

from ._uncial.figures import *  # noqa: F403
