"""benchmark through main.py: its last line is one JSON object whose numbers fit together."""

import json

import pytest

import main
from tests.small import NETWORKS, make_data

NO_IDENTITY = ("--method_c", "none")


def benchmark(capsys, *flags):
    """The JSON of the last line."""
    networks = ["--batch_size", "2"] if "recognizer" in flags else NETWORKS
    assert main.main(["benchmark", *networks, *map(str, flags)]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def check_seconds(found):
    assert set(found) == {"median", "min", "max"}
    assert 0 < found["min"] <= found["median"] <= found["max"]


def test_training(capsys):
    found = benchmark(capsys, *NO_IDENTITY, "--steps", 3)
    check_seconds(found["train_step_s"])
    median = found["train_step_s"]["median"]
    assert (found["what"], found["system"], found["dtype"]) == ("train", "facegan", "float32")
    assert found["images_per_s"] == 2 / median
    assert found["flops_per_s"] == found["flops_per_step"] / median
    assert found["matmul_peak_flops_per_s"] == max(found["matmul_peaks"].values()) > 1e8
    assert 0 < found["share_of_peak"] == found["flops_per_s"] / found["matmul_peak_flops_per_s"]
    assert found["trace_s"] > 10 * found["train_step_s"]["min"]  # the first call, which traces, is not among the steps
    assert 1e8 < found["peak_memory_bytes"]["resident"] < 1e11
    assert found["device"] and found["processors"] >= 1 and found["versions"]["tensorflow"]
    told = {"batch_size": 2, "input_scale_size": 16, "conv_hidden_num": 4, "method_c": "none"}
    assert {name: found["flags"][name] for name in told} == told


def test_identity_network_needs_no_weights(capsys, tmp_path):
    found = benchmark(capsys, "--steps", 1, "--asset_dir", tmp_path / "nothing")
    assert found["flags"]["method_c"] == "magnet" and found["flags"]["model_def"] == "models.dlib_resnet"
    assert not (tmp_path / "nothing").exists()


def test_recognizer(capsys):
    found = benchmark(capsys, "--system", "recognizer", "--recognizer", "light_cnn9", "--image_size", 16, "--steps", 1)
    check_seconds(found["train_step_s"])
    assert found["flops_per_step"] > 0


def test_generating(capsys):
    found = benchmark(capsys, "--what", "generate", *NO_IDENTITY, "--steps", 3)
    for name, seconds in found["generate_s"].items():
        check_seconds(seconds)
        assert found["images_per_s"][name] == 2 / seconds["median"]
    assert "scores" in found["generate_s"]


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("made_up", [True, False])
def test_reading_real_folders_or_made_up_ones(made_up, pairs, capsys, tmp_path):
    data = make_data(tmp_path / "data")
    before = sorted(data.rglob("*"))
    named = ["--data_dir", data, "--dataset", "real", "--syn_dataset", "syn", "--asset_dir", tmp_path / "cache"]
    flags = [*([] if made_up else named), *([] if pairs else ["--dataset_3dmm", ""])]
    if pairs and not made_up:
        flags += ["--dataset_3dmm", "paired"]
    found = benchmark(capsys, "--what", "pipeline", *flags)
    assert found["made_up"] == made_up
    assert found["images_per_s"] == 2 * found["batches_per_s"] > 0
    assert found["seconds"] >= 3
    assert sorted(data.rglob("*")) == before


def test_rendering(capsys):
    found = benchmark(capsys, "--what", "render", "--steps", 3, "--images_per_id", 2)
    check_seconds(found["render_s"])
    assert found["first_s"] > found["render_s"]["min"]
    assert found["images_per_s"] > 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--system", "recognizer", "--what", "generate"], "--what generate: --system recognizer generates nothing"),
        (["--what", "everything"], "--what=everything: value should be one of <train|generate|pipeline|render>"),
        (["--steps", "0"], "--steps=0"),
        (["--what", "pipeline", "--data_dir", "nowhere"], "--dataset"),
    ],
)
def test_a_mistake_is_one_line(flags, message, capsys):
    assert main.main(["benchmark", "--batch_size", "2", *flags]) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1


def test_train_refuses_the_recognizer(capsys):
    assert main.main(["train", "--system", "recognizer"]) == 2
    assert "the job train_recognizer trains it" in capsys.readouterr().err
