#!/usr/bin/env python3
"""Says what became slower (or faster) between two files of measurements.

  compare.py OLD.json NEW.json [--threshold 0.05] [--by-peak]

Each file is the JSON of bench_kernels (--benchmark_out=FILE; --benchmark_repetitions=5 gives a spread) or lines of
bench_net, several of the same configuration being repetitions. A ratio above 1 means faster. A line is flagged when
the medians differ by more than the threshold and the ranges of the repetitions do not overlap. --by-peak compares
shares of the measured peak in the place of times, for machines whose clock moves.

Exit code: 0 nothing became slower; 1 something did, or answers are wrong in NEW; 2 the files cannot be used.
"""
import argparse
import collections
import json
import statistics
import sys

UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def fail(message):
    print(f"error: compare: {message}", file=sys.stderr)
    sys.exit(2)


def kernel_speeds(document, by_peak):
    """Runs a second, or % of peak, of each repetition; and the names of those with a wrong answer."""
    speeds, wrong = collections.defaultdict(list), set()
    for run in document["benchmarks"]:
        if run.get("run_type") == "aggregate":
            continue
        if run.get("error_occurred"):
            wrong.add(run["run_name"])
        elif by_peak:
            speeds[run["run_name"]].append(run["%peak"])
        else:
            speeds[run["run_name"]].append(1 / (run["real_time"] * UNITS[run["time_unit"]]))
    return speeds, wrong


def net_speeds(lines):
    speeds = collections.defaultdict(list)
    for line in lines:
        name = "{model} {task}, batch {batch}, {threads} threads, {precision}".format(**line)
        if "samples_per_second" in line:
            speeds[name].append(line["samples_per_second"])
        else:  # a time
            speeds[name].append(1 / (line["microseconds"] if "microseconds" in line else line["value"]))
    return speeds, set()


def read(path, by_peak):
    try:
        text = open(path, encoding="utf-8").read()
    except OSError as e:
        fail(f"{path}: {e.strerror}")
    try:
        try:
            document = json.loads(text)
        except ValueError:
            document = [json.loads(line) for line in text.splitlines() if line.strip()]
        if isinstance(document, dict) and "benchmarks" in document:
            return kernel_speeds(document, by_peak)
        return net_speeds(document if isinstance(document, list) else [document])
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as e:
        fail(f"{path}: neither JSON of bench_kernels nor lines of bench_net ({type(e).__name__}: {e})")


def compare(old, new, threshold):
    """Rows (name, ratio, lowest, highest, verdict) of what both files have."""
    for name in old:
        if name not in new:
            continue
        a, b = old[name], new[name]
        ratio = statistics.median(b) / statistics.median(a)
        verdict = ""
        if ratio < 1 - threshold and max(b) < min(a):
            verdict = "SLOWER"
        elif ratio > 1 + threshold and min(b) > max(a):
            verdict = "faster"
        yield name, ratio, min(b) / max(a), max(b) / min(a), verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--threshold", type=float, default=0.05)
    parser.add_argument("--by-peak", action="store_true")
    args = parser.parse_args()
    old, _ = read(args.old, args.by_peak)
    new, wrong = read(args.new, args.by_peak)

    rows = list(compare(old, new, args.threshold))
    if not rows and not wrong:
        fail("the files have no measurement in common")
    width = max([len(row[0]) for row in rows] + [4])
    print(f"{'name':{width}}  new/old  (range)")
    for name, ratio, low, high, verdict in rows:
        print(f"{name:{width}}  {ratio:7.3f}  ({low:.3f}-{high:.3f})  {verdict}".rstrip())
    for name in sorted(wrong):
        print(f"{name}: WRONG ANSWER in {args.new}")
    for name in sorted(set(old) - set(new) - wrong):
        print(f"{name}: only in {args.old}")
    for name in sorted(set(new) - set(old)):
        print(f"{name}: only in {args.new}")
    slower = sum(row[4] == "SLOWER" for row in rows)
    print(f"{len(rows)} compared, {slower} slower, {len(wrong)} with wrong answers")
    sys.exit(1 if slower or wrong else 0)


if __name__ == "__main__":
    main()
