"""A disk that is full or read-only in mid-run: the log is lost, the training is not."""

import errno
import os
from contextlib import contextmanager

import numpy as np
import pytest
import tensorflow as tf

import main
from tests.small import make_data, only_run, train_words
from trainer.training import checkpoint
from trainer.training.events import Events
from utils import images

resource = pytest.importorskip("resource")


@contextmanager
def no_file_longer_than(size):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))  # Python ignores SIGXFSZ: writing fails with EFBIG
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_events_that_cannot_be_written_are_told_once(tmp_path, capsys):
    events = Events(tmp_path)
    events.scalars({"a": 1.0}, 0)
    (path,) = tmp_path.iterdir()
    with no_file_longer_than(path.stat().st_size):
        for step in range(3):
            events.images({"grey": tf.zeros([3, 16, 16, 3])}, step)
            events.scalars({"a": 1.0}, step)
        events.close()
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(told) == 1 and str(tmp_path) in told[0] and told[0].endswith("; training goes on without")


def test_events_of_a_folder_that_takes_none(tmp_path, capsys):
    events = Events(tmp_path / "nowhere" if os.geteuid() else "/proc/nowhere")
    events.scalars({"a": 1.0}, 0)
    events.close()
    assert "warning: TensorBoard's events cannot be written in " in capsys.readouterr().err


def test_training_outlives_its_log_and_tries_checkpoints_again(tmp_path, untraced, monkeypatch, capsys):
    """Grids fail throughout; checkpoints at steps 1 and 2, then the disk has room again."""
    tried = []
    savez = np.savez

    def full_at_first(*arguments, **arrays):
        tried.append(1)
        full() if len(tried) < 3 else savez(*arguments, **arrays)

    make_data(tmp_path / "data")
    words = train_words(tmp_path / "data", tmp_path / "logs", "--max_step", "4", "--save_secs", "0", "--save_step", "1")
    monkeypatch.setattr(checkpoint.np, "savez", full_at_first)
    write = images.atomic_write
    monkeypatch.setattr(images, "atomic_write",
                        lambda path, *more: full() if "_G" in str(path) else write(path, *more))  # fmt: skip
    assert main.main(words) == 0
    run = only_run(tmp_path / "logs")
    assert [path.name for path in checkpoint.checkpoints(run)] == ["step-000000003.npz", "step-000000004.npz"]
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert [line.partition(" cannot ")[0] for line in told] == [
        "warning: a grid", "warning: step 1:", "warning: step 2:"]  # fmt: skip
    assert f"{run}/checkpoints/step-000000001.npz: No space left on device; older" in told[1]


def test_the_last_checkpoint_that_cannot_be_written_is_one_line(tmp_path, untraced, monkeypatch, capsys):
    make_data(tmp_path / "data")
    monkeypatch.setattr(checkpoint.np, "savez", full)
    assert main.main(train_words(tmp_path / "data", tmp_path / "logs", "--max_step", "2")) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "step-000000002.npz: No space left on device" in line
