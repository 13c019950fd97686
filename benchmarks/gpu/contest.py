#!/usr/bin/env python3
"""Our GPU results beside the peers', as ratios to the best peer, in Markdown.

  contest.py --peers DIR/peers.jsonl [--ours FILE] [--markdown FILE]

--ours has lines of bench_net --device cuda; without it the peers' figures stand alone. Several lines of one
configuration are repetitions: their median counts. Failed jobs are listed, and count for nothing.
"""
import argparse
import dataclasses
import json
import pathlib
import statistics
import sys
from collections import defaultdict

# What issue 5 asks for: (task, batch) -> ratio to the best peer, of the three networks with convolutions.
TARGETS = {("train", 128): 2.0, ("train", 512): 1.3, ("train", 4096): 1.3, ("infer", 1): 2.0, ("infer", 10_000): 1.3}
PEERS = {"torch": "PyTorch", "jax": "JAX"}
PRECISIONS = {"any": "every contestant in its fastest precision", "bf16": "bfloat16", "tf32": "TensorFloat-32", "float32": "float32"}

Key = tuple[str, str, int]  # model, task, batch


@dataclasses.dataclass(frozen=True)
class Figure:
    """Samples a second of a contestant, and how it got there."""

    rate: float
    how: str


def fail(message: str) -> None:
    print(f"error: contest: {message}", file=sys.stderr)
    sys.exit(2)


def lines(path: pathlib.Path) -> list[dict]:
    try:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except ValueError as error:
        fail(f"{path}: not lines of JSON ({error})")
    return [line for line in found if isinstance(line, dict)]


def rate(line: dict) -> float | None:
    if "samples_per_second" in line:
        return line["samples_per_second"]
    return line["batch"] * 1e6 / line["microseconds"] if "microseconds" in line else None


def best(results: list[dict], precision: str) -> dict[Key, Figure]:
    """The fastest variant of each configuration among those of a precision."""
    repetitions = defaultdict(list)
    for line in results:
        if "error" in line or not rate(line) or precision not in ("any", line["precision"]):
            continue
        steps = f"{line['unroll']} steps" if line.get("unroll", 1) > 1 else None
        variant = " ".join(filter(None, [line["precision"], line.get("variant"), steps]))
        repetitions[line["model"], line["task"], line["batch"], variant].append(rate(line))
    figures: dict[Key, Figure] = {}
    for (*key, variant), rates in repetitions.items():
        figure = Figure(statistics.median(rates), variant)
        k: Key = tuple(key)  # type: ignore[assignment]
        if k not in figures or figure.rate > figures[k].rate:
            figures[k] = figure
    return figures


def shown(figure: Figure | None) -> str:
    return f"{figure.rate:,.0f} ({figure.how})" if figure else "-"


def verdict(key: Key, ratio: float) -> str:
    target = TARGETS.get(key[1:]) if key[0] != "mlp" else None
    return "" if target is None else f"{target}: {'reached' if ratio >= target else 'missed'}"


def table(ours: list[dict], peers: list[dict], precision: str) -> list[str]:
    """One table: a row for each configuration that a peer has."""
    mine = best(ours, precision)
    theirs = {name: best([p for p in peers if p["framework"] == name], precision) for name in PEERS}
    keys = sorted({key for found in theirs.values() for key in found}, key=lambda k: (k[1], k[2], k[0]))
    if not keys:
        return []
    text = [f"### {PRECISIONS[precision][0].upper()}{PRECISIONS[precision][1:]}", ""]
    text += ["Samples a second; the ratio is ours to the best peer's.", ""]
    text += [f"| model | task | batch | uncial | {' | '.join(PEERS.values())} | ratio | target |", "|---|---|--:|--:|--:|--:|--:|---|"]
    for key in keys:
        peer = max(found[key].rate for found in theirs.values() if key in found)
        ratio = mine[key].rate / peer if key in mine else None
        cells = [key[0], key[1], f"{key[2]:,}", shown(mine.get(key)), *(shown(theirs[name].get(key)) for name in PEERS)]
        # A target holds against the best of all, not within one precision.
        goal = verdict(key, ratio) if ratio and precision == "any" else ""
        text.append("| " + " | ".join([*cells, f"**{ratio:.2f}**" if ratio else "-", goal]) + " |")
    return [*text, ""]


def other_tables(peers: list[dict]) -> list[str]:
    """The peers' augmentation and time to accuracy, and what the GPU can do."""
    text: list[str] = []

    def add(kind: str, title: str, head: list[str], cells) -> None:  # noqa: ANN001
        rows = [p for p in peers if p.get("kind") == kind and "error" not in p]
        if rows:
            text.extend([f"### {title}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"])
            text.extend("| " + " | ".join(cells(row)) + " |" for row in rows)
            text.append("")

    add("limit", "What this GPU can do", ["figure", "measured", "spread"],
        lambda r: [r["name"], f"{r['value']:,} {r['unit']}", f"{r['spread']:.1%}"])  # fmt: skip
    add("augment", "Affine augmentation of 28x28 by the peers", ["method", "images a second", "a map for each image"],
        lambda r: [r["method"], f"{r['images_per_second']:,}", "no, one for all" if r["one_map_for_all"] else "yes"])  # fmt: skip
    add("speedrun_mean", "PyTorch's time to 99 % on MNIST",
        ["variant", "milliseconds", "accuracy, mean of seeds", "deviation", "lowest", "seeds", "steps", "batch"],
        lambda r: [f"{r['variant']} {r['precision']}", f"{r['milliseconds']}", f"{r['accuracy']} %", f"{r['accuracy_deviation']}",
                   f"{r['lowest_accuracy']} %", str(r["seeds"]), str(r["steps"]), str(r["batch"])])  # fmt: skip
    failed = [p for p in peers if "error" in p]
    if failed:
        text += ["### Not measured", ""]
        text += [f"- {p.get('framework', '')} {p.get('job') or p.get('method')}: {p['error'].splitlines()[0][:160]}" for p in failed]
    return text


def page(ours: list[dict], peers: list[dict]) -> str:
    nets = [p for p in peers if p.get("kind") == "net" and "framework" in p and "error" not in p]
    about = sorted({f"{PEERS[p['framework']]} {p['versions'][p['framework']]} on {p['gpu']}" for p in nets if p.get("device") == "cuda"})
    text = ["## Against other frameworks", ""]
    if any(p.get("device") == "cpu" for p in peers):
        text += ["**A test of these programs on a CPU: no measurement.**", ""]
    text += [*(f"- {line}" for line in about), ""]
    for precision in PRECISIONS:
        text += table(ours, nets, precision)
    return "\n".join(text + other_tables(peers)).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=pathlib.Path, required=True)
    parser.add_argument("--ours", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path, help="write the page there; otherwise it is printed")
    args = parser.parse_args()
    ours = [] if args.ours is None else lines(args.ours)
    on_gpu = [line for line in ours if str(line.get("device", "")).startswith("cuda")]
    if ours and not on_gpu:
        fail(f"{args.ours}: no line says that it ran on the GPU (field device)")
    text = page(on_gpu, lines(args.peers))
    if args.markdown:
        args.markdown.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
