"""What the GPU peers share: jobs, options, repeats, and the JSON line of a result.

A job is MODEL:TASK:BATCH:PRECISION:VARIANT, like lenet5:train:128:bf16:compile+graph. Jobs are arguments or, with
--stdin, lines; every job answers with one line of JSON, which has `error` in the place of figures if it failed.
"""
import argparse
import dataclasses
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

MODELS = ("mnist_convnet", "keras_convnet", "lenet5", "mlp")
TASKS = ("train", "infer", "latency")
PRECISIONS = ("float32", "tf32", "bf16")
SAMPLES = 60_000
LEARNING_RATE = 1e-3

Result = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Job:
    """One configuration to measure."""

    model: str
    task: str
    batch: int
    precision: str
    flags: frozenset[str]

    @staticmethod
    def parse(text: str) -> "Job":
        parts = text.strip().split(":")
        if len(parts) != 5:
            raise ValueError(f"job {text.strip()!r}: expected MODEL:TASK:BATCH:PRECISION:VARIANT")
        model, task, batch, precision, variant = parts
        for value, known in ((model, MODELS), (task, TASKS), (precision, PRECISIONS)):
            if value not in known:
                raise ValueError(f"job {text.strip()!r}: {value!r} is none of {', '.join(known)}")
        if not batch.isdecimal() or not 0 < int(batch) <= SAMPLES:
            raise ValueError(f"job {text!r}: the batch must be 1 to {SAMPLES}, got {batch!r}")
        return Job(model, task, int(batch), precision, frozenset(variant.split("+")))

    @property
    def variant(self) -> str:
        return "+".join(sorted(self.flags))

    def require_flags(self, known: set[str]) -> None:
        if unknown := self.flags - known:
            raise ValueError(f"variant: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")


@dataclasses.dataclass
class Options:
    """How long to measure, and on what."""

    device: str = "cuda"
    seconds: float = 0.1  # of one repeat
    repeats: int = 5


@dataclasses.dataclass
class Prepared:
    """A job that is ready to run: `run(n)` makes n calls and returns the seconds they took, results included."""

    run: Callable[[int], float]
    steps_per_call: int
    loss: Callable[[], float] | None = None  # of the last step, to see that it trained


def options_parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every peer has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu only tests this program")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of one timed repeat (0.1)")
    parser.add_argument("--repeats", type=int, default=5, help="timed repeats, of which the median counts (5)")
    return parser


def warn_cpu(device: str) -> None:
    if device == "cpu":
        print("WARNING: --device cpu: a test of this program, NOT a measurement.", file=sys.stderr, flush=True)


def result_stream() -> Any:
    """Standard output for results alone: what libraries print there goes to standard error from here on."""
    stream = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return stream


def repeat(run: Callable[[int], float], seconds: float, repeats: int) -> list[float]:
    """Seconds a call of each repeat, after a warm-up that finds how many calls fill `seconds`."""
    run(1)
    calls, took = 1, run(1)
    while took < seconds / 4:
        calls = calls * 2 if took <= 0 else min(calls * 8, max(calls * 2, math.ceil(calls * seconds / took)))
        took = run(calls)
    calls = max(1, math.ceil(calls * seconds / took))
    return [run(calls) / calls for _ in range(repeats)]


def spread(values: list[float]) -> float:
    """Distance of the extremes as a share of the median."""
    return round((max(values) - min(values)) / statistics.median(values), 4)


def figures(job: Job, prepared: Prepared, options: Options) -> Result:
    """Measures a prepared job."""
    per_call = repeat(prepared.run, options.seconds, options.repeats)
    step = statistics.median(per_call) / prepared.steps_per_call
    result: Result = {
        "samples_per_second": round(job.batch / step, 1),
        "microseconds_per_step": round(1e6 * step, 3),
        "spread": spread(per_call),
        "steps_per_call": prepared.steps_per_call,
    }
    if prepared.loss:
        result["loss"] = loss = prepared.loss()
        # Labels are random: ln 10 is where it starts, and a net that trains does not leave it upwards.
        if not 0 <= loss < 2.6:
            raise RuntimeError(f"the loss is {loss}, so the time means nothing")
    return result


def jobs(parser: argparse.ArgumentParser) -> tuple[Options, Iterator[str]]:
    """Adds the ways to give jobs, parses, and returns the options and the jobs as texts."""
    parser.add_argument("--stdin", action="store_true", help="read jobs from standard input, one a line")
    parser.add_argument("jobs", nargs="*", metavar="JOB")
    args = parser.parse_args()
    warn_cpu(args.device)
    texts = (line for line in sys.stdin if line.strip()) if args.stdin else iter(args.jobs)
    return Options(args.device, args.seconds, args.repeats), texts


def serve(
    texts: Iterator[str], options: Options, about: Result, prepare: Callable[[Job], Prepared], cleanup: Callable[[], None]
) -> None:
    """Answers each job with its line; one that fails does not end the others."""
    out = result_stream()
    for text in texts:
        started = time.perf_counter()
        line: Result = {"kind": "net", "job": text.strip(), **about}
        try:
            job = Job.parse(text)
            line |= {"model": job.model, "task": job.task, "batch": job.batch}
            line |= {"precision": job.precision, "variant": job.variant}
            prepared = prepare(job)
            line["setup_seconds"] = round(time.perf_counter() - started, 2)
            line |= figures(job, prepared, options)
        except Exception as error:  # noqa: BLE001 - whatever a framework throws, the next job still runs
            line["error"] = f"{type(error).__name__}: {error}"[:600]
        prepared = None
        cleanup()
        line["job_seconds"] = round(time.perf_counter() - started, 2)
        print(json.dumps(line), file=out, flush=True)
