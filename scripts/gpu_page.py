#!/usr/bin/env python3
"""Adds the results of one part of gpu_check.sh to gpu.json, and writes the page gpu.md from all parts in it."""
import argparse
import datetime
import json
import pathlib

PARTS = ("build", "test", "sanitize", "bench", "speedrun")
TITLES = {"build": "Build", "test": "Tests on the GPU", "sanitize": "compute-sanitizer",
          "bench": "Benchmarks", "speedrun": "Time to accuracy"}


def read_rows(path: pathlib.Path) -> list[dict]:
    """Lines NAME, STATUS, SECONDS, NOTE, with tabs between them."""
    rows = []
    for line in path.read_text(errors="replace").splitlines():
        name, status, seconds, note = (line.split("\t", 3) + [""] * 4)[:4]
        rows.append({"name": name, "status": status, "seconds": float(seconds), "note": note.strip()})
    return rows


def counts(rows: list[dict]) -> str:
    """'3 passed, 1 failed'"""
    order = ("passed", "failed", "unfinished", "refused", "not run")
    present = [(status, sum(row["status"] == status for row in rows)) for status in order]
    return ", ".join(f"{count} {status}" for status, count in present if count) or "nothing"


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def section(part: str, result: dict | None) -> list[str]:
    lines = [f"## {TITLES[part]}", ""]
    if result is None:
        return [*lines, "Not yet run.", ""]
    seconds = f"{result['seconds']:.0f} s"
    lines += [f"{counts(result['rows'])}; {seconds}, {result['date']}, commit {result['commit']}, {result['gpu']}:",
              "", f"    {result['command']}", "", "| what | result | s | |", "|---|---|---|---|"]
    lines += [f"| {cell(row['name'])} | {row['status']} | {row['seconds']:.0f} | {cell(row['note'])} |"
              for row in sorted(result["rows"], key=lambda row: row["status"] == "passed")]
    return [*lines, ""]


def beside_the_peers(out: pathlib.Path) -> list[str]:
    """What benchmarks/gpu/contest.py wrote, as a part of this page."""
    table = out / "bench" / "contest.md"
    if not table.exists():
        return []
    return [f"#{line}" if line.startswith("#") else line for line in table.read_text().splitlines()] + [""]


def times_to_accuracy(out: pathlib.Path) -> list[str]:
    """The means that bench_speedrun and PyTorch's program left, as a table."""
    means = [line for file in sorted((out / "speedrun").glob("*.jsonl"))
             for line in map(json.loads, file.read_text().splitlines()) if line["kind"] == "speedrun_mean"]
    if not means:
        return []
    lines = ["| who | goal | mean test accuracy | deviation | lowest | seeds | ms | deviation |",
             "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for mean in means:
        goal = f"{mean['goal']:g} %{'' if mean['reached'] else ': missed'}" if "goal" in mean else "-"
        deviation = f"{mean['milliseconds_deviation']:.2f}" if "milliseconds_deviation" in mean else "-"
        lines.append(f"| {cell(mean.get('schedule', mean['framework']))} | {goal} | {mean['accuracy']:.3f} % | "
                     f"{mean['accuracy_deviation']:.3f} | {mean['lowest_accuracy']:.2f} % | {mean['seeds']} | "
                     f"{mean['milliseconds']:.2f} | {deviation} |")
    return [*lines, ""]


def page(results: dict, out: pathlib.Path) -> str:
    lines = ["# On a GPU", "", "Written by `scripts/gpu_check.sh`: what ran, what failed, what the machine refused, what was",
             "not run. GPU, driver, memory and compute capability as nvidia-smi names them.", ""]
    for part in PARTS:
        lines += section(part, results.get(part))
        if part == "bench":
            lines += beside_the_peers(out)
        if part == "speedrun":
            lines += times_to_accuracy(out)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--part", choices=PARTS, required=True)
    parser.add_argument("--rows", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    for name in ("gpu", "commit", "command"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()

    file = options.out / "gpu.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    results[options.part] = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "gpu": options.gpu, "commit": options.commit, "command": options.command, "seconds": options.seconds,
        "rows": read_rows(options.rows)}
    file.write_text(json.dumps(results, indent=1) + "\n")
    (options.out / "gpu.md").write_text(page(results, options.out))
    print(f"{options.part}: {counts(results[options.part]['rows'])}")


if __name__ == "__main__":
    main()
