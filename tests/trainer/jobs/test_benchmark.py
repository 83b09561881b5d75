"""benchmark through main.py: its last line is one JSON object; its numbers by hand, from a clock that is set."""

import itertools
import json
from collections import Counter
from types import SimpleNamespace

import pytest

import main
from tests.small import NETWORKS, make_data
from trainer.benchmark import machine, measure
from trainer.systems import SYSTEMS

NO_IDENTITY = ("--method_c", "none")


@pytest.fixture(autouse=True)
def small_peak(monkeypatch):
    """The peak of a small product, looked for briefly."""
    monkeypatch.setattr(machine, "SIDES", {"CPU": 256, "GPU": 256})
    monkeypatch.setattr(machine, "PEAK_SECONDS", 0.0)


@pytest.fixture
def clock(monkeypatch):
    """A function that sets what calls will be said to have taken, in seconds; each is called all the same."""

    def set_to(*seconds):
        left = iter(seconds)
        monkeypatch.setattr(machine, "timed", lambda call: (call(), next(left))[1])

    return set_to


@pytest.fixture
def toy(monkeypatch):
    """The flags of a system that is traced in no time."""
    monkeypatch.setitem(SYSTEMS, "toy", "tests.trainer.systems.toy:Toy")
    return "--system", "toy"


def benchmark(capsys, *flags):
    """The JSON of the last line."""
    networks = ["--batch_size", "2"] if "recognizer" in flags else NETWORKS
    assert main.main(["benchmark", *networks, *map(str, flags)]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def check_seconds(found):
    assert set(found) == {"median", "mean", "min", "max"}
    assert 0 < found["min"] <= found["median"] <= found["max"]


@pytest.mark.slow  # a page's command times one too
def test_training(capsys):
    found = benchmark(capsys, *NO_IDENTITY, "--steps", 3)
    check_seconds(found["train_step_s"])
    assert (found["what"], found["system"], found["dtype"]) == ("train", "facegan", "float32")
    assert 1e6 < found["flops_per_step"] < 1e9
    assert min(found["matmul_peaks"].values()) > 1e8
    assert found["trace_s"] > 10 * found["train_step_s"]["min"]  # the first call, which traces, is not among the steps
    assert 1e8 < found["peak_memory_bytes"]["resident"] < 1e11
    assert found["device"] and found["processors"] >= 1 and found["versions"]["tensorflow"]
    told = {"batch_size": 2, "input_scale_size": 16, "conv_hidden_num": 4, "method_c": "none"}
    assert {name: found["flags"][name] for name in told} == told


def test_what_training_says_by_hand(toy, clock, monkeypatch, capsys):
    """Traced in 7 s, first step 1 s, then 0.5, 0.25 and 1 s: the median is 0.5 s for two images and 3.5 GFLOP."""
    peaks = iter((1e10, 1.4e10))
    clock(7.0, 1.0, 0.5, 0.25, 1.0)
    monkeypatch.setattr(machine, "matmul_peak", lambda dtype: next(peaks) if dtype == "float32" else 0.0)
    monkeypatch.setattr(measure, "count_flops", lambda _: Counter(float16=5e8, float32=3e9))
    found = benchmark(capsys, *toy, "--steps", 3)
    assert found["train_step_s"] == {"median": 0.5, "mean": pytest.approx(1.75 / 3), "min": 0.25, "max": 1.0}
    assert (found["images_per_s"], found["trace_s"]) == (4.0, 8.0)
    assert (found["dtype"], found["flops_per_step"], found["flops_per_s"]) == ("float32", 3.5e9, 7e9)
    assert found["matmul_peaks"] == {"before": 1e10, "after": 1.4e10}
    assert (found["matmul_peak_flops_per_s"], found["share_of_peak"]) == (1.4e10, 0.5)


def test_what_generating_says_by_hand(toy, clock, capsys):
    clock(3.0, 0.5, 0.25, 1.0, 2.0, 0.1, 0.3, 0.2)  # with scores, then images alone; the first call of each traces
    found = benchmark(capsys, *toy, "--what", "generate", "--steps", 3)
    assert found["trace_s"] == {"scores": 3.0, "images": 2.0}
    assert found["generate_s"]["images"] == {"median": 0.2, "mean": pytest.approx(0.2), "min": 0.1, "max": 0.3}
    assert found["images_per_s"] == {"scores": 4.0, "images": 10.0}


def test_the_peak_is_the_best_call(clock):
    clock(4e-3, 2e-3, 8e-3, 4e-3, 4e-3)
    assert machine.matmul_peak("float32") == 2 * 256**3 / 2e-3


def test_a_call_is_timed_from_its_start_to_its_end(monkeypatch):
    now = iter((10.0, 12.5))
    monkeypatch.setattr(machine, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    assert machine.timed(lambda: None) == 2.5


def test_identity_network_needs_no_weights(capsys, tmp_path):
    found = benchmark(capsys, "--what", "generate", "--steps", 1, "--asset_dir", tmp_path / "nothing")
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
        assert found["trace_s"][name] > 5 * seconds["min"]
    assert set(found["generate_s"]) == set(found["images_per_s"]) == {"scores", "images"}


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("made_up", [True, False])
def test_reading_real_folders_or_made_up_ones(made_up, pairs, capsys, tmp_path, monkeypatch):
    """The clock moves by half a second a look, so that five batches are read in the 3 s."""
    ticks = itertools.count(0.0, 0.5)
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    data = make_data(tmp_path / "data")
    before = sorted(data.rglob("*"))
    named = ["--data_dir", data, "--dataset", "real", "--syn_dataset", "syn", "--asset_dir", tmp_path / "cache"]
    flags = [*([] if made_up else named), *([] if pairs else ["--dataset_3dmm", ""])]
    if pairs and not made_up:
        flags += ["--dataset_3dmm", "paired"]
    found = benchmark(capsys, "--what", "pipeline", *flags)
    assert found["made_up"] == made_up
    assert (found["seconds"], found["batches_per_s"], found["images_per_s"]) == (3.0, 5 / 3, 10 / 3)
    assert sorted(data.rglob("*")) == before


@pytest.mark.slow
def test_rendering(capsys):
    found = benchmark(capsys, "--what", "render", "--steps", 3, "--images_per_id", 2)
    check_seconds(found["render_s"])
    assert found["first_s"] > found["render_s"]["min"]


@pytest.mark.slow
def test_what_rendering_says_by_hand(clock, capsys):
    clock(5.0, 1.0, 2.0, 1.0)
    found = benchmark(capsys, "--what", "render", "--steps", 3, "--images_per_id", 2)
    assert (found["first_s"], found["images_per_s"]) == (5.0, 0.75)
    assert found["render_s"] == {"median": 1.0, "mean": pytest.approx(4 / 3), "min": 1.0, "max": 2.0}


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
