"""What fit(progress=True) shows: a line that is rewritten while an epoch runs."""

import math
import sys


class ProgressLine:
    def __init__(self, file=None):
        self._file = file or sys.stdout
        self._rewrites = _can_rewrite(self._file)
        self._length = 0

    def __call__(self, progress):
        done = progress.finished
        if done is None:
            if self._rewrites:
                self._write(f"{_head(progress)}  {_bar(progress)}  loss {progress.loss:.4f}  accuracy {_percent(progress.accuracy)}")
            return
        line = f"{_head(progress)}  loss {done.loss:.4f}  accuracy {_percent(done.accuracy)}"
        if not math.isnan(done.validation_loss):
            line += f"  validation loss {done.validation_loss:.4f}  accuracy {_percent(done.validation_accuracy)}"
        self._write(f"{line}  {done.seconds:.1f} s")
        self._file.write("\n")
        self._file.flush()
        self._length = 0

    def _write(self, line):
        start = "\r" if self._rewrites else ""
        self._file.write(start + line + " " * max(0, self._length - len(line)))
        self._file.flush()
        self._length = len(line)


def _can_rewrite(file):
    """Terminals and notebooks go back to the start of a line at a carriage return; files would keep every version."""
    return file.isatty() or "ipykernel" in type(file).__module__


def _head(progress):
    return f"epoch {progress.epoch:>{len(str(progress.epochs))}}/{progress.epochs}"


def _bar(progress, width=20):
    filled = width * progress.batch // max(1, progress.batches)
    return "[" + "=" * filled + "." * (width - filled) + "]"


def _percent(share):
    return f"{100 * share:.2f} %"
