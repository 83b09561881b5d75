"""The published FaceGAN's TF1 checkpoints, through the jobs generate and test."""

import json

import numpy as np
import pytest
from PIL import Image

import main
from tests.small import face
from tests.trainer.tf1 import AVERAGE, write_tf1
from trainer.published import facegan as published_facegan
from trainer.systems.facegan import FaceGan
from utils import command_line
from utils.images import grid, to_uint8

pytestmark = pytest.mark.usefixtures("untraced")
WIDTHS = "--conv_hidden_num 8 --conv_hidden_num_back 6 --conv_hidden_num_res 4 --num_res_rep 2 --z_num 5".split()


def parse(*words):
    return command_line.parse(list(map(str, words)), main.JOBS)[1]


@pytest.fixture(scope="module")
def published():
    """A small FaceGAN with random weights, and {TF1 name: array} of a checkpoint whose averages these weights are."""
    system = FaceGan(parse("train", "--method_c", "none", *WIDTHS), {"synthetic": 1})
    rng = np.random.default_rng(0)
    arrays = {}
    for name, variable in published_facegan.names(system).items():
        variable.assign(rng.normal(0, 0.1, variable.shape))
        if name.startswith("k_t"):
            arrays[name] = np.float32(0.25)
            continue
        arrays[name + AVERAGE] = variable.numpy()
        arrays[name] = rng.normal(0, 0.1, variable.shape)
        arrays |= {f"{name}/{slot}": np.zeros(variable.shape) for slot in ("Adam", "Adam_1")}
    others = ("g_lr", "d_lr", "ren_lr", "reg_lr", "lambda_c", *(name + AVERAGE for name in ("g_lr", "lambda_c")))
    arrays |= {name: np.float32(1) for name in (*others, "beta1_power", "beta2_power_2")} | {"step": np.int32(3)}
    arrays |= {"Logits/weights": np.zeros((8, 3)), "Logits/biases" + AVERAGE: np.zeros(3)}
    arrays |= {"InceptionResnetV1/Bottleneck/weights": np.zeros((4, 8)), "centroids/centers": np.zeros((3, 8))}
    return system, arrays


@pytest.fixture
def renders(tmp_path):
    (tmp_path / "S" / "1").mkdir(parents=True)
    for number in range(2):
        Image.fromarray(face(number, 64)).save(tmp_path / "S" / "1" / f"{number}.png")
    return tmp_path / "S"


def generate(tmp_path, prefix, *more):
    words = f"generate --data_dir {tmp_path} --syn_dataset S --save_syn_dataset OUT --image_format png".split()
    return main.main([*words, "--log_dir", str(tmp_path), "--pretrained_gen", str(prefix), *more])


def test_names_and_shapes_of_the_published_checkpoint(published):
    """As they stand in a checkpoint that the published code wrote."""
    _, arrays = published
    shapes = {
        "G_inf/c7s1_32/weights": (7, 7, 3, 4),
        "G_inf/R16_2/layer2/weights2": (3, 3, 16, 16),
        "G_inf/R16_1/layer1/instance_norm/offset": (16,),
        "G_inf/u32/weights": (3, 3, 4, 16),
        "G_inv/u32/weights": (3, 3, 4, 8),
        "G_inv/output/weights": (7, 7, 4, 3),
        "D_forw/fully_connected/weights": (8 * 8 * 8 * 4, 5),
        "D_back/fully_connected_1/biases": (8 * 8 * 6,),
        "D_back/Conv/weights": (3, 3, 3, 6),
    }
    assert {name: arrays[name].shape for name in shapes} == shapes


