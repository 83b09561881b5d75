"""Training through main.py: run folder, resume, kill, and every kind of bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import main
from data_loader import assets, chips, folders, pipeline
from models.dlib_resnet import DlibResnet
from tests.small import SOURCES, make_data, only_run, train_words, untraced
from trainer.face_networks.identity_loss import judge_of
from trainer.face_networks.preparation import preparation
from trainer.face_networks.table import DLIB, FACENET
from trainer.published.arrays import named_weights
from trainer.published.dlib_import import FILE, load_dlib_resnet
from trainer.step import pixels
from trainer.training import checkpoint, setup
from trainer.training.load import looked_through
from utils import command_line, runs
from utils.errors import UserError

MAIN = Path(main.__file__)


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path / "data")


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


# Runs a program as `python program` does, without tracing.
UNTRACED = ["-c", "import runpy, sys, tensorflow as tf; tf.config.run_functions_eagerly(True); del sys.argv[0]; "
            "sys.path.insert(0, ''); runpy.run_path(sys.argv[0], run_name='__main__')"]  # fmt: skip


@pytest.fixture
def start():
    """Starts main.py in a process that does not outlive the test."""
    started = []

    def start(words, interpreter=()):
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        command = [sys.executable, *interpreter, str(MAIN), *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        started.append(subprocess.Popen(command, env=environment, cwd=MAIN.parent, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def arrays(run):
    with np.load(runs.newest_checkpoint(run)) as file:
        return {name: file[name] for name in file.files}


@dataclass(frozen=True)
class Whole:
    """A training of seven steps that nothing disturbed: every second checkpoint is kept, a grid every two steps."""

    data: Path
    logs: Path
    run: Path
    said: str


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    data, logs = make_data(folder / "data"), folder / "logs"
    with redirect_stdout(StringIO()) as said:
        flags = ["--max_step", "7", "--keep_step", "2", "--save_step", "2", "--lr_update_step", "5"]
        assert main.main(train_words(data, logs, *flags)) == 0
    return Whole(data, logs, only_run(logs), said.getvalue())


def test_run_folder_and_log_lines(whole):
    assert json.loads((whole.run / "params.json").read_text())["n_id"] == 3
    with Image.open(whole.run / "syn_fixed.png") as image:
        assert image.size == (2 * 16 + 2, 2 * 16 + 2)
    assert {path.name for path in whole.run.glob("*_G.png")} == {f"{step}_G.png" for step in (0, 2, 4, 6, 7)}
    lines = [line for line in whole.said.splitlines() if line.startswith("[")]
    assert [line.split()[0] for line in lines] == [f"[{step}/7]" for step in range(7)]
    assert list(whole.run.glob("events.out.tfevents.*"))


def test_tensorboard_has_the_published_tags(whole):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(whole.run), size_guidance={"tensors": 0})
    events.Reload()
    published = "d_loss s_loss p_loss g_loss g_loss_back c_loss sd_loss_forw".split()
    tags = {f"loss/{name}" for name in published}
    tags |= {f"misc/{name}" for name in "k_t k_t2 k_t3 d_lr g_lr lambda_c balance".split()}
    tags |= {"Real Images", "Generated Images", "Generated Rendering", "Rendering GT", "AE_x", "AE_u"}
    assert tags <= set(events.Tags()["tensors"])


def test_starts_from_the_weights_of_another_run(whole, logs, tmp_path, untraced, capsys):
    more = make_data(tmp_path / "more", identities=5)  # other people, and a loss on them
    rest = ["--pretrained_gen", whole.run, "--max_step", "1", "--g_lr", "0", "--d_lr", "0", "--lr_lower_boundary", "0"]
    assert main.main(train_words(more, logs / "second", *rest)) == 0
    before, after = arrays(whole.run), arrays(only_run(logs / "second"))
    assert int(after["state/step"]) == 1 and int(before["state/step"]) == 7
    weights = [name for name in after if name.startswith(("generator", "discriminator"))]
    assert weights
    for name in weights:
        np.testing.assert_array_equal(after[name], before[f"state/average/{name}"], err_msg=name)
    assert abs(after["state/k_real"] - before["state/k_real"]) < abs(before["state/k_real"])
    other_width = ["--pretrained_gen", whole.run, "--conv_hidden_num", "8"]
    assert main.main(train_words(whole.data, logs / "third", *other_width)) == 2
    assert "--conv_hidden_num 8" in capsys.readouterr().err
    assert not (logs / "third").exists()


def test_what_earlier_losses_looked_through_is_not_forgotten(whole, logs, tmp_path, untraced):
    """Begun with weights of a loss on dlib's network, without one; gone on with; exported: FaceNet judges."""
    first = tmp_path / "first"
    shutil.copytree(whole.run, first)
    params = json.loads((first / "params.json").read_text()) | {"method_c": "magnet"}
    (first / "params.json").write_text(json.dumps(params))
    for folder, words in (("second", ["--pretrained_gen", first, "--max_step", "1"]), ("third", ["--max_step", "2"])):
        resumed = ["--load_path", only_run(logs / "second")] if folder == "third" else []
        begun = train_words(whole.data, logs / folder, *words) if not resumed else [*words, "--log_dir", logs / folder]
        assert main.main(list(map(str, [*begun, *resumed]))) == 0
    words = ["--pretrained_gen", only_run(logs / "third"), "--export_dir", logs / "out", "--export_format", "weights"]
    assert main.main(list(map(str, ["export", *words]))) == 0
    for run in (only_run(logs / "third"), logs / "out"):
        looked = looked_through(json.loads((run / "params.json").read_text()))
        assert looked["networks_before"] == [DLIB] and looked["method_c"] == "none" and judge_of(looked) == FACENET
    assert judge_of(looked_through(json.loads((whole.run / "params.json").read_text()))) == DLIB


