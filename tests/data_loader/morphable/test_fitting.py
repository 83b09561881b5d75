import numpy as np
import pytest

from data_loader.morphable import sampling
from data_loader.morphable.camera import FRAME
from data_loader.morphable.fitting import Fitter, head_of, project
from data_loader.morphable.landmarks import MIRROR, eye_distance


@pytest.fixture(scope="module")
def fitter(model):
    return Fitter(model)


def picture(model, yaw=0.0, pitch=0.0, roll=0.0, zoom=0.9, shift=(0.03, -0.05), person=3, **units):
    """Landmarks of a sampled person with the given face units, in fractions of the picture."""
    who = sampling.identity(model, 9, person)
    head = head_of(model, who.macro, who.shape)
    expression = np.zeros(len(model.expression.names))
    for name, weight in units.items():
        expression[model.expression.names.index(name)] = weight
    points = (head.points + model.expression(expression))[model.landmarks]
    pose = np.array([yaw, pitch, roll, np.log(zoom / (FRAME * head.scale)), 0.5 + shift[0], 0.5 + shift[1]])
    return project(pose, points)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (20, -8, 6), (-35, 10, -15)])
def test_pose_and_framing_come_back(model, fitter, yaw, pitch, roll):
    landmarks = picture(model, yaw, pitch, roll)
    fit = fitter(landmarks)
    # without the jaw, whose landmarks a turned head does not show where these are
    assert np.linalg.norm(fit.landmarks - landmarks, axis=1)[17:].mean() < 0.02 * eye_distance(landmarks)
    assert abs(fit.yaw - yaw) < 4 and abs(fit.pitch - pitch) < 6 and abs(fit.roll - roll) < 3
    assert abs(fit.zoom / 0.9 - 1) < 0.08 and np.allclose(fit.shift, (0.03, -0.05), atol=0.03)


def test_expression_comes_back(model, fitter):
    def weight(fit, name):
        return fit.expression[model.expression.names.index(name)]

    still = fitter(picture(model))
    laughing = fitter(picture(model, jawOpen=0.4, mouthSmileLeft=0.6, mouthSmileRight=0.6))
    assert weight(laughing, "jawOpen") > weight(still, "jawOpen") + 0.2
    assert weight(laughing, "mouthSmileLeft") > weight(still, "mouthSmileLeft") + 0.3
    for fit in (still, laughing):
        assert fit.expression.min() >= 0 and fit.expression.max() <= 1
        assert weight(fit, "tongueOut") == weight(fit, "eyeLookUpLeft") == 0  # landmarks do not tell


def test_people_differ_in_what_is_fitted(model, fitter):
    def features(fit):
        at = (model.mean + model.macro(fit.macro) + model.shape(fit.shape))[model.landmarks]
        return np.array([np.linalg.norm(at[a] - at[b]) for a, b in ((31, 35), (27, 33), (48, 54), (4, 12))])

    people = range(8)
    true = np.array([features(sampling.identity(model, 9, person)) for person in people])
    found = np.array([features(fitter(picture(model, yaw=10, person=person))) for person in people])
    true, found = true / true.mean(axis=1, keepdims=True), found / found.mean(axis=1, keepdims=True)
    assert np.corrcoef((true - true.mean(axis=0)).ravel(), (found - found.mean(axis=0)).ravel())[0, 1] > 0.9


def test_a_mirrored_picture_gives_a_mirrored_fit(model, fitter):
    landmarks = picture(model, 15, 5, 4, jawOpen=0.2)
    fit, mirrored = fitter(landmarks), fitter((landmarks * (-1, 1) + (1, 0))[MIRROR])
    assert np.allclose([mirrored.yaw, mirrored.pitch, mirrored.roll], [-fit.yaw, fit.pitch, -fit.roll], atol=1)
    assert np.isclose(mirrored.shift[0], -fit.shift[0], atol=0.01)


def test_the_fit_is_the_head_that_is_drawn(model, fitter):
    fit = fitter(picture(model, 12, 4, jawOpen=0.3))
    head = head_of(model, fit.macro, fit.shape)
    points = (head.points + model.expression(fit.expression))[model.landmarks]
    pose = np.array([fit.yaw, fit.pitch, fit.roll, np.log(fit.zoom / (FRAME * head.scale)), *np.add(fit.shift, 0.5)])
    assert np.allclose(project(pose, points)[17:], fit.landmarks[17:], atol=1e-4)


def test_nonsense_has_a_large_error(fitter):
    assert fitter(np.random.default_rng(0).uniform(0.2, 0.8, (68, 2))).error > 10


def test_heads_are_centred_as_the_renderer_centres_them(model):
    who = sampling.identity(model, 9, 1)
    head = head_of(model, who.macro, who.shape)
    eyes, teeth = np.mean([head.points[eye].mean(axis=0) for eye in model.eyes], axis=0), head.points[model.teeth]
    assert np.allclose(eyes + teeth.mean(axis=0), 0, atol=1e-4)
    assert np.isclose(eyes[1] - teeth.mean(axis=0)[1], head.scale, atol=1e-4)
