#!/usr/bin/env python3
"""Random affine maps of 28x28 images on a GPU: rotation 10 degrees, zoom 10 %, shift 10 % of the side either way.

Methods, each with its random numbers drawn on the GPU within the time, float32 in and out:
  grid_sample           affine_grid and grid_sample of the batch, a map for each image: Kornia's method
  grid_sample+graph     the same in one CUDA graph
  grid_sample+compile   the same through torch.compile, which fuses the grid into the sampling
  kornia                kornia.augmentation.RandomAffine, where Kornia is installed
  torchvision           transforms.v2.RandomAffine on the batch: ONE map for all images, so less work
  torchvision+each      the same image by image, on a small part of the images
One line of JSON each, with images a second.
"""
import json
import math
import statistics
import time
from collections.abc import Callable

import common
import torch
import torch.nn.functional as F
from torch_peer import capture, seconds_of

DEGREES, ZOOM, SHIFT, SIDE = 10.0, 0.1, 0.1, 28
EACH = 256  # images of the method that takes them one by one

Method = Callable[[torch.Tensor], torch.Tensor]


def grid_sample(x: torch.Tensor) -> torch.Tensor:
    """Each image through a map of its own, bilinear, zeros outside."""
    turn, zoom, shift_x, shift_y = torch.rand(4, len(x), device=x.device).mul(2).sub(1)
    angle, scale = turn * math.radians(DEGREES), 1 / (1 + ZOOM * zoom)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    # affine_grid's side is 2 long.
    rows = torch.stack([cos, -sin, 2 * SHIFT * shift_x, sin, cos, 2 * SHIFT * shift_y], 1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def kornia() -> Method:
    from kornia.augmentation import RandomAffine

    zoom = (1 - ZOOM, 1 + ZOOM)
    return RandomAffine(DEGREES, translate=(SHIFT, SHIFT), scale=zoom, p=1.0, align_corners=False)


def torchvision() -> Method:
    from torchvision.transforms import InterpolationMode, v2

    zoom = (1 - ZOOM, 1 + ZOOM)
    return v2.RandomAffine(DEGREES, (SHIFT, SHIFT), zoom, interpolation=InterpolationMode.BILINEAR)


def call_of(name: str, x: torch.Tensor) -> tuple[Callable[[], object], int]:
    """What one call of a method does, and the images that it makes."""
    if name == "torchvision+each":
        transform, part = torchvision(), x[:EACH]
        return lambda: torch.stack([transform(image) for image in part]), len(part)
    method = {"kornia": kornia, "torchvision": torchvision}.get(name, lambda: grid_sample)()
    if name.endswith("+compile"):
        method = torch.compile(method)
    if name.endswith("+graph"):
        kept: list[torch.Tensor] = []
        return capture(lambda: kept.__setitem__(slice(None), [method(x)])), len(x)
    return lambda: method(x), len(x)


def check(name: str, x: torch.Tensor) -> None:
    """Where the maps are small, most of the ink stays: a method that writes nothing must not win."""
    if "graph" in name:
        return
    call, images = call_of(name, x[:EACH])
    made = call()
    share = float(made.sum() / x[:images].sum())
    if made.shape != (images, 1, SIDE, SIDE) or not 0.8 < share < 1.2:
        raise RuntimeError(f"{tuple(made.shape)} images with {share:.2f} of the ink")


def main() -> None:
    parser = common.options_parser(__doc__)
    parser.add_argument("--images", type=int, default=65_536)
    parser.add_argument("--methods", default="grid_sample,grid_sample+graph,grid_sample+compile,kornia,torchvision,torchvision+each")
    args = parser.parse_args()
    common.warn_cpu(args.device)
    x = torch.zeros(args.images, 1, SIDE, SIDE, device=args.device)
    x[:, :, 8:20, 8:20] = torch.rand(args.images, 1, 12, 12, device=args.device)
    about = {"gpu": torch.cuda.get_device_name() if args.device == "cuda" else None, "device": args.device}
    out = common.result_stream()
    for name in args.methods.split(","):
        line = {"kind": "augment", "method": name, "one_map_for_all": name == "torchvision", **about}
        started = time.perf_counter()
        try:
            check(name, x)
            call, images = call_of(name, x)
            times = common.repeat(lambda n, call=call: seconds_of(call, n, args.device), args.seconds, args.repeats)
            line |= {"images_per_second": round(images / statistics.median(times)), "images": images}
            line |= {"spread": common.spread(times), "versions": {"torch": torch.__version__}}
        except Exception as error:  # noqa: BLE001 - a library that is not there ends no other method
            line["error"] = f"{type(error).__name__}: {error}"[:400]
        line["job_seconds"] = round(time.perf_counter() - started, 2)
        print(json.dumps(line), file=out, flush=True)


if __name__ == "__main__":
    main()
