import numpy as np
import pytest
from PIL import Image

from data_loader import assets
from data_loader.morphable.camera import rotation
from data_loader.morphable.landmarks import CHEEK, MIRROR, Detector, eye_distance, jaw_lines, turned


@pytest.fixture(scope="module")
def detector():
    return Detector(assets.fetch("dlib_models", "~/.cache/facegan"))


@pytest.fixture(scope="module")
def photograph():
    path = assets.fetch("att_faces", "~/.cache/facegan") / "s1" / "1.pgm"
    return np.asarray(Image.open(path).convert("RGB"))


def test_landmarks_of_the_model_are_symmetric_and_in_order(model):
    at = model.mean[model.landmarks]
    assert at.shape == (68, 3) and len(set(model.landmarks.tolist())) == 68
    assert np.array_equal(MIRROR[MIRROR], np.arange(68))
    assert np.allclose(at[MIRROR], at * (-1, 1, 1), atol=1e-6)
    jaw, nose, right_eye, upper, lower = at[:17], at[27:31], at[36:42], at[61:64], at[65:68]
    assert (np.diff(jaw[:, 0]) > 0).all() and jaw[:, 1].argmin() == 8 and (np.diff(jaw[:9, 1]) < 0).all()
    assert (np.diff(nose[:, 1]) < 0).all() and nose[:, 2].argmax() == 3
    assert at[17:27, 1].min() > at[36:48, 1].max() > at[30, 1] > at[48:68, 1].max()
    assert (right_eye[:, 0] < 0).all() and right_eye[1:3, 1].min() > right_eye[4:, 1].max()
    assert upper[:, 1].min() > lower[:, 1].max() - 0.02


def test_landmarks_move_with_their_part(model):
    def moved(unit):
        offsets = model.expression.offsets[model.expression.names.index(unit)][model.landmarks]
        return -offsets[:, 1]

    jaw, blink = moved("jawOpen"), moved("eyeBlinkRight")
    assert jaw[[65, 66, 67, 56, 57, 58]].min() > 0.25 and jaw[[50, 51, 52, 61, 62, 63]].max() < 0.05
    assert blink[[37, 38]].min() > 0.1 and np.abs(blink[[40, 41, 43, 44]]).max() < 0.01


def test_jaw_landmarks_wander_towards_the_nose(model):
    lines, normals = jaw_lines(model), model.normals(model.mean)
    for landmark, line in enumerate(lines):
        assert line[0] == model.landmarks[landmark]
        assert (len(line) > 1) == (landmark in CHEEK)
        start, rest = model.mean[line[0]], model.mean[line[1:]]
        assert (rest[:, 2] > start[2]).all() and (np.sign(rest[:, 0]) == np.sign(start[0])).all()
        assert (np.abs(rest[:, 1] - start[1]) < 0.06).all()
        assert (normals[line[1:], 0] * np.sign(start[0]) > 0).all()  # on the outside of the cheek


@pytest.mark.parametrize("roll", [0, 25])
def test_turned_faces_by_their_landmarks(model, roll):
    """0 where the face looks ahead, more the farther it looks to either side, rolled or not."""
    points = model.mean[model.landmarks]
    turns = [turned((points @ rotation(yaw, 0, roll).T)[:, :2]) for yaw in (0, 15, 30, 45)]
    assert turns[0] < 0.01 and np.all(np.diff(turns) > 0.05)
    np.testing.assert_allclose(turned((points @ rotation(-30, 0, roll).T)[:, :2]), turns[2], atol=0.02)


def test_detector_finds_a_face_and_its_landmarks(detector, photograph):
    face = detector(photograph)
    assert face.faces == 1 and face.landmarks.shape == (68, 2)
    eyes = face.landmarks[36:42].mean(axis=0), face.landmarks[42:48].mean(axis=0)
    assert np.allclose(eyes, [(29, 51), (64, 50)], atol=4)  # read off the photograph
    assert detector(np.full((60, 90, 3), 127, np.uint8)) is None


def test_detector_takes_the_larger_face_of_a_large_photograph(detector, photograph):
    enlarged = np.repeat(np.repeat(photograph, 5, axis=0), 5, axis=1)
    wall = np.full((900, 1400, 3), 120, np.uint8)
    wall[200:760, 500:960] = enlarged
    wall[20:132, 20:112] = photograph
    face = detector(wall)
    assert np.allclose(face.landmarks[42:48].mean(axis=0), (500 + 5 * 64, 200 + 5 * 50), atol=20)
    assert 0.8 < eye_distance(face.landmarks) / (5 * eye_distance(detector(photograph).landmarks)) < 1.2
