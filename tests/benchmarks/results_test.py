"""results.py and bench_charts: a page with tables and pictures from raw measurements."""
import json
import os
import subprocess
import sys
import tempfile

RESULTS, BENCH_CHARTS = sys.argv[1:3]
faults = []


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def turns(task, ours, peers):
    """Two rounds; in the second everybody is twice as fast."""
    return "\n".join(json.dumps(dict(round=r, name=name, model="mlp", task=task, batch=1, threads=2, other_cpu=0.01,
                                     value=value * (r + 1)))
                     for r in (0, 1) for name, value in (("uncial", ours), *peers.items()))


def kernel(who, time, **more):
    return {"name": f"conv/3x3/{who}/real_time", "real_time": time, "GFLOP/s": 1.0, "%peak": 80.0, **more}


def expect(page, part):
    if part not in page:
        faults.append(f"'{part}' is not in the page:\n{page}")


with tempfile.TemporaryDirectory() as folder:
    work, out = os.path.join(folder, "work"), os.path.join(folder, "out")
    os.mkdir(work), os.mkdir(out)
    write(f"{work}/versus_train.jsonl", turns("train", 300, {"a": 100, "b": 200}))
    write(f"{work}/versus_latency.jsonl", turns("latency", 30, {"a": 60, "b": 90}))
    write(f"{work}/roofline_2.json", json.dumps({"threads": 2, "fma_gflops": {"avx2": 100}, "amx_bf16_gflops": "no AMX",
                                                 "copy_gb_per_second": {"L1": 100, "memory": 10}}))
    write(f"{work}/kernels.json", json.dumps({"context": {"host_name": "secret", "isa": "avx2"},
                                              "benchmarks": [kernel("naive", 50.0), kernel("uncial", 10.0), kernel("lanes", 5.0)]}))
    write(f"{work}/processes.json", json.dumps([{"task": "first", "model": "mlp", "batch": 1, "threads": 2, "starts": 7,
                                                 "seconds": 0.0101, "most_seconds": 0.012, "peak_mib": 11.62}]))
    subprocess.run([sys.executable, RESULTS, work, out, "--commit", "abc", "--command", "make it"], check=True)
    subprocess.run([BENCH_CHARTS, "--charts", f"{work}/charts.json", "--out", out], check=True)
    with open(f"{out}/cpu.md", encoding="utf-8") as f:
        page = f.read()
    expect(page, "| mlp | 1 | 2 | 450 | b 300 | **1.50** (1.50-1.50) | 1% |")
    expect(page, "| mlp | 1 | 2 | 45.0 | a 90.0 | **0.50** (0.50-0.50) | 1% |")
    expect(page, "| conv 3x3 | lanes | 1.0 | 80 | 10.00 |")
    expect(page, "| mlp: start, one prediction, end, batch 1, 2 threads | 7 | 0.010 (0.012) | 11.6 |")
    expect(page, "commit abc: `make it`")
    for name in ("cpu_train.png", "cpu_latency.png", "cpu_versus.json", "cpu_kernels.json", "cpu_roofline.json", "cpu_processes.json"):
        with open(f"{out}/{name}", "rb") as f:
            if b"secret" in f.read():
                faults.append(f"{name} names the machine")
sys.exit("\n".join(faults) or 0)
