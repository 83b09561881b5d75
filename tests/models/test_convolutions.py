"""Convolutions of our own compute what plain ones compute, gradients too, and the gradients of these."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.convolutions import ConvFromFew, ConvOfDoubled, ConvToFew
from tests.models.second_order import assert_same, penalty_and_gradients


def both(kind, channels, filters, window, padding):
    """The layer and Keras' own with the same weights, and images for them."""
    layers = [made(filters, window, padding=padding) for made in (kind, keras.layers.Conv2D)]
    images = tf.constant(np.random.default_rng(1).normal(size=(2, 12, 10, channels)).astype("float32"))
    for layer in layers:
        layer.build(images.shape)
        layer.set_weights(layers[0].get_weights())
    return layers, images


def values_and_gradients(layer, images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images)
        loss = tf.reduce_sum(outputs**2)
    return [outputs, *tape.gradient(loss, [images, *layer.trainable_variables])]


def assert_equal(ours, plain):
    for found, wanted in zip(ours, plain, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * float(tf.reduce_max(tf.abs(wanted))))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kind", "channels", "filters"), [(ConvToFew, 8, 3), (ConvFromFew, 3, 8)])
@pytest.mark.parametrize("window", [3, 7])
def test_equals_the_plain_convolution(kind, channels, filters, window, padding):
    (ours, plain), images = both(kind, channels, filters, window, padding)
    assert_equal(values_and_gradients(ours, images), values_and_gradients(plain, images))


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kind", "channels", "filters"), [(ConvToFew, 8, 3), (ConvFromFew, 3, 8)])
def test_a_gradient_penalty_moves_the_same_as_through_the_plain_convolution(kind, channels, filters, padding, traced):
    (ours, plain), images = both(kind, channels, filters, 3, padding)
    wanted = penalty_and_gradients(plain, images, plain.trainable_variables)
    assert_same(penalty_and_gradients(ours, images, ours.trainable_variables, traced), wanted)


def test_convolution_of_the_doubled_image_equals_doubling_and_the_plain_one():
    (ours, plain), images = both(ConvOfDoubled, 5, 4, 3, "same")

    def doubled_first(images):
        return plain(tf.repeat(tf.repeat(images, 2, axis=1), 2, axis=2))

    doubled_first.trainable_variables = plain.trainable_variables
    found, wanted = values_and_gradients(ours, images), values_and_gradients(doubled_first, images)
    assert found[0].shape == (2, 24, 20, 4) == ours.compute_output_shape(images.shape)
    assert_equal(found, wanted)
    wanted = penalty_and_gradients(doubled_first, images, plain.trainable_variables)
    for traced in (False, True):
        assert_same(penalty_and_gradients(ours, images, ours.trainable_variables, traced), wanted)
