"""Training and judging."""

from ._uncial.train import *  # noqa: F403


class Callback:
    """What fit() calls, for those who like a base class; an object with some of these methods will do."""

    def on_start(self, net):
        """Before the first step."""

    def on_epoch(self, view):
        """After each epoch. A text ends the run and is its reason."""

    def on_complete(self, view):
        """When all epochs are done or a callback ended the run."""

    def on_end(self, net, history):
        """Once at the end."""
