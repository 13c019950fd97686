#!/usr/bin/env python3
"""PyTorch's time to 99 % on MNIST: a fixed schedule, last weights, the whole training one CUDA graph.

The data lie on the GPU. Timed: the shuffles and all steps, to the last weight. Not timed: reading, start weights,
compiling and capturing (once for all seeds), and evaluation. Nothing is chosen by test accuracy within a run. One
line of JSON a seed, then one of the mean.
"""
import argparse
import contextlib
import gzip
import json
import math
import pathlib
import statistics
import time
from collections.abc import Callable

import common
import torch
import torch.nn.functional as F
from torch import nn
from torch_peer import capture, synchronize

MEAN, DEVIATION = 0.1307, 0.3081


class Norm(nn.Module):
    """Batch normalisation without PyTorch's counter of batches, which would be a kernel a step."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def reset_parameters(self) -> None:
        for values, start in ((self.weight, 1.0), (self.bias, 0.0), (self.mean, 0.0), (self.variance, 1.0)):
            nn.init.constant_(values, start)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(x, self.mean, self.variance, self.weight, self.bias, self.training, momentum=0.2)


def small_net(width: int) -> nn.Sequential:
    """Three convolutions with pools between them, and a dense layer."""

    def block(c: int, k: int, kernel: int, padding: int) -> list[nn.Module]:
        return [nn.Conv2d(c, k, kernel, padding=padding, bias=False), nn.MaxPool2d(2), Norm(k), nn.ReLU()]

    return nn.Sequential(
        *block(1, width, 5, 0), *block(width, 2 * width, 3, 0), *block(2 * width, 4 * width, 3, 1),
        nn.Flatten(), nn.Linear(4 * width * 4, 10),
    )  # fmt: skip


def idx(path: pathlib.Path) -> torch.Tensor:
    """The bytes of an IDX file."""
    raw = gzip.open(path).read()
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return torch.frombuffer(bytearray(raw[4 + 4 * raw[3] :]), dtype=torch.uint8).view(shape)


def mnist(folder: pathlib.Path, part: str, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    images = idx(folder / f"{part}-images-idx3-ubyte.gz").to(device).unsqueeze(1)
    return (images.float() / 255 - MEAN) / DEVIATION, idx(folder / f"{part}-labels-idx1-ubyte.gz").to(device).long()


def one_cycle(steps: int, peak: float) -> list[float]:
    """Up from a tenth in a fifth of the steps, then down to nearly nothing along a cosine."""
    up = max(1, round(0.2 * steps))
    rise = [peak * (0.1 + 0.9 * i / up) for i in range(up)]
    return rise + [peak * 0.5 * (1.01 + 0.99 * math.cos(math.pi * i / (steps - up))) for i in range(steps - up)]


class Training:
    """All steps of a training as one call, which starts from the weights that are there."""

    def __init__(self, args: argparse.Namespace, train: tuple[torch.Tensor, torch.Tensor]) -> None:
        self.args, (self.images, self.labels) = args, train
        self.net = small_net(args.width).to(args.device, memory_format=torch.channels_last)
        per_epoch = min(args.limit or len(self.images), len(self.images)) // args.batch
        self.steps = max(1, round(args.epochs * per_epoch))
        self.per_epoch = per_epoch
        self.rates = torch.tensor(one_cycle(self.steps, args.rate), device=args.device)
        self.cuda = args.device == "cuda"
        self.adam = torch.optim.Adam(
            self.net.parameters(), lr=self.rates[0] if self.cuda else args.rate, betas=(0.9, 0.99),
            fused=True, capturable=self.cuda,
        )  # fmt: skip
        self.loss_of = self.loss
        if args.compile:
            self.loss_of = torch.compile(self.loss)
        self.order = torch.arange(len(self.images), device=args.device)

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(self.net(x), y, label_smoothing=self.args.smoothing)

    def run(self, steps: int) -> None:
        """The first `steps` steps. The order is a new one in each epoch."""
        half = torch.autocast(self.args.device, torch.bfloat16, cache_enabled=False)
        for i in range(steps):
            turn = i % self.per_epoch
            if turn == 0:
                order = torch.rand(len(self.images), device=self.args.device).argsort()
            mine = order[turn * self.args.batch : (turn + 1) * self.args.batch]
            for group in self.adam.param_groups:  # a place on the GPU, so that a graph may hold it
                group["lr"] = self.rates[i] if self.cuda else float(self.rates[i])
            self.adam.zero_grad(set_to_none=True)
            with half if self.args.precision == "bf16" else contextlib.nullcontext():
                loss = self.loss_of(self.images[mine], self.labels[mine])
            loss.backward()
            self.adam.step()

    def reset(self, seed: int) -> None:
        """Start weights of a seed, in place, and an optimiser that remembers nothing."""
        torch.manual_seed(seed)
        with torch.no_grad():
            for module in self.net.modules():
                if hasattr(module, "reset_parameters"):
                    module.reset_parameters()
            for state in self.adam.state.values():
                for value in state.values():
                    value.zero_()

    @torch.no_grad()
    def accuracy(self, test: tuple[torch.Tensor, torch.Tensor]) -> float:
        self.net.eval()
        right = sum(int((self.net(x).argmax(1) == y).sum()) for x, y in zip(*(t.split(2000) for t in test), strict=True))
        self.net.train()
        return 100 * right / len(test[0])


def prepared(training: Training) -> Callable[[], object]:
    """The whole training as a call: a replay where there is a GPU. Changes the weights."""
    steps = training.steps
    if training.cuda:
        # Warm up with few steps: the graph of all of them need not run before it is captured.
        return capture(lambda: training.run(steps), lambda: training.run(min(3, steps)))
    return lambda: training.run(steps)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with MNIST's four IDX files, .gz")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu only tests this program")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=float, default=1.5)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.015)
    parser.add_argument("--smoothing", type=float, default=0.0)
    parser.add_argument("--precision", choices=("bf16", "float32"), default="bf16")
    parser.add_argument("--compile", action="store_true", help="torch.compile, within the graph")
    parser.add_argument("--limit", type=int, default=0, help="samples an epoch, to test this program")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    common.warn_cpu(args.device)
    out = common.result_stream()
    torch.backends.cudnn.benchmark = True
    train, test = (mnist(args.data, part, args.device) for part in ("train", "t10k"))
    began = time.perf_counter()
    training = Training(args, train)
    call = prepared(training)
    about = {
        "kind": "speedrun", "framework": "torch", "variant": ("compile+" if args.compile else "") + "graph",
        "steps": training.steps, "batch": args.batch, "precision": args.precision, "width": args.width,
        "versions": {"torch": torch.__version__}, "device": args.device,
        "gpu": torch.cuda.get_device_name() if training.cuda else None,
    }  # fmt: skip
    setup, runs = time.perf_counter() - began, []
    for seed in range(args.seeds):
        training.reset(seed)
        synchronize(args.device)
        started = time.perf_counter()
        call()
        synchronize(args.device)
        took = 1e3 * (time.perf_counter() - started)
        runs.append((took, training.accuracy(test)))
        line = about | {"seed": seed, "milliseconds": round(took, 3), "accuracy": round(runs[-1][1], 2)}
        print(json.dumps(line), file=out, flush=True)
    times, accuracies = zip(*runs, strict=True)
    summary = about | {"kind": "speedrun_mean", "seeds": len(runs), "setup_seconds": round(setup, 2)}
    summary |= {"milliseconds": round(statistics.mean(times), 3), "accuracy": round(statistics.mean(accuracies), 3)}
    summary |= {"milliseconds_spread": common.spread(list(times)), "accuracy_deviation": round(statistics.pstdev(accuracies), 3)}
    print(json.dumps(summary | {"lowest_accuracy": min(accuracies)}), file=out, flush=True)


if __name__ == "__main__":
    main()