@pytest.mark.parametrize("kind", ["averages over raw", "averages only", "raw only, no k_t"])
def test_generates_with_widths_from_the_shapes(published, renders, tmp_path, kind):
    system, arrays = published
    if kind == "averages only":
        arrays = {name: array for name, array in arrays.items() if name.endswith(AVERAGE) or name.startswith("k_t")}
    if kind == "raw only, no k_t":
        arrays = {name.removesuffix(AVERAGE): array for name, array in arrays.items() if name.endswith(AVERAGE)}
    (tmp_path / "weights").mkdir()
    write_tf1(tmp_path / "weights" / "model.ckpt-2", {"step": np.int32(2)})
    write_tf1(tmp_path / "weights" / "model.ckpt-13", arrays)
    where = {"averages over raw": "weights/model.ckpt-13", "averages only": "weights/model.ckpt"}.get(kind, "weights")
    assert generate(tmp_path, tmp_path / where) == 0
    images = np.stack([face(number, 64) for number in range(2)]).astype(np.float32) / 127.5 - 1
    expected = system.generate({"synthetic": images})
    got = np.stack([np.asarray(Image.open(tmp_path / "OUT" / "1" / f"{number}.png")) for number in range(2)])
    assert np.abs(got.astype(int) - to_uint8(expected["image"].numpy())).max() <= 1
    rows = (tmp_path / "OUT" / "confidence_scores.csv").read_text().splitlines()[1:]
    for row, d_score, s_score in zip(rows, expected["d_score"], expected["s_score"], strict=True):
        np.testing.assert_allclose([float(value) for value in row.split(",")[2:4]], [d_score, s_score], rtol=1e-4)
        assert row.endswith(",")  # no identity score: the centroids of the published code count from 1
    run = json.loads((tmp_path / "OUT" / "run.json").read_text())
    assert len(run["settings"]["checkpoint_sha256"]) == 2 and run["flags"]["num_res_rep"] == 2


def test_every_weight_that_does_not_fit_is_listed(published, renders, tmp_path, capsys):
    _, arrays = published
    arrays = dict(arrays)
    for suffix in ("", AVERAGE):
        del arrays["D_back/Conv_3/biases" + suffix]
        arrays["G_inv/d64/weights" + suffix] = np.zeros((3, 3, 4, 9))
    arrays["G_inf/R16_7/instance_norm/scale" + AVERAGE] = np.zeros(16)
    arrays["stranger"] = np.zeros(2)
    write_tf1(tmp_path / "bad", arrays)
    assert generate(tmp_path, tmp_path / "bad") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.count(";") == 3
    assert "missing D_back/Conv_3/biases [6]" in line
    assert "G_inv/d64/weights/ExponentialMovingAverage is [3, 3, 4, 9] there and [3, 3, 4, 8] here" in line
    assert "left over G_inf/R16_7/instance_norm/scale/ExponentialMovingAverage [16]" in line
    assert "left over stranger [2]" in line
    assert not (tmp_path / "OUT").exists()


def test_bad_checkpoints(published, renders, tmp_path, capsys):
    write_tf1(tmp_path / "other", {"global_step": np.int32(0)})
    write_tf1(tmp_path / "good", published[1])
    flat = {f"D_forw/Conv/weights{suffix}": np.zeros(3) for suffix in ("", AVERAGE)}
    write_tf1(tmp_path / "flat", published[1] | flat)
    (tmp_path / "cut.index").write_bytes((tmp_path / "good.index").read_bytes()[:100])
    for prefix, flags, message in (
        ("other", [], "is no checkpoint of the published FaceGAN: no "),
        ("flat", [], "other shapes"),
        ("cut", [], "cannot read a TF1 checkpoint"),
        ("good", ["--conv_hidden_num_res", "32"], "--conv_hidden_num_res 32: "),
        ("good", ["--input_scale_size", "108"], "--input_scale_size 108: "),
    ):
        assert generate(tmp_path, tmp_path / prefix, *flags) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line and str(tmp_path / prefix) in line


def test_test_makes_a_run_folder_for_published_weights(published, renders, tmp_path):
    write_tf1(tmp_path / "good", published[1])
    words = f"test --data_dir {tmp_path} --syn_dataset S --num_log_samples 2 --log_dir {tmp_path / 'L'}".split()
    assert main.main([*words, "--pretrained_gen", str(tmp_path / "good")]) == 0
    (run,) = (tmp_path / "L").iterdir()
    assert {path.name for path in run.iterdir()} == {"params.json", "syn_fixed.png", "test_G.png"}
    images = np.stack([face(number, 64) for number in range(2)]).astype(np.float32) / 127.5 - 1
    expected = grid(published[0].generate({"synthetic": images})["image"].numpy(), 2)
    assert np.abs(np.asarray(Image.open(run / "test_G.png")).astype(int) - expected).max() <= 1
