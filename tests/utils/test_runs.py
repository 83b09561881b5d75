import json

import pytest

from utils import runs
from utils.errors import UserError
from utils.flags import FLAGS
from utils.options import Options


def options(**changes):
    values = {name: flag.default for name, flag in FLAGS.items()}
    return Options(**(values | {"explicit": frozenset()} | changes))


@pytest.fixture
def run(tmp_path):
    folder = runs.new_run_folder(options(log_dir=str(tmp_path / "logs")))
    runs.write_params(folder, options(gamma=0.7, z_num=8, is_train=False), n_id=3)
    (folder / "checkpoints").mkdir()
    for step in (5, 10):
        (folder / "checkpoints" / f"step-{step:09d}.npz").touch()
    return folder


def test_two_runs_in_one_second_do_not_meet(tmp_path):
    made = {runs.new_run_folder(options(log_dir=str(tmp_path))) for _ in range(4)}
    assert len(made) == 4


def test_flags_of_a_run_are_read_back_but_for_explicit_ones_and_jobs(run):
    params = runs.read_params(run)
    assert params["n_id"] == 3
    later = runs.adopted(options(z_num=16, explicit=frozenset({"z_num"})), params)
    assert (later.gamma, later.z_num, later.is_train) == (0.7, 16, True)


@pytest.mark.parametrize(
    "spelling",
    [
        *("{run}", "{run}/", "{run.name}", "{run}/checkpoints/step-000000010.npz", "{run}/model.ckpt"),
        *("{logs}/model.ckpt", "{run}/checkpoints", "{run}/checkpoints/", "{run.name}/checkpoints"),
        "{run}/params.json",
    ],
)
def test_weights_are_found_by_every_spelling(run, spelling):
    logs = run.parent
    found = runs.find_weights(spelling.format(run=run, logs=logs), logs, "pretrained_gen")
    assert found == runs.Weights(run, run / "checkpoints" / "step-000000010.npz")


@pytest.mark.parametrize("ending", ["", ".index", ".meta", ".data-00000-of-00001", "folder"])
@pytest.mark.parametrize("folder", ["a", "a [1]", "a*"])
def test_a_tf1_checkpoint_is_found_by_each_of_its_files(ending, folder, tmp_path):
    (tmp_path / folder).mkdir()
    for name in (".index", ".meta", ".data-00000-of-00001"):
        (tmp_path / folder / f"model.ckpt-3{name}").touch()
    prefix = tmp_path / folder / "model.ckpt-3"
    value = prefix.parent if ending == "folder" else f"{prefix}{ending}"
    assert runs.find_weights(value, tmp_path, "x") == runs.Weights(None, prefix)


def test_a_run_in_a_folder_with_brackets_is_found(run):
    moved = run.rename(run.parent / "run [1]*")
    assert runs.find_weights(moved, "logs", "x").checkpoint == moved / "checkpoints" / "step-000000010.npz"


@pytest.mark.parametrize(("inside", "spelling"), [("", "."), ("checkpoints", "."), ("checkpoints", ".."),
                                                  ("checkpoints", "step-000000010.npz"), ("checkpoints", "../")])
def test_weights_are_found_from_within_the_run(run, inside, spelling, monkeypatch):
    monkeypatch.chdir(run / inside)
    found = runs.find_weights(spelling, "logs", "load_path")
    assert found.run.resolve() == run and found.checkpoint.resolve() == run / "checkpoints" / "step-000000010.npz"


@pytest.mark.parametrize("value", ["/", "..", "x/"])
def test_a_folder_that_is_no_run_is_told(value, tmp_path, monkeypatch):
    (tmp_path / "within").mkdir()
    monkeypatch.chdir(tmp_path / "within")
    with pytest.raises(UserError, match="^--load_path: "):
        runs.find_weights(value, "logs", "load_path")


def test_another_file_of_a_run_is_told_what_to_give(run):
    (run / "0_G.png").touch()
    with pytest.raises(UserError, match="--load_path: .*0_G.png is no checkpoint: give a run folder"):
        runs.find_weights(run / "0_G.png", "logs", "load_path")


def test_folders_of_the_machine_that_trained_are_taken_over_where_they_are(run, tmp_path):
    params = runs.read_params(run) | {"data_dir": "/home/other/data", "asset_dir": str(tmp_path), "log_dir": "~/no"}
    later = runs.adopted(options(), params)
    assert (later.data_dir, later.asset_dir, later.log_dir) == ("c:/data", str(tmp_path), "logs")


def test_what_is_published_holds_no_folder_of_this_machine():
    flags = {"data_dir": "/home/me/data", "log_dir": "/a", "asset_dir": "/a", "n_id": 3, "pretrained_rec": "/m/facenet",
             "dataset": "/home/me/faces,vgg/aligned", "syn_dataset": "../a/syn", "dataset_3dmm": "", "labels": {"x": 1}}
    assert runs.without_machine(flags) == {"n_id": 3, "pretrained_rec": "facenet", "dataset": "faces,vgg/aligned",
                                           "syn_dataset": "syn", "dataset_3dmm": "", "labels": {"x": 1}}


def test_what_is_missing_or_damaged_is_named(run, tmp_path):
    for value in ("nowhere", tmp_path):
        with pytest.raises(UserError, match="--load_path: .*checkpoint"):
            runs.find_weights(value, "logs", "load_path")
    (run / "params.json").write_text(json.dumps({})[:1])
    with pytest.raises(UserError, match="params.json is damaged"):
        runs.read_params(run)
    (run / "params.json").unlink()
    with pytest.raises(UserError, match="no .*params.json"):
        runs.find_weights(run, "logs", "load_path")


@pytest.mark.parametrize("content", [
    *("[]", '{"z_num": "four"}', '{"z_num": true}', '{"gamma": []}', '{"data_dir": 1}', '{"z_num": -3}'),
    *('{"gamma": NaN}', '{"labels": 4}', '{"labels": {"real": "x"}}', '{"labels": {"real": 0}}'),
    *('{"label_names": {"real": "ab"}}', '{"labels": {"real": 3}, "label_names": {"real": ["a", "b"]}}'),
    *('{"label_names": {"real": [1]}}', '{"label_names": {"real": ["../out"]}}', '{"label_names": ["/tmp/x"]}'),
    '{"label_names": {"real": ["."]}}',
])  # fmt: skip
def test_params_that_are_no_flags_are_named(content, run):
    (run / "params.json").write_text(content)
    with pytest.raises(UserError, match="params.json is damaged"):
        runs.read_params(run)
