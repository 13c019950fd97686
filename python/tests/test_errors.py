import numpy as np
import pytest

import uncial
from uncial import data, nn, optim, train


def test_kinds_are_classes_that_people_catch():
    for name, base in {
        "UsageError": ValueError, "DataError": ValueError, "FileError": OSError, "DeviceError": RuntimeError,
        "DivergedError": ArithmeticError, "StoppedError": RuntimeError, "InternalError": RuntimeError,
    }.items():  # fmt: skip
        kind = getattr(uncial, name)
        assert issubclass(kind, uncial.Error) and issubclass(kind, base)
        assert kind.__module__ == "uncial"


def test_texts_are_those_of_the_library():
    with pytest.raises(uncial.UsageError) as caught:
        uncial.conv2d(uncial.zeros((1, 28, 28)), uncial.zeros((4, 1, 3, 3)))
    assert str(caught.value).startswith("conv2d: x must be (N, C, H, W), got (1, 28, 28)")
    with pytest.raises(uncial.FileError, match="nowhere.safetensors"):
        uncial.load("nowhere.safetensors")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: uncial.zeros((2, "x")),
        lambda: uncial.zeros((2,), dtype="float99"),
        lambda: uncial.zeros((2,), device="gpu"),
        lambda: uncial.tensor({"a": 1}),
        lambda: uncial.tensor(["text"]),
        lambda: uncial.tensor([1, 2]) + 0.5,
        lambda: uncial.zeros((2, 3)) @ uncial.zeros((2, 3)),
        lambda: uncial.zeros((2, 3)).sum(axis=(0, 0)),
        lambda: uncial.zeros((2, 3)).item(),
        lambda: nn.Conv2d(3, 4, groups=2),
        lambda: nn.Dropout(1.5),
        lambda: nn.Sequential(nn.ReLU(), "layer"),
        lambda: optim.SGD(lr=-1),
        lambda: optim.Adam().step(),
        lambda: data.Dataset(np.zeros((3, 4)), [0, 1, 2]),
        lambda: data.Dataset(np.full((3, 4, 4), 2.0), [0, 1, 2]),
        lambda: data.Dataset(np.zeros((3, 4, 4), "uint8"), [0, 1, 999]),
        lambda: data.load("mnist42"),
        lambda: train.EarlyStopping(patience=0),
        lambda: train.fit(nn.Dense(784, 10), "data"),
        lambda: train.fit("net", data.Dataset(np.zeros((3, 4, 4), "uint8"), [0, 1, 2])),
    ],
)
def test_wrong_arguments(wrong):
    with pytest.raises((uncial.UsageError, TypeError)) as caught:
        wrong()
    assert len(str(caught.value)) > 10


def test_content_of_data_sets():
    with pytest.raises(uncial.DataError):
        data.Dataset(np.zeros((3, 4, 4), "uint8"), [0, 1])
    with pytest.raises(uncial.DataError):
        nn.build('{"kind": "conv2d", "in": 0, "out": 1}')


def test_a_gpu_that_is_not_there_says_so():
    if uncial.cuda.available():
        pytest.skip("there is a GPU")
    assert uncial.cuda.device_count() == 0
    with pytest.raises(uncial.DeviceError) as caught:
        uncial.zeros((2,)).to("cuda")
    assert uncial.cuda.why_unavailable().split(".")[0][:20] in str(caught.value)


def test_labels_outside_the_classes():
    with pytest.raises(uncial.UsageError, match="label"):
        uncial.cross_entropy(uncial.zeros((2, 3)), [0, 3])
