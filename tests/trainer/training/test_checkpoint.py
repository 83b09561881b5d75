"""Checkpoints of other precisions and of earlier formats."""

import errno
import json
import shutil

import numpy as np
import pytest

import main
from tests.small import make_data, only_run, train_words, untraced
from trainer.published.arrays import read_checkpoint
from trainer.training import checkpoint
from trainer.training.load import load_system
from utils import command_line, runs
from utils.errors import UserError


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """data/, and a run of one step in each of two precisions below float32/ and float16/."""
    folder = tmp_path_factory.mktemp("precisions")
    make_data(folder / "data")
    for precision in ("float32", "float16"):
        words = train_words(folder / "data", folder / precision, "--max_step", "1", "--mixed_precision", precision)
        with untraced():
            assert main.main(words) == 0
    return folder


def arrays(run):
    with np.load(runs.newest_checkpoint(run)) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize(("trained", "used"), [("float16", "float32"),
                                               pytest.param("float32", "float16", marks=pytest.mark.slow)])  # fmt: skip
def test_weights_of_one_precision_generate_in_another(home, trained, used, untraced):
    words = ["generate", "--log_dir", str(home), "--pretrained_gen", str(only_run(home / trained)), "--scores", "none"]
    assert main.main([*words, "--mixed_precision", used, "--save_syn_dataset", f"{trained}_{used}"]) == 0
    assert len(list((home / "data" / f"{trained}_{used}").rglob("*.jpg"))) == 9


@pytest.mark.parametrize(("trained", "used"), [("float16", "float32"), ("float32", "float16")])
def test_a_run_of_one_precision_goes_on_in_another(home, trained, used, tmp_path, untraced):
    words = ["--load_path", str(only_run(home / trained)), "--max_step", "2", "--mixed_precision", used]
    assert main.main(train_words(home / "data", tmp_path / "logs", *words)) == 0
    there, here = arrays(only_run(home / trained)), arrays(only_run(tmp_path / "logs"))
    assert {name for name in set(there) ^ set(here) if not name.startswith("state/loss_scale")} == set()
    assert ("state/loss_scale" in here) == (used == "float16") and int(here["optimizer/generator/iteration"]) == 2


@pytest.mark.parametrize("number", [np.array([2, 2]), np.array("x"), np.array(2.5)])
def test_a_format_that_is_no_number_is_one_line(home, number, tmp_path):
    np.savez(tmp_path / "odd.npz", **arrays(only_run(home / "float32")) | {"format": number})
    with pytest.raises(UserError, match="its format is no number"):
        read_checkpoint(tmp_path / "odd.npz")


def test_exported_weights_of_float16_generate_in_float32(home, untraced):
    words = ["--log_dir", str(home), "--pretrained_gen", str(only_run(home / "float16"))]
    assert main.main(["export", *words, "--export_format", "weights", "--export_dir", str(home / "small")]) == 0
    words = ["generate", "--data_dir", str(home / "data"), "--syn_dataset", "syn", "--scores", "none"]
    words += ["--pretrained_gen", str(home / "small"), "--mixed_precision", "float32", "--save_syn_dataset", "small"]
    assert main.main(words) == 0


def test_exported_weights_are_no_run_to_go_on_from(home, tmp_path, untraced, capsys):
    words = ["export", "--log_dir", str(home), "--pretrained_gen", str(only_run(home / "float32"))]
    assert main.main([*words, "--export_format", "weights", "--export_dir", str(tmp_path / "small")]) == 0
    assert main.main(train_words(home / "data", tmp_path / "logs", "--load_path", str(tmp_path / "small"))) == 2
    assert "error: --load_path: training goes on from a run folder, not from" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["nan", "labels"])
