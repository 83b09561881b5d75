"""Cutting one face out and writing it, with finders that find what they are told."""

import numpy as np
import pytest
from PIL import Image

from data_loader import align, chips, five_points
from data_loader.align import CROPS, Aligner, crop_face
from data_loader.crops import NoOutput
from data_loader.detection import Found, MtcnnFinder
from data_loader.folders import UnreadableImage
from utils import command_line

POINTS = np.array([(35.0, 40.0), (65.0, 42.0), (50.0, 60.0), (40.0, 75.0), (60.0, 76.0)])


def mtcnn(*boxes, seen=None):
    names = dict(zip(MtcnnFinder.points, POINTS, strict=True))

    def detect(pixels):
        if seen is not None:
            seen.append(pixels.shape)
        return [{"box": box, "confidence": 0.87654, "keypoints": names} for box in boxes]

    return MtcnnFinder(detect)


def options(*words):
    return command_line.parse(["align", *map(str, words)], {"align": ""})[1]


def photograph(height, width):
    """Red grows to the right, green downwards."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return pixels


def test_the_largest_face_near_the_centre_is_cut_out():
    pixels = photograph(300, 400)
    face = mtcnn((0, 0, 138, 138), (131, 81, 269, 219))(pixels)
    crop, values = crop_face(pixels, face, "square", 50)
    assert crop.shape == (50, 50, 3)
    assert (face.faces, face.confidence) == (2, 0.87654)
    assert values == [109, 59, 182]  # 138 / (1 - 44 / 182) pixels about (200, 150)
    assert abs(int(crop[25, 25, 0]) - pixels[150, 200, 0]) < 4 and abs(int(crop[0, 0, 1]) - pixels[59, 0, 1]) < 4


def test_large_photographs_are_looked_at_small_and_cut_out_whole():
    seen = []
    face = mtcnn((300, 200, 438, 338), seen=seen)(photograph(1500, 2000))
    _, values = crop_face(photograph(1500, 2000), face, "square", 50)
    assert seen == [(750, 1000, 3)] and values == [556, 356, 364]  # twice 300...438, 200...338, with its margin
    np.testing.assert_allclose(face.points, 2 * (POINTS + 0.5))


def test_a_strip_is_not_shrunk_to_nothing():
    seen = []
    assert mtcnn(seen=seen)(photograph(25, 4000)) is None
    assert seen == [(20, 1000, 3)]


def test_arcfaces_crop_is_that_of_the_points_and_told():
    pixels = photograph(120, 100)
    crop, values = crop_face(pixels, Found(np.zeros(4), POINTS, 1, 1.0), "arcface", 56)
    x, y, *across = place = five_points.place(POINTS)
    assert (crop == five_points.cut(pixels, place, 56)).all() and crop.shape == (56, 56, 3)
    assert values == [f"{v:.2f}" for v in (x, y, np.hypot(*across), np.degrees(np.arctan2(*across[::-1])))]


@pytest.mark.parametrize(("crop", "side"), [("facenet", 160), ("dlib", 150)])
def test_a_chip_is_dlibs_of_the_landmarks(crop, side):
    pixels, landmarks = photograph(120, 100), np.random.default_rng(2).uniform(30, 80, (68, 2))
    cut, values = crop_face(pixels, Found(np.zeros(4), POINTS, 1, 1.0, landmarks), crop, side)
    assert (cut == chips.cut(pixels, chips.place(landmarks), side)).all() and cut.shape == (side, side, 3)
    assert values[:2] == [f"{value:.2f}" for value in chips.place(landmarks)[:2]]
    assert CROPS[crop].size == side


def test_no_detector_before_there_is_something_to_look_at(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(align, "open_finder", lambda *named: opened.append(named) or mtcnn((31, 31, 69, 69)))
    (tmp_path / "broken.jpg").write_bytes(b"no")
    for name, size in (("tiny.png", (400, 19)), ("a.png", (100, 100)), ("b.png", (100, 100))):
        Image.new("RGB", size).save(tmp_path / name)
    aligner = Aligner(tmp_path, tmp_path / "out", options("--size", 32, "--asset_dir", tmp_path), {}, {})
    with pytest.raises(UnreadableImage):
        aligner("broken.jpg", "broken.png")
    with pytest.raises(NoOutput, match="400x19 pixels: smaller than 20"):
        aligner("tiny.png", "tiny.png")
    assert not opened and not (tmp_path / "out").exists()
    for name in ("a.png", "b.png"):
        assert aligner(name, f"deep/{name}") == [f"deep/{name}", 1, "0.8765", 25, 25, 50]
        with Image.open(tmp_path / "out" / "deep" / name) as image:
            assert image.size == (32, 32)
    assert opened == [("dlib", str(tmp_path))]


def test_known_faces_are_not_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(align, "open_finder", lambda *_: pytest.fail("looked for a face"))
    Image.fromarray(photograph(80, 80)).save(tmp_path / "render.png")
    aligner = Aligner(tmp_path, tmp_path / "out", options("--crop", "arcface", "--size", 40),
                      {"render.png": np.array([0.5, 0.6, 0.0, 0.8])}, {})
    assert aligner("render.png", "render.png") == ["render.png", "", "", "40.00", "48.00", "64.00", "90.00"]
    with Image.open(tmp_path / "out" / "render.png") as image:
        expected = five_points.cut(photograph(80, 80), [40, 48, 0, 64], 40)
        assert (np.asarray(image) == expected).all()
