"""Calibration by fits, and people drawn with it."""

import numpy as np
import pytest

from data_loader.morphable import sampling
from data_loader.morphable.fitting import Fitter, head_of
from data_loader.morphable.prior import MOST_WEIGHT, Calibration, Widened


@pytest.fixture(scope="module")
def fitter(model):
    return Fitter(model)


def test_what_the_prior_shrank_is_given_back():
    """People of a known covariance, measured with noise and fitted with the standard normal prior."""
    random = np.random.default_rng(0)
    root = np.array([[1.6, 0.3, 0.0], [0.3, 0.7, 0.0], [0.0, 0.0, 1.0]])
    people = random.standard_normal((4000, 3)) @ root + (0.5, -0.3, 0.0)
    view = np.array([[1.5, 0.0, 0.0], [0.5, 2.0, 0.0], [0.0, 1.0, 0.0], [1.0, -1.0, 0.0]])  # blind to the third
    seen = view.T @ view
    fitted = (people @ view.T + random.standard_normal((4000, 4))) @ view @ np.linalg.inv(seen + np.eye(3))
    found = Calibration.of(fitted, seen, 1.0)
    truth = root @ root
    assert np.cov(fitted.T)[0, 0] < 0.85 * truth[0, 0]
    np.testing.assert_allclose(found.covariance, truth, atol=0.2)
    np.testing.assert_allclose(found.mean, (0.5, -0.3, 0.0), atol=0.1)
    np.testing.assert_allclose(found.covariance[2], (0, 0, 1), atol=1e-6)  # where nothing is seen our own spread stays
    np.testing.assert_allclose(found.root @ found.root, found.covariance, atol=1e-9)


def test_the_landmarks_tell_most_of_the_first_components(model, fitter):
    """Sampled people fitted from clean landmarks: calibrated, they vary as they were sampled, within what 60 tell."""
    from tests.data_loader.morphable.test_fitting import picture
    fits = [fitter(picture(model, person=person)) for person in range(1, 61)]
    weights = np.array([np.concatenate([fit.macro, fit.shape]) for fit in fits])
    raw, found = fitter.people.components(weights), fitter.calibrate(weights)
    assert raw[:, :10].std(axis=0).mean() < 0.9
    deviation = np.sqrt(np.diag(found.covariance))
    assert raw.std(axis=0).mean() < deviation.mean() and abs(deviation.mean() - 1) < 0.15


def test_components_are_what_weights_are_made_of(fitter):
    components = np.random.default_rng(1).standard_normal((3, 40))
    weights = fitter.people.average + components @ fitter.people.to_weights
    np.testing.assert_allclose(fitter.people.components(weights), components, atol=1e-8)


def test_spread_is_how_much_people_differ(model, fitter):
    def points(spread, calibration=None):
        draw = Widened(model, fitter.people, calibration, spread)
        heads = [head_of(model, who.macro, who.shape) for who in (draw(3, number) for number in range(1, 9))]
        return np.array([head.points[model.landmarks] / head.scale for head in heads]).std(axis=0).mean()

    wide = Calibration(np.zeros(40), 9 * np.eye(40))
    assert points(0) < 0.35 * points(1) < 0.35 * points(2)
    assert points(1, wide) > 1.5 * points(1) and points(1) == points(1)
    drawn = Widened(model, fitter.people, None, 4.0)(3, 1)
    plain = sampling.identity(model, 3, 1)
    assert (drawn.age, drawn.male, drawn.look) == (plain.age, plain.male, plain.look)
    assert np.abs(drawn.shape).max() < MOST_WEIGHT + 2.5


def test_fits_leave_sex_age_and_ethnicity_as_they_are_named(model, fitter):
    """However photographed people's components go together: a beard would be on another's shape."""
    mixed = np.random.default_rng(2).normal(0, 0.5, (40, 40)) + np.eye(40)
    plain = Widened(model, fitter.people, None, 1.8)
    fitted = Widened(model, fitter.people, Calibration(np.zeros(40), mixed @ mixed.T), 1.8)
    of = [[word in name.split("-") for name in model.macro.names] for word in ("male", "female", "old", "african")]
    for number in range(1, 9):
        one, other = plain(5, number), fitted(5, number)
        np.testing.assert_allclose(np.array(of) @ other.macro, np.array(of) @ one.macro, atol=1e-8)
        assert np.abs(one.shape - other.shape).max() > 0.1
