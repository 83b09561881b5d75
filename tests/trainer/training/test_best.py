"""--keep_best: which checkpoint stays, what a resumed run takes over, and that training does not notice."""

import json
from pathlib import Path

import numpy as np
import pytest

import main
from data_loader.folders import index_images
from tests.small import make_data, only_run, train_words
from trainer.evaluation.training_kid import TrainingKid
from trainer.jobs import train as train_job
from trainer.systems import system_class
from trainer.training import checkpoint
from utils import command_line, runs
from utils.errors import UserError

ASSETS = Path("~/.cache/facegan").expanduser()
pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture(scope="module", autouse=True)
def one_judge():
    """Every training here is judged by dlib's network, opened once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_job, "open_judge", _open_once(train_job.open_judge))
        yield


def _open_once(opened):
    judges = []

    def judge(*arguments):
        judges or judges.append(opened(*arguments))
        return judges[0]

    return judge


@pytest.fixture
def values(monkeypatch):
    """What is measured, one after the other, in place of KID."""
    def measure(*numbers):
        left = iter(numbers)
        monkeypatch.setattr(TrainingKid, "__call__", lambda _: next(left))

    return measure


def train(folder, *more):
    """The run folder of a training whose checkpoints are saved at measurements and at its end alone."""
    logs = folder / f"logs{len(list(folder.iterdir()))}"
    words = train_words(folder / "data", logs, "--keep_best", "kid", "--keep_best_step", "1", "--save_secs", "1000")
    assert main.main([*words, "--asset_dir", str(ASSETS), *map(str, more)]) == 0
    return only_run(logs)


class Recorder:
    """A judge whose features are the images' mean colours."""

    name, alignment = "mean colours", "none"

    def embed_at(self, images, places):
        return np.asarray(images).mean(axis=(1, 2))


@pytest.mark.parametrize("grey", [False, True])
def test_grey_images_are_compared_with_photographs_in_grey(tmp_path, grey):
    make_data(tmp_path / "data")
    words = train_words(tmp_path / "data", tmp_path / "logs", *["--grayscale"] * grey)
    options = command_line.parse(words, main.JOBS)[1]
    index = index_images(tmp_path / "data" / "real", tmp_path / "index")
    renders = index_images(tmp_path / "data" / "syn", tmp_path / "index", labelled=True)
    system = system_class("facegan")(options, {"synthetic": 3})
    inputs = system.makers["generate"].open_input(options, {}, (), {"synthetic": renders})
    colours = TrainingKid(system, inputs, index, Recorder()).photographs
    assert (np.ptp(colours, axis=1).max() < 1e-5) == grey


def steps(run):
    return [runs.steps_done(path) for path in runs.checkpoints(run)]


@pytest.mark.slow
def test_the_best_stays_beside_the_newest(tmp_path, values, capsys):
    make_data(tmp_path / "data")
    values(5.0, 2.0, 4.0, 3.0, 6.0)
    run = train(tmp_path, "--max_step", "5", "--save_secs", "0")
    assert steps(run) == [2, 4, 5]
    best = runs.read_best(run)
    assert (best["step"], best["value"]) == (2, 2.0) and [value for _, value in best["history"]] == [5, 2, 4, 3, 6]
    assert "step 3: kid 4.000000; best: 2.000000 at step 2" in (said := capsys.readouterr().out)
    assert f"2.000000; {run / 'checkpoints' / 'step-000000002.npz'}" in said

    values(1.0)  # a run that goes on knows what was best, and keeps it
    again = train(tmp_path, "--load_path", run, "--max_step", "6")
    assert steps(again) == [2, 6] and runs.read_best(again)["step"] == 6
    assert len(runs.read_best(again)["history"]) == 6
    values(9.0)
    earlier = train(tmp_path, "--load_path", run / "checkpoints" / "step-000000004.npz", "--max_step", "5")
    assert steps(earlier) == [2, 5] and runs.read_best(earlier)["step"] == 2


