"""bench_speedrun with few and short runs: a line a seed and one of their mean, and the goal's verdict."""
import json
import statistics
import subprocess
import sys

BENCH_SPEEDRUN = sys.argv[1]
faults = []


def lines(*flags):
    out = subprocess.run([BENCH_SPEEDRUN, "--model", "tiny", "--epochs", "1", "--batch", "1024", "--seeds", "2", *flags],
                         stdout=subprocess.PIPE, check=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


*seeds, mean = lines("--goal", "1")
if [s["seed"] for s in seeds] != [1, 2]:
    faults.append(f"seeds are {[s['seed'] for s in seeds]}")
if any(not (s["milliseconds"] > 0 and 10 < s["accuracy"] < 100) for s in seeds):
    faults.append(f"a run is not plausible: {seeds}")
for figure in ("milliseconds", "accuracy"):
    if abs(mean[figure] - statistics.mean(s[figure] for s in seeds)) > 1e-6:
        faults.append(f"the mean of {figure} is {mean[figure]} of {seeds}")
if mean["reached"] is not True or lines("--goal", "100")[-1]["reached"] is not False:
    faults.append("the goals 1 % and 100 % were not told apart")
sys.exit("\n".join(faults) or 0)