@pytest.mark.slow
def test_seven_steps_equal_four_and_three_resumed(whole, logs):
    words = ["--load_path", whole.run / "checkpoints" / "step-000000004.npz", "--log_dir", logs, "--max_step", 7]
    assert main.main([str(word) for word in words]) == 0
    straight, resumed = arrays(whole.run), arrays(only_run(logs))
    assert straight.keys() == resumed.keys()
    different = [name for name in straight if straight[name].tobytes() != resumed[name].tobytes()]
    assert not different
    assert int(straight["state/step"]) == 7
    assert any(name.startswith("optimizer/") for name in straight)


@pytest.mark.slow
@pytest.mark.parametrize("how", [untraced, nullcontext])
def test_patches_go_on_as_if_nothing_had_been(how, data, logs):
    """Lazy R1 and its augmentation follow the step: the third comes after the stop."""
    flags = "--discriminator patch --augment colour,shift,cutout,flip --upsample nearest --r1_interval 3".split()
    with how():
        assert main.main(train_words(data, logs / "a", "--max_step", "5", "--keep_step", "2", *flags)) == 0
        start = only_run(logs / "a") / "checkpoints" / "step-000000002.npz"
        assert main.main(["--load_path", str(start), "--log_dir", str(logs / "b"), "--max_step", "5"]) == 0
    straight, resumed = arrays(only_run(logs / "a")), arrays(only_run(logs / "b"))
    assert straight.keys() == resumed.keys() and straight["state/r1_real"] > 0
    assert not [name for name in straight if straight[name].tobytes() != resumed[name].tobytes()]


