#!/usr/bin/env python3
"""PyTorch's training and inference of the benchmark networks on a GPU, data resident there.

Variants are flags with + between them:
  eager     one kernel launch after the other, from Python
  compile   torch.compile of forward pass and loss (and so of the backward pass)
  autotune  the same with mode max-autotune-no-cudagraphs
  reduce    the same with mode reduce-overhead: PyTorch's own CUDA graphs
  graph     the whole step, Adam included, captured as one CUDA graph
  unroll    several steps, each with a batch of its own, in one CUDA graph
  cl        channels last
Adam is the fused one; bf16 is autocast in training and bfloat16 weights in inference.
"""
import contextlib
import gc
import os
import time
from collections.abc import Callable

import common

os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", str(min(8, os.cpu_count() or 1)))
os.environ.setdefault("TORCHINDUCTOR_FX_GRAPH_CACHE", "1")

import torch
import torch.nn.functional as F
from torch import nn

FLAGS = {"eager", "compile", "autotune", "reduce", "graph", "unroll", "cl"}
UNROLLED_SAMPLES, UNROLLED_STEPS = 16_384, 64
MOST_BATCHES = 512
WARM_UPS = 3  # before a capture: cuDNN chooses its algorithms, and what is compiled is compiled

C, P, L, R, D = nn.Conv2d, nn.MaxPool2d, nn.Linear, nn.ReLU, nn.Dropout
NETS: dict[str, Callable[[], list[nn.Module]]] = {
    "mnist_convnet": lambda: [
        *(C(1, 32, 3), R(), C(32, 64, 3), R(), P(2), D(0.25)),
        *(nn.Flatten(), L(9216, 128), R(), D(0.5), L(128, 10)),
    ],
    "keras_convnet": lambda: [
        *(C(1, 32, 3), R(), P(2), C(32, 64, 3), R(), P(2)),
        *(nn.Flatten(), D(0.5), L(1600, 10)),
    ],
    "lenet5": lambda: [
        *(C(1, 6, 5, padding=2), R(), P(2), C(6, 16, 5), R(), P(2)),
        *(nn.Flatten(), L(400, 120), R(), L(120, 84), R(), L(84, 10)),
    ],
    "mlp": lambda: [nn.Flatten(), L(784, 512), R(), D(0.2), L(512, 512), R(), D(0.2), L(512, 10)],
}

Step = Callable[[int], torch.Tensor]  # runs the i-th batch of those in use and returns its loss or logits


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(call: Callable[[], object], calls: int, device: str) -> float:
    """Seconds that `calls` calls take, from the first launch to the last result."""
    if device == "cpu":
        started = time.perf_counter()
        for _ in range(calls):
            call()
        return time.perf_counter() - started
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(calls):
        call()
    stop.record()
    stop.synchronize()
    return start.elapsed_time(stop) / 1e3


def waiting_seconds(call: Callable[[], object], calls: int, device: str) -> float:
    """The same, where each call waits for the result of the one before."""
    synchronize(device)
    started = time.perf_counter()
    for _ in range(calls):
        call()
        synchronize(device)
    return time.perf_counter() - started


def capture(body: Callable[[], object], warm_up: Callable[[], object] | None = None) -> Callable[[], None]:
    """`body` as a CUDA graph, after some runs of it (or of `warm_up`); the call replays it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            (warm_up or body)()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        body()
    return graph.replay


def set_precision(precision: str) -> None:
    """TensorFloat-32 is on in PyTorch's convolutions by default; float32 here means float32."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True


def compiled(function: Callable, flags: frozenset[str]) -> Callable:
    if "reduce" in flags:
        return torch.compile(function, mode="reduce-overhead")
    if "autotune" in flags:
        return torch.compile(function, mode="max-autotune-no-cudagraphs")
    return torch.compile(function) if "compile" in flags else function


