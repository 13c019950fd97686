"""Python against the C++ program: the same network, data, recipe and seed, in pairs of fresh processes.

    python python/benchmarks/paired.py build/release/bin/mnist_train [--pairs 10] [--train-samples 10000] [--epochs 2]

Prints, for training alone and for the whole process, the median of Python's time over C++'s, and whether both made the same
weights. Which of a pair comes first alternates.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import uncial
from uncial import data, figures, nn, optim, train, vision

ROOT = pathlib.Path(__file__).resolve().parents[2]


def train_in_python(out, samples, epochs):
    """What mnist_train does: the recipe "default" for the network "cnn", pictures and files included."""
    mnist = data.mnist()
    training, validation = mnist.train.split(validation=5000, seed=1)
    net = nn.build((ROOT / "examples/models/cnn.json").read_text()).initialize(seed=1)
    last = {}
    history = train.fit(
        net, training.take(samples), validation=validation, epochs=epochs, batch=128, label_smoothing=0.05, average=0.999, seed=1,
        augment=vision.RandomAffine(degrees=10, zoom=0.1, shift=2 / 28), optimizer=optim.Adam(lr=4e-3),
        schedule=optim.one_cycle(), progress=lambda p: last.update(batch=p.batch),
        callbacks=[train.EarlyStopping(patience=8), FinalWeights(last), train.Checkpoint(out / "mnist_cnn")],
    )  # fmt: skip
    net.load_state_dict(last["weights"])
    report = train.evaluate(net, mnist.test)
    figures.history(history, title="cnn").save(out / "training_history.png")
    figures.confusion_matrix(report, title="cnn on the test set").save(out / "confusion_matrix.png")
    figures.predictions(report, mnist.test).save(out / "prediction_samples.png")
    (out / "result.json").write_text(json.dumps({"seconds": sum(history.seconds), "accuracy": report.accuracy}))


class FinalWeights:
    """Those of _final, as EarlyStopping leaves the best ones in the net."""

    def __init__(self, store):
        self._store = store

    def on_complete(self, view):
        self._store["weights"] = {name: tensor.detach().clone() for name, tensor in view.weights.items()}


def timed(command):
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def run_python(folder, options):
    whole = timed([sys.executable, __file__, "--train", folder, *sizes(options)])
    return json.loads((folder / "result.json").read_text())["seconds"], whole


def run_cpp(folder, options):
    result = folder / "result.json"
    whole = timed([options.program, "--out", folder, "--seed", "1", "--json", result, "--quiet", *sizes(options)])
    return json.loads(result.read_text())["runs"][0]["training_seconds"], whole


def sizes(options):
    return ["--train-samples", str(options.train_samples), "--epochs", str(options.epochs)]


def same_weights(python_folder, cpp_folder):
    ours, _ = uncial.io.load_safetensors(python_folder / "mnist_cnn_final.safetensors")
    theirs, _ = uncial.io.load_safetensors(cpp_folder / "models/mnist_cnn_final.safetensors")
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[k].numpy(), theirs[k].numpy()) for k in ours)


def spread(values):
    return f"median {statistics.median(values):.3f}, {min(values):.3f} to {max(values):.3f}"


def compare(options):
    training, whole, equal = [], [], True
    for pair in range(options.pairs):
        with tempfile.TemporaryDirectory() as python_folder, tempfile.TemporaryDirectory() as cpp_folder:
            runs = [(run_python, pathlib.Path(python_folder)), (run_cpp, pathlib.Path(cpp_folder))]
            times = {}
            for run, folder in runs if pair % 2 == 0 else runs[::-1]:
                times[run] = run(folder, options)
            equal = equal and same_weights(runs[0][1], runs[1][1])
        (ours, ours_whole), (theirs, theirs_whole) = times[run_python], times[run_cpp]
        training.append(ours / theirs)
        whole.append(ours_whole / theirs_whole)
        print(f"{pair + 1:3}: training {ours:.2f} s / {theirs:.2f} s, process {ours_whole:.2f} s / {theirs_whole:.2f} s", flush=True)
    print(f"Python / C++, {options.pairs} pairs, {options.train_samples} images, {options.epochs} epochs")
    print(f"training: {spread(training)}")
    print(f"whole process: {spread(whole)}")
    print(f"weights: {'the same bits' if equal else 'DIFFERENT'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--train-samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--train", type=pathlib.Path, metavar="FOLDER", help="one run in Python: what the pairs call")
    options = parser.parse_args()
    if options.train:
        train_in_python(options.train, options.train_samples, options.epochs)
    elif options.program:
        compare(options)
    else:
        parser.error("name the program mnist_train")


if __name__ == "__main__":
    main()
