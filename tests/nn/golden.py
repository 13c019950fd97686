#!/usr/bin/env python3
"""Prints the numbers that golden_test.cpp expects: the same networks in plain NumPy, in float64, from the definitions.

  tests/nn/golden.py        # needs NumPy
"""
import math

import numpy as np


def weights(number, shape, kind):
    """As fill() in golden_test.cpp: the tensor of that number in the network's list."""
    i = np.arange(math.prod(shape), dtype=np.float64)
    wave = np.sin(0.7 * i * i + number)
    if kind == "variance":
        values = 1 + 0.5 * wave
    elif kind == "scale":
        values = 1 + 0.2 * wave
    elif len(shape) == 1:
        values = 0.1 * wave
    else:
        values = 2 * wave / math.sqrt(math.prod(shape[1:]))
    return values.astype(np.float32).astype(np.float64).reshape(shape)


def images(count):
    i = np.arange(count * 784, dtype=np.float64)
    return np.maximum(0, np.sin(0.0003 * i * i) * np.cos(0.37 * i)).astype(np.float32).astype(np.float64).reshape(count, 1, 28, 28)


def conv2d(x, w, bias=None, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    N, _, H, W = x.shape
    K, _, R, S = w.shape
    P, Q = (H - R) // stride + 1, (W - S) // stride + 1
    y = np.zeros((N, K, P, Q))
    for p in range(P):
        for q in range(Q):
            window = x[:, :, p * stride:p * stride + R, q * stride:q * stride + S]
            y[:, :, p, q] = np.einsum("ncrs,kcrs->nk", window, w)
    return y if bias is None else y + bias[:, None, None]


def pool2(x, reduce):
    N, C, H, W = x.shape
    H, W = H // 2, W // 2
    return reduce(x[:, :, :2 * H, :2 * W].reshape(N, C, H, 2, W, 2), (3, 5))


def batch_norm(x, scale, shift, mean, variance):
    parts = [v[:, None, None] for v in (scale, shift, mean, variance)]
    return (x - parts[2]) / np.sqrt(parts[3] + 1e-5) * parts[0] + parts[1]


class Tensors:
    """Hands out tensors in the order of the network's state_dict()."""

    def __init__(self):
        self.number = -1

    def __call__(self, shape, kind=""):
        self.number += 1
        return weights(self.number, shape, kind)


def cnn(x):
    t = Tensors()
    for c, k, side in ((1, 24, 5), (24, 48, 3), (48, 96, 3)):
        x = pool2(conv2d(x, t((k, c, side, side)), padding=side // 2), np.max)
        x = np.maximum(batch_norm(x, t((k,), "scale"), t((k,)), t((k,)), t((k,), "variance")), 0)
    return x.reshape(len(x), -1) @ t((10, 864)).T + t((10,))


def residual(x):
    t = Tensors()
    x = conv2d(x, t((6, 1, 3, 3)), t((6,)), stride=2, padding=1)
    x = x / (1 + np.exp(-x))
    x = x + np.tanh(conv2d(x, t((6, 6, 3, 3)), t((6,)), padding=1))
    x = conv2d(pool2(x, np.mean), t((10, 6, 1, 1)), t((10,)))
    x = x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    x = x.mean((2, 3)) @ t((5, 10)).T + t((5,))
    return x - np.log(np.exp(x).sum(1, keepdims=True))


for network in (cnn, residual):
    print(f"{network.__name__}:")
    for row in network(images(2)):
        print("    {" + ", ".join(f"{v:.7g}" for v in row) + "},")
