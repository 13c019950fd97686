import numpy as np
import pytest

import uncial
from uncial import optim


def walk(make, steps=5):
    """Where an optimiser takes a parameter on a fixed function."""
    p = uncial.tensor(np.array([1.0, -2.0, 3.0]), requires_grad=True)
    optimizer = make([p])
    for _ in range(steps):
        optimizer.zero_grad()
        (p * p * np.array([1.0, 2.0, 0.5])).sum().backward()
        optimizer.step()
    return p.numpy()


def walk_torch(torch, make, steps=5):
    p = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64, requires_grad=True)
    optimizer = make([p])
    for _ in range(steps):
        optimizer.zero_grad()
        (p * p * torch.tensor([1.0, 2.0, 0.5])).sum().backward()
        optimizer.step()
    return p.detach().numpy()


def test_sgd_by_hand():
    p, v = np.array([1.0, -2.0, 3.0]), 0
    for _ in range(5):
        v = 0.9 * v + 2 * p * [1.0, 2.0, 0.5]
        p = p - 0.1 * v
    np.testing.assert_allclose(walk(lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9)), p, rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_against_torch(name):
    torch = pytest.importorskip("torch")
    ours, theirs = {
        "SGD": (dict(momentum=0.9, nesterov=True, weight_decay=0.1),) * 2,
        "RMSprop": (dict(alpha=0.9, momentum=0.5),) * 2,
        "Adam": (dict(beta1=0.8, beta2=0.99, weight_decay=0.1), dict(betas=(0.8, 0.99), weight_decay=0.1)),
        "AdamW": (dict(weight_decay=0.1),) * 2,
    }[name]
    np.testing.assert_allclose(
        walk(lambda ps: getattr(optim, name)(ps, lr=0.05, **ours)),
        walk_torch(torch, lambda ps: getattr(torch.optim, name)(ps, lr=0.05, **theirs)),
        rtol=1e-9,
    )


def test_state_and_rate():
    p = uncial.tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([p], lr=0.1)
    optimizer.lr = 0.2
    assert optimizer.lr == 0.2 and optimizer.bound and not optim.Adam().bound
    (p * p).sum().backward()
    optimizer.step()
    assert optimizer.steps == 1
    assert {"step", "lr", "0.m", "0.v"} <= set(optimizer.state())
    other = optim.Adam([p], lr=0.1)
    other.load_state(optimizer.state())
    assert other.steps == 1 and other.lr == 0.2
    assert "adam" in repr(optimizer).lower()


def test_clipping_and_averages():
    p = uncial.tensor([3.0, 4.0], requires_grad=True)
    (p * p / 2).sum().backward()
    assert optim.clip_grad_norm([p], 1).item() == pytest.approx(5)
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-6)
    optim.clip_grad_value([p], 0.7)
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.7], rtol=1e-6)
    averaged = optim.AveragedWeights([p], 0.5)
    averaged.swap()
    assert averaged.averages[0].tolist() == [3, 4]


def test_schedules():
    assert optim.constant().rate(0.1, 5, 10) == pytest.approx(0.1)
    assert optim.cosine().rate(1, 0, 10) == pytest.approx(1)
    decay = optim.step_decay([0.5], factor=0.1)
    assert [round(decay.rate(1, step, 10), 3) for step in (0, 4, 5, 9)] == [1, 1, 0.1, 0.1]
    rates = [optim.one_cycle().rate(1, step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(1) and rates[0] < 0.05 and rates[-1] < 1e-3
    assert optim.warm_up(4, optim.constant()).rate(1, 0, 10) == pytest.approx(0.2)
    assert optim.exponential(0.1).rate(1, 10, 10) == pytest.approx(0.1)


def scaled_step(p, optimizer, scale, gradient):
    """One step with the loss (p * gradient).sum(), scaled."""
    optimizer.zero_grad()
    (p * gradient).sum().backward(scale.factor)
    scale.update([p])
    optimizer.step(unscale=scale.unscale)


def test_scaled_steps_are_plain_ones_and_overflow_changes_nothing():
    p = uncial.tensor(np.array([1.0, -2.0], dtype=np.float32), requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)
    scale = optim.LossScale(start=1024, interval=2)
    scaled_step(p, optimizer, scale, np.array([2.0, 4.0], dtype=np.float32))
    np.testing.assert_array_equal(p.numpy(), [0.0, -4.0])
    scaled_step(p, optimizer, scale, np.array([np.inf, 4.0], dtype=np.float32))
    np.testing.assert_array_equal(p.numpy(), [0.0, -4.0])
    assert scale.skipped == 1
    assert scale.factor.item() == 512
    for _ in range(2):  # the interval begins anew after a step that was skipped
        scaled_step(p, optimizer, scale, np.array([2.0, 4.0], dtype=np.float32))
    assert scale.factor.item() == 1024
    np.testing.assert_array_equal(p.numpy(), [-2.0, -8.0])


@pytest.mark.parametrize("options", [{"start": 3}, {"start": 0.5}, {"interval": 0}])
def test_loss_scale_refuses_options_out_of_range(options):
    with pytest.raises(ValueError, match="LossScale"):
        optim.LossScale(**options)
