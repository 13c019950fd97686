"""compare.py: what counts as slower, what does not, and what it does with files that are no measurements."""
import json
import os
import subprocess
import sys
import tempfile

COMPARE = sys.argv[1]
faults = []


def kernels(times, **more):
    return json.dumps({"benchmarks": [{"run_name": "conv/uncial", "run_type": "iteration", "real_time": t,
                                       "time_unit": "us", "%peak": 100 / t, **more} for t in times]})


def nets(rates):
    return "\n".join(json.dumps({"model": "mlp", "task": "train", "batch": 128, "threads": 2, "precision": "float32",
                                 "samples_per_second": r}) for r in rates)


def expect(code, part, old, new, *flags):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, n) for n in ("old.json", "new.json")]
        for path, text in zip(paths, (old, new)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        done = subprocess.run([sys.executable, COMPARE, *paths, *flags], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    if done.returncode != code or part not in done.stdout + done.stderr:
        faults.append(f"expected {code} and '{part}', got {done.returncode}: {done.stdout}{done.stderr}")


expect(0, "1 compared, 0 slower", kernels([10, 11]), kernels([10, 11]))
expect(1, "SLOWER", kernels([10, 10.1, 10.2]), kernels([12, 12.1, 12.2]))
expect(0, "faster", kernels([10, 10.1, 10.2]), kernels([8, 8.1, 8.2]))
expect(0, "0 slower", kernels([10, 13, 10.2]), kernels([12, 12.1, 12.2]))  # the ranges overlap
expect(0, "0 slower", kernels([10]), kernels([10.4]))  # below the threshold
expect(1, "SLOWER", kernels([10]), kernels([10.4]), "--threshold", "0.02")
expect(1, "SLOWER", kernels([10]), kernels([20]), "--by-peak")
expect(1, "WRONG ANSWER", kernels([10]), kernels([10], error_occurred=True))
expect(1, "SLOWER", nets([1000, 1010]), nets([900, 890]))
expect(0, "0 slower", nets([1000]), nets([1100]))
expect(2, "no measurement in common", nets([1000]), kernels([10]))
expect(2, "neither JSON", "hello", kernels([10]))
sys.exit("\n".join(faults) or 0)
