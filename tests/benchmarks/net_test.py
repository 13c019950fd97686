"""bench_net and bench_roofline: one line of JSON for every network and task, as the peer harness reads it."""
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

BENCH_NET, BENCH_ROOFLINE = sys.argv[1:3]
MODELS = ("mnist_convnet", "keras_convnet", "lenet5", "mlp", "resnet", "all_conv", "vgg", "kernel_mix")
FIGURE = {"train": "samples_per_second", "infer": "samples_per_second", "latency": "microseconds", "first": "value"}
FIGURES = {**FIGURE, "epoch": "samples_per_second"}
faults = []


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def check(model, task, *more):
    out = run(BENCH_NET, "--model", model, *more, "--task", task, "--batch", "3", "--threads", "2", "--seconds", "0.001",
              "--patience", "0")
    where = f"{model} {task}"
    if out.count("\n") != 1:
        faults.append(f"{where}: printed {out.count(chr(10))} lines")
        return
    line = json.loads(out)
    figure = line.get(FIGURES[task], math.nan)
    if not (math.isfinite(figure) and figure > 0):
        faults.append(f"{where}: {FIGURES[task]} is {figure}")
    batch = 3 if task in ("train", "infer", "epoch") else 1
    if (line["model"], line["task"], line["batch"], line["threads"]) != (model, task, batch, 2):
        faults.append(f"{where}: says it measured {line}")
    if task not in ("first", "epoch") and line["recorded"] is not True:
        faults.append(f"{where}: was not recorded: {line['recorded']}")


for model in MODELS:
    for task in FIGURE:
        check(model, task)
DESCRIBED = sorted(pathlib.Path(__file__).parents[2].glob("benchmarks/general/*.json"))
for description in DESCRIBED:
    for task in ("train", "infer"):
        check(str(description), task, "--image", "3,32,32")
if len(DESCRIBED) < 5:
    faults.append(f"benchmarks/general: {len(DESCRIBED)} networks")
for task in ("train", "infer"):
    check("lenet5", task, "--unroll", "4")
check("lenet5", "epoch", "--epochs", "1")
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "colour.json")
    with open(path, "w") as file:
        json.dump({"kind": "sequential", "layers": [
            {"kind": "conv2d", "in": 3, "out": 5, "kernel": 7, "stride": 2}, {"kind": "relu"},
            {"kind": "flatten"}, {"kind": "dense", "in": 5 * 7 * 5, "out": 10}]}, file)
    for task in FIGURE:
        check(path, task, "--image", "3,19,15")
    for image in ("1,28,28", "3,28,28", "3,19", "3,19,15,2", "3,0,15"):
        if subprocess.run([BENCH_NET, "--model", path, "--image", image], stderr=subprocess.DEVNULL).returncode != 2:
            faults.append(f"--image {image} is no usage error")
if subprocess.run([BENCH_NET, "--model", "nothing"], stderr=subprocess.DEVNULL).returncode != 2:
    faults.append("an unknown model is no usage error")

machine = json.loads(run(BENCH_ROOFLINE, "--threads", "1", "--seconds", "0.001"))
figures = [*machine["fma_gflops"].values(), *machine["copy_gb_per_second"].values()]
if len(figures) < 5 or not all(f > 0 for f in figures):
    faults.append(f"bench_roofline: {machine}")
sys.exit("\n".join(faults) or 0)
