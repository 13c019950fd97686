#!/usr/bin/env python3
"""Writes lists of schedules for speedrun_sweep.py: the neighbourhood of what was best on validation images before.

    benchmarks/speedrun_candidates.py FOLDER        # FOLDER/99.json, 99.5.json, 99.7.json
"""
import json
import pathlib
import sys
from typing import Any

Schedule = dict[str, Any]

# (channels, kernel, padding, pooled) of each convolution. All of these run as one chain on an H100.
NETS = {
    "16-64": [(16, 5, 0, True), (64, 5, 0, True)],
    "16-32": [(16, 5, 0, True), (32, 5, 0, True)],
    "16-48": [(16, 5, 0, True), (48, 5, 0, True)],
    "16-96": [(16, 5, 0, True), (96, 5, 0, True)],
    "24-64": [(24, 5, 0, True), (64, 5, 0, True)],
    "32-64": [(32, 3, 0, True), (64, 3, 0, True)],
    "24-48-64": [(24, 5, 0, True), (48, 3, 0, False), (64, 3, 0, True)],
    "24-64-64": [(24, 5, 0, True), (64, 5, 0, False), (64, 3, 0, True)],
    "24-48-96": [(24, 5, 2, True), (48, 3, 1, True), (96, 3, 1, True)],
    "32-64-96": [(32, 5, 0, True), (64, 3, 0, False), (96, 3, 0, True)],
    "32-32-48-96": [(32, 3, 0, False), (32, 3, 0, True), (48, 3, 0, False), (96, 3, 0, True)],
    "32-32-64-64": [(32, 3, 0, False), (32, 3, 0, True), (64, 3, 0, False), (64, 3, 0, True)],
    "16-32-48-64": [(16, 3, 0, False), (32, 3, 0, True), (48, 3, 0, False), (64, 3, 0, True)],
}
PIXEL = 1 / 28
LITTLE = {"shift": PIXEL, "degrees": 6}
SOME = {"shift": 1.5 * PIXEL, "degrees": 8, "zoom": 0.08}
SHEARED = SOME | {"shear": 5}
MUCH = {"shift": 2 * PIXEL, "degrees": 10, "zoom": 0.1}


def network(name: str, dropout: float, hidden: int) -> dict:
    layers: list[dict] = []
    channels, side = 1, 28
    for out, kernel, padding, pooled in NETS[name]:
        layers += [{"kind": "conv2d", "in": channels, "out": out, "kernel": kernel, "padding": padding}, {"kind": "relu"}]
        channels, side = out, side + 2 * padding - kernel + 1
        if pooled:
            layers.append({"kind": "max_pool2d", "kernel": 2})
            side //= 2
    layers.append({"kind": "flatten"})
    features = channels * side * side
    for out in (hidden, 10) if hidden else (10,):
        if dropout:
            layers.append({"kind": "dropout", "p": dropout})
        layers.append({"kind": "dense", "in": features, "out": out})
        if out == hidden:
            layers.append({"kind": "relu"})
        features = out
    return {"kind": "sequential", "layers": layers}


class Neighbourhood:
    """Schedules that differ from `usual` in some settings. Names say in which."""

    def __init__(self, goal: float, seeds: int, **usual: Any) -> None:
        self.fixed = {"goal": goal, "seeds": seeds, "precision": "bf16"}
        self.usual = {"samples": 0, "epochs": 1, "batch": 256, "dropout": 0.0, "hidden": 0, "decay": 0.0, "average": 0.0, "augment": {},
                      "first": 0.1, "last": 0.001} | usual  # fmt: skip
        self.schedules: dict[str, Schedule] = {}

    def add(self, **changes: Any) -> None:
        name = " ".join(f"{key}={value}" for key, value in changes.items()) or "usual"
        s = self.usual | changes
        self.schedules[name] = {"name": name, "network": network(s["net"], s["dropout"], s["hidden"])} | self.fixed | {
            "samples": s["samples"], "start_scales": s["scales"], "epochs": s["epochs"], "batch": s["batch"],
            "optimizer": {"kind": "adamw" if s["decay"] else "adam", "lr": s["lr"], "beta1": s["beta1"], "beta2": s["beta2"],
                          "weight_decay": s["decay"]},
            "one_cycle": {"warm_up": s["warm_up"], "first": s["first"], "last": s["last"]},
            "label_smoothing": s["smoothing"], "average": s["average"], "augment": s["augment"]}  # fmt: skip


