"""The faster forms of padding and doubling equal TensorFlow's plain ones, gradients too, and the gradients of these."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers import reflect_pad
from tests.models.second_order import assert_same, penalty_and_gradients


def value_and_gradient(function, images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        result = function(images)
        loss = tf.reduce_sum(result * tf.reshape(tf.range(tf.size(result), dtype=tf.float32), tf.shape(result)))
    return result, tape.gradient(loss, images)


def plain_pad(pixels):
    return lambda images: tf.pad(images, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]], mode="REFLECT")


@pytest.mark.parametrize("pixels", [1, 3])
def test_reflect_pad(pixels):
    images = tf.random.stateless_normal((2, 7, 5, 3), [1, 2])
    for ours, plain in zip(
        value_and_gradient(lambda x: reflect_pad(x, pixels), images),
        value_and_gradient(plain_pad(pixels), images),
        strict=True,
    ):
        np.testing.assert_allclose(ours, plain, rtol=1e-5)


@pytest.mark.parametrize("traced", [False, True])
def test_a_gradient_penalty_moves_the_same_through_reflect_pad_as_through_the_plain_one(traced):
    """A kernel follows, as in the generators: the padding lies between it and the images."""
    images, kernel = tf.random.stateless_normal((2, 7, 5, 3), [1, 2]), tf.Variable(tf.random.normal((3, 3, 3, 4)))

    def with_kernel(pad):
        return lambda images: tf.nn.conv2d(pad(images), kernel, 1, "VALID")

    wanted = penalty_and_gradients(with_kernel(plain_pad(2)), images, [kernel])
    ours = with_kernel(lambda images: reflect_pad(images, 2))
    assert_same(penalty_and_gradients(ours, images, [kernel], traced), wanted)
