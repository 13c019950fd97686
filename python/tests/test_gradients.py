import numpy as np
import pytest

import uncial
from conftest import gradient_of, numeric_gradient

UNARY = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "square": np.square, "reciprocal": np.reciprocal,
    "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0), "silu": lambda x: x / (1 + np.exp(-x)), "softplus": lambda x: np.log1p(np.exp(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_unary_values_and_gradients(name, rng):
    x = rng.uniform(0.3, 2, (3, 4))
    if name in ("relu", "tanh", "sin"):
        x -= 1
    np.testing.assert_allclose(getattr(uncial.tensor(x), name)().numpy(), UNARY[name](x), rtol=1e-12)
    gradient, weights = gradient_of(getattr(uncial, name), x)
    np.testing.assert_allclose(gradient, numeric_gradient(lambda v: (UNARY[name](v) * weights).sum(), x), rtol=1e-5, atol=1e-8)


def test_against_scipy(rng):
    special = pytest.importorskip("scipy.special")
    x = rng.normal(size=(3, 5))
    t = uncial.tensor(x)
    np.testing.assert_allclose(t.softmax().numpy(), special.softmax(x, axis=-1), rtol=1e-12)
    np.testing.assert_allclose(t.log_softmax(axis=0).numpy(), special.log_softmax(x, axis=0), rtol=1e-12)
    np.testing.assert_allclose(t.gelu().numpy(), x * special.ndtr(x), rtol=1e-10)


@pytest.mark.parametrize("stride, padding", [(1, 0), (2, 1)])
def test_conv2d_against_scipy(stride, padding, rng):
    signal = pytest.importorskip("scipy.signal")
    x, w, b = rng.normal(size=(2, 3, 7, 6)), rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)

    def slow(x):
        padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
        full = np.array([[sum(signal.correlate2d(image[c], k[c], "valid") for c in range(3)) for k in w] for image in padded])
        return full[:, :, ::stride, ::stride] + b[:, None, None]

    def fast(x):
        return uncial.conv2d(x, uncial.tensor(w), uncial.tensor(b), stride=stride, padding=padding)

    np.testing.assert_allclose(fast(uncial.tensor(x)).numpy(), slow(x), rtol=1e-10)
    gradient, weights = gradient_of(fast, x)
    np.testing.assert_allclose(gradient, numeric_gradient(lambda v: (slow(v) * weights).sum(), x), rtol=1e-5, atol=1e-7)


def test_gradients_add_up_and_are_forgotten():
    x = uncial.tensor([1.0, 2.0], requires_grad=True)
    assert x.grad is None
    (x * x).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5, 7]
    x.zero_grad()
    assert x.grad is None
    x.grad = np.array([1.0, 1.0])
    assert x.grad.tolist() == [1, 1]


def test_no_grad_as_block_and_decorator():
    x = uncial.tensor([2.0], requires_grad=True)
    with uncial.no_grad():
        assert not uncial.grad_enabled()
        with uncial.no_grad():
            pass
        assert not (x * x).requires_grad
    assert (x * x).requires_grad

    @uncial.no_grad()
    def square(x):
        return x * x

    assert not square(x).requires_grad and not square(x).requires_grad
    assert uncial.grad_enabled()


def test_second_derivatives():
    x = uncial.tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = (x * x * x).sum()
    (first,) = uncial.gradients(y, [x], create_graph=True)
    (second,) = uncial.gradients(first.sum(), [x])
    assert second.tolist() == [6, 12]
    assert x.grad is None
    assert uncial.gradients((x * 2).sum(), [x, uncial.tensor([1.0], requires_grad=True)])[1] is None


def test_an_in_place_change_of_a_saved_tensor_is_refused():
    x = uncial.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    y.detach()[0] = 7
    with pytest.raises(uncial.UsageError):
        y.sum().backward()


def torch_pair(torch, array):
    return uncial.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)


@pytest.mark.parametrize("case", ["conv", "conv_groups", "transpose", "max_pool", "avg_pool", "batch_norm", "layer_norm", "cross_entropy"])
def test_against_torch(case, rng):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    x, tx = torch_pair(torch, rng.normal(size=(3, 4, 8, 8)))
    w, tw = torch_pair(torch, rng.normal(size={"conv_groups": (6, 2, 3, 3), "transpose": (4, 5, 3, 3)}.get(case, (5, 4, 3, 3))))
    s, ts = torch_pair(torch, rng.normal(size=4 if case == "batch_norm" else 8))
    ours, theirs = {
        "conv": lambda: (uncial.conv2d(x, w, stride=2, padding=1), F.conv2d(tx, tw, stride=2, padding=1)),
        "conv_groups": lambda: (uncial.conv2d(x, w, groups=2, dilation=2), F.conv2d(tx, tw, groups=2, dilation=2)),
        "transpose": lambda: (
            uncial.conv_transpose2d(x, w, stride=2, output_padding=1),
            F.conv_transpose2d(tx, tw, stride=2, output_padding=1),
        ),
        "max_pool": lambda: (uncial.max_pool2d(x, 3, stride=2, padding=1), F.max_pool2d(tx, 3, stride=2, padding=1)),
        "avg_pool": lambda: (uncial.avg_pool2d(x), F.avg_pool2d(tx, 2)),
        "batch_norm": lambda: (uncial.batch_norm(x, s, s), F.batch_norm(tx, None, None, ts, ts, training=True)),
        "layer_norm": lambda: (uncial.layer_norm(x, s, s), F.layer_norm(tx, (8,), ts, ts)),
        "cross_entropy": lambda: (
            uncial.cross_entropy(x.reshape(-1, 8), np.arange(96) % 8, label_smoothing=0.1),
            F.cross_entropy(tx.reshape(-1, 8), torch.arange(96) % 8, label_smoothing=0.1),
        ),
    }[case]()
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-10)
    weights = rng.normal(size=ours.shape)
    ours.backward(weights)
    theirs.backward(torch.tensor(weights))
    for mine, other in ((x, tx), (w, tw), (s, ts)):
        if other.grad is not None:
            np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-8, atol=1e-9)
