import copy
import gc
import json

import numpy as np
import pytest

import uncial
from uncial import nn, optim, train


class Net(nn.Module):
    def __init__(self, hidden=8):
        super().__init__()
        self.convs = [nn.Conv2d(1, 4, kernel=3), nn.Conv2d(4, 4, kernel=3)]
        self.scale = uncial.parameter(np.full((4, 1, 1), 1.5, dtype="float32"))
        self.drop = nn.Dropout(0.25)
        self.heads = {"digits": nn.Dense(4 * 24 * 24, 10)}
        self.hidden = hidden
        self.modes = []

    def forward(self, x):
        self.modes.append(self.is_training())
        for conv in self.convs:
            x = conv(x).relu()
        return self.heads["digits"](self.drop((x * self.scale).flatten(1)))


def test_layers_take_tensors_and_arrays(rng):
    net = nn.Sequential(nn.Conv2d(1, 2, kernel=3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 4 * 4, 3)).eval()
    images = rng.uniform(size=(5, 1, 6, 6))
    assert nn.Linear is nn.Dense
    expected = net(uncial.tensor(images.astype("float32"))).numpy()
    np.testing.assert_array_equal(net(images).numpy(), expected)
    codes = rng.integers(0, 256, (5, 1, 6, 6)).astype("uint8")
    np.testing.assert_allclose(net(codes).numpy(), net(codes / 255).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (nn.MaxPool2d(2), (2, 3, 2, 2)), (nn.AvgPool2d(2), (2, 3, 2, 2)), (nn.GlobalAvgPool2d(), (2, 3, 1, 1)),
        (nn.Flatten(), (2, 48)), (nn.BatchNorm2d(3), (2, 3, 4, 4)), (nn.LayerNorm(4), (2, 3, 4, 4)),
        (nn.ConvTranspose2d(3, 5, kernel=2, stride=2), (2, 5, 8, 8)), (nn.Residual(nn.ReLU()), (2, 3, 4, 4)),
        (nn.Residual(nn.Conv2d(3, 6, kernel=1), nn.Conv2d(3, 6, kernel=1)), (2, 6, 4, 4)), (nn.Dropout(0.5), (2, 3, 4, 4)),
    ]
    + [(kind(), (2, 3, 4, 4)) for kind in (nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.LeakyReLU, nn.ELU, nn.Softmax, nn.LogSoftmax)],
    ids=lambda value: value.kind if isinstance(value, nn.Module) else "",
)  # fmt: skip
def test_every_layer_runs(layer, shape):
    assert layer(uncial.randn((2, 3, 4, 4))).shape == shape


def test_parameters_by_path(net):
    names = list(net.named_parameters())
    assert names == ["0.weight", "0.bias", "4.weight", "4.bias"]
    assert net.parameter_count == sum(p.size for p in net.parameters())
    net[0].weight.numpy()[2] = 0  # the net's own memory
    assert (net.state_dict()["0.weight"].numpy()[2] == 0).all()
    assert net[0].bias.shape == (6,) and nn.Dense(2, 3, bias=False).bias is None


def test_start_values_are_functions_of_the_seed(net):
    again = net.clone().initialize(seed=1)
    other = net.clone().initialize(seed=2)
    np.testing.assert_array_equal(net[4].weight.numpy(), again[4].weight.numpy())
    assert (net[4].weight.numpy() != other[4].weight.numpy()).any()
    layer = nn.Dense(10, 10, weight_init=nn.init.constant(0.5))
    assert (layer.weight.numpy() == 0.5).all()


def test_state_goes_in_and_out(net):
    other = net.clone().initialize(seed=9)
    other.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(other[4].weight.numpy(), net[4].weight.numpy())
    other.load_state_dict({name: x.numpy().astype("float64") for name, x in net.state_dict().items()})
    before = other[0].bias.numpy().copy()
    with pytest.raises(uncial.DataError, match="4.bias: missing"):
        other.load_state_dict({name: x for name, x in net.state_dict().items() if name != "4.bias"})
    np.testing.assert_array_equal(other[0].bias.numpy(), before)


def test_copies_and_clones(net):
    shared, deep = copy.copy(net), copy.deepcopy(net)
    net[0].bias[0] = 42
    assert shared[0].bias[0].item() == 42
    assert deep[0].bias[0].item() != 42


