#!/usr/bin/env python3
"""Makes the page of results from raw measurements; benchmarks/run.sh calls it.

  results.py WORK OUT --commit COMMIT --command COMMAND

WORK holds versus_*.jsonl, roofline_*.json, kernels.json and processes.json. OUT gets cpu.md and its raw data (cpu_versus.json,
cpu_roofline.json, cpu_kernels.json, cpu_processes.json); WORK gets charts.json, which bench_charts draws. What OUT/cpu_limits.md
says of lines that were missed, written by hand, is linked.
"""
import argparse
import collections
import datetime
import glob
import json
import os
import platform
import statistics

OURS = "uncial"
# Ways in which this library runs one operator, as bench_kernels names them.
FORMS = {"uncial": "row-major", "lanes": "lanes", "winograd": "Winograd"}
TASKS = {"train": "Training", "infer": "Inference", "latency": "Latency of one sample"}


def machine():
    """Name of the processor and number of cores that this process may use."""
    name = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{len(os.sched_getaffinity(0))} cores of {name}"


class Duel:
    """The turns of all contestants at one task."""

    def __init__(self, turns):
        first = turns[0]
        self.model, self.task, self.batch, self.threads = (first[k] for k in ("model", "task", "batch", "threads"))
        self.disturbed = max(t["other_cpu"] for t in turns)
        self.values = collections.defaultdict(dict)  # name -> round -> value
        for t in turns:
            if t["value"]:
                self.values[t["name"]][t["round"]] = t["value"]

    @property
    def best(self):
        return min if self.task == "latency" else max

    def median(self, name):
        return statistics.median(self.values[name].values())

    def best_peer(self):
        peers = [n for n in self.values if n != OURS]
        return self.best(peers, key=self.median) if peers else None

    def ratios(self):
        """Ours to the best peer of the same round."""
        result = []
        for r, ours in self.values[OURS].items():
            peers = [v[r] for n, v in self.values.items() if n != OURS and r in v]
            if peers:
                result.append(ours / self.best(peers))
        return result


def read_duels(work):
    duels = []
    for path in sorted(glob.glob(os.path.join(work, "versus_*.jsonl"))):
        with open(path, encoding="utf-8") as f:
            duel = Duel([json.loads(line) for line in f])
        if duel.values[OURS] and duel.best_peer():
            duels.append(duel)
    return sorted(duels, key=lambda d: (list(TASKS).index(d.task), -d.threads, d.model, d.batch))


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def duel_table(duels):
    unit = "µs" if duels[0].task == "latency" else "samples/s"
    lines = [f"| network | batch | threads | uncial, {unit} | best peer, {unit} | ratio, median (range) | others took |",
             "|---|---|---|---|---|---|---|"]
    for d in duels:
        ratios, peer = d.ratios(), d.best_peer()
        lines.append(f"| {d.model} | {d.batch} | {d.threads} | {number(d.median(OURS))} | {peer} {number(d.median(peer))} | "
                     f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}-{max(ratios):.2f}) | {d.disturbed:.0%} |")
    return lines


def kernel_table(document):
    """One line a case: our fastest form, and its speed as a multiple of each other contestant's."""
    cases = collections.defaultdict(dict)
    for run in document["benchmarks"]:
        family, shape, who = run["name"].split("/")[:3]
        if not run.get("error_occurred"):
            cases[f"{family} {shape}"][who] = run
    others = sorted({w for c in cases.values() for w in c} - FORMS.keys())
    lines = ["| kernel | form | GFLOP/s | % of peak | " + " | ".join(f"times {o}" for o in others) + " |",
             "|---" * (4 + len(others)) + "|"]
    for name, runs in cases.items():
        forms = [w for w in runs if w in FORMS]
        if not forms:
            lines.append(f"| {name} | wrong answer |" + " |" * (2 + len(others)))
            continue
        form = min(forms, key=lambda w: runs[w]["real_time"])
        ours = runs[form]
        times = [f"{runs[o]['real_time'] / ours['real_time']:.2f}" if o in runs else "" for o in others]
        lines.append(f"| {name} | {FORMS[form]} | {ours['GFLOP/s']:.1f} | {ours['%peak']:.0f} | " + " | ".join(times) + " |")
    return lines


def process_table(processes):
    lines = ["| process | starts | seconds, median (most) | most memory, MiB |", "|---|---|---|---|"]
    names = {"first": "start, one prediction, end", "epoch": "an epoch of training, 60,000 samples"}
    for p in processes:
        lines.append(f"| {p['model']}: {names[p['task']]}, batch {p['batch']}, {p['threads']} threads | {p['starts']} | "
                     f"{p['seconds']:.3f} ({p['most_seconds']:.3f}) | {p['peak_mib']:.1f} |")
    return lines


