"""bench_kernels on its small cases: every contestant's answer is right, and every figure is there."""
import json
import math
import subprocess
import sys

CASES = ("conv2d_.*/(lenet|mnist_conv2_batch1|odd_(groups|3x3))|dense_.*/odd|_pool.*/odd|norm.*/odd|softmax/|cross_entropy.*/"
         "|update|sum/odd|affine/odd|elastic|dropout")
COUNTERS = ("GFLOP/s", "GB/s", "%peak", "peak_GFLOP/s", "samples/s", "error")

done = subprocess.run([sys.argv[1], "--threads", "2", "--benchmark_min_time=0.00001", f"--benchmark_filter={CASES}",
                       "--benchmark_format=json"], stdout=subprocess.PIPE, check=True, text=True)
runs = json.loads(done.stdout)["benchmarks"]
faults = []
for run in runs:
    if run.get("error_occurred"):
        faults.append(f"{run['name']}: {run['error_message']}")
        continue
    faults += [f"{run['name']}: {c} is {run.get(c)}" for c in COUNTERS
               if not math.isfinite(run.get(c, math.nan)) or run[c] < 0]
contestants = {run["name"].split("/")[2] for run in runs}
if not {"naive", "uncial"} <= contestants:
    faults.append(f"only {sorted(contestants)} took part")
families = {run["name"].split("/")[0] for run in runs}
print(f"{len(runs)} runs of {len(families)} families by {sorted(contestants)}")
if len(families) < 17:
    faults.append(f"only the families {sorted(families)} ran")
sys.exit("\n".join(faults) or 0)
