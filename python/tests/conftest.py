import numpy as np
import pytest

import uncial
from uncial import data, nn


@pytest.fixture(scope="session")
def mnist():
    return data.mnist()


@pytest.fixture(scope="session")
def small(mnist):
    """(training, validation) of 1,200 and 300 images."""
    return mnist.train.take(1500).split(validation=300, seed=1)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def small_net(seed=1):
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel=5, stride=2), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1), nn.Dense(6 * 12 * 12, 10)
    )
    return net.initialize(seed=seed)


@pytest.fixture
def net():
    return small_net()


def numeric_gradient(function, x, h=1e-6):
    """Central differences of a function of one NumPy array to a number."""
    gradient = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = x.copy()
        moved[place] += h
        above = function(moved)
        moved[place] -= 2 * h
        gradient[place] = (above - function(moved)) / (2 * h)
    return gradient


def gradient_of(function, x):
    """What backward() gives for the sum of function(x) weighted by fixed numbers, and those numbers."""
    leaf = uncial.tensor(x, requires_grad=True)
    y = function(leaf)
    weights = np.asarray(uncial.randn(y.shape, seed=7, dtype="float64"))
    y.backward(weights)
    return leaf.grad.numpy(), weights
