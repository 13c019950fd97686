#!/usr/bin/env python3
"""JAX's training and inference of the benchmark networks on a GPU, data resident there, channels last.

Variants are flags with + between them:
  jit     one jitted call a step, its state donated
  scan    many steps (an epoch of batch 128) in one call
  unroll  four steps in one turn of the scan
  graphs  XLA may put the loop, too, into CUDA graphs (it does so with single operations by default)
  window  pools by reduce_window; otherwise by reshape and max, whose gradient needs no scatter
Weights and Adam's moments are float32; bf16 is the arithmetic of the layers.
"""
import os
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import common

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # other peers hold the same GPU
if "cpu" in sys.argv:
    os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

FLAGS = {"jit", "scan", "unroll", "graphs", "window"}
GRAPH_KINDS = "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,CONDITIONAL,WHILE"
UNROLL, MOST_STEPS = 4, 512
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

# Layers: (conv, channels, side, padding), (pool,), (dropout, share), (dense, width). ReLU follows all conv and all
# dense layers but the last.
NETS: dict[str, list[tuple]] = {
    "mnist_convnet": [
        *(("conv", 32, 3, "VALID"), ("conv", 64, 3, "VALID"), ("pool",), ("dropout", 0.25)),
        *(("dense", 128), ("dropout", 0.5), ("dense", 10)),
    ],
    "keras_convnet": [
        *(("conv", 32, 3, "VALID"), ("pool",), ("conv", 64, 3, "VALID"), ("pool",)),
        *(("dropout", 0.5), ("dense", 10)),
    ],
    "lenet5": [
        *(("conv", 6, 5, "SAME"), ("pool",), ("conv", 16, 5, "VALID"), ("pool",)),
        *(("dense", 120), ("dense", 84), ("dense", 10)),
    ],
    "mlp": [("dense", 512), ("dropout", 0.2), ("dense", 512), ("dropout", 0.2), ("dense", 10)],
}

Params = list[tuple[jax.Array, jax.Array]]
State = tuple[Params, Params, Params, jax.Array]  # weights, first and second moments, steps


def initial(layers: list[tuple], seed: int) -> Params:
    """Weights and biases of a 28x28 grey picture's net, as PyTorch starts them: U(-1, 1) / sqrt(fan in)."""
    rng = np.random.default_rng(seed)
    params = []
    side, channels = 28, 1
    features = 0  # set once the picture is flat
    for kind, *options in layers:
        if kind == "conv":
            width, kernel, padding = options
            shape: tuple[int, ...] = (kernel, kernel, channels, width)
            side, channels = side - (kernel - 1 if padding == "VALID" else 0), width
        elif kind == "dense":
            shape = (features or side * side * channels, options[0])
            features = options[0]
        else:
            side //= 2 if kind == "pool" else 1
            continue
        bound = float(np.prod(shape[:-1])) ** -0.5
        params.append(tuple(rng.uniform(-bound, bound, s).astype(np.float32) for s in (shape, shape[-1:])))
    return jax.device_put(params)


def pool(x: jax.Array, window: bool) -> jax.Array:
    """The largest of each 2x2; a last odd row or column is left out."""
    if window:
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    n, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def dropout(x: jax.Array, share: float, key: jax.Array) -> jax.Array:
    keep = jax.random.bits(key, x.shape, jnp.uint32) >= jnp.uint32(share * 2**32)
    return jnp.where(keep, x / (1 - share), jnp.zeros((), x.dtype))