def test_sequential_is_a_sequence(net):
    assert len(net) == 5 and [m.kind for m in net] == ["conv2d", "relu", "flatten", "dropout", "dense"]
    assert net[-1].kind == "dense" and len(net[:-1]) == 4
    x = np.random.default_rng(0).uniform(size=(2, 1, 28, 28)).astype("float32")
    net.eval()
    np.testing.assert_allclose(net[-1](net[:-1].eval()(x)).numpy(), net(x).numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(IndexError):
        net[5]
    assert len(nn.Sequential([nn.ReLU(), nn.ReLU()]).append(nn.ReLU())) == 3


def test_parts_live_longer_than_their_net():
    layer = nn.build(nn.Sequential(nn.Sequential(nn.Dense(3, 3))).describe())[0][0]
    gc.collect()
    assert layer(np.ones((1, 3), "float32")).shape == (1, 3)
    weight = nn.Dense(4, 4).weight
    gc.collect()
    assert np.isfinite(weight.numpy()).all()


def test_modes(net):
    x = uncial.ones((4, 1, 28, 28))
    assert net.training
    assert (net(x).numpy() != net(x).numpy()).any()  # dropout draws anew
    net.eval()
    np.testing.assert_array_equal(net(x).numpy(), net(x).numpy())
    assert not net[3].training


def test_batch_norm_keeps_statistics():
    layer = nn.BatchNorm1d(2)
    layer(np.array([[1, 10], [3, 30]], "float32"))
    np.testing.assert_allclose(layer.running_mean.numpy(), [0.2, 2])
    layer.eval()
    before = layer.running_mean.numpy().copy()
    layer(np.ones((3, 2), "float32"))
    np.testing.assert_array_equal(layer.running_mean.numpy(), before)


def test_summary_and_repr(net):
    summary = net.summary()
    assert summary.parameters == net.parameter_count
    assert [row.kind for row in summary.rows] == ["conv2d", "relu", "flatten", "dropout", "dense"]
    assert summary.rows[0].output == (1, 6, 12, 12)
    assert net.summary((1, 28, 28)).multiply_adds == summary.multiply_adds
    assert "dense" in str(summary) and "<td>4</td>" in summary._repr_html_()
    text = repr(net)
    assert text.startswith("Sequential(\n  (0): Conv2d(in=1, out=6, kernel=5, stride=2") and text.endswith("\n)")


def test_description_rebuilds_the_net(net):
    twin = nn.build(net.describe())
    assert json.loads(net.describe())["kind"] == "sequential"
    twin.load_state_dict(net.state_dict())
    x = uncial.rand((2, 1, 28, 28))
    np.testing.assert_array_equal(twin.eval()(x).numpy(), net.eval()(x).numpy())


def test_modules_in_python_have_parameters_and_children():
    net = Net()
    assert sorted(net.named_parameters()) == [
        "convs.0.bias", "convs.0.weight", "convs.1.bias", "convs.1.weight", "heads.digits.bias", "heads.digits.weight", "scale",
    ]  # fmt: skip
    # Keyed by path: two layers of one shape start differently.
    first, second = (nn.Dense(3, 3) for _ in range(2))
    np.testing.assert_array_equal(first.weight.numpy(), second.weight.numpy())
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Dense(3, 3), nn.Dense(3, 3)
    pair = Pair()
    assert (pair.a.weight.numpy() != pair.b.weight.numpy()).any()
    assert (net.initialize(seed=3).scale.numpy() == 1.5).all()
    assert "convs.1" in repr(net) and "digits" in repr(net)
    assert [row.path for row in net.summary().rows if row.kind == "conv2d"] == ["convs.0", "convs.1"]


def test_modules_in_python_learn(small):
    net = Net().initialize(seed=1)
    history = train.fit(net, small[0], validation=small[1], epochs=2, batch=50, optimizer=optim.Adam(lr=3e-3))
    assert history.validation_accuracy[-1] > 0.7
    assert set(net.modes) == {True, False}
    net.modes.clear()
    report = train.evaluate(net, small[1])
    assert report.accuracy == pytest.approx(history.validation_accuracy[-1])
    assert set(net.modes) == {False}


def test_recorded_and_eager_steps_of_python_modules_agree(small):
    results = []
    for record in (True, False):
        net = Net().initialize(seed=1)
        train.fit(net, small[0], epochs=1, batch=60, record=record, optimizer=optim.SGD(lr=0.05))
        results.append(net.heads["digits"].weight.numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-3, atol=1e-5)


def test_python_modules_are_copied_and_nested():
    net = Net()
    deep, shared = net.clone(), net.copy()
    assert type(deep) is Net and deep.hidden == 8
    net.scale[0] = 7
    assert shared.scale[0].item() == 7 and deep.scale[0].item() == 1.5
    deep.convs[0].bias[0] = 5
    assert net.convs[0].bias[0].item() != 5
    outer = nn.Sequential(Net(), nn.Softmax())
    del net
    gc.collect()
    assert outer.eval()(uncial.zeros((2, 1, 28, 28))).shape == (2, 10)
    assert "0.heads.digits.weight" in outer.named_parameters()
    assert type(outer[0]) is Net


def test_mistakes_in_python_modules_are_told():
    class NoForward(nn.Module):
        pass

    class Wrong(nn.Module):
        def forward(self, x):
            return 3

    class Raises(nn.Module):
        def forward(self, x):
            raise KeyError("mine")

    x = uncial.zeros((1, 2))
    with pytest.raises(uncial.UsageError, match="NoForward"):
        NoForward()(x)
    with pytest.raises(uncial.UsageError, match="returned int"):
        Wrong()(x)
    with pytest.raises(KeyError, match="mine"):
        nn.Sequential(Raises())(x)
    with pytest.raises(TypeError, match="uncial.nn.Module"):
        class Mine(nn.Dense):
            def forward(self, x):
                return x
    with pytest.raises(uncial.UsageError):
        Raises().describe()


def test_a_module_that_holds_itself_is_told():
    class Knot(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Dense(2, 2)

    knot = Knot()
    knot.me = [knot]
    with pytest.raises(uncial.UsageError, match="hold itself"):
        knot.parameters()
    with pytest.raises(uncial.UsageError, match="hold itself"):
        knot.clone()
    assert "..." in repr(knot)


def test_activations(net, mnist):
    image = mnist.test[0][0]
    layers = uncial.activations(net, image)
    assert [name for name, _ in layers] == ["0 conv2d", "1 relu", "2 flatten", "3 dropout", "4 dense"]
    assert layers[0][1].shape == (1, 6, 12, 12)
    np.testing.assert_allclose(layers[1][1], np.maximum(layers[0][1], 0))
    np.testing.assert_allclose(layers[-1][1], net.eval()(image[None]).numpy(), rtol=1e-6)
    assert [name for name, _ in uncial.activations(nn.ReLU(), image)] == ["relu"]