def for_99() -> Neighbourhood:
    n = Neighbourhood(99, 30, net="16-64", lr=0.03, scales=[3, 1.5], beta1=0.7, beta2=0.9, smoothing=0.1, warm_up=0.3)
    for samples in (24_576, 27_648, 30_720, 33_792, 36_864, 39_936, 43_008, 46_080, 49_152):
        n.add(samples=samples)
    for samples in (30_720, 36_864):
        for change in ({"beta1": 0.6}, {"beta1": 0.75}, {"beta2": 0.85}, {"beta2": 0.95}, {"warm_up": 0.4}, {"smoothing": 0.15},
                       {"lr": 0.025}, {"lr": 0.037}, {"batch": 192}, {"batch": 192, "lr": 0.024}, {"batch": 320}, {"average": 0.8},
                       {"scales": [2]}, {"net": "16-48"}, {"net": "16-96"}, {"net": "24-64"}, {"net": "32-64"}):  # fmt: skip
            n.add(samples=samples, **change)
    for samples in (43_008, 49_152):
        for change in ({"net": "16-32"}, {"net": "16-32", "batch": 384}, {"batch": 384}, {"batch": 384, "beta2": 0.85},
                       {"batch": 512, "lr": 0.035, "beta2": 0.85}):  # fmt: skip
            n.add(samples=samples, **change)
    return n


def for_995() -> Neighbourhood:
    n = Neighbourhood(99.5, 20, net="16-64", lr=0.024, scales=[3, 1.5], beta1=0.8, beta2=0.98, smoothing=0.05, warm_up=0.25,
                      average=0.95, augment=SOME, decay=0.05)  # fmt: skip
    quick = {"beta1": 0.7, "beta2": 0.95}
    deeper = {"net": "24-48-64", "lr": 0.016, "scales": [3, 1.5, 1], "warm_up": 0.2, "smoothing": 0.1, "decay": 0.02, "augment": LITTLE}
    for epochs in (2, 3):
        for scales, lr in (([1], 0.026), ([3, 1.5], 0.024)):
            n.add(epochs=epochs, scales=scales, lr=lr, augment=LITTLE, **quick)
    for epochs in (2, 3, 4, 5):
        for change in ({}, quick):
            n.add(epochs=epochs, **change)
            n.add(net="24-64", epochs=epochs, lr=0.022, **change)
            n.add(epochs=epochs, **(deeper | {"average": 0.98 if epochs > 2 else 0.95}), **change)
            n.add(epochs=epochs, **(deeper | {"lr": 0.02, "augment": SOME, "average": 0.97}), **change)
    n.add(epochs=4, **(deeper | {"beta1": 0.9, "average": 0.98}))
    for epochs, augment in ((4, LITTLE), (6, SOME)):
        n.add(net="32-64", epochs=epochs, lr=0.02, augment=augment)
    for epochs, net in ((2, "24-64-64"), (3, "24-64-64"), (3, "16-32-48-64")):
        n.add(net=net, epochs=epochs, lr=0.018, average=0.97, augment=LITTLE, decay=0.02)
    return n


def for_997() -> Neighbourhood:
    n = Neighbourhood(99.7, 20, net="32-32-48-96", epochs=60, lr=0.006, scales=[3, 1.5, 1], beta1=0.9, beta2=0.99, smoothing=0.1,
                      warm_up=0.15, average=0.999, augment=SHEARED, decay=0.2, dropout=0.3, hidden=256, first=0.05, last=0.0005)  # fmt: skip
    plain = {"hidden": 0, "dropout": 0.2}
    n.add()
    n.add(**plain)
    n.add(**plain, average=0.9995)
    n.add(**plain, smoothing=0.05, lr=0.008)
    n.add(**plain, epochs=90)
    n.add(net="32-32-64-64", dropout=0.4)
    n.add(net="32-32-64-64", **plain)
    n.add(net="32-32-64-64", **plain, lr=0.008)
    n.add(net="32-32-64-64", **plain, augment=SHEARED | {"elastic": 0.5})
    return n


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for neighbourhood in (for_99(), for_995(), for_997()):
        name = f"{neighbourhood.fixed['goal']:g}.json"
        (folder / name).write_text(json.dumps(list(neighbourhood.schedules.values())) + "\n")
        print(f"{folder / name}: {len(neighbourhood.schedules)} schedules")


if __name__ == "__main__":
    main()