def forward(layers: list[tuple], dtype: Any, window: bool, params: Params, x: jax.Array, key: jax.Array | None) -> jax.Array:
    """Logits in float32; the layers compute in `dtype`, and drop only where there is a key."""
    x = x.astype(dtype)
    weights = iter(params)
    for n, (kind, *options) in enumerate(layers):
        if kind == "conv":
            w, b = (p.astype(dtype) for p in next(weights))
            x = lax.conv_general_dilated(x, w, (1, 1), options[2], dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = jax.nn.relu(x + b)
        elif kind == "pool":
            x = pool(x, window)
        elif kind == "dropout" and key is not None:
            x = dropout(x, options[0], jax.random.fold_in(key, n))
        elif kind == "dense":
            w, b = (p.astype(dtype) for p in next(weights))
            x = x.reshape(len(x), -1) @ w + b
            x = jax.nn.relu(x) if n < len(layers) - 1 else x
    return x.astype(jnp.float32)


def adam(g: jax.Array, p: jax.Array, m: jax.Array, v: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    m = BETA1 * m + (1 - BETA1) * g
    v = BETA2 * v + (1 - BETA2) * g * g
    rate = common.LEARNING_RATE * jnp.sqrt(1 - BETA2**t) / (1 - BETA1**t)
    return p - rate * m / (jnp.sqrt(v) + EPSILON * jnp.sqrt(1 - BETA2**t)), m, v


@cache
def synthetic() -> tuple[jax.Array, jax.Array]:
    """Images (n, 28, 28, 1) in [0, 1] and labels, on the device."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (common.SAMPLES, 28, 28, 1), dtype=np.uint8).astype(np.float32) / 255
    return jax.device_put((images, rng.integers(0, 10, common.SAMPLES).astype(np.int32)))


def window_of(data: jax.Array, turn: jax.Array, batch: int) -> jax.Array:
    start = turn % (len(data) // batch) * batch
    return lax.dynamic_slice_in_dim(data, start, batch)


def training(job: common.Job, net: Callable, batch: int) -> Callable:
    """One step: (state, images, labels) -> (state, loss)."""

    def step(state: State, images: jax.Array, labels: jax.Array) -> tuple[State, jax.Array]:
        p, m, v, t = state
        x, y = window_of(images, t, batch), window_of(labels, t, batch)
        key = jax.random.fold_in(jax.random.key(1, impl="rbg"), t)

        def loss_of(params: Params) -> jax.Array:
            log_p = jax.nn.log_softmax(net(params, x, key))
            return -jnp.take_along_axis(log_p, y[:, None], 1).mean()

        loss, g = jax.value_and_grad(loss_of)(p)
        t = t + 1
        tree = jax.tree.structure(p)
        updated = [adam(*z, t.astype(jnp.float32)) for z in zip(*map(jax.tree.leaves, (g, p, m, v)), strict=True)]
        p, m, v = (tree.unflatten(z) for z in zip(*updated, strict=True))
        return (p, m, v, t), loss

    return step


def jitted(job: common.Job, function: Callable, donate: tuple[int, ...]) -> Callable:
    options = {"xla_gpu_enable_command_buffer": GRAPH_KINDS} if "graphs" in job.flags else None
    return jax.jit(function, donate_argnums=donate, compiler_options=options)


def prepare_training(job: common.Job, net: Callable, data: tuple, params: Params, steps: int) -> common.Prepared:
    step = training(job, net, job.batch)

    def several(state: State, images: jax.Array, labels: jax.Array) -> tuple[State, jax.Array]:
        unroll = UNROLL if "unroll" in job.flags else 1
        state, losses = lax.scan(lambda s, _: step(s, images, labels), state, length=steps, unroll=unroll)
        return state, losses[-1]

    call = jitted(job, several if steps > 1 else step, donate=(0,))
    zeros = lambda: jax.device_put(jax.tree.map(lambda p: np.zeros(p.shape, np.float32), params))  # noqa: E731
    state = [(params, zeros(), zeros(), jax.device_put(np.int32(0))), jax.device_put(np.float32(0))]

    def run(calls: int) -> float:
        started = time.perf_counter()
        for _ in range(calls):
            state[:] = call(state[0], *data)
        jax.block_until_ready(state)
        return time.perf_counter() - started

    return common.Prepared(run, steps, lambda: float(state[1]))


def prepare_inference(job: common.Job, net: Callable, dtype: Any, data: tuple, params: Params, steps: int) -> common.Prepared:
    params = jax.tree.map(lambda p: p.astype(dtype), params)

    def step(params: Params, images: jax.Array, turn: jax.Array) -> tuple[jax.Array, jax.Array]:
        return net(params, window_of(images, turn, job.batch), None), turn + 1

    def several(params: Params, images: jax.Array, turn: jax.Array) -> tuple[jax.Array, jax.Array]:
        turn, logits = lax.scan(lambda t, _: step(params, images, t)[::-1], turn, length=steps)
        return logits, turn

    call = jitted(job, several if steps > 1 else step, donate=(2,))
    turn = [jax.device_put(np.int32(0))]

    def run(calls: int) -> float:
        started = time.perf_counter()
        for _ in range(calls):
            logits, turn[0] = call(params, data[0], turn[0])
            if job.task == "latency":
                logits.block_until_ready()
        logits.block_until_ready()
        return time.perf_counter() - started

    return common.Prepared(run, steps)


def prepare(job: common.Job) -> common.Prepared:
    """Builds what the job names; XLA compiles it at the first call."""
    job.require_flags(FLAGS)
    if job.task == "latency" and "scan" in job.flags:
        raise ValueError("variant: latency is of one call a batch, take jit")
    # JAX multiplies float32 in TensorFloat-32 by default; float32 here means float32.
    wanted = {"float32": "highest", "tf32": "tensorfloat32", "bf16": None}[job.precision]
    jax.config.update("jax_default_matmul_precision", wanted)
    layers = NETS[job.model]
    dtype = jnp.bfloat16 if job.precision == "bf16" else jnp.float32
    net = partial(forward, layers, dtype, "window" in job.flags)
    batches = min(common.SAMPLES // job.batch, MOST_STEPS)
    data = synthetic()
    params = initial(layers, seed=2)
    steps = max(batches, 64) if "scan" in job.flags else 1
    if job.task == "train":
        return prepare_training(job, net, data, params, steps)
    return prepare_inference(job, net, dtype, data, params, min(steps, batches))


def main() -> None:
    options, texts = common.jobs(common.options_parser(__doc__))
    device = jax.devices()[0]
    if options.device == "cuda" and device.platform != "gpu":
        sys.exit(f"error: jax_peer: JAX sees no GPU, only {device.platform}")
    about = {
        "framework": "jax",
        "versions": {"jax": jax.__version__, "platform": device.client.platform_version.split("\n")[0]},
        "gpu": device.device_kind if options.device == "cuda" else None,
        "device": options.device,
    }
    common.serve(texts, options, about, prepare, jax.clear_caches)


if __name__ == "__main__":
    main()
