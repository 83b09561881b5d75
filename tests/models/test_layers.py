"""The faster forms of padding and batch norm equal the plain ones, gradients too, and the gradients of these."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import FusedBatchNormalization, reflect_pad
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


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_fused_batch_norm_equals_keras_and_moves_the_same_statistics(precision):
    images = 3.0 * tf.random.stateless_normal((4, 5, 3, 6), [1, 2]) + 1.0
    upstream = tf.random.stateless_normal(images.shape, [3, 4])
    found = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9, epsilon=1e-5, dtype=precision)
        layer.build(images.shape)
        layer.set_weights([np.linspace(low, 2.0, 6, dtype="float32") for low in (0.5, -1.0, 0.1, 0.3)])
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream)
        gradients = tape.gradient(loss, [images, layer.gamma.value, layer.beta.value])
        found.append([outputs, *gradients, *layer.weights, layer(images), outputs.dtype == layer.compute_dtype])
    rough = 1e-5 if precision == "float32" else 0.02
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_allclose(tf.cast(ours, tf.float32), tf.cast(plain, tf.float32), rtol=rough, atol=rough)
    np.testing.assert_allclose(found[0][4:8], found[1][4:8], rtol=1e-5)  # the statistics in full precision
