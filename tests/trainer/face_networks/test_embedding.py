"""Faces through a face network: cut as it was trained, by known landmarks or found ones."""

import dlib
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.metrics import roc_auc_score

from data_loader import assets, chips, five_points, folders
from data_loader.face_places import place
from data_loader.morphable.landmarks import Detector
from data_loader.morphable.parameters import LANDMARKS, csv_line, landmark_numbers
from main import JOBS
from tests.trainer.tf1 import write_tf1
from trainer.face_networks import embedding
from trainer.face_networks.embedding import embed_folder, embed_images
from trainer.face_networks.network import FaceNetwork, build_network, open_face_network
from trainer.published.dlib_import import FILE
from trainer.published.facenet import facenet_names_of
from utils import command_line
from utils.errors import UserError

PEOPLE = range(1, 11)  # of 40: 100 photographs


def options(*words):
    return command_line.parse(["evaluate", *map(str, words)], JOBS)[1]


def mean_colour_network(alignment, size=8, unit_length=False):
    """A face network that answers with the mean colour of what it is shown, -1...1."""
    return FaceNetwork("mean", lambda images: images, size, alignment, unit_length,
                       lambda images: tf.reduce_mean(images, axis=[1, 2]))


@pytest.fixture(scope="module")
def dlib_network():
    return open_face_network(options())


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """An index of AT&T photographs of some people."""
    folder = tmp_path_factory.mktemp("att")
    for person in PEOPLE:
        (folder / f"s{person}").symlink_to(assets.fetch("att_faces", "~/.cache/facegan") / f"s{person}")
    return folders.index_images(folder, folder.parent / "cache", labelled=True)


@pytest.fixture(scope="module")
def embedded(dlib_network, people):
    return embed_folder(dlib_network, people, options("--num_worker", 2))


def pair_auc(embeddings):
    features, labels = embeddings.features, embeddings.labels
    first, second = np.triu_indices(len(features), 1)
    distances = ((features[first] - features[second]) ** 2).sum(axis=1)
    return roc_auc_score(labels[first] == labels[second], -distances)


def test_photographs_are_embedded_as_dlib_embeds_them(embedded, people):
    assert len(embedded.features) == 100 and not embedded.failed
    assert embedded.labels.tolist() == people.labels.tolist() and embedded.paths[11] == "s2/2.pgm"
    models = assets.fetch("dlib_models", "~/.cache/facegan")
    detect, recognise = Detector(models), dlib.face_recognition_model_v1(str(models / FILE))
    for i in range(0, 100, 17):
        pixels = folders.decode_whole(people.path(i))
        points = dlib.points([dlib.point(*map(int, np.floor(point))) for point in detect(pixels).landmarks])
        chip = dlib.get_face_chip(pixels, dlib.full_object_detection(dlib.rectangle(0, 0, 9, 9), points))
        theirs = np.array(recognise.compute_face_descriptor(chip))
        np.testing.assert_allclose(embedded.features[i], theirs, atol=1e-3)


def test_aligned_photographs_are_recognised_and_others_less(embedded, dlib_network, people):
    assert pair_auc(embedded) >= 0.999
    assert pair_auc(embed_folder(dlib_network, people, options("--align", "none"))) < 0.98


def test_known_landmarks_are_used_before_found_ones(dlib_network, people, embedded, tmp_path):
    """A render without any face to find: the chip is where its table says."""
    landmarks = np.random.default_rng(0).normal(30, 8, (68, 2)).round(1)
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    (tmp_path / "syn" / "a").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "syn" / "a" / "1.png")
    row = ["a/1.png", *landmark_numbers(landmarks, np.ones(68, bool))]
    (tmp_path / "syn" / "metadata.csv").write_text(csv_line(["path", *LANDMARKS]) + csv_line(row))
    index = folders.index_images(tmp_path / "syn", tmp_path / "cache")
    found = embed_folder(dlib_network, index, options())
    assert not found.failed
    expected = dlib_network.embed(chips.cut(pixels, chips.place(landmarks))[None])
    np.testing.assert_allclose(found.features, expected, atol=1e-3)  # the table's place is float32


def test_without_a_face_the_middle_is_shown_and_listed(tmp_path):
    grey = np.full((90, 60, 3), 51, np.uint8)
    wide = np.full((40, 100, 3), 102, np.uint8)
    for alignment in ("chip", "square", "arcface"):
        found = embed_images(mean_colour_network(alignment, chips.SIZE), [grey, wide], options("--num_worker", 1))
        np.testing.assert_allclose(found.features[:, 0], [51 / 127.5 - 1, 102 / 127.5 - 1], atol=0.12)
        assert [path for path, _ in found.failed] == ["image 0", "image 1"]
        assert all("no face found" in reason for _, reason in found.failed)
    for words, alignment in ((["--align", "none"], "chip"), ([], "none")):
        found = embed_images(mean_colour_network(alignment), [grey, wide], options(*words))
        np.testing.assert_allclose(found.features[:, 0], [51 / 127.5 - 1, 102 / 127.5 - 1], atol=1e-6)
        assert not found.failed


