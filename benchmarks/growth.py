#!/usr/bin/env python3
"""How cost grows: time of a sample against batch, image size, channels and threads; memory against batch.

  growth.py BIN OUT [--rounds N] [--seconds S] [--patience S] --commit COMMIT

BIN holds bench_net and bench_charts. The network is two 3x3 convolutions (C and 2 C filters), each with ReLU and
pooling, and a dense layer; one thing is changed at a time. Rounds go through all points in turn, so that a
busy minute falls on all alike; medians count. OUT gets growth.md, growth.json and its pictures.
"""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import tempfile

from results import machine, number

TASKS = ("train", "infer")
BASE = {"batch": 128, "side": 28, "channels": 16, "threads": 1}
AXES = {
    "batch": ("samples a step", (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)),
    "side": ("side of the image, pixels", (8, 14, 20, 28, 40, 56, 80)),
    "channels": ("filters of the first convolution", (2, 4, 8, 16, 32, 64, 96)),
    "threads": ("threads", tuple(range(1, len(os.sched_getaffinity(0)) + 1))),
}


def description(side, channels):
    pooled = side // 2 // 2
    return {"kind": "sequential", "layers": [
        {"kind": "conv2d", "in": 1, "out": channels, "kernel": 3, "padding": 1}, {"kind": "relu"},
        {"kind": "max_pool2d", "kernel": 2},
        {"kind": "conv2d", "in": channels, "out": 2 * channels, "kernel": 3, "padding": 1}, {"kind": "relu"},
        {"kind": "max_pool2d", "kernel": 2},
        {"kind": "flatten"}, {"kind": "dense", "in": 2 * channels * pooled * pooled, "out": 10}]}


def points(axes):
    """Every (axis, value, task) with the settings it stands for."""
    for axis in axes:
        for value in AXES[axis][1]:
            for task in TASKS:
                yield (axis, value, task), {**BASE, axis: value}


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder

    def __call__(self, task, batch, side, channels, threads):
        path = os.path.join(self.folder, f"net_{side}_{channels}.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(description(side, channels), f)
        out = subprocess.run(
            [os.path.join(self.args.bin, "bench_net"), "--model", path, "--image", f"1,{side},{side}", "--task", task,
             "--batch", str(batch), "--threads", str(threads), "--seconds", str(self.args.seconds),
             "--patience", str(self.args.patience)], stdout=subprocess.PIPE, check=True, text=True).stdout
        return json.loads(out)


def measure(args):
    """(axis, value, task) -> its runs, one a round."""
    runs = {key: [] for key, _ in points(args.axes)}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, folder)
        for _ in range(args.rounds):
            for key, settings in points(args.axes):
                runs[key].append(bench(key[2], **settings))
    return runs


def microseconds(runs):
    return [1e6 / run["samples_per_second"] for run in runs]


def median_time(runs):
    return statistics.median(microseconds(runs))


def curve(runs, axis, label, value_of):
    """One curve a task over the values of an axis."""
    values = AXES[axis][1]
    return [{"label": label.format(task=task), "x": list(values), "y": [value_of(runs[axis, v, task]) for v in values]}
            for task in TASKS]


def time_panel(runs, axis):
    log = axis != "threads"
    return {"title": f"Time against {axis}", "x_label": AXES[axis][0], "y_label": "µs a sample", "log_x": log, "log_y": log,
            "series": curve(runs, axis, "{task}", median_time)}


def memory(runs, key):
    return statistics.median(run[key] for run in runs) / 1024


def memory_panel(runs):
    series = curve(runs, "batch", "{task}", lambda of_point: memory(of_point, "added_memory_kib"))
    series += curve(runs, "batch", "{task}, a place for each value", lambda of_point: memory(of_point, "unplanned_kib"))
    return {"title": "Memory against batch", "x_label": AXES["batch"][0], "y_label": "MiB", "log_x": True, "log_y": True,
            "series": series}


def table(runs, axis):
    lines = [f"| {AXES[axis][0]} | training, µs a sample (range) | inference, µs a sample (range) | "
             "memory, training / inference, MiB | a place for each value, MiB |", "|---" * 5 + "|"]
    for value in AXES[axis][1]:
        cells = []
        for task in TASKS:
            times = microseconds(runs[axis, value, task])
            cells.append(f"{number(statistics.median(times))} ({number(min(times))}-{number(max(times))})")
        for key in ("added_memory_kib", "unplanned_kib"):
            cells.append(" / ".join(f"{memory(runs[axis, value, task], key):.1f}" for task in TASKS))
        lines.append(f"| {value} | " + " | ".join(cells) + " |")
    return lines


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a run")
    parser.add_argument("--patience", type=float, default=5, help="seconds to wait for a quiet machine before a run")
    parser.add_argument("--axes", type=lambda text: text.split(","), default=list(AXES), help=",".join(AXES))
    parser.add_argument("--commit", required=True)
    args = parser.parse_args()
    if not set(args.axes) <= set(AXES):
        parser.error(f"--axes: got {','.join(args.axes)}, expected some of {','.join(AXES)}")
    if args.rounds < 1:
        parser.error(f"--rounds: got {args.rounds}, expected 1 or more")
    runs = measure(args)

    origin = {"date": datetime.date.today().isoformat(), "machine": machine(), "commit": args.commit,
              "command": f"benchmarks/growth.py build/release/bin docs/results --rounds {args.rounds} --seconds {args.seconds:g}"}
    stamp = "*{date}, {machine}, commit {commit}: `{command}`*".format(**origin)
    charts = {axis: {"file": f"growth_{axis}.png", "panels": [time_panel(runs, axis)]} for axis in args.axes}
    if "batch" in charts:
        charts["batch"]["panels"].append(memory_panel(runs))
    page = ["# How cost grows", "",
            "Two 3x3 convolutions (C and 2 C filters, each with ReLU and 2x2 pooling) and a dense layer; but for the axis: "
            + ", ".join(f"{axis} {value}" for axis, value in BASE.items())
            + ". Medians and ranges of interleaved rounds. Memory is what the process took beyond code and samples: weights, "
            "gradients, moments, temporaries of the step and scratch of the threads; beside it, what the temporaries alone would "
            "take if none shared a place. [What the curves show](../performance.md#how-cost-grows).", ""]
    for axis, chart in charts.items():
        titles = ", ".join(panel["title"] for panel in chart["panels"])
        page += [f"## {axis.capitalize()}", "", f"![{titles}]({chart['file']})", "", *table(runs, axis), ""]
    page += [stamp, "Raw data: [growth.json](growth.json)", ""]

    write(os.path.join(args.out, "growth.md"), "\n".join(page))
    data = [{"axis": axis, "value": value, "task": task, "microseconds": microseconds(of_point),
             **{key: [run[key] for run in of_point] for key in ("added_memory_kib", "unplanned_kib")}}
            for (axis, value, task), of_point in runs.items()]
    write(os.path.join(args.out, "growth.json"), json.dumps({**origin, "points": data}, indent=1) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        described = os.path.join(folder, "charts.json")
        write(described, json.dumps(list(charts.values())))
        subprocess.run([os.path.join(args.bin, "bench_charts"), "--charts", described, "--out", args.out], check=True)


if __name__ == "__main__":
    main()
