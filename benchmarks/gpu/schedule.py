#!/usr/bin/env python3
"""Runs the GPU peers one after the other within a time budget; benchmarks/gpu/run.sh says how to call it.

The most important come first; what no longer fits is skipped, and said to be. Each result is appended to
DIR/peers.jsonl as it comes. A job that outlasts its limit ends with its worker, and a new worker takes the next.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
CONV_NETS = ("mnist_convnet", "keras_convnet", "lenet5")


@dataclasses.dataclass(frozen=True)
class Task:
    """A job of a worker, or a program; it is not begun with less than `least` seconds left."""

    who: str  # torch, jax, or a program of this folder
    text: str  # job, or arguments
    least: float
    limit: float


def net_task(who: str, model: str, task: str, batch: int, precision: str, variant: str) -> Task:
    slow = who == "torch" and any(flag in variant for flag in ("compile", "reduce", "autotune"))
    least, limit = (10, 40) if slow else (7, 40) if who == "jax" else (3, 20)
    if "autotune" in variant:
        least, limit = 25, 60
    return Task(who, f"{model}:{task}:{batch}:{precision}:{variant}", least, limit)


def training(batch: int) -> list[Task]:
    """The strongest of both frameworks, cheap ones first."""
    tasks = [net_task("torch", m, "train", batch, "bf16", "unroll+cl") for m in CONV_NETS]
    tasks += [net_task("jax", m, "train", batch, "bf16", "scan") for m in CONV_NETS]
    return tasks + [net_task("torch", m, "train", batch, "bf16", "compile+unroll+cl") for m in CONV_NETS]


def inference(batch: int) -> list[Task]:
    tasks = [net_task("torch", m, "infer", batch, "bf16", "unroll+cl") for m in CONV_NETS]
    tasks += [net_task("jax", m, "infer", batch, "bf16", "scan") for m in CONV_NETS]
    return tasks + [net_task("torch", m, "infer", batch, "bf16", "compile+unroll+cl") for m in CONV_NETS]


def plan(data: pathlib.Path | None, quick: bool) -> list[Task]:
    """Everything, the most important first."""
    seeds = 10 if quick else 30
    speedruns = [] if data is None else [Task("torch_speedrun.py", f"--data {data} --seeds {seeds}", 15, 40)]
    compiled = [Task(run.who, run.text + " --compile", 25, 60) for run in speedruns]
    tasks = [Task("limits.py", "", 10, 40), *training(128)]
    tasks += [Task("augment_peer.py", "", 12, 45), *speedruns, *training(4096)]
    tasks += [net_task("torch", m, "train", 128, "float32", "unroll+cl") for m in CONV_NETS]
    tasks += [*training(512), *inference(10_000), *inference(1)]
    if quick:
        return tasks
    tasks += [net_task("jax", m, "train", 128, "bf16", "scan+graphs") for m in CONV_NETS]
    tasks += compiled
    for batch in (128, 4096, 512):
        tasks += [net_task("torch", m, "train", batch, p, "unroll+cl") for p in ("tf32", "float32") for m in CONV_NETS]
        tasks += [net_task("jax", m, "train", batch, "float32", "scan") for m in CONV_NETS]
    tasks += [net_task("torch", m, "latency", 1, "bf16", "graph+cl") for m in CONV_NETS]
    tasks += [net_task("torch", m, t, b, "float32", "unroll+cl") for t, b in (("infer", 10_000), ("infer", 1)) for m in CONV_NETS]
    # What a user writes first, and the other ways to the same end.
    lenet = [("eager", "bf16"), ("graph+cl", "bf16"), ("reduce+cl", "bf16"), ("compile+cl", "bf16"), ("autotune+unroll+cl", "bf16")]
    tasks += [net_task("torch", "mnist_convnet", "train", 128, p, v) for v, p in lenet]
    tasks += [net_task("jax", "mnist_convnet", "train", 128, "bf16", v) for v in ("jit", "scan+window", "scan+unroll")]
    tasks += [net_task("torch", "mlp", "train", b, "bf16", "unroll") for b in (128, 4096)]
    tasks += [net_task("jax", "mlp", "train", b, "bf16", "scan") for b in (128, 4096)]
    return list(dict.fromkeys(tasks))


def end(process: subprocess.Popen) -> None:
    """Ends a process that this program started in a session of its own, and what that started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Worker:
    """A peer that stays alive between its jobs: starting one costs seconds."""

    def __init__(self, script: str, arguments: list[str], log: pathlib.Path) -> None:
        self.command = [sys.executable, str(HERE / script), "--stdin", *arguments]
        self.log = log
        self.start()

    def start(self) -> None:
        self.lines: queue.Queue[str] = queue.Queue()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        threading.Thread(target=self.read, args=(self.process, self.lines), daemon=True).start()

    @staticmethod
    def read(process: subprocess.Popen, lines: "queue.Queue[str]") -> None:
        assert process.stdout
        for line in process.stdout:
            lines.put(line)
        lines.put("")  # it ended

    def run(self, job: str, limit: float) -> list[str]:
        if self.process.poll() is not None:
            self.start()
        assert self.process.stdin
        try:
            self.process.stdin.write(job + "\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=limit)
        except (queue.Empty, BrokenPipeError) as error:
            end(self.process)
            self.start()  # it imports while others measure
            why = f"took longer than {limit:.0f} s" if isinstance(error, queue.Empty) else "the peer ended"
            return [json.dumps({"kind": "net", "job": job, "error": why})]
        return [line] if line else [json.dumps({"kind": "net", "job": job, "error": f"the peer ended, see {self.log.name}"})]


def run_program(task: Task, arguments: list[str], limit: float, log: pathlib.Path, sink: "Sink") -> None:
    """Runs a program to its end or its limit, and keeps each line as it comes."""
    command = [sys.executable, str(HERE / task.who), *task.text.split(), *arguments]
    with log.open("a") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
    timer = threading.Timer(limit, end, [process])
    timer.start()
    assert process.stdout
    for line in process.stdout:
        sink.add(line)
    process.wait()
    timer.cancel()
    if process.returncode != 0:
        why = f"took longer than {limit:.0f} s" if process.returncode < 0 else f"exit code {process.returncode}, see {log.name}"
        sink.add(json.dumps({"kind": "program", "job": f"{task.who} {task.text}".strip(), "error": why}))


class Sink:
    """DIR/peers.jsonl, and one short line on the terminal for each result."""

    def __init__(self, path: pathlib.Path) -> None:
        self.file = path.open("a", buffering=1)
        self.results: list[dict] = []

    def add(self, line: str) -> None:
        try:
            result = json.loads(line)
        except ValueError:
            return
        self.file.write(json.dumps(result) + "\n")
        self.file.flush()
        self.results.append(result)
        print(f"{time.monotonic() - BEGAN:6.1f} s  {short(result)}", flush=True)


def short(result: dict) -> str:
    name = result.get("framework", "") + " " + str(result.get("job") or result.get("name") or result.get("method") or result["kind"])
    if "error" in result:
        return f"{name}: FAILED, {result['error'][:160]}"
    if result["kind"].startswith("speedrun"):
        return f"{result['kind']} {result['variant']}: {result['milliseconds']} ms, {result['accuracy']} %"
    value = result.get("samples_per_second") or result.get("images_per_second") or result.get("value")
    return f"{name}: {value:,} {result.get('unit', 'a second')}, spread {result.get('spread')}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--data", type=pathlib.Path, help="folder with MNIST's IDX files; without it no time to accuracy")
    parser.add_argument("--seconds-total", type=float, default=240)
    parser.add_argument("--quick", action="store_true", help="shorter repeats, fewer variants")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu only tests this program")
    parser.add_argument("--jobs", help="WHO=JOB,WHO=JOB in the place of the plan, like torch=lenet5:train:128:bf16:graph")
    return parser.parse_args()


