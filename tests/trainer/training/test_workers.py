"""Two worker processes on one machine train as two devices; one that is killed ends both, and both go on."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import main
from tests.small import make_data, train_words
from utils import runs

MAIN = Path(main.__file__)


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path / "data")


def start(words, tmp_path, logs):
    """Start both workers: a list of two processes; their output goes to <logs>.<worker>."""
    ports = []
    for _ in range(2):
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            ports.append(f"127.0.0.1:{found.getsockname()[1]}")
    processes = []
    for worker in range(2):
        cluster = {"cluster": {"worker": ports}, "task": {"type": "worker", "index": worker}}
        environment = os.environ | {"TF_CONFIG": json.dumps(cluster), "CUDA_VISIBLE_DEVICES": "-1"}
        with open(f"{logs}.{worker}", "w") as output:
            processes.append(subprocess.Popen([sys.executable, str(MAIN), *words], cwd=MAIN.parent, env=environment,
                                              stdout=output, stderr=subprocess.STDOUT))  # fmt: skip
    return processes


def finish(processes, logs, seconds=240):
    statuses = [process.wait(seconds) for process in processes]
    return statuses, [Path(f"{logs}.{worker}").read_text() for worker in range(2)]


def arrays(run):
    with np.load(runs.newest_checkpoint(run)) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.slow
def test_one_is_killed_and_both_go_on(data, tmp_path):
    flags = ["--max_step", "24", "--g_lr", "1e-4", "--d_lr", "1e-4"]
    whole, first, second = tmp_path / "whole", tmp_path / "first", tmp_path / "second"
    processes = start(train_words(data, whole, *flags), tmp_path, whole)
    statuses, outputs = finish(processes, whole)
    assert statuses == [0, 0], outputs
    (run,) = whole.iterdir()
    assert "worker 1: worker 0 keeps the run folder" in outputs[1]
    assert int(arrays(run)["state/step"]) == 12  # max_step divided by the number of devices

    processes = start(train_words(data, first, *flags, "--save_secs", "0", "--max_step", "100000"), tmp_path, first)
    deadline = time.monotonic() + 200
    while not (found := list(first.glob("*/checkpoints/step-00000000[4-9].npz"))):
        assert time.monotonic() < deadline, Path(f"{first}.0").read_text()
        time.sleep(0.1)
    processes[1].send_signal(signal.SIGKILL)
    statuses, outputs = finish(processes, first)
    assert statuses[0] == 2 and "another worker is gone" in outputs[0], outputs[0]
    assert "--load_path" in outputs[0]

    start_at = found[0].parent.parent
    again = train_words(data, second, "--load_path", str(start_at), *flags)
    statuses, outputs = finish(start(again, tmp_path, second), second)
    assert statuses == [0, 0], outputs
    uninterrupted, resumed = arrays(run), arrays(next(second.iterdir()))
    assert uninterrupted.keys() == resumed.keys()
    for name, array in uninterrupted.items():
        np.testing.assert_allclose(resumed[name], array, rtol=1e-6, atol=1e-9, err_msg=name)
