"""bench_gpu at small sizes, on the CPU: every case's answer is right, and every figure is there."""
import json
import math
import subprocess
import sys

BENCH_GPU = sys.argv[1]
FIGURES = ("microseconds", "gb_per_second", "%copy", "gflop_per_second")

out = subprocess.run([BENCH_GPU, "--small", "--seconds", "0.001"], stdout=subprocess.PIPE, check=True, text=True).stdout
ceiling, *lines = [json.loads(line) for line in out.splitlines()]
faults = [f"{line.get('kernel')}: {name} is {line.get(name)}" for line in lines for name in FIGURES
          if not (math.isfinite(line.get(name, math.nan)) and line[name] > 0)]
if not (ceiling["copy_gb_per_second"] > 0 and ceiling["call_microseconds"] > 0):
    faults.append(f"the ceiling is {ceiling}")
if len(lines) < 15:
    faults.append(f"only {len(lines)} cases ran")
one = subprocess.run([BENCH_GPU, "--small", "--seconds", "0.001", "--only", "^softmax"], stdout=subprocess.PIPE, check=True, text=True)
if one.stdout.count("softmax") != 2 or one.stdout.count("\n") != 3:
    faults.append(f"--only ^softmax printed {one.stdout}")
if subprocess.run([BENCH_GPU, "--only", "("], stderr=subprocess.DEVNULL).returncode != 2:
    faults.append("--only ( is no usage error")
sys.exit("\n".join(faults) or 0)