def tasks_of(args: argparse.Namespace) -> list[Task]:
    if not args.jobs:
        return plan(args.data, args.quick)
    pairs = (item.partition("=") for item in args.jobs.split(","))
    return [net_task(who, *job.split(":")) if ":" in job else Task(who, job, 1, 60) for who, _, job in pairs]  # type: ignore[arg-type]


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{tempfile.gettempdir()}/peers-inductor")
    os.environ.setdefault("TRITON_CACHE_DIR", f"{tempfile.gettempdir()}/peers-triton")
    sink, log = Sink(args.out / "peers.jsonl"), args.out / "peers.log"
    device = ["--device", args.device]
    timing = [*device, "--seconds", "0.06" if args.quick else "0.1"]
    deadline = BEGAN + args.seconds_total - 3  # the last seconds are for ending all
    tasks, skipped, workers = tasks_of(args), [], {}
    try:
        for who in {task.who for task in tasks} & {"torch", "jax"}:
            workers[who] = Worker(f"{who}_peer.py", timing, log)
        for task in tasks:
            left = deadline - time.monotonic()
            if left < task.least:
                skipped.append(f"{task.who} {task.text}")
            elif task.who in workers:
                for line in workers[task.who].run(task.text, min(task.limit, left)):
                    sink.add(line)
            else:
                options = device if task.who == "torch_speedrun.py" else timing
                run_program(task, options, min(task.limit, left), log, sink)
    finally:
        for worker in workers.values():
            end(worker.process)
    for name in skipped:
        print(f"SKIPPED: {name}: no time left of {args.seconds_total:.0f} s")
    (args.out / "skipped.txt").write_text("".join(name + "\n" for name in skipped))
    print(f"{len(sink.results)} results, {len(skipped)} skipped, {time.monotonic() - BEGAN:.0f} s")


BEGAN = time.monotonic()

if __name__ == "__main__":
    main()
