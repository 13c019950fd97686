#!/usr/bin/env python3
"""Networks that no kernel was made for, ours beside PyTorch: residual, bottleneck, depthwise, VGG-like, odd extents.

  contest.py --python PYTHON [--bench PROGRAM] [--rounds N] [--threads LIST] [--out FILE.json]

PYTHON has PyTorch. Every FILE.json here is a network for 3x32x32 images, as bench_net --model reads it. The two take
turns, each turn a process of its own; the ratio is taken within each round. Prints a table in Markdown.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
IMAGE = "3,32,32"
TASKS = {"train": 128, "infer": 256}  # batch
# glibc gives big blocks back at every free otherwise, and page faults follow: PyTorch is faster so.
KEEPS_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "-1", "MALLOC_MMAP_MAX_": "0"}


def rate(command: list[str], options: list[str], environment: dict[str, str]) -> float:
    done = subprocess.run([*command, *options], env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    line = done.stdout.splitlines()[-1] if done.stdout else ""
    if done.returncode or not line.startswith("{"):
        print(f"error: contest: {' '.join(command)} ended with {done.returncode} and no result.", file=sys.stderr)
        sys.exit(1)
    return json.loads(line)["samples_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True)
    parser.add_argument("--bench", default=str(HERE.parents[1] / "build/release/bin/bench_net"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--threads", default="2,1")
    parser.add_argument("--out", type=pathlib.Path, help="every figure, as JSON")
    args = parser.parse_args()
    contestants = {
        "uncial": ([args.bench], {}),
        "torch": ([args.python, str(HERE / "torch_net.py")], KEEPS_MEMORY),
    }
    rows = []
    print("| network | task | batch | threads | uncial, samples/s | PyTorch | ratio, median (range) |")
    print("|---|---|---|---|---|---|---|")
    for threads in args.threads.split(","):
        for task, batch in TASKS.items():
            for net in sorted(HERE.glob("*.json")):
                options = ["--model", str(net), "--image", IMAGE, "--task", task, "--batch", str(batch)]
                options += ["--threads", threads, "--seconds", str(args.seconds)]
                rates: dict[str, list[float]] = {name: [] for name in contestants}
                for turn in range(args.rounds):
                    order = list(contestants)[:: 1 if turn % 2 == 0 else -1]
                    for name in order:
                        rates[name].append(rate(*contestants[name][:1], options, contestants[name][1]))
                ratios = [ours / torch for ours, torch in zip(rates["uncial"], rates["torch"])]
                rows.append({"network": net.stem, "task": task, "batch": batch, "threads": int(threads)} | rates)
                ours, torch = (statistics.median(rates[name]) for name in contestants)
                spread = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}-{max(ratios):.2f})"
                print(f"| {net.stem} | {task} | {batch} | {threads} | {ours:,.0f} | {torch:,.0f} | {spread} |", flush=True)
    if args.out:
        args.out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


main()
