"""Margin heads against numbers worked by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.step import losses, margins

PI = math.pi


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        (PI / 3, 0.023596),  # cos(60 degrees + 28.648) = cos(88.648)
        (PI / 2, -0.479426),  # -sin(0.5)
        (0.0, 0.877583),  # cos(0.5)
        (PI - 0.5001, -1.0),  # just short of the end of the scale: cos(pi - 0.0001)
        (PI - 0.4999, -1.117344),  # just beyond it: cos(pi - 0.4999) - 0.5 sin(0.5) = -0.877631 - 0.239713
        (PI, -1.239713),  # -1 - 0.5 sin(0.5)
    ],
)
def test_arcface_adds_to_the_angle_and_goes_on_falling_beyond_pi(angle, expected):
    found = float(margins.harder("arcface", tf.constant(math.cos(angle), tf.float32), 0.5))
    assert found == pytest.approx(expected, abs=2e-6)


def test_arcface_falls_all_the_way():
    """Beyond pi cos(theta + margin) would rise again, and a face on the far side would be pushed further."""
    angles = np.linspace(0.05, PI - 0.01, 200)
    found = margins.harder("arcface", tf.constant(np.cos(angles), tf.float32), 0.5).numpy()
    assert (np.diff(found) < 0).all()


def test_cosface_takes_from_the_cosine():
    np.testing.assert_allclose(margins.harder("cosface", tf.constant([0.5, -0.9]), 0.35), [0.15, -1.25], rtol=1e-6)


def test_gradients_of_arcface_are_those_of_the_angle():
    """d cos(theta + m) / d cos(theta) = sin(theta + m) / sin(theta); beyond the end 1; finite at theta = 0."""
    angles = np.array([0.7, 1.9, PI - 0.2, 0.0])
    cosines = tf.constant(np.cos(angles), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(cosines)
        harder = margins.harder("arcface", cosines, 0.5)
    found = tape.gradient(harder, cosines).numpy()
    np.testing.assert_allclose(found[:2], np.sin(angles[:2] + 0.5) / np.sin(angles[:2]), rtol=1e-4)
    assert found[2] == 1 and np.isfinite(found[3])


def test_only_the_own_class_gets_the_margin():
    cosines = tf.constant([[0.2, 0.6, -0.1], [0.5, 0.0, 0.3]])
    found = margins.margin_logits("cosface", cosines, tf.constant([1, 0]), 0.35, 10.0)
    np.testing.assert_allclose(found, [[2.0, 2.5, -1.0], [1.5, 0.0, 3.0]], rtol=1e-6)
    loss = float(losses.softmax_loss(found, tf.constant([1, 0])))
    first, second = math.log(math.exp(2) + math.exp(2.5) + math.exp(-1)) - 2.5, math.log(math.exp(1.5) + 1
                                                                                         + math.exp(3)) - 1.5
    assert loss == pytest.approx((first + second) / 2, rel=1e-6)


def test_cosines_are_of_directions():
    features, weights = tf.constant([[3.0, 4.0], [0.0, -2.0]]), tf.constant([[10.0, 0.0], [0.0, 0.5]])
    np.testing.assert_allclose(margins.cosines(features, weights), [[0.6, 0.8], [0.0, -1.0]], atol=1e-6)


def test_published_margins_stand_where_none_is_named():
    assert [margins.own_margin(*each) for each in (("arcface", 0.0), ("cosface", 0.0), ("cosface", 0.4))] == [
        0.5, 0.35, 0.4]  # fmt: skip


@pytest.mark.parametrize(("head", "own"), [("arcface", -64 * math.sin(0.5)), ("cosface", -64 * 0.35)])
def test_a_guess(head, own):
    assert margins.guess_loss(head, margins.MARGINS[head], 64.0, 11) == pytest.approx(
        math.log(10 + math.exp(own)) - own, rel=1e-6)  # fmt: skip


def test_another_head_lists_the_known():
    with pytest.raises(ValueError, match="'sphere'; one of arcface, cosface"):
        margins.harder("sphere", tf.constant(0.0), 0.5)
