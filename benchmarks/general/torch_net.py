#!/usr/bin/env python3
"""PyTorch's training and inference of a described network (the JSON that bench_net --model reads), on a CPU.

The fastest configuration that the survey of peers found: channels last, fused Adam, freed memory kept by the
process. Takes bench_net's options and prints one JSON line as it does.
"""

import argparse
import json
import os
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", type=Path, required=True, help="description of the network, FILE.json")
parser.add_argument("--image", default="3,32,32", help="C,H,W")
parser.add_argument("--task", choices=["train", "infer"], default="train")
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--seconds", type=float, default=1.0)
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402  (reads OMP_NUM_THREADS)
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402


class Residual(nn.Module):
    def __init__(self, body: nn.Module, projection: nn.Module | None) -> None:
        super().__init__()
        self.body = body
        self.projection = projection or nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.projection(x)


class GlobalAvgPool2d(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3), keepdim=True)


def build(d: dict) -> nn.Module:
    kind = d["kind"]
    window = {key: d[key] for key in ("stride", "padding", "dilation") if key in d}
    if kind == "sequential":
        return nn.Sequential(*map(build, d["layers"]))
    if kind == "residual":
        return Residual(build(d["body"]), build(d["projection"]) if d.get("projection") else None)
    if kind == "conv2d":
        return nn.Conv2d(
            d["in"], d["out"], d["kernel"], groups=d.get("groups", 1), bias=d.get("bias", True), **window
        )
    if kind == "dense":
        return nn.Linear(d["in"], d["out"], bias=d.get("bias", True))
    if kind == "batch_norm2d":
        return nn.BatchNorm2d(d["features"])
    if kind == "max_pool2d":
        return nn.MaxPool2d(d["kernel"], d.get("stride") or d["kernel"], d.get("padding", 0))
    if kind == "dropout":
        return nn.Dropout(d["p"])
    plain = {"relu": nn.ReLU, "flatten": nn.Flatten, "global_avg_pool2d": GlobalAvgPool2d}
    if kind not in plain:
        parser.error(f"{args.model}: there is no PyTorch form of '{kind}' here; add it to torch_net.py.")
    return plain[kind]()


def step_of(net: nn.Module, images: torch.Tensor, labels: torch.Tensor):  # noqa: ANN201
    if args.task == "infer":
        net.eval()

        def infer() -> None:
            with torch.inference_mode():
                net(images)

        return infer
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    net.train()

    def train() -> None:
        adam.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        adam.step()

    return train


def main() -> None:
    torch.set_num_threads(args.threads)
    shape = [args.batch, *map(int, args.image.split(","))]
    images = torch.rand(shape).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (args.batch,))
    net = build(json.loads(args.model.read_text())).to(memory_format=torch.channels_last)
    step = step_of(net, images, labels)
    for _ in range(3):
        step()
    steps, start = 0, time.perf_counter()
    while steps < 3 or time.perf_counter() - start < args.seconds:
        step()
        steps += 1
    rate = args.batch * steps / (time.perf_counter() - start)
    print(json.dumps({"model": args.model.stem, "task": args.task, "batch": args.batch, "threads": args.threads,
                      "torch": torch.__version__, "samples_per_second": rate}))


main()
