"""The GPU's cases of bench_kernels at small sizes, on the CPU or on the GPU that is named: every answer is right, and every figure is
there."""
import json
import math
import subprocess
import sys

BENCH_KERNELS, DEVICE = sys.argv[1:3]
FIGURES = ("us", "GB/s", "%copy", "GFLOP/s", "calls", "error")
FAMILIES = {"relu", "gelu", "add", "sum", "dropout", "adam", "affine", "softmax", "max_pool", "avg_pool", "batch_norm", "dense",
            "dense_bf16", "conv2d_training", "conv_relu_pool_bf16"}
QUICK = ("--benchmark_filter=-4096_4096|training/32_64",) if DEVICE == "cuda" else ()  # the emulator takes minutes for those
if QUICK:
    FAMILIES.remove("dense")


def run(*more, check=True):
    return subprocess.run([BENCH_KERNELS, *more, "--benchmark_format=json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=check, text=True)


result = json.loads(run("--device", DEVICE, "--size", "small", *QUICK).stdout)
faults = [f"the context has no {name}" for name in ("copy_gb_per_second", "call_microseconds")
          if not float(result["context"].get(name, 0)) > 0]
for line in result["benchmarks"]:
    if line.get("error_occurred"):
        faults.append(f"{line['name']}: {line['error_message']}")
        continue
    faults += [f"{line['name']}: {name} is {line.get(name)}" for name in FIGURES
               if not math.isfinite(line.get(name, math.nan)) or line[name] < 0]
missing = FAMILIES - {line["name"].split("/")[0] for line in result["benchmarks"]}
if missing:
    faults.append(f"no case of {sorted(missing)}")
one = json.loads(run("--device", DEVICE, "--size", "small", "--benchmark_filter=^softmax/10/uncial").stdout)["benchmarks"]
if len(one) != 1:
    faults.append(f"a filter for one case found {len(one)}")
for bad in (("--device", "gpu"), ("--device", "cuda:x"), ("--device", DEVICE, "--size", "large"), ("--nothing",)):
    if run(*bad, check=False).returncode != 2:
        faults.append(f"{bad} is no usage error")
sys.exit("\n".join(faults) or 0)
