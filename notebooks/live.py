"""What a training run shows while it runs: pass one of these to train.fit() as `progress`.

Both draw into an output that they replace, so they look the same in JupyterLab, under `jupyter execute` and, as they
were at the end, on a page that shows the notebook.
"""

import io
import math
import time

from IPython.display import Image, display
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import style


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Bar:
    """A bar in one line of text, for one run or for several one after the other."""

    WIDTH = 30
    PERIOD = 0.25  # seconds between two drawings: a drawing costs about a millisecond

    def __init__(self, runs=1):
        self.runs, self.run, self.name = runs, 0, ""
        self.started, self.drawn = time.monotonic(), 0.0
        self.handle = display({"text/plain": ""}, raw=True, display_id=True)

    def start(self, name=""):
        """Begins the next run, which is called `name`; returns this bar."""
        self.run, self.name, self.drawn = self.run + 1, name, 0.0
        return self

    def __call__(self, p):
        now = time.monotonic()
        if p.finished is None and now - self.drawn < self.PERIOD:
            return
        self.drawn = now
        done = (p.epoch - 1 + p.batch / max(p.batches, 1)) / p.epochs
        if p.finished is not None:
            done = p.epoch / p.epochs
        self.show((max(self.run - 1, 0) + done) / self.runs, self.text(p))

    def text(self, p):
        figures = f"loss {p.loss:.3f}, accuracy {100 * p.accuracy:.2f} %"
        if p.finished is not None and not math.isnan(p.finished.validation_accuracy):
            figures += f"; validation {100 * p.finished.validation_accuracy:.2f} %"
        run = f"run {self.run}/{self.runs} {self.name}, " if self.runs > 1 else ""
        return f"{run}epoch {p.epoch}/{p.epochs}: {figures}"

    def show(self, share, text):
        full = round(self.WIDTH * share)
        line = f"{'█' * full}{'░' * (self.WIDTH - full)} {100 * share:3.0f} %  {clock(time.monotonic() - self.started)}  {text}"
        self.handle.update({"text/plain": line}, raw=True)

    def finish(self, text):
        """Fills the bar, for runs that ended early or were not the last thing that it stood for."""
        self.show(1, text)


class Curves(Bar):
    """The bar, and under it loss and accuracy of every epoch so far, training and validation."""

    def __init__(self, title=""):
        super().__init__()
        self.title, self.epochs = title, []
        self.picture = None

    def __call__(self, p):
        super().__call__(p)
        if p.finished is None:
            return
        record = p.finished  # copied: the record lives no longer than the call
        self.epochs.append((record.epoch, record.loss, record.validation_loss, record.accuracy,
                            record.validation_accuracy))
        picture = self.draw(p.epochs)
        if self.picture is None:
            self.picture = display(picture, display_id=True)
        else:
            self.picture.update(picture)

    def draw(self, epochs):
        epoch, loss, validation_loss, accuracy, validation_accuracy = zip(*self.epochs)
        # Not through pyplot: it would show the figure a second time at the end of the cell.
        figure = Figure(figsize=(10, 3.4), dpi=160, layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(epoch, loss, "o-", color=style.BLUE, label="training")
        left.plot(epoch, validation_loss, "s--", color=style.ORANGE, label="validation")
        left.set(ylabel="cross-entropy loss", ylim=(0, None))
        right.plot(epoch, [100 * a for a in accuracy], "o-", color=style.BLUE, label="training")
        right.plot(epoch, [100 * a for a in validation_accuracy], "s--", color=style.ORANGE, label="validation")
        right.set(ylabel="accuracy, %")
        best = max(range(len(epoch)), key=lambda i: (validation_accuracy[i], -validation_loss[i]))
        for axes in (left, right):
            axes.axvline(epoch[best], color=style.GREY, linewidth=1, linestyle=":",
                         label=f"best epoch: {epoch[best]}")
            axes.set(xlabel="epoch", xlim=(0.8, epochs + 0.2))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend()
        figure.suptitle(self.title)
        png = io.BytesIO()
        figure.savefig(png, format="png")
        return Image(png.getvalue(), width=800)