@pytest.mark.slow
def test_kept_pixels_train_the_same_weights(data, logs, untraced):
    """Four steps: each photograph of a pair is read twice, the second time as it was kept."""
    kinds = ("none", "memory", "disk")
    for cache in kinds:
        assert main.main(train_words(data, logs / cache, "--max_step", "4", "--cache", cache)) == 0
    expected, *others = (arrays(only_run(logs / cache)) for cache in kinds)
    for other in others:
        assert not [name for name in expected if expected[name].tobytes() != other[name].tobytes()]
    assert len(list((data.parent / "logs" / "cache" / "pixels").iterdir())) == 3
    assert not list(data.rglob("*.pixels"))


def test_every_so_many_steps_a_checkpoint_stays(whole, logs, untraced):
    """Those of --keep_step are saved whatever --save_secs says, and stay when newer ones come."""
    assert [runs.steps_done(path) for path in runs.checkpoints(whole.run)] == [2, 4, 6, 7]
    again = ["train", "--load_path", str(whole.run / "checkpoints" / "step-000000002.npz"), "--max_step", "5"]
    assert main.main([*again, "--keep_step", "0", "--save_secs", "0", "--log_dir", str(logs)]) == 0
    assert [runs.steps_done(path) for path in runs.checkpoints(only_run(logs))] == [4, 5]


