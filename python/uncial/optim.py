"""Optimisers and schedules. Without parameters an optimiser is a recipe for train.fit()."""

from ._uncial.optim import *  # noqa: F403