def test_a_best_that_could_not_be_saved_is_none(tmp_path, values, monkeypatch, capsys):
    make_data(tmp_path / "data")
    values(1.0, 2.0)
    save = checkpoint.save

    def refuse_the_first(system, folder, step, keep_step=0):
        if step == 1:
            raise checkpoint.NotSaved("the disk is full")
        return save(system, folder, step, keep_step)

    monkeypatch.setattr(checkpoint, "save", refuse_the_first)
    run = train(tmp_path, "--max_step", "2")
    assert runs.read_best(run)["step"] == 2 and steps(run) == [2]
    assert "step 1: kid 1.000000; best: none saved yet" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_ends_before_it_saves_has_no_checkpoint(tmp_path, values, monkeypatch):
    """A run that goes on from step 4 and is killed at once must not leave step 2, the best, as its newest."""
    make_data(tmp_path / "data")
    values(5.0, 2.0, 4.0, 3.0)
    run = train(tmp_path, "--max_step", "4")
    monkeypatch.setattr(checkpoint, "save", lambda *_: (_ for _ in ()).throw(checkpoint.NotSaved("the disk is full")))
    words = train_words(tmp_path / "data", tmp_path / "more", "--load_path", run, "--max_step", "5")
    values(9.0)
    assert main.main([*words, "--asset_dir", str(ASSETS)]) == 2
    assert not runs.newest_checkpoint(only_run(tmp_path / "more"))


@pytest.mark.slow
def test_a_best_that_was_deleted_or_measured_otherwise_is_sought_anew(tmp_path, values, capsys):
    make_data(tmp_path / "data")
    values(1.0, 2.0)
    run = train(tmp_path, "--max_step", "2")
    make_data(tmp_path / "data" / "others", photographs=7)
    values(5.0)
    other = train(tmp_path, "--load_path", run, "--max_step", "3", "--dataset", "others/real")
    assert "was measured otherwise" in capsys.readouterr().out
    best = runs.read_best(other)
    assert (best["step"], best["value"], best["history"], steps(other)) == (3, 5.0, [[3, 5.0]], [3])

    runs.checkpoints(run)[0].unlink()
    values(6.0)
    again = train(tmp_path, "--load_path", run, "--max_step", "3")
    assert "whose checkpoint is gone" in capsys.readouterr().out
    best = runs.read_best(again)
    assert (best["step"], best["history"]) == (3, [[1, 1.0], [2, 2.0], [3, 6.0]])


@pytest.mark.slow
def test_training_does_not_notice_that_it_is_measured(tmp_path):
    """Averaged weights are put in and taken out again; nothing that is drawn moves."""
    make_data(tmp_path / "data")
    plain = train_words(tmp_path / "data", tmp_path / "plain", "--max_step", "3")
    assert main.main(plain) == 0
    measured = train(tmp_path, "--max_step", 3)
    arrays = [np.load(runs.newest_checkpoint(run)) for run in (only_run(tmp_path / "plain"), measured)]
    assert set(arrays[0].files) == set(arrays[1].files)
    assert not [name for name in arrays[0].files if arrays[0][name].tobytes() != arrays[1][name].tobytes()]
    history = json.loads((measured / "best.json").read_text())["history"]
    assert [step for step, _ in history] == [1, 2, 3] and all(np.isfinite(value) for _, value in history)
    assert len({value for _, value in history}) == 3


def test_too_few_images_are_told_before_a_run_folder_is_made(tmp_path, capsys):
    make_data(tmp_path / "data", photographs=3)
    words = train_words(tmp_path / "data", tmp_path / "logs", "--keep_best", "kid", "--asset_dir", ASSETS)
    assert main.main(list(map(str, words))) == 2
    assert "--keep_best: KID needs at least 4 images, --dataset has 3" in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("content", [
    *("{", "[]", '{"step": 1}', '{"step": "x", "value": 1, "measure": "", "history": []}'),
    '{"step": 1, "value": null, "measure": "", "history": []}',
])  # fmt: skip
def test_a_damaged_best_is_one_line(tmp_path, content):
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(UserError, match="best.json is damaged"):
        runs.read_best(tmp_path)


def test_a_damaged_best_is_told_before_a_run_folder_is_made(tmp_path, values, capsys):
    make_data(tmp_path / "data")
    values(1.0)
    run = train(tmp_path, "--max_step", "1")
    (run / "best.json").write_text("{")
    words = train_words(tmp_path / "data", tmp_path / "more", "--load_path", run, "--max_step", "2")
    assert main.main(list(map(str, words))) == 2
    assert "best.json is damaged" in capsys.readouterr().err
    assert not (tmp_path / "more").exists()
