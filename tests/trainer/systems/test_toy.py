"""A system of its own, in the tests alone, goes through every job without a line changed elsewhere."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

import main
from tests.small import LOGS, NETWORKS, make_data
from trainer.benchmark import machine, measure
from trainer.systems import SYSTEMS


@pytest.fixture(scope="module")
def toy():
    SYSTEMS["toy"] = "tests.trainer.systems.toy:Toy"
    yield
    del SYSTEMS["toy"]


@pytest.fixture(scope="module")
def home(toy, tmp_path_factory):
    """data/, and a run of four steps below logs/."""
    folder = tmp_path_factory.mktemp("toy")
    make_data(folder / "data")
    assert train(folder, "straight", "--max_step", "4") == 0
    return folder


def train(folder, logs, *words):
    where = ["--data_dir", folder / "data", "--log_dir", folder / logs, "--asset_dir", folder / "cache"]
    named = ["--system", "toy", "--dataset", "syn", *NETWORKS, *LOGS, *words]
    return main.main(["train", *map(str, where), *map(str, named)])


def newest(logs):
    return max(logs.glob("*/checkpoints/*.npz"), key=lambda path: path.stat().st_mtime_ns)


def arrays(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def test_trains_and_resumes_bit_by_bit(home):
    assert train(home, "parts", "--max_step", "2") == 0
    logs = str(home / "parts")
    assert main.main(["train", "--load_path", logs, "--log_dir", logs, "--max_step", "4"]) == 0
    straight, resumed = (arrays(newest(home / name)) for name in ("straight", "parts"))
    assert straight.keys() == resumed.keys() and int(straight["state/step"]) == 4
    for name, array in straight.items():
        np.testing.assert_array_equal(array, resumed[name], err_msg=name)
    (run,) = (home / "straight").iterdir()
    assert {"0_G.png", "4_G.png", "params.json"} <= {path.name for path in run.iterdir()}
    assert not (run / "syn_fixed.png").exists()  # what its images are made of is no image
    assert json.loads((run / "params.json").read_text())["labels"] == {"photographs": 3}


def test_generates_a_labelled_data_set(home):
    words = ["generate", "--log_dir", str(home / "straight"), "--pretrained_gen", str(home / "straight")]
    words += ["--image_format", "png"]
    for folder in ("made", "again"):
        assert main.main([*words, "--save_syn_dataset", folder]) == 0
    made, again = home / "data" / "made", home / "data" / "again"
    with open(made / "confidence_scores.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["identity"] for row in rows] == ["00001"] * 3 + ["00002"] * 3 + ["00003"] * 3
    for row in rows:
        assert (made / row["path"]).read_bytes() == (again / row["path"]).read_bytes()
        assert np.isfinite(float(row["brightness"]))
    card = (made / "README.md").read_text()
    assert "`brightness`: mean of the image; high is good" in card and "Each is made of a label." in card
    brightest = sorted(rows, key=lambda row: -float(row["brightness"]))[:3]
    words = ["filter", "--data_dir", str(home / "data"), "--save_syn_dataset", "made", "--save_filtered", "kept"]
    assert main.main([*words, "--score_percentiles", "brightness=25"]) == 0
    kept = {str(path.relative_to(home / "data" / "kept")) for path in (home / "data" / "kept").rglob("*.png")}
    assert kept == {row["path"] for row in brightest}


def test_exports_with_its_own_arguments(home):
    words = ["--log_dir", str(home / "straight"), "--pretrained_gen", str(home / "straight")]
    assert main.main(["export", *words, "--export_dir", str(home / "served")]) == 0
    model = tf.saved_model.load(str(home / "served" / "1"))
    made = {name: model.signatures[name](label=tf.constant([0, 2]), seed=tf.constant([1, 2])) for name in
            ("serving_default", "uint8", "scores")}  # fmt: skip
    assert made["serving_default"]["generated"].shape == (2, 16, 16, 3) and made["uint8"]["generated"].dtype == tf.uint8
    assert made["scores"]["brightness"].shape == (2,)
    assert main.main(["export", *words, "--export_dir", str(home / "small"), "--export_format", "weights"]) == 0
    assert list((home / "small" / "checkpoints").glob("*.npz"))


def test_draws_its_grid_again(home, capsys):
    (run,) = (home / "straight").iterdir()
    assert main.main(["--is_train", "False", "--load_path", str(run), "--log_dir", str(home / "straight")]) == 0
    assert (run / "test_G.png").is_file() and "4 images" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["train", "generate", "pipeline"])
def test_is_benchmarked(toy, what, capsys, monkeypatch):
    monkeypatch.setattr(machine, "SIDES", {"CPU": 256, "GPU": 256})
    monkeypatch.setattr(machine, "PEAK_SECONDS", 0.0)
    monkeypatch.setattr(measure, "PIPELINE_SECONDS", 0.1)
    assert main.main(["benchmark", "--system", "toy", "--what", what, "--steps", "2", *NETWORKS]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["system"] == "toy" and found["versions"]["tensorflow"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit"], "--system toy makes nothing with the job fit"),
        (["generate", "--scores", "d"], "--scores d: 'd' is none of brightness; give some"),
        (["generate", "--input_scale_size", "32"], "--input_scale_size 32: "),
    ],
)
def test_what_it_does_not_do_is_one_line(home, words, message, capsys):
    where = ["--log_dir", str(home / "straight"), "--pretrained_gen", str(home / "straight")]
    assert main.main([*words, *where]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
