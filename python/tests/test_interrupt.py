"""Ctrl-C in fit(): a process of its own gets the signal."""

import os
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import sys, time
from uncial import data, nn, optim, train
training = data.mnist().train.take(6000)
net = nn.Sequential(nn.Conv2d(1, 16, kernel=3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(2704, 10))
print("ready", flush=True)
told = False
def progress(p):
    global told
    if p.batch > 3 and not told:
        told = True
        print("training", flush=True)
try:
    train.fit(net, training, epochs=100000, batch=50, callbacks=[train.Checkpoint(sys.argv[1])], progress=progress)
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
    sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_the_run_and_saves_it(tmp_path):
    prefix = tmp_path / "run"
    # A shell's background job ignores Ctrl-C, and so would what it starts.
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(prefix)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in process.stdout:
        if line.startswith("training"):
            break
    sent = time.time()
    os.kill(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait() == 7, rest
    print(f"Ctrl-C took {float(rest.split()[1]) - sent:.2f} s")
    assert (tmp_path / "run_checkpoint.safetensors").exists()