def test_sigterm_saves_and_stops_and_what_a_kill_leaves_goes_on(data, logs, start, untraced):
    """A training that is stopped, goes on in a process that saves after every step until it is killed, and goes on."""
    process = start(train_words(data, logs / "first", "--max_step", "100000"), UNTRACED)
    _wait_for(process, lambda: list(logs.glob("first/*/events*")) and _lines(process) > 3)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "stopped by SIGTERM after step" in output
    stopped = only_run(logs / "first")
    last = int(arrays(stopped)["state/step"])
    assert last > 0

    on = ["train", "--max_step", "100000", "--load_path", str(stopped), "--log_dir", str(logs / "second")]
    process = start([*on, "--save_secs", "0"], UNTRACED)
    _wait_for(process, lambda: len(runs.checkpoints(_newest(logs / "second"))) == 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed = only_run(logs / "second")
    assert int(arrays(killed)["state/step"]) > last
    (killed / "checkpoints" / ".step-000000999.npz.leftover.tmp").write_bytes(b"half")
    last = int(arrays(killed)["state/step"])
    words = ["train", "--load_path", str(killed), "--log_dir", str(logs / "on"), "--max_step", str(last + 2)]
    assert main.main(words) == 0
    assert int(arrays(only_run(logs / "on"))["state/step"]) == last + 2


@pytest.mark.slow
def test_eight_steps_of_patches_are_four_a_kill_and_four(data, logs, start):
    """Traced, as users train: the process that did the first four is killed while it goes on beyond them."""
    flags = "--discriminator patch --augment colour,shift,cutout,flip --r1_interval 3".split()
    assert main.main(train_words(data, logs / "whole", "--max_step", "8", *flags)) == 0
    more = ["--max_step", "100000", "--save_secs", "0", "--keep_step", "4"]
    process = start(train_words(data, logs / "killed", *more, *flags))
    fourth = "checkpoints/step-000000004.npz"
    _wait_for(process, lambda: list(logs.glob(f"killed/*/{fourth}")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    on = ["--load_path", only_run(logs / "killed") / fourth, "--log_dir", logs / "on", "--max_step", 8]
    assert main.main(["train", *map(str, [*on, "--save_secs", 300])]) == 0
    whole, parts = arrays(only_run(logs / "whole")), arrays(only_run(logs / "on"))
    assert whole.keys() == parts.keys() and int(whole["state/step"]) == 8
    assert [name for name in whole if whole[name].tobytes() != parts[name].tobytes()] == []


SAVING = """
import itertools, os, sys
from pathlib import Path
import numpy as np
from trainer.training import checkpoint

class Large:
    networks, optimizers = {}, {}
    state = {str(i): np.random.default_rng(i).normal(size=(8, 1024)) for i in range(40)}

for number in range(int(sys.argv[2])):
    folder, parent = Path(sys.argv[1], str(number)), os.getpid()
    folder.mkdir()
    saving = os.fork()  # a process that need not start TensorFlow again
    if not saving:
        for step in itertools.takewhile(lambda _: os.getppid() == parent, itertools.count(1)):
            checkpoint.save(Large, folder, step)
        os._exit(0)
    print(saving, flush=True)
    os.waitpid(saving, 0)
"""


def test_kill_in_mid_save_loses_nothing_older(tmp_path):
    """Killed again and again while it saves without a pause: what lies there is always whole."""
    delays = (0.0, 0.004, 0.013, 0.03)
    command = [sys.executable, "-c", SAVING, str(tmp_path), str(len(delays))]
    process = subprocess.Popen(command, cwd=MAIN.parent, stdout=subprocess.PIPE, text=True)
    try:
        for number, delay in enumerate(delays):
            saving = int(process.stdout.readline())
            _wait_for(process, lambda run=tmp_path / str(number): len(runs.checkpoints(run)) == 2)
            time.sleep(delay)
            os.kill(saving, signal.SIGKILL)
        assert process.wait(60) == 0
    finally:
        process.kill()
    cut_short = 0
    for number in range(len(delays)):
        found = runs.checkpoints(tmp_path / str(number))
        assert len(found) >= 2
        for path in found:
            with np.load(path) as file:
                assert len(file.files) == 1 + 40 and all(np.isfinite(file[name]).all() for name in file.files)
        cut_short += len(list((tmp_path / str(number) / "checkpoints").glob("*.tmp")))
    assert cut_short > 0
    checkpoint.save(SimpleNamespace(networks={}, optimizers={}, state={}), tmp_path / "0", 10**7)
    assert not list((tmp_path / "0" / "checkpoints").glob("*.tmp"))


def test_non_finite_loss_stops_and_keeps_the_last_good_checkpoint(whole, logs, untraced, capsys):
    words = ["--load_path", str(whole.run), "--log_dir", str(logs), "--max_step", "50", "--keep_step", "0"]
    assert main.main([*words, "--g_lr", "1e30"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: loss/") and "is not finite at step 8" in error
    assert not runs.checkpoints(only_run(logs))
    assert runs.newest_checkpoint(whole.run)


def test_full_disk_in_a_save_is_one_line_and_keeps_the_older(whole, tmp_path, monkeypatch):
    run = shutil.copytree(whole.run, tmp_path / "run")
    before = [path.read_bytes() for path in runs.checkpoints(run)]

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    empty = SimpleNamespace(networks={}, optimizers={}, state={"step": np.zeros(())})
    with pytest.raises(UserError, match="step-000000009.npz: No space left on device"):
        checkpoint.save(empty, run, 9)
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


def test_one_bad_file_in_two_hundred_is_skipped_and_listed(data, logs, untraced, capsys):
    for number in range(200):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(data / "real" / f"more{number}.png")
    _truncate(data / "real" / "0.jpg")
    assert main.main(train_words(data, logs, "--max_step", "2")) == 0
    assert "0.jpg is skipped" in capsys.readouterr().err


def test_a_run_goes_on_in_its_own_shape_alone(whole, logs, capsys):
    words = ["--load_path", str(whole.run), "--max_step", "8", "--log_dir", str(logs / "b")]
    for more, told in ((["--z_num", "8"], "--z_num 8:"), (["--pretrained_gen", str(whole.run)], "give one of them")):
        assert main.main([*words, *more]) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1
    assert not (logs / "b").exists()


def test_weights_of_another_width_list_the_differences(whole, tmp_path, capsys):
    run = shutil.copytree(whole.run, tmp_path / "run")
    params = json.loads((run / "params.json").read_text())
    (run / "params.json").write_text(json.dumps(params | {"z_num": 8}))
    assert main.main(["--load_path", str(run), "--max_step", "8", "--log_dir", str(tmp_path / "b")]) == 2
    error = capsys.readouterr().err
    assert "discriminator_real/" in error and "is [4, 256] there and [8, 256] here" in error
    assert not (tmp_path / "b").exists()


def identity_words(data, logs, *more):
    """The command line of a small training with an identity loss through dlib's network."""
    words = [word for word in train_words(data, logs, *more) if word not in ("--method_c", "none")]
    words[words.index("--asset_dir") + 1] = str(Path("~/.cache/facegan").expanduser())
    return words


@pytest.mark.slow  # a step through it is not
def test_identity_is_kept_by_dlibs_network_unless_another_is_named(data, logs, untraced, capsys):
    """The default needs no file; one that is named and not there is an error, and nothing is written."""
    words = identity_words(data, logs, "--max_step", "2")
    assert main.main([*words, "--pretrained_rec", "nowhere/model"]) == 2
    assert "--pretrained_rec" in capsys.readouterr().err
    assert main.main([*words, "--model_def", "models.nn4"]) == 2
    assert "--pretrained_rec" in capsys.readouterr().err and not logs.exists()

    assert main.main(words) == 0
    assert "9 of 9 images in" in capsys.readouterr().out  # no metadata.csv
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


def test_centroids_of_renders_are_where_the_network_sees_them_and_stay(data, logs, untraced, capsys):
    """As the loss looks: blurred, grey; moved to photographs in the mean. No step moves them, nor a stop."""
    flags = "--max_step 1 --centroids renders --identity_blur 1 --grayscale".split()
    assert main.main(identity_words(data, logs, *flags)) == 0
    told = capsys.readouterr().out
    assert [told.count(f"images in {data / name} have no landmarks") for name in ("syn", "real")] == [1, 1]
    run = only_run(logs)
    network = DlibResnet()
    load_dlib_resnet(network, assets.fetch("dlib_models", "~/.cache/facegan") / FILE)

    def mean_of(folder, pattern="*"):
        images = np.stack([folders.decode(path, 16) for path in sorted(folder.glob(pattern))])
        shown = pixels.levels(pixels.blurred(pixels.grey(tf.constant(images / 127.5 - 1, tf.float32)), 1.0))
        shown = chips.cut_differentiably(shown, tf.constant([chips.FIXED] * len(images)), 150)
        codes = network(preparation("dlib", False)(shown)).numpy()
        return (codes / np.linalg.norm(codes, axis=1, keepdims=True)).mean(axis=0)

    people = np.stack([mean_of(person) for person in sorted((data / "syn").iterdir())])
    before = arrays(run)["state/identity/centroids"]
    wanted = people - people.mean(axis=0) + mean_of(data / "real", "*.jpg")
    np.testing.assert_allclose(before, wanted, atol=1e-5)
    assert main.main([f"--log_dir={logs}", f"--load_path={run}", "--max_step", "2"]) == 0
    newest = max(logs.iterdir(), key=lambda path: path.stat().st_mtime)
    assert newest != run
    np.testing.assert_array_equal(arrays(newest)["state/identity/centroids"], before)


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


def test_a_rate_that_a_halving_raises_is_told(data, logs, capsys):
    words = ["--max_step", "2", "--lr_update_step", "1", "--lr_lower_boundary", "1e-5", "--g_lr", "4e-6"]
    assert main.main(train_words(data, logs, *words, "--dataset", "nowhere")) == 2  # told before anything is read
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning: --" in line]
    assert line == "warning: --g_lr 4e-06 is less than --lr_lower_boundary 1e-05, to which it rises at step 1"


def test_fewer_steps_than_devices_is_one_line(data, logs):
    options = command_line.parse(train_words(data, logs, "--max_step", "1"), main.JOBS)[1]
    with pytest.raises(UserError, match="--max_step 1: less than a step for each of 2 devices"):
        setup.check_steps_left(SimpleNamespace(state={"step": tf.Variable(0)}), options, None, count=2)
