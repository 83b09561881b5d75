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
