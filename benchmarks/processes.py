#!/usr/bin/env python3
"""Measures whole processes of bench_net: wall time from start to end, and the most memory they held.

  processes.py BENCH_NET OUT [--starts N] [--threads N]

OUT gets a list of JSON objects: a first prediction of each network, N times (7), and an epoch of mnist_convnet's
training (60,000 samples, batch 128). benchmarks/run.sh calls this; nothing else should run meanwhile.
"""
import argparse
import json
import statistics
import subprocess
import time

MODELS = ("mnist_convnet", "keras_convnet", "lenet5", "mlp")


def run(command):
    """Seconds from start to end, and the peak of the program's resident set in MiB."""
    began = time.monotonic()
    line = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return time.monotonic() - began, json.loads(line)["peak_memory_kib"] / 1024


def measure(bench_net, task, model, batch, threads, starts):
    command = [bench_net, "--model", model, "--task", task, "--batch", str(batch), "--threads", str(threads)]
    run(command)  # the program's pages are in the file cache from here on
    seconds, memory = zip(*(run(command) for _ in range(starts)))
    return {"task": task, "model": model, "batch": batch, "threads": threads, "starts": starts,
            "seconds": statistics.median(seconds), "most_seconds": max(seconds), "peak_mib": max(memory)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench_net")
    parser.add_argument("out")
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    results = [measure(args.bench_net, "first", model, 1, args.threads, args.starts) for model in MODELS]
    results.append(measure(args.bench_net, "epoch", "mnist_convnet", 128, args.threads, 1))
    with open(args.out, "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
