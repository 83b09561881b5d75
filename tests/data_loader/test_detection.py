"""dlib's two detectors in a row, and what is said of a face."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from data_loader import assets, detection
from data_loader.detection import open_finder
from data_loader.morphable.landmarks import Detector
from utils.errors import UserError


@pytest.fixture(scope="module")
def finder():
    return open_finder("dlib", "~/.cache/facegan")


def photograph(degrees):
    """A face of 276x336 on grey, turned about the middle: uint8 [560, 560, 3]."""
    face = Image.open(assets.fetch("att_faces", "~/.cache/facegan") / "s10" / "1.pgm").convert("RGB")
    canvas = Image.new("RGB", (560, 560), (120, 120, 120))
    canvas.paste(face.resize((276, 336)), (140, 110))
    return np.asarray(canvas.rotate(degrees, fillcolor=(120, 120, 120)))


def test_the_first_detector_answers_where_it_can(finder, monkeypatch):
    monkeypatch.setattr(finder, "_network", lambda _: pytest.fail("asked the network"))
    found = finder(photograph(0))
    left, top, right, bottom = found.box
    assert found.faces == 1 and found.confidence > 1
    assert left < found.points[0, 0] < found.points[1, 0] < right and top < found.points[:, 1].min()
    np.testing.assert_allclose(found.points, [(214, 305), (309, 311), (254, 368), (214, 390), (298, 398)], atol=6)


def test_the_network_finds_what_the_first_one_does_not(finder, monkeypatch):
    tilted = photograph(60)
    found = finder(tilted)
    eyes, mouth = found.points[:2].mean(axis=0), found.points[3:].mean(axis=0)
    assert found.faces == 1 and 0.9 < found.confidence < 1.2
    assert np.linalg.norm(eyes - (262, 285)) < 40 and mouth[1] > eyes[1]  # over the middle of the face
    monkeypatch.setattr(finder, "_network", lambda _: [])
    assert finder(tilted) is None


def test_what_the_first_detector_is_not_sure_of_goes_to_the_network(finder, monkeypatch):
    least, asked = [], []
    first = SimpleNamespace(run=lambda pixels, enlarge, score: least.append(score) or ([], [], []))
    monkeypatch.setattr(finder, "_detector", lambda: first)
    monkeypatch.setattr(finder, "_network", lambda pixels: asked.append(pixels.shape) or [])
    assert finder(photograph(0)) is None
    assert (least, len(asked)) == ([0.0], 1)  # `pair`, which has no network, asks again for scores under 0


def test_large_photographs_reach_the_network_small(finder, monkeypatch):
    seen = []
    monkeypatch.setattr(finder, "_network", lambda pixels: seen.append(pixels.shape) or [])
    wall = np.kron(np.random.default_rng(0).integers(90, 160, (15, 30, 3)).astype(np.uint8), np.ones((50, 50, 1)))
    assert finder(wall.astype(np.uint8)) is None
    assert seen == [(240, 480, 3)]


def test_boxes_of_the_network_become_those_of_the_first_detector():
    """A square of 100 pixels from (50, 20): 107 wide, its middle 10 pixels lower."""
    import dlib

    box = detection._as_first(dlib.rectangle(50, 20, 149, 119))
    np.testing.assert_allclose(box, [100 - 53.5, 80 - 53.5, 100 + 53.5, 80 + 53.5])


def test_both_detectors_lead_to_the_same_points(finder, monkeypatch):
    """Within 6 per cent of the distance of the eyes, though the predictor was trained with the first one's boxes."""
    pixels = photograph(0)
    first = finder(pixels).points
    monkeypatch.setattr(Detector, "look", lambda *_: (np.zeros((0, 4)), []))
    second = finder(pixels).points
    assert (first != second).any()
    assert np.linalg.norm(first - second, axis=1).max() < 0.06 * np.linalg.norm(first[0] - first[1])


def test_another_name_lists_the_known(tmp_path):
    with pytest.raises(UserError, match="--detector hog: must be one of dlib, mtcnn"):
        open_finder("hog", tmp_path)