def test_weights_that_can_make_nothing_are_one_line(home, kind, tmp_path, untraced, capsys):
    run = tmp_path / "run"
    shutil.copytree(only_run(home / "float32"), run)
    path = runs.newest_checkpoint(run)
    there, params = arrays(run), json.loads((run / "params.json").read_text())
    if kind == "nan":
        name = next(name for name in there if name.startswith("state/average/generator/"))
        np.savez(path, **there | {name: np.full_like(there[name], np.nan)})
    else:
        (run / "params.json").write_text(json.dumps(params | {"labels": {"other": 3}}))
    words = ["generate", "--pretrained_gen", str(run), "--data_dir", str(home / "data"), "--save_syn_dataset", kind]
    assert main.main(words) == 2
    message = {"nan": "holds what is no number", "labels": "params.json is damaged: labels has no number of synthetic"}
    assert message[kind] in capsys.readouterr().err.splitlines()[-1] and not (home / "data" / kind).exists()


def test_an_export_of_weights_that_was_interrupted_is_done_again(home, tmp_path, monkeypatch, untraced):
    words = ["export", "--log_dir", str(home), "--pretrained_gen", str(only_run(home / "float32"))]
    words += ["--export_format", "weights", "--export_dir", str(tmp_path / "small")]
    with monkeypatch.context() as disk:
        disk.setattr(json, "dump", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSPC, "no space")))
        assert main.main(words) == 2
    assert main.main(words) == 0
    assert runs.read_params(tmp_path / "small")["system"] == "facegan"


def test_adams_slots_are_named_by_what_they_belong_to(home):
    saved = arrays(only_run(home / "float32"))
    assert int(saved["format"]) == 2
    for name in [name for name in saved if name.startswith("optimizer/generator/momentum/")]:
        assert saved[name].shape == saved[name.removeprefix("optimizer/generator/momentum/")].shape
    assert int(saved["optimizer/generator/iteration"]) == 1


def test_a_run_of_the_first_format_goes_on_the_same(home, tmp_path, untraced):
    """Named by place, without a number, as earlier versions wrote it: two steps give what the new format gives."""
    run = only_run(home / "float32")
    old = tmp_path / "old" / "checkpoints"
    old.mkdir(parents=True)
    (tmp_path / "old" / "params.json").write_text(json.dumps(runs.read_params(run)))
    saved = arrays(run)
    first = {name: array for name, array in saved.items() if not name.startswith("optimizer/") and name != "format"}
    for group in ("generator", "generator_back", "discriminators"):
        slots = {name: array for name, array in saved.items() if name.startswith(f"optimizer/{group}/")}
        kinds = [[array for name, array in slots.items() if f"/{kind}/" in name] for kind in ("momentum", "velocity")]
        pairs = zip(*kinds, strict=True)
        placed = [slots[f"optimizer/{group}/iteration"], *(array for pair in pairs for array in pair)]
        first |= {f"optimizer/{group}/{place:04d}": array for place, array in enumerate(placed)}
    np.savez(old / "step-000000001.npz", **first)
    for name, start in (("new", run), ("from_old", tmp_path / "old")):
        words = ["train", "--load_path", str(start), "--log_dir", str(tmp_path / name), "--max_step", "2"]
        assert main.main(words) == 0
    new, from_old = arrays(only_run(tmp_path / "new")), arrays(only_run(tmp_path / "from_old"))
    assert new.keys() == from_old.keys()
    for name, array in new.items():
        np.testing.assert_array_equal(array, from_old[name], err_msg=name)


def test_broken_weights_are_not_saved(home, tmp_path, untraced):
    """A loss is checked in the next step only: what one update breaks must not become the newest checkpoint."""
    words = ["generate", "--pretrained_gen", str(only_run(home / "float32"))]
    system = load_system(command_line.parse(words, main.JOBS)[1]).system
    kernel = system.networks["generator"].weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(UserError, match=r"^generator/\S+ is not finite after step 5: stopped, and not saved"):
        checkpoint.save(system, tmp_path, 5)
    assert not list(tmp_path.rglob("*.npz"))
