"""The gradient of a gradient penalty, for tests: a layer of our own must give what the plain one gives."""

import numpy as np
import tensorflow as tf


def penalty_and_gradients(function, images, weights, traced=False):
    """Squared norm of the gradient of `function`'s outputs by the images, as R1 takes it, and what it moves.

    Args:
        function: images [n, h, w, c] -> tensor.
        images: float32 tensor.
        weights: list of variables.
        traced: in a tf.function, where TensorFlow records gradients in another way than without.

    Returns:
        [the penalty, its gradient by the images, by each weight]; None where it does not depend on one.
    """
    if traced:
        return tf.function(lambda images: penalty_and_gradients(function, images, weights))(images)
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            outputs = function(images)
            loss = tf.reduce_sum(outputs**3)  # so that the penalty depends on images and weights in two ways
        penalty = tf.reduce_sum(inner.gradient(loss, images) ** 2)
    return [penalty, *outer.gradient(penalty, [images, *weights])]


def assert_same(ours, plain):
    """Equal but for rounding; nothing is None or all 0."""
    for found, wanted in zip(ours, plain, strict=True):
        wanted = wanted.numpy()
        assert np.abs(wanted).max() > 0
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