class Data:
    """Synthetic images (n, 1, 28, 28) in [0, 1] and labels, and the windows of `batch` samples on them."""

    def __init__(self, samples: int, device: str, memory_format: torch.memory_format) -> None:
        generator = torch.Generator(device).manual_seed(0)
        bytes_ = torch.randint(0, 256, (samples, 1, 28, 28), generator=generator, device=device, dtype=torch.uint8)
        self.images = (bytes_.float() / 255).contiguous(memory_format=memory_format)
        self.labels = torch.randint(0, 10, (samples,), generator=generator, device=device)

    def batches(self, batch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return list(zip(self.images.split(batch), self.labels.split(batch), strict=True))


def training_step(job: common.Job, net: nn.Module, batches: list, device: str) -> Step:
    net.train()
    adam = torch.optim.Adam(net.parameters(), lr=common.LEARNING_RATE, fused=True, capturable=device == "cuda")
    loss_of = compiled(lambda x, y: F.cross_entropy(net(x), y), job.flags)

    def step(i: int) -> torch.Tensor:
        adam.zero_grad(set_to_none=True)
        if "reduce" in job.flags:
            torch.compiler.cudagraph_mark_step_begin()
        # Without the cache of casts: a cached tensor must not outlive the capture that made it.
        half = torch.autocast(device, torch.bfloat16, cache_enabled=False)
        with half if job.precision == "bf16" else contextlib.nullcontext():
            loss = loss_of(*batches[i])
        loss.backward()
        adam.step()
        return loss.detach()

    return step


def inference_step(job: common.Job, net: nn.Module, batches: list) -> Step:
    dtype = torch.bfloat16 if job.precision == "bf16" else torch.float32
    net.eval().requires_grad_(False).to(dtype)
    forward = compiled(lambda x: net(x.to(dtype)), job.flags)

    def step(i: int) -> torch.Tensor:
        with torch.no_grad():
            return forward(batches[i][0])

    return step


def steps_in_graph(job: common.Job, available: int) -> int:
    if "unroll" not in job.flags:
        return 1
    return max(1, min(available, UNROLLED_STEPS, UNROLLED_SAMPLES // job.batch))


def prepare(job: common.Job, options: common.Options) -> common.Prepared:
    """Builds, compiles and captures what the job names."""
    job.require_flags(FLAGS)
    graphed = bool(job.flags & {"graph", "unroll"})
    if graphed and options.device == "cpu":
        raise RuntimeError("a CUDA graph needs CUDA")
    if graphed and "reduce" in job.flags:
        raise ValueError("variant: reduce captures by itself; take graph or reduce")
    set_precision(job.precision)
    torch.manual_seed(1)
    layout = torch.channels_last if "cl" in job.flags else torch.contiguous_format
    data = Data(min(common.SAMPLES // job.batch, MOST_BATCHES) * job.batch, options.device, layout)
    net = nn.Sequential(*NETS[job.model]()).to(options.device, memory_format=layout)
    batches = data.batches(job.batch)
    train = job.task == "train"
    step = training_step(job, net, batches, options.device) if train else inference_step(job, net, batches)
    last: list[torch.Tensor] = []  # keeps what a graph writes alive

    def one() -> None:
        one.count = (one.count + 1) % len(batches)
        last[:] = [step(one.count)]

    one.count = 0
    steps = steps_in_graph(job, len(batches))

    def several() -> None:
        last[:] = [step(i) for i in range(steps)]

    call = capture(several) if graphed else one
    wait = waiting_seconds if job.task == "latency" else seconds_of
    return common.Prepared(
        run=lambda calls: wait(call, calls, options.device),
        steps_per_call=steps,
        loss=(lambda: float(last[-1])) if train else None,
    )


def about(device: str) -> common.Result:
    return {
        "framework": "torch",
        "versions": {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()},
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "device": device,
    }


def cleanup() -> None:
    torch._dynamo.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def main() -> None:
    options, texts = common.jobs(common.options_parser(__doc__))
    common.serve(texts, options, about(options.device), lambda job: prepare(job, options), cleanup)


if __name__ == "__main__":
    main()
