"""Every loss against numbers worked by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.step import losses


def test_absolute_error_is_the_mean_over_everything():
    a, b = tf.zeros((2, 1, 1, 3)), tf.constant([[[[1.0, -2.0, 3.0]]], [[[0.0, 0.0, 0.0]]]])
    assert float(losses.absolute_error(a, b)) == pytest.approx(1.0)
    assert losses.absolute_error_per_image(a, b).numpy().tolist() == [2.0, 0.0]


def test_masked_error_divides_by_all_pixels():
    a, b = tf.zeros((1, 1, 2, 1)), tf.constant([[[[4.0], [6.0]]]])
    mask = tf.constant([[[[1.0], [0.0]]]])
    assert float(losses.masked_absolute_error(a, b, mask)) == pytest.approx(2.0)


def test_magnet_loss_by_hand():
    # two identities at (1, 0) and (0, 1); one sample on its own centroid, one half-way between
    centroids = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    features, labels = tf.constant([[1.0, 0.0], [0.5, 0.5]]), tf.constant([0, 1])
    variance = (0.0 + 0.5) / (2 - 1)
    scale = -1 / (2 * variance**2)
    first = -math.log(math.exp(-1) / (math.exp(2 * scale) + 1e-8) + 1e-8)
    second = -math.log(math.exp(0.5 * scale - 1) / (math.exp(0.5 * scale) + 1e-8) + 1e-8)
    expected = [max(first, 0.0), max(second, 0.0)]
    assert second > 0.9  # the relu must not hide the number under test
    found = losses.magnet_loss_per_image(features, labels, centroids).numpy()
    assert found == pytest.approx(expected, rel=1e-5)


def test_magnet_loss_with_the_papers_variance():
    centroids = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    features, labels = tf.constant([[0.0, 1.0], [0.5, 0.5]]), tf.constant([0, 1])
    scale = -1 / (2 * 2.5)  # own distances 2 and 0.5
    wrong_way = -math.log(math.exp(2 * scale - 1) / (1 + 1e-8) + 1e-8)
    found = losses.magnet_loss_per_image(features, labels, centroids, squared_variance=False).numpy()
    assert found[0] == pytest.approx(wrong_way, rel=1e-5)


@pytest.mark.parametrize("at_once", [1, 3, 7])
def test_magnet_loss_in_parts_is_the_whole(monkeypatch, at_once):
    """Centroids are compared in parts: value and gradient stay; what is held at once does not grow with the people."""
    rng = np.random.default_rng(0)
    centroids = tf.constant(rng.normal(0, 0.3, (7, 5)), tf.float32)
    features = tf.constant(rng.normal(0, 0.3, (4, 5)), tf.float32)

    def loss_and_gradient():
        with tf.GradientTape() as tape:
            tape.watch(features)
            scores = losses.magnet_loss_per_image(features, tf.constant([0, 6, 3, 3]), centroids)
        return scores.numpy(), tape.gradient(scores, features).numpy()

    whole = loss_and_gradient()
    monkeypatch.setattr(losses, "CENTROIDS_AT_ONCE", at_once)
    for part, expected in zip(loss_and_gradient(), whole, strict=True):
        assert (expected != 0).any()
        np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-6)
    graph = tf.function(lambda f: losses.magnet_loss_per_image(f, tf.constant([0, 6, 3, 3]), centroids))
    operations = graph.get_concrete_function(features).graph.get_operations()
    assert max(o.outputs[0].shape[1] for o in operations if o.type == "SquaredDifference") == at_once


def test_magnet_loss_of_one_image_is_finite():
    found = losses.magnet_loss_per_image(tf.constant([[0.6, 0.8]]), tf.constant([0]), tf.eye(2))
    assert np.isfinite(found.numpy()).all()


def test_repeated_labels_move_a_centroid_by_the_sum():
    moved = losses.moved_centroids(tf.zeros((2, 1)), tf.constant([[1.0], [3.0]]), tf.constant([1, 1]), 0.05)
    assert moved.numpy().ravel() == pytest.approx([0.0, 0.2])


def test_center_loss_means_over_batch_and_dimensions():
    features, centroids = tf.constant([[1.0, 2.0]]), tf.constant([[9.0, 9.0], [0.0, 0.0]])
    assert float(losses.center_loss(features, tf.constant([1]), centroids)) == pytest.approx(2.5)


def test_softmax_loss_of_even_logits_is_log_n():
    assert float(losses.softmax_loss(tf.zeros((3, 4)), tf.constant([0, 1, 3]))) == pytest.approx(math.log(4))


def test_intraclass_correlation_by_hand():
    """Columns: both images of a person alike; nothing in common; of small numbers, opposite."""
    a = tf.constant([[1.0, 2.0, 0.01], [-1.0, -2.0, -0.01], [3.0, 2.0, 0.01], [-3.0, -2.0, -0.01]])
    b = tf.constant([[1.0, 2.0, -0.01], [-1.0, 2.0, 0.01], [3.0, -2.0, -0.01], [-3.0, -2.0, 0.01]])
    np.testing.assert_allclose(losses.intraclass_correlation(a + 7.0, b + 7.0), [1.0, 0.0, -1.0], atol=0.02)


def test_intraclass_correlation_falls_by_its_gradient():
    """Which takes away what both codes share, and knows nothing of the variance."""
    rng = np.random.default_rng(4)
    people = rng.normal(size=(500, 3))
    codes = [tf.Variable(np.float32(people + rng.normal(size=people.shape))) for _ in range(2)]
    with tf.GradientTape() as tape:
        before = tf.reduce_mean(losses.intraclass_correlation(*codes))
    gradients = tape.gradient(before, codes)
    assert float(before) == pytest.approx(0.5, abs=0.07)
    centred = [code - (tf.reduce_mean(codes[0], 0) + tf.reduce_mean(codes[1], 0)) / 2 for code in codes]
    along = sum(float(tf.reduce_sum(g * code)) for g, code in zip(gradients, centred, strict=True))
    assert along == pytest.approx(2 * float(before), rel=1e-4)  # 0 if the variance had a part
    moved = [code - 500.0 * gradient for code, gradient in zip(codes, gradients, strict=True)]
    assert abs(float(tf.reduce_mean(losses.intraclass_correlation(*moved)))) < 0.7 * float(before)
