"""bench_speedrun and the sweep over it, with few and short runs: a line a seed and one of their mean, the goal's verdict,
schedules that are refused, and the committed ones."""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

BENCH_SPEEDRUN, BENCHMARKS = sys.argv[1], pathlib.Path(sys.argv[2])
TINY = {"kind": "sequential", "layers": [
    {"kind": "conv2d", "in": 1, "out": 4, "kernel": 5, "stride": 2}, {"kind": "relu"}, {"kind": "max_pool2d", "kernel": 2},
    {"kind": "flatten"}, {"kind": "dense", "in": 144, "out": 10}]}  # fmt: skip
SCHEDULE = {"name": "short", "network": TINY, "goal": 1, "seeds": 2, "samples": 2048, "epochs": 1, "batch": 128,
            "start_scales": [2, 1], "optimizer": {"kind": "adam", "lr": 0.02}, "one_cycle": {"warm_up": 0.2},
            "label_smoothing": 0.1, "average": 0.5, "augment": {"shift": 0.02}, "precision": "float32"}
faults = []
folder = pathlib.Path(tempfile.mkdtemp())


def run(schedules, *flags):
    file = folder / "schedule.json"
    file.write_text(json.dumps(schedules))
    return subprocess.run([BENCH_SPEEDRUN, "--schedule", str(file), *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines(schedules, *flags):
    return [json.loads(line) for line in run(schedules, *flags).stdout.splitlines()]


def expect(condition, fault):
    if not condition:
        faults.append(fault)


*seeds, mean = lines(SCHEDULE)
expect([s["seed"] for s in seeds] == [1, 2], f"seeds are {seeds}")
expect(all(s["milliseconds"] > 0 and 20 < s["accuracy"] < 100 and s["judged_by"] == "test" for s in seeds), f"not plausible: {seeds}")
for figure in ("milliseconds", "accuracy"):
    expect(abs(mean[figure] - statistics.mean(s[figure] for s in seeds)) < 1e-6, f"the mean of {figure} is {mean[figure]} of {seeds}")
expect(mean["reached"] is True and mean["settings"] == SCHEDULE, f"the mean's line is {mean}")

again = lines([SCHEDULE | {"name": "once", "seeds": 1}, SCHEDULE | {"name": "out of reach", "goal": 100}], "--seeds", "1")
expect([line["schedule"] for line in again] == ["once", "once", "out of reach", "out of reach"], f"two schedules gave {again}")
expect(again[0]["accuracy"] == seeds[0]["accuracy"] and again[-1]["reached"] is False, f"another accuracy, or goal: {again}")
changed = lines(SCHEDULE | {"start_scales": [3]}, "--seeds", "1")
expect(changed[0]["accuracy"] != seeds[0]["accuracy"], "start_scales changes nothing")

chosen = lines(SCHEDULE, "--choose", "1000", "--seeds", "1")[0]
expect(chosen["judged_by"] == "validation" and chosen["accuracy"] != seeds[0]["accuracy"], f"--choose gave {chosen}")
wild = lines([SCHEDULE | {"optimizer": {"kind": "sgd", "lr": 1000, "weight_decay": 10}}, SCHEDULE], "--choose", "1000", "--seeds", "1")
expect("diverged" in wild[0] and len(wild) == 3, f"a run that diverges gave {wild}")

for change, message in (({"batches": 3}, "schedule.json.batches: got a key that schedules do not have."),
                        ({"batch": 0}, "schedule.json.batch: got 0, expected a number in [1, 65536]."),
                        ({"epochs": 1.5}, "schedule.json.epochs: got 1.5, expected an integer."),
                        ({"optimizer": {"kind": "lion"}}, 'schedule.json.optimizer.kind: got "lion", expected one of adam, adamw, sgd.'),
                        ({"start_scales": []}, "schedule.json.start_scales: got [], expected a list of numbers in [0, 100]."),
                        ({"augment": {"twist": 1}}, "augment: got twist=1, expected"),
                        ({"network": {"kind": "dense", "in": 3, "out": 2}}, "network short:")):  # fmt: skip
    ended = run(SCHEDULE | change)
    expect(ended.returncode in (2, 3) and message in ended.stderr, f"{change} gave {ended.returncode}, {ended.stderr}")

candidates, out = folder / "some.json", folder / "out"
candidates.write_text(json.dumps([SCHEDULE | {"name": f"s{i}", "seeds": 1, "samples": 256 * (i + 1)} for i in range(3)]))
swept = subprocess.run([sys.executable, str(BENCHMARKS / "speedrun_sweep.py"), "--program", BENCH_SPEEDRUN, "--candidates", str(candidates),
                        "--out", str(out), "--processes", "2", "--device", "cpu", "--seconds", "600", "--write", "100", str(folder / "best.json"),
                        "--write", "100", str(folder / "twin.json")], stdout=subprocess.PIPE, text=True)
kept = [json.loads(line) for line in (out / "some.jsonl").read_text().splitlines()]
expect(sorted(line["schedule"] for line in kept) == ["s0", "s0", "s1", "s1", "s2", "s2"], f"the sweep kept {kept}")
expect(all(line["judged_by"] == "validation" for line in kept), "the sweep looked at test images")
best = max((line for line in kept if line["kind"] == "speedrun_mean"), key=lambda line: line["accuracy"])
expect(json.loads((folder / "best.json").read_text()) == best["settings"] | {"name": "best"}, "the sweep did not choose the most accurate schedule")
expect(json.loads((folder / "twin.json").read_text()) == best["settings"] | {"name": "twin"}, "the second --write made another file")
sys.path.insert(0, str(BENCHMARKS))
import speedrun_sweep  # noqa: E402

played = [{"schedule": name, "milliseconds": ms} for name, times in (("a", (90, 5, 5)), ("b", (7, 6, 6)), ("c", (1, 1, 1))) for ms in times]
means = [{"schedule": "a", "accuracy": 99.0}, {"schedule": "b", "accuracy": 99.2}, {"schedule": "c", "accuracy": 98.0}]
for least, name in ((99, "a"), (99.1, "b"), (99.5, "b"), (90, "c")):
    expect(speedrun_sweep.chosen(means, played, least)["schedule"] == name, f"asked for {least} %, the sweep does not choose {name}")
expect(swept.stdout.startswith("some: 3 schedules, 0 diverged\n"), f"the sweep printed {swept.stdout}")

listed = subprocess.run([sys.executable, str(BENCHMARKS / "speedrun_candidates.py"), str(folder / "lists")], stdout=subprocess.PIPE, text=True)
expect(listed.stdout.count(" schedules\n") == 3, f"the candidates: {listed.stdout}")
for file in (folder / "lists").glob("*.json"):  # all are read before the one that is no schedule
    candidates = json.loads(file.read_text())
    said = run([*candidates, {}], "--choose", "10").stderr
    expect(f"schedule.json[{len(candidates)}].name: got nothing, expected a text." in said, f"{file.name} is refused: {said}")
for file in (BENCHMARKS / "speedrun").glob("*.json"):
    schedule = json.loads(file.read_text()) | {"samples": 256, "epochs": 1, "batch": 64, "precision": "float32"}
    expect(run(schedule, "--seeds", "1").returncode == 0, f"{file} is refused: {run(schedule, '--seeds', '1').stderr}")
sys.exit("\n".join(faults) or 0)
