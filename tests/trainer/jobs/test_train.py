"""Training through main.py: run folder, resume, kill, and every kind of bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import main
from data_loader import assets, folders, pipeline
from models.dlib_resnet import DlibResnet
from tests.small import SOURCES, make_data, only_run, train_words
from trainer.published.arrays import named_weights
from trainer.published.dlib_import import FILE, load_dlib_resnet
from trainer.training import setup
from utils import command_line, runs
from utils.errors import UserError

MAIN = Path(main.__file__)


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path / "data")


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


def arrays(run):
    with np.load(runs.newest_checkpoint(run)) as file:
        return {name: file[name] for name in file.files}


def test_run_folder_and_log_lines(data, logs, capsys):
    assert main.main(train_words(data, logs, "--max_step", "3", "--save_step", "2")) == 0
    run = only_run(logs)
    assert json.loads((run / "params.json").read_text())["n_id"] == 3
    with Image.open(run / "syn_fixed.png") as image:
        assert image.size == (2 * 16 + 2, 2 * 16 + 2)
    assert {path.name for path in run.glob("*_G.png")} == {"0_G.png", "2_G.png", "3_G.png"}
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert [line.split()[0] for line in lines] == ["[0/3]", "[1/3]", "[2/3]"]
    assert list(run.glob("events.out.tfevents.*"))


def test_tensorboard_has_the_published_tags(data, logs):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    main.main(train_words(data, logs, "--max_step", "1"))
    events = EventAccumulator(str(only_run(logs)), size_guidance={"tensors": 0})
    events.Reload()
    published = "d_loss s_loss p_loss g_loss g_loss_back c_loss sd_loss_forw".split()
    tags = {f"loss/{name}" for name in published}
    tags |= {f"misc/{name}" for name in "k_t k_t2 k_t3 d_lr g_lr lambda_c balance".split()}
    tags |= {"Real Images", "Generated Images", "Generated Rendering", "Rendering GT", "AE_x", "AE_u"}
    assert tags <= set(events.Tags()["tensors"])


def test_starts_from_the_weights_of_another_run(data, logs, tmp_path, capsys):
    main.main(train_words(data, logs / "first", "--max_step", "4"))
    first = only_run(logs / "first")
    more = make_data(tmp_path / "more", identities=5)  # other people, and a loss on them
    rest = ["--pretrained_gen", str(first), "--max_step", "1", "--g_lr", "0", "--d_lr", "0", "--lr_lower_boundary", "0"]
    assert main.main(train_words(more, logs / "second", *rest)) == 0
    before, after = arrays(first), arrays(only_run(logs / "second"))
    assert int(after["state/step"]) == 1 and int(before["state/step"]) == 4
    weights = [name for name in after if name.startswith(("generator", "discriminator"))]
    assert weights
    for name in weights:
        np.testing.assert_array_equal(after[name], before[f"state/average/{name}"], err_msg=name)
    assert abs(after["state/k_real"] - before["state/k_real"]) < abs(before["state/k_real"])
    assert main.main(train_words(data, logs / "third", "--pretrained_gen", str(first), "--conv_hidden_num", "8")) == 2
    assert "--conv_hidden_num 8" in capsys.readouterr().err
    assert not (logs / "third").exists()


def test_eight_steps_equal_four_and_four_resumed(data, logs, tmp_path):
    flags = ["--method_c", "none", "--lr_update_step", "5"]
    main.main(train_words(data, logs / "whole", "--max_step", "8", *flags))
    main.main(train_words(data, logs / "first", "--max_step", "4", *flags))
    resumed = ["--load_path", str(only_run(logs / "first")), "--log_dir", str(logs / "second"), "--max_step", "8"]
    assert main.main(resumed) == 0
    whole, second = arrays(only_run(logs / "whole")), arrays(only_run(logs / "second"))
    assert whole.keys() == second.keys()
    different = [name for name in whole if whole[name].tobytes() != second[name].tobytes()]
    assert not different
    assert int(whole["state/step"]) == 8
    assert any(name.startswith("optimizer/") for name in whole)


def test_kept_pixels_train_the_same_weights(data, logs):
    kinds = ("none", "memory", "disk")
    for cache in kinds:
        assert main.main(train_words(data, logs / cache, "--max_step", "5", "--cache", cache)) == 0
    expected, *others = (arrays(only_run(logs / cache)) for cache in kinds)
    for other in others:
        assert not [name for name in expected if expected[name].tobytes() != other[name].tobytes()]
    assert len(list((data.parent / "logs" / "cache" / "pixels").iterdir())) == 3
    assert not list(data.rglob("*.pixels"))


def test_every_so_many_steps_a_checkpoint_stays(data, logs):
    """Those of --keep_step are saved whatever --save_secs says, and stay when newer ones come."""
    assert main.main(train_words(data, logs, "--max_step", "7", "--keep_step", "2")) == 0
    assert [runs.steps_done(path) for path in runs.checkpoints(only_run(logs))] == [2, 4, 6, 7]
    again = ["train", "--load_path", str(only_run(logs) / "checkpoints" / "step-000000002.npz"), "--max_step", "5"]
    assert main.main([*again, "--keep_step", "0", "--save_secs", "0", "--log_dir", str(logs / "again")]) == 0
    assert [runs.steps_done(path) for path in runs.checkpoints(only_run(logs / "again"))] == [4, 5]


def test_sigterm_saves_and_stops(data, logs):
    process = _start(train_words(data, logs, "--max_step", "100000"))
    _wait_for(process, lambda: list(logs.glob("*/events*")) and _lines(process) > 3)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "stopped by SIGTERM after step" in output
    assert int(arrays(only_run(logs))["state/step"]) > 0


def test_kill_in_mid_save_loses_nothing_older(data, logs):
    """Killed again and again while it saves after every step: what lies there is always whole."""
    for delay in (0.0, 0.004, 0.013):
        process = _start(train_words(data, logs, "--max_step", "100000", "--save_secs", "0"))
        _wait_for(process, lambda: len(runs.checkpoints(_newest(logs))) == 2)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        run = _newest(logs)
        for checkpoint in runs.checkpoints(run):
            with np.load(checkpoint) as file:
                assert all(np.isfinite(file[name]).all() for name in file.files)
        (run / "checkpoints" / ".step-000000999.npz.leftover.tmp").write_bytes(b"half")
    last = int(arrays(run)["state/step"])
    words = ["train", "--load_path", str(run), "--log_dir", str(logs / "on"), "--max_step", str(last + 2)]
    assert main.main(words) == 0
    assert int(arrays(only_run(logs / "on"))["state/step"]) == last + 2


def test_non_finite_loss_stops_and_keeps_the_last_good_checkpoint(data, logs, capsys):
    main.main(train_words(data, logs / "good", "--max_step", "2"))
    good = only_run(logs / "good")
    words = ["--load_path", str(good), "--log_dir", str(logs / "bad"), "--max_step", "50", "--lambda_s", "1e39"]
    assert main.main(words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: loss/") and "is not finite at step 3" in error
    assert not runs.checkpoints(only_run(logs / "bad"))
    assert runs.newest_checkpoint(good)


def test_full_disk_in_a_save_is_one_line_and_keeps_the_older(data, logs, monkeypatch, capsys):
    main.main(train_words(data, logs, "--max_step", "2"))
    run = only_run(logs)
    before = [path.read_bytes() for path in runs.checkpoints(run)]

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    from trainer.training import checkpoint

    class Empty:
        networks, optimizers, state = {}, {}, {"step": np.zeros(())}

    with pytest.raises(checkpoint.UserError, match="step-000000009.npz: No space left on device"):
        checkpoint.save(Empty, run, 9)
    assert [path.read_bytes() for path in runs.checkpoints(run)] == before
    assert not list((run / "checkpoints").glob("*.tmp"))


def _truncate(path):
    path.write_bytes(path.read_bytes()[:60])


BAD = {
    "empty folder": (lambda d: [path.unlink() for path in (d / "real").iterdir()], "--dataset", "real"),
    "no such folder": (lambda d: (d / "syn").rename(d / "gone"), "--syn_dataset", "syn"),
    "truncated": (lambda d: _truncate(d / "real" / "0.jpg"), "real", "0.jpg"),
    "text": (lambda d: (d / "real" / "3.jpg").write_text("no picture"), "real", "3.jpg"),
    "no render": (lambda d: (d / "paired" / "3dmm" / "2.png").unlink(), "--dataset_3dmm", "2.png"),
    "one image": (
        lambda d: [(d / "syn" / "00002" / f"0000{i}.png").unlink() for i in (1, 2)],
        *("--syn_dataset", "00002"),
    ),
}


@pytest.mark.parametrize("spoil", BAD)
def test_bad_data_is_one_line_and_changes_nothing(spoil, data, logs, capsys):
    change, *named = BAD[spoil]
    change(data)
    before = _listing(data)
    assert main.main(train_words(data, logs, "--max_step", "1")) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert all(word in line for word in named), line
    assert not logs.exists()
    assert _listing(data) == before


def test_one_bad_file_in_two_hundred_is_skipped_and_listed(data, logs, capsys):
    for number in range(200):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(data / "real" / f"more{number}.png")
    _truncate(data / "real" / "0.jpg")
    assert main.main(train_words(data, logs, "--max_step", "2")) == 0
    assert "0.jpg is skipped" in capsys.readouterr().err


def test_checkpoint_of_another_width_lists_the_differences(data, logs, capsys):
    main.main(train_words(data, logs, "--max_step", "1"))
    words = ["--load_path", str(only_run(logs)), "--max_step", "2", "--z_num", "8", "--log_dir", str(logs / "b")]
    assert main.main(words) == 2
    error = capsys.readouterr().err
    assert "discriminator_real/" in error and "is [4, 256] there and [8, 256] here" in error
    assert not (logs / "b").exists()


def test_identity_is_kept_by_dlibs_network_unless_another_is_named(data, logs, capsys):
    """The default needs no file; one that is named and not there is an error, and nothing is written."""
    words = [word for word in train_words(data, logs, "--max_step", "2") if word not in ("--method_c", "none")]
    words[words.index("--asset_dir") + 1] = str(Path("~/.cache/facegan").expanduser())
    assert main.main([*words, "--pretrained_rec", "nowhere/model"]) == 2
    assert "--pretrained_rec" in capsys.readouterr().err
    assert main.main([*words, "--model_def", "models.nn4"]) == 2
    assert "--pretrained_rec" in capsys.readouterr().err and not logs.exists()

    assert main.main(words) == 0
    assert "9 of 9 renders in" in capsys.readouterr().out  # no metadata.csv
    run = only_run(logs)
    saved = arrays(run)
    network = DlibResnet()
    load_dlib_resnet(network, assets.fetch("dlib_models", "~/.cache/facegan") / FILE)
    for name, weight in named_weights("identity_network", network).items():
        np.testing.assert_array_equal(saved[name], weight)  # frozen
    assert np.abs(saved["state/identity/centroids"]).sum() > 0

    words = [f"--log_dir={logs}", f"--pretrained_gen={run}"]
    assert main.main(["generate", *words, "--save_syn_dataset", "out"]) == 0
    rows = (data / "out" / "confidence_scores.csv").read_text().splitlines()[1:]
    assert len(rows) == 9 and all(float(row.split(",")[4]) >= 0 for row in rows)
    assert main.main(["export", *words, "--export_dir", str(logs.parent / "served")]) == 0
    served = tf.saved_model.load(str(logs.parent / "served" / "1"))
    assert served.signatures["uint8"](images=tf.zeros([1, 16, 16, 3], tf.uint8))["generated"].shape == (1, 16, 16, 3)


def test_chips_follow_their_renders_into_the_batches(data):
    """Whatever the order, each render comes with its own place; a replaced unreadable one with that of its stand-in."""
    index = folders.index_images(data / "syn", data.parent / "cache", labelled=True)
    places = np.arange(36, dtype=np.float32).reshape(9, 4)
    batches = pipeline.training_batches(
        SOURCES, {"synthetic": index}, 3, 16, 0, pipeline.SkippedFiles(), annotations={"synthetic": {"chip": places}}
    ).take(6)
    seen = 0
    for batch in batches:
        for image, chip in zip(batch["synthetic"].numpy(), batch["chip"].numpy(), strict=True):
            (i,) = np.flatnonzero((places == chip).all(axis=1))
            np.testing.assert_allclose(image, folders.decode(index.path(i), 16) / 127.5 - 1, atol=1e-6)
            seen += 1
    assert seen == 18


def _start(words):
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(MAIN), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def _lines(process):
    process.seen = getattr(process, "seen", 0) + 1
    process.stdout.readline()
    return process.seen


def _wait_for(process, condition, seconds=180):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.01)


def _newest(logs):
    found = sorted(logs.iterdir(), key=lambda path: path.stat().st_mtime_ns) if logs.is_dir() else []
    return found[-1] if found else logs


def _listing(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_fewer_steps_than_devices_is_one_line(data, logs):
    options = command_line.parse(train_words(data, logs, "--max_step", "1"), main.JOBS)[1]
    with pytest.raises(UserError, match="--max_step 1: less than a step for each of 2 devices"):
        setup.check_steps_left(SimpleNamespace(state={"step": tf.Variable(0)}), options, None, count=2)
