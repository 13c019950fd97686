"""The package as a whole: its names, its example, what it tells tools."""

import logging
import pathlib
import re
import subprocess
import sys

import pytest

import uncial

ROOT = pathlib.Path(__file__).parents[2]


def test_version_is_that_of_the_library():
    if (ROOT / "CMakeLists.txt").exists():
        assert re.search(r"project\(uncial VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1] == uncial.__version__


def test_public_names_have_what_the_readme_says():
    readme = (ROOT / "python" / "README.md").read_text()
    for room in ("nn", "optim", "data", "vision", "train", "figures", "io", "cuda"):
        for name in set(re.findall(rf"(?<![\w.]){room}\.([A-Za-z_]\w*)", readme)):
            assert hasattr(getattr(uncial, room), name), f"{room}.{name}"
    for name in set(re.findall(r"\buncial\.([a-zA-Z_]\w*)", readme)):
        assert hasattr(uncial, name), f"uncial.{name}"


@pytest.mark.skipif(sys.version_info < (3, 10), reason="nanobind writes type stubs with Python 3.10 and newer")
def test_types_are_there_for_tools():
    package = pathlib.Path(uncial.__file__).parent
    assert (package / "py.typed").exists()
    stub = (package / "_uncial" / "__init__.pyi").read_text()
    assert "class Tensor" in stub
    for room in ("nn", "train", "data", "optim", "vision", "figures"):
        found = list((package / "_uncial").glob(f"{room}*/__init__.pyi")) + list((package / "_uncial").glob(f"{room}.pyi"))
        assert found, room
        assert "uncial::" not in found[0].read_text(), f"{room}: a C++ type without a Python name"
    assert "uncial::" not in stub


def test_the_example_learns(tmp_path):
    """All of its images take minutes; a tenth shows that it runs. The figure of the whole is in the README."""
    program = ROOT / "python" / "examples" / "mnist.py"
    done = subprocess.run([sys.executable, str(program), "5000"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    accuracy = float(re.search(r"test accuracy ([0-9.]+) %", done.stdout)[1])
    assert accuracy > 94, done.stdout
    assert (tmp_path / "digits.safetensors").exists()
    code = [line for line in program.read_text().splitlines() if line.strip() and not line.startswith(('"""', "#"))]
    assert len(code) <= 20


def test_machine():
    before = uncial.num_threads()
    uncial.set_num_threads(1)
    assert uncial.num_threads() == 1
    uncial.set_num_threads(before)
    assert uncial.isa() in uncial.isas()


def test_messages_reach_python():
    messages = []
    uncial.set_log_sink(lambda level, text: messages.append((level, text)))
    uncial.compile(lambda x: x * (x + 1).sum().item())(uncial.ones((2,)))
    uncial.set_log_sink(None)
    assert any("item()" in text for _, text in messages)
    logging.getLogger(__name__).debug("%s", messages)


def test_a_process_ends_quietly(tmp_path):
    """Whatever is alive at the end: no crash, no message."""
    program = """
import uncial
from uncial import nn, data
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Dense(3, 3)
    def forward(self, x):
        return self.a(x)
net = Net()
net.me = [net]
keep = [uncial.asarray(__import__('numpy').ones(3)), uncial.ones((3,)).numpy(), nn.Sequential(nn.ReLU())]
uncial.set_log_sink(lambda level, text: None)
f = uncial.compile(lambda x: x + 1)
f(uncial.ones((2,)))
batches = iter(data.mnist().test.batches(batch=10))
next(batches)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
