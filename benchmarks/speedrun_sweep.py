#!/usr/bin/env python3
"""Tries schedules of bench_speedrun on validation images, in several processes at once.

    benchmarks/speedrun_sweep.py --program build/cuda/bin/bench_speedrun --candidates FILE.json --out FOLDER

FILE.json is a list of schedules as in benchmarks/speedrun. Each process takes every N-th of them, in order, until the
time is up; what came out lies in FOLDER/<FILE>.jsonl (meanwhile in a file a process), and the best are printed.
Processes share the GPU, so the milliseconds are those of a busy one, but for --processes 1. With --write the schedule
that took the least time of those that reached an accuracy, or else the most accurate one, becomes a file. The test
images are not looked at.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

GRACE_SECONDS = 5


def start(args: argparse.Namespace, part: list, schedules: pathlib.Path, results: pathlib.Path) -> subprocess.Popen:
    schedules.write_text(json.dumps(part))
    command = [args.program, "--schedule", str(schedules), "--choose", str(args.held_out), "--device", args.device, "--threads", "1"]
    if args.seeds:
        command += ["--seeds", str(args.seeds)]
    with results.open("w") as out:
        return subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen, seconds: float) -> str:
    """Waits so long, then ends it; what it had to say."""
    try:
        return process.communicate(timeout=max(seconds, 0.1))[1]
    except subprocess.TimeoutExpired:
        process.terminate()
    try:
        process.communicate(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return ""


def sweep(args: argparse.Namespace, candidates: list) -> list[dict]:
    deadline = time.monotonic() + args.seconds
    count = min(args.processes, len(candidates))
    results = [args.out / f"{args.candidates.stem}.{n}.jsonl" for n in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        schedules = [pathlib.Path(folder) / f"{n}.json" for n in range(count)]
        processes = [start(args, candidates[n::count], schedules[n], results[n]) for n in range(count)]
        for process in processes:
            if said := end(process, deadline - time.monotonic()):
                print(said, file=sys.stderr, end="")
    lines = [json.loads(line) for file in results for line in file.read_text().splitlines() if line.endswith("}")]
    (args.out / f"{args.candidates.stem}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for file in results:
        file.unlink()
    return lines


def chosen(means: list[dict], seeds: list[dict], least: float) -> dict:
    """The fastest schedule that reached so much, by the median of its seeds; if none did, the most accurate."""

    def median(mean: dict) -> float:  # the first seed's time holds recording and capture
        return statistics.median(line["milliseconds"] for line in seeds if line["schedule"] == mean["schedule"])

    reached = [mean for mean in means if mean["accuracy"] >= least]
    return min(reached, key=median) if reached else max(means, key=lambda mean: mean["accuracy"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="bench_speedrun")
    parser.add_argument("--candidates", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=0, help="0: as many as the schedules say")
    parser.add_argument("--held-out", type=int, default=10_000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--write", nargs=2, action="append", default=[], metavar=("ACCURACY", "FILE"),
                        help="file for the fastest schedule of such accuracy; may be repeated")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    lines = sweep(args, json.loads(args.candidates.read_text()))
    means = sorted((line for line in lines if line["kind"] == "speedrun_mean"), key=lambda line: -line["accuracy"])
    print(f"{args.candidates.stem}: {len(means)} schedules, {sum('diverged' in line for line in lines)} diverged")
    for line in means[: args.show]:
        print(f"{line['accuracy']:.3f} % {line['milliseconds']:8.1f} ms  {line['schedule']}")
    seeds = [line for line in lines if "seed" in line and "accuracy" in line]
    for least, file in args.write if means else []:
        best, path = chosen(means, seeds, float(least)), pathlib.Path(file)
        print(f"{path.name}: {best['accuracy']:.3f} %  {best['schedule']}")
        path.write_text(json.dumps(best["settings"] | {"name": path.stem}, indent=1) + "\n")


if __name__ == "__main__":
    main()
