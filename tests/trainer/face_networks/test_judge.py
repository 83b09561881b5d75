"""Who judges: FaceNet where the identity loss looked through dlib's network, else dlib's; and FaceNet in that loss."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import main
from data_loader import assets, chips
from data_loader.face_places import FIXED, place
from data_loader.manifest import Manifest
from tests.small import face, make_data, only_run, train_words
from tests.trainer import keras2
from tests.trainer.face_networks.test_embedding import mean_colour_network, options
from trainer.face_networks.identity_loss import judge_of, told
from trainer.face_networks.judge import open_judge
from trainer.face_networks.network import open_face_network
from trainer.face_networks.table import DLIB, FACENET
from trainer.published import keras_facenet
from trainer.published.arrays import named_weights
from trainer.published.keras_facenet import FILE
from trainer.systems import system_class
from trainer.systems.identity import IdentityLoss
from utils import command_line
from utils.errors import UserError

DLIBS = {"method_c": "magnet", "model_def": "models.dlib_resnet"}
FACENETS = {"method_c": "magnet", "model_def": "models.facenet_keras"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """An asset folder with dlib's models and, in place of the pinned FaceNet, one with made-up weights."""
    folder = tmp_path_factory.mktemp("cache")
    fetched = assets.fetch("dlib_models", "~/.cache/facegan")
    for path in (fetched, fetched.with_name(f"{fetched.name}.sha256")):
        (folder / path.name).symlink_to(path)
    asset = assets.ASSETS["facenet"]
    there = folder / f"facenet-{asset.version}"
    there.mkdir()
    keras2.write(there / FILE, seed=1)
    content = hashlib.sha256(Manifest(there).text().encode()).hexdigest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(assets.ASSETS, "facenet", replace(asset, content=content))
        yield folder
    (there / FILE).unlink()  # 91 MB


@pytest.mark.parametrize(
    ("training", "looked", "judge"),
    [
        (DLIBS, "dlib's ResNet", "models.facenet_keras"),
        (FACENETS, "FaceNet Inception-ResNet-v1", "models.dlib_resnet"),
        (DLIBS | {"model_def": "models.nn4"}, "FaceNet NN4", "models.dlib_resnet"),
        (DLIBS | {"method_c": "none"}, "none", "models.dlib_resnet"),
        ({"lambda_id": 0.0, "model_def": "models.dlib_resnet", "people_start": "random"}, "none", "models.dlib_resnet"),
        ({"lambda_id": 0.0, "model_def": "models.dlib_resnet", "people_start": "features"}, "dlib's ResNet",
         "models.facenet_keras"),
        (DLIBS | {"model_def": "models.of_tomorrow"}, "models.of_tomorrow", "models.dlib_resnet"),
        (None, "not known", "models.dlib_resnet"),
        (DLIBS | {"method_c": "none", "networks_before": [DLIB]},
         "none; of the weights that it began with: dlib's ResNet", FACENET),
        (DLIBS | {"networks_before": [DLIB, FACENET]},  # of both the one that it looked through longer ago
         "dlib's ResNet; of the weights that it began with: dlib's ResNet, FaceNet Inception-ResNet-v1", FACENET),
        (FACENETS | {"networks_before": [DLIB]},
         "FaceNet Inception-ResNet-v1; of the weights that it began with: dlib's ResNet", DLIB),
    ],
)
def test_nobody_marks_his_own_work(training, looked, judge):
    assert (told(training), judge_of(training)) == (looked, judge)


@pytest.mark.parametrize("before", ["models.dlib_resnet", 5, True, {"a": 1}, [["a"]]])
def test_networks_before_that_are_no_list_are_one_line(before):
    with pytest.raises(UserError, match="networks_before of params.json or run.json: .* is no list of face networks"):
        judge_of(DLIBS | {"networks_before": before})


def looked_through(flags):
    return system_class("facegan").looked_through(vars(flags))


