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
    "spelling", ["{run}", "{run.name}", "{run}/checkpoints/step-000000010.npz", "{run}/model.ckpt", "{logs}/model.ckpt"]
)
def test_weights_are_found_by_every_spelling(run, spelling):
    logs = run.parent
    found = runs.find_weights(spelling.format(run=run, logs=logs), logs, "pretrained_gen")
    assert found == runs.Weights(run, run / "checkpoints" / "step-000000010.npz")


def test_a_tf1_prefix_is_found(tmp_path):
    (tmp_path / "model.ckpt-3.index").touch()
    assert runs.find_weights(tmp_path / "model.ckpt-3", tmp_path, "x") == runs.Weights(None, tmp_path / "model.ckpt-3")


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