def test_a_square_is_cut_as_align_cuts_it(people):
    network = mean_colour_network("square", 32)
    pixels = folders.decode_whole(people.path(3))
    landmarks = Detector(assets.fetch("dlib_models", "~/.cache/facegan"))(pixels).landmarks
    x, y, side, _ = place(landmarks, "square", pixels.shape[1], pixels.shape[0])
    left, top, side = int(x - side / 2), int(y - side / 2), int(side)
    square = Image.fromarray(pixels[top : top + side, left : left + side]).resize((32, 32), Image.Resampling.LANCZOS)
    found = embed_images(network, [pixels], options())
    np.testing.assert_allclose(found.features[0], np.asarray(square).mean(axis=(0, 1)) / 127.5 - 1, atol=1e-4)


def test_arcface_cuts_by_five_points_unless_align_has_done_it(people, tmp_path):
    network = mean_colour_network("arcface", 56)
    pixels = folders.decode_whole(people.path(3))
    points = five_points.of_landmarks(Detector(assets.fetch("dlib_models", "~/.cache/facegan"))(pixels).landmarks)
    expected = five_points.cut(pixels, five_points.place(points), 56).mean(axis=(0, 1)) / 127.5 - 1
    np.testing.assert_allclose(embed_images(network, [pixels], options()).features[0], expected, atol=1e-4)
    whole = np.asarray(Image.fromarray(pixels[10:102]).resize((56, 56), Image.Resampling.LANCZOS)).mean(axis=(0, 1))
    assert abs(whole / 127.5 - 1 - expected).max() > 0.02  # the middle, as it lies, is something else
    (tmp_path / "cut").mkdir()
    Image.fromarray(pixels).save(tmp_path / "cut" / "1.png")
    index = folders.index_images(tmp_path / "cut", tmp_path / "cache")
    np.testing.assert_allclose(embed_folder(network, index, options()).features[0], expected, atol=1e-4)
    (tmp_path / "cut" / "align.json").write_text('{"crop": "arcface"}')
    np.testing.assert_allclose(embed_folder(network, index, options()).features[0], whole / 127.5 - 1, atol=1e-4)


def test_unreadable_images_have_no_row(tmp_path):
    for number in range(70):
        Image.new("RGB", (20, 20), (3 * number,) * 3).save(tmp_path / f"{number}.png")
    (tmp_path / "33.png").write_text("no picture")
    index = folders.index_images(tmp_path, tmp_path.parent / "cache")
    found = embed_folder(mean_colour_network("none"), index, options())
    assert found.positions.tolist() == [i for i in range(70) if i != 33] and found.paths[33] == "34.png"
    np.testing.assert_allclose(found.features[:, 0], [3 * i / 127.5 - 1 for i in range(70) if i != 33], atol=1e-6)
    assert found.failed == [("33.png", "not a JPEG, PNG, BMP, WebP, GIF, TIFF, AVIF or PNM image")]
    for path in tmp_path.glob("*.png"):
        path.write_text("no picture")
    with pytest.raises(UserError, match="no image in .* can be read, for one 0.png"):
        embed_folder(mean_colour_network("none"), folders.index_images(tmp_path, tmp_path.parent / "cache"), options())


@pytest.mark.slow
def test_facenet_is_chosen_by_its_checkpoint_and_compared_at_length_one(tmp_path, capsys):
    chosen = options("--model_def", "models.nn4", "--embedding_size", "16")
    network = build_network(chosen)
    names = facenet_names_of(network, chosen)
    write_tf1(tmp_path / "facenet-9", {name: variable.numpy() for name, variable in names.items()})
    opened = open_face_network(options("--pretrained_rec", tmp_path / "facenet-9"))
    assert (opened.size, opened.alignment, opened.unit_length) == (96, "square", True)
    assert "FaceNet NN4 (facenet-9)" in capsys.readouterr().out
    images = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), np.uint8)
    features = opened.embed(images)
    assert features.shape == (3, 16)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-5)
    pixels = images.astype(np.float32)
    standard = (pixels - pixels.mean(axis=(1, 2, 3), keepdims=True)) / pixels.std(axis=(1, 2, 3), keepdims=True)
    codes = network(standard).numpy()
    np.testing.assert_allclose(features, codes / np.linalg.norm(codes, axis=1, keepdims=True), atol=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pretrained_rec", "nowhere/model"], "--pretrained_rec: no run folder and no checkpoint at nowhere/model"),
        (["--model_def", "models.nn4"], "--pretrained_rec: cannot read a TF1 checkpoint at facenet_model"),
        (["--embedding_size", "64"], "--embedding_size 64: models.dlib_resnet has 128 numbers"),
    ],
)
def test_wrong_weights_are_one_line(words, message):
    with pytest.raises(UserError, match=message):
        open_face_network(options(*words))


@pytest.mark.parametrize(("known", "told"), [(0, False), (1, True), (3, False)])
def test_a_table_that_knows_a_part_of_the_faces_is_told(tmp_path, capsys, known, told):
    lines = [csv_line(["path", *LANDMARKS])]
    for number in range(3):
        path = tmp_path / "set" / "a" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40)).save(path)
        points = landmark_numbers(np.random.default_rng(number).uniform(5, 35, (68, 2)), np.ones(68, bool))
        lines += [csv_line([f"a/{number}.png", *points])] * (number < known)
    if known:
        (tmp_path / "set" / "metadata.csv").write_text("".join(lines))
    index = folders.index_images(tmp_path / "set", tmp_path / "cache", labelled=True, flag="--x")
    embedding._known_places(index, "chip")
    line = f"--x: 2 of 3 images in {tmp_path}/set have no landmarks in a metadata.csv: their faces are looked for"
    assert capsys.readouterr().err == (f"warning: {line}\n" if told else "")