def roofline_lines(rooflines):
    lines = ["| threads | multiply-adds, GFLOP/s | bfloat16 dot products, GFLOP/s | AMX bfloat16, GFLOP/s | copy L1 / L2 / L3 / memory, GB/s |", "|---|---|---|---|---|"]
    for r in rooflines:
        peaks = ", ".join(f"{isa} {v:.0f}" for isa, v in r["fma_gflops"].items())
        bf16 = [r.get(key, "not measured") for key in ("avx512_bf16_gflops", "amx_bf16_gflops")]
        bf16 = " | ".join(v if isinstance(v, str) else f"{v:.0f}" for v in bf16)
        speeds = " / ".join(f"{v:.0f}" for v in r["copy_gb_per_second"].values())
        lines.append(f"| {r['threads']} | {peaks} | {bf16} | {speeds} |")
    return lines


def chart(duels, task):
    """A panel a network, at the first batch size and the most threads."""
    panels, seen = [], set()
    for d in duels:
        if d.model in seen:
            continue
        seen.add(d.model)
        names = sorted(d.values, key=lambda n: (n != OURS, n))
        panels.append({"title": f"{d.model}, batch {d.batch}",
                       "y_label": "µs (lower is better)" if task == "latency" else "samples/s",
                       "labels": [n.partition(":")[0] for n in names],
                       "values": [d.median(n) for n in names],
                       "errors": [min(d.median(n), (max(d.values[n].values()) - min(d.values[n].values())) / 2)
                                  for n in names],
                       "texts": [number(d.median(n)) for n in names]})
    return {"file": f"cpu_{task}.png", "panels": panels}


def public(kernels):
    """Without what names this machine's folders."""
    context = {k: v for k, v in kernels["context"].items() if k not in ("host_name", "executable")}
    return {"context": context, "benchmarks": kernels["benchmarks"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work")
    parser.add_argument("out")
    parser.add_argument("--commit", required=True)
    parser.add_argument("--command", required=True)
    args = parser.parse_args()
    duels = read_duels(args.work)
    rooflines = [json.load(open(p, encoding="utf-8"))
                 for p in sorted(glob.glob(os.path.join(args.work, "roofline_*.json")), reverse=True)]
    with open(os.path.join(args.work, "kernels.json"), encoding="utf-8") as f:
        kernels = public(json.load(f))
    with open(os.path.join(args.work, "processes.json"), encoding="utf-8") as f:
        processes = json.load(f)

    origin = {"date": datetime.date.today().isoformat(), "machine": machine(), "commit": args.commit,
              "command": args.command}
    stamp = "*{date}, {machine}, commit {commit}: `{command}`*".format(**origin)
    page = ["# Speed on a CPU", "",
            "Made by `benchmarks/run.sh`. Contestants take turns, each turn a fresh process after a wait for a quiet machine; "
            "the ratio to the best peer is taken within each round. *Others took* is the largest share of the machine's CPU "
            "time that other processes had in a turn: above 5 % only the ratios count. "
            "What was aimed at, what was missed and why: [cpu_limits.md](cpu_limits.md).", ""]
    charts = []
    for task, title in TASKS.items():
        mine = [d for d in duels if d.task == task]
        if not mine:
            continue
        charts.append(chart(mine, task))
        page += [f"## {title}", "", *duel_table(mine), "", f"![{title}](cpu_{task}.png)", "", stamp,
                 "Raw data: [cpu_versus.json](cpu_versus.json)", ""]
    page += ["## Start and memory", "", *process_table(processes), "", stamp,
             "Raw data: [cpu_processes.json](cpu_processes.json)", ""]
    page += ["## Kernels", "", "Form: the fastest of ours; a recorded program has the batch in the lanes, or Winograd's form of that. "
             "Columns *times X*: how often it runs in the time of one run of X.", "",
             *kernel_table(kernels), "", stamp, "Raw data: [cpu_kernels.json](cpu_kernels.json)", "",
             "## What the machine can do", "", *roofline_lines(rooflines), "", stamp,
             "Raw data: [cpu_roofline.json](cpu_roofline.json)", ""]

    turns = [dict(name=n, model=d.model, task=d.task, batch=d.batch, threads=d.threads, values=list(v.values()))
             for d in duels for n, v in d.values.items()]
    for name, data in (("cpu_versus.json", {**origin, "turns": turns}), ("cpu_roofline.json", {**origin, "rooflines": rooflines}),
                       ("cpu_kernels.json", {**origin, **kernels}), ("cpu_processes.json", {**origin, "processes": processes})):
        with open(os.path.join(args.out, name), "w", encoding="utf-8") as f:
            json.dump(data, f, indent=1)
            f.write("\n")
    with open(os.path.join(args.out, "cpu.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(page))
    with open(os.path.join(args.work, "charts.json"), "w", encoding="utf-8") as f:
        json.dump(charts, f)


if __name__ == "__main__":
    main()