@pytest.mark.slow
def test_a_training_gets_the_other_network(cache, capsys):
    for words, name in (([], f"FaceNet Inception-ResNet-v1 ({FILE})"), (["--method_c", "none"], "dlib's ResNet"),
                        (["--model_def", "models.facenet_keras"], "dlib's ResNet")):  # fmt: skip
        flags = command_line.parse(["train", "--asset_dir", str(cache), *words], main.JOBS)[1]
        assert open_judge(flags, looked_through(flags)).name == name
    own = ["--pretrained_rec", "gone/model", "--embedding_size", "64", "--use_fixed_image_standardization"]
    flags = command_line.parse(["train", "--asset_dir", str(cache), *own], main.JOBS)[1]
    # What the command line says of the network of the training is not said of the judge.
    judge = open_judge(flags, looked_through(flags))
    assert open_judge(flags, looked_through(flags) | {"model_def": "models.facenet_keras"}).name == "dlib's ResNet"
    assert judge.name.startswith("FaceNet") and (judge.size, judge.alignment, judge.unit_length) == (160, "chip", True)


def generated(folder, training):
    """A finished generated folder of two identities."""
    for identity in range(2):
        (folder / f"{identity}").mkdir(parents=True, exist_ok=True)
        for image in range(2):
            pixels = Image.fromarray(face(10 * identity, 32)).rotate(15 * image)
            pixels.save(folder / f"{identity}" / f"{image}.png")
    (folder / "confidence_scores.csv").write_text(
        "path,identity,d_score\n" + "".join(f"{i}/{j}.png,{i},0.5\n" for i in range(2) for j in range(2)))
    (folder / "run.json").write_text(json.dumps({"finished": True, "inputs": {"folder": ""}} | training))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("training", "words", "judge", "looked"),
    [
        ({"trained_with": DLIBS}, [], FILE, "dlib's ResNet"),
        ({"trained_with": FACENETS}, [], "dlib's ResNet", "FaceNet Inception-ResNet-v1"),
        ({"flags": DLIBS, "trained_on": {"dataset": "x"}}, [], FILE, "dlib's ResNet"),  # of an earlier version
        ({"flags": DLIBS, "trained_on": None}, [], "dlib's ResNet", "not known"),  # the same, of a TF1 checkpoint
        ({"trained_with": DLIBS}, ["--model_def", "models.dlib_resnet"], "dlib's ResNet", "dlib's ResNet"),
        ({"trained_with": DLIBS}, ["--model_def", "models.facenet_keras"], FILE, "dlib's ResNet"),
    ],
)
def test_evaluate_judges_by_the_other_and_says_which(training, words, judge, looked, cache, tmp_path, capsys):
    generated(tmp_path / "made", training)
    command = ["evaluate", "--data_dir", tmp_path, "--save_syn_dataset", "made", "--report_dir", tmp_path / "report",
               "--asset_dir", cache, "--align", "none", *words]  # fmt: skip
    assert main.main(list(map(str, command))) == 0
    said = capsys.readouterr()
    settings = json.loads((tmp_path / "report" / "evaluation.json").read_text())["settings"]
    assert judge in settings["face network"] and f"face network: {settings['face network']}" in said.out
    assert settings["identity loss of the generated images, through"] == looked
    page = (tmp_path / "report" / "report.html").read_text()
    assert "identity loss of the generated images, through" in page
    assert ("looked through dlib's ResNet too" in said.err) == (judge == looked)


@pytest.mark.slow
def test_what_a_keras_file_is_opened_as(cache, tmp_path, capsys):
    path = cache / "facenet-0.0.9" / FILE
    opened = open_face_network(options("--pretrained_rec", path))
    assert (opened.size, opened.alignment, opened.unit_length) == (160, "chip", True)
    assert opened.model_def == "models.facenet_keras" and FILE in capsys.readouterr().out
    images = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), np.uint8)
    levels = images.astype(np.float32)
    standard = (levels - levels.mean(axis=(1, 2, 3), keepdims=True)) / levels.std(axis=(1, 2, 3), keepdims=True)
    codes = keras2.run(path, standard)
    np.testing.assert_allclose(
        opened.embed(images), codes / np.linalg.norm(codes, axis=1, keepdims=True), atol=1e-4)
    for words, message in (
        (["--model_def", "models.nn4"], f"{FILE} holds another network; give --model_def models.facenet_keras"),
        (["--embedding_size", "64"], f"--embedding_size 64: {FILE} has 128 numbers"),
    ):
        with pytest.raises(UserError, match=message):
            open_face_network(options("--pretrained_rec", path, *words))
    for name in ("gone.h5", "run"):
        with pytest.raises(UserError, match=f"cannot read FaceNet's Keras file .*{name}"):
            open_face_network(options("--model_def", "models.facenet_keras", "--pretrained_rec", tmp_path / name))


