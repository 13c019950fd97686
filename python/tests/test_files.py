import json

import numpy as np
import pytest

import uncial
from uncial import io


def test_a_net_comes_back(net, tmp_path):
    path = tmp_path / "net.safetensors"
    uncial.save(net, path, metadata={"note": "mine"})
    again = uncial.load(path)
    x = uncial.rand((3, 1, 28, 28))
    np.testing.assert_array_equal(again.eval()(x).numpy(), net.eval()(x).numpy())
    texts = uncial.metadata(path)
    assert texts["note"] == "mine" and any("sequential" in text for text in texts.values())
    assert repr(again) == repr(net)


def test_tensors_come_back(tmp_path):
    path = tmp_path / "some.safetensors"
    io.save_safetensors(path, {"a": np.arange(3), "b": uncial.ones((2, 2))}, metadata={"k": "v"})
    tensors, texts = io.load_safetensors(path)
    assert tensors["a"].tolist() == [0, 1, 2] and tensors["b"].shape == (2, 2) and texts == {"k": "v"}


def test_damaged_files_are_refused(net, tmp_path):
    path = tmp_path / "net.safetensors"
    uncial.save(net, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(uncial.DataError, match="net.safetensors"):
        uncial.load(path)
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 8)
    with pytest.raises(uncial.DataError):
        uncial.load(path)  # weights without a description


def test_nobody_can_write_there(net):
    with pytest.raises(OSError):
        uncial.save(net, "/nowhere/net.safetensors")
