#!/usr/bin/env python3
"""What this GPU can do, measured through PyTorch: copy bandwidth, matrix products, the cost of a launch.

One line of JSON a figure, each the median of several repeats.
"""
import json
import statistics
from collections.abc import Callable

import common
import torch
from torch_peer import capture, seconds_of

GRAPH_NODES = 1000


def measure(name: str, unit: str, per_second: float, call: Callable[[], object], options: common.Options) -> common.Result:
    """`per_second` is what one call is worth, divided by its seconds; 0 means that the unit is microseconds."""
    times = common.repeat(lambda calls: seconds_of(call, calls, options.device), options.seconds, options.repeats)
    median = statistics.median(times)
    value = per_second / median if per_second else 1e6 * median
    return {"name": name, "value": round(value, 4), "unit": unit, "spread": common.spread(times)}


def copies(options: common.Options) -> list[common.Result]:
    """Bytes read and written a second; the largest is far beyond the cache, the smallest within it."""
    results = []
    sizes = (1 << 30, 64 << 20, 8 << 20) if options.device == "cuda" else (1 << 20,)
    for size in sizes:
        source = torch.randint(0, 256, (size,), dtype=torch.uint8, device=options.device)
        target = torch.empty_like(source)
        name = f"copy of {size >> 20} MiB"
        results.append(measure(name, "GB/s", 2 * size / 1e9, lambda s=source, t=target: t.copy_(s), options))
    return results


def products(options: common.Options) -> list[common.Result]:
    """Square matrix products of random numbers."""
    results = []
    n = 8192 if options.device == "cuda" else 256
    for precision in ("bf16", "tf32", "float32"):
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        a, b = (torch.randn(n, n, device=options.device, dtype=dtype) for _ in range(2))
        out = torch.empty_like(a)
        name = f"matrix product {precision}, {n}"
        call = lambda a=a, b=b, out=out: torch.mm(a, b, out=out)  # noqa: E731
        results.append(measure(name, "TFLOP/s", 2 * n**3 / 1e12, call, options))
    return results


def launches(options: common.Options) -> list[common.Result]:
    """Kernels that do nothing: one after the other from Python, and as nodes of a graph."""
    idle = lambda: torch.cuda._sleep(0)  # noqa: E731
    one = capture(idle)
    many = capture(lambda: [idle() for _ in range(GRAPH_NODES)])
    node = measure("empty kernel as one of a graph's 1000", "us", 0, many, options)
    node["value"] = round(node["value"] / GRAPH_NODES, 4)
    return [
        measure("empty kernel from Python", "us", 0, idle, options),
        measure("graph of one empty kernel", "us", 0, one, options),
        node,
    ]


def main() -> None:
    args = common.options_parser(__doc__).parse_args()
    common.warn_cpu(args.device)
    options = common.Options(args.device, args.seconds, args.repeats)
    gpu = torch.cuda.get_device_name() if args.device == "cuda" else None
    for group in (copies, products, launches):
        if group is launches and args.device == "cpu":
            continue
        for result in group(options):
            print(json.dumps({"kind": "limit", **result, "gpu": gpu, "device": args.device}), flush=True)
        if args.device == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