def test_faces_in_a_batch_are_cut_as_those_of_a_folder():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 8, 8, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    places = np.float32([[0.4, 0.5, 0.7, 0.1], [0.6, 0.4, 0.6, 0.0]] * 20)
    for alignment in ("chip", "square"):
        network = mean_colour_network(alignment, 40)
        found = network.embed_at(images, places)
        expected = network.embed(np.stack([chips.cut(image, place * 64, 40)
                                           for image, place in zip(images, places, strict=True)]))  # fmt: skip
        assert -1e-4 < (found - expected).min() and (found - expected).max() < 1.01 / 127.5  # dlib rounds down
        np.testing.assert_allclose(network.embed_at(images / np.float32(127.5) - 1, places), found, atol=1e-5)
    for alignment, fixed in FIXED.items():
        known, unknown = (mean_colour_network(alignment, 40).embed_at(images[:1], [where])
                          for where in (fixed, [np.nan] * 4))  # fmt: skip
        np.testing.assert_array_equal(known, unknown)
        place(np.random.default_rng(1).uniform(0, 64, (68, 2)), alignment, 64, 64)  # it is an alignment
    whole = mean_colour_network("none", 64).embed_at(images, places)
    np.testing.assert_allclose(whole, mean_colour_network("none", 64).embed(images), atol=1e-6)


@pytest.mark.slow  # dlib's network is shown its chips in test_facegan
def test_the_identity_loss_shows_facenet_what_a_judge_shows_it(cache):
    own = ["--asset_dir", str(cache), "--model_def", "models.facenet_keras"]
    loss = IdentityLoss(command_line.parse(["train", *own], main.JOBS)[1], 2)
    judge = open_face_network(options(*own))
    images = tf.random.stateless_uniform([2, 64, 64, 3], [0, 1], -1.0, 1.0)
    places = tf.constant([[0.4, 0.5, 0.7, 0.1], chips.FIXED])
    keras_facenet.load_keras_facenet(loss.network, cache / "facenet-0.0.9" / FILE)
    codes = tf.math.l2_normalize(loss.embed(images, None, places), axis=1).numpy()
    np.testing.assert_allclose(codes, judge.embed_at(images, places), atol=1e-4)


@pytest.mark.slow
def test_a_training_by_facenet_is_told_to_whoever_comes_after(cache, tmp_path, untraced, capsys):
    """From a file: the network in the loss is that of the file; then in run.json, on the card, in exported weights."""
    data, logs = make_data(tmp_path / "data", identities=2, images=2), tmp_path / "logs"
    file = cache / "facenet-0.0.9" / FILE
    words = [word for word in train_words(data, logs) if word not in ("--method_c", "none")]
    words[words.index("--asset_dir") + 1] = str(cache)
    assert main.main([*words, "--max_step", "1", "--pretrained_rec", str(file)]) == 0
    run = only_run(logs)
    params = json.loads((run / "params.json").read_text())
    assert (params["model_def"], params["embedding_size"]) == ("models.facenet_keras", 128)
    with np.load(next(run.glob("checkpoints/*.npz"))) as saved:
        network = open_face_network(options("--pretrained_rec", file)).network
        for name, weight in named_weights("identity_network", network).items():
            np.testing.assert_array_equal(saved[name], weight)  # frozen
        assert np.abs(saved["state/identity/centroids"]).sum() > 0

    weights = tmp_path / "weights"
    start = ["--log_dir", str(logs), "--data_dir", str(data), "--syn_dataset", "syn"]
    made = ["export", *start[:2], "--export_format", "weights", "--export_dir", str(weights)]
    assert main.main([*made, "--pretrained_gen", str(run)]) == 0
    for name, source in (("whole", run), ("small", weights)):
        words = [*start, "--pretrained_gen", str(source), "--scores", "none", "--save_syn_dataset", name]
        assert main.main(["generate", *words]) == 0
        told_there = json.loads((data / name / "run.json").read_text())["trained_with"]
        assert told_there["method_c"] == "magnet" and told_there["model_def"] == "models.facenet_keras"
        card = (data / name / "README.md").read_text()
        assert "- identity loss through: FaceNet Inception-ResNet-v1; `evaluate` judges by dlib's ResNet" in card
    assert str(Path(tmp_path)) not in (weights / "params.json").read_text()
