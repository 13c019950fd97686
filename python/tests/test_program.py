import threading

import numpy as np
import pytest

import uncial
from conftest import small_net
from uncial import nn, optim


def test_a_recorded_function_gives_what_the_function_gives(rng):
    calls = []

    @uncial.compile
    def f(a, b):
        calls.append(1)
        return (a @ b).relu(), a.sum()

    for _ in range(3):
        a, b = rng.normal(size=(4, 5)).astype("float32"), rng.normal(size=(5, 3)).astype("float32")
        product, total = f(uncial.tensor(a), b)
        np.testing.assert_allclose(product.numpy(), np.maximum(a @ b, 0), rtol=1e-5, atol=1e-6)
        assert total.item() == pytest.approx(a.sum(), rel=1e-4, abs=1e-4)
    assert len(calls) == 1 and f.reason == ""
    assert f.stages() and "matmul" in f.describe()
    f(uncial.zeros((2, 5)), uncial.zeros((5, 3)))
    assert len(calls) == 2  # other shapes are another recording


def test_what_looks_at_values_runs_eagerly():
    @uncial.compile(fuse=False)
    def f(x):
        return x * 2 if (x + 1).sum().item() > 0 else x

    assert f(uncial.ones((3,))).tolist() == [2, 2, 2]
    assert f(-5 * uncial.ones((3,))).tolist() == [-5, -5, -5]
    assert "item()" in f.reason
    assert uncial.compile(lambda x: None)(uncial.ones((1,))) is None
    through_numpy = uncial.compile(lambda x: x + float((x * 2).numpy().sum()))
    assert through_numpy(uncial.ones((2,))).tolist() == [5, 5]
    assert through_numpy(uncial.zeros((2,))).tolist() == [0, 0]


def test_a_training_step(small):
    net = nn.Sequential(nn.Conv2d(1, 6, kernel=5, stride=2), nn.ReLU(), nn.Flatten(), nn.Dense(864, 10)).initialize(seed=1)
    optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

    @uncial.compile
    def step(images, labels):
        optimizer.zero_grad()
        loss = uncial.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(images, labels).item() for _ in range(3) for images, labels, _ in small[0].batches(batch=100)]
    assert step.reason == ""
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_profile(small):
    net = small_net().eval()
    f = uncial.compile(lambda x: net(x))
    x = uncial.zeros((64, 1, 28, 28))
    f(x)
    with uncial.profile() as profile:
        for _ in range(3):
            f(x)
    assert profile.replays == 3 and profile.seconds > 0
    assert any("conv2d" in row.layers for row in profile.rows()) and "conv2d" in str(profile)


def test_other_threads_run_meanwhile():
    """A replay releases the GIL: two threads that call one recorded function do not block each other for good."""
    net = small_net().eval()
    f = uncial.compile(lambda x: net(x).softmax())
    results = []

    def work(seed):
        for i in range(5):
            results.append(f(uncial.rand((8, 1, 28, 28), seed=seed)).shape)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(8, 10)] * 15


def test_exceptions_inside_come_out():
    def f(x):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        uncial.compile(f)(uncial.ones((1,)))
    with pytest.raises(uncial.UsageError, match="returned str"):
        uncial.compile(lambda x: "text")(uncial.ones((1,)))
