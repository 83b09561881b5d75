"""Convolutions of our own compute what plain ones compute, gradients too, and the gradients of these."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.convolutions import ConvFromFew, ConvOfDoubled, ConvOfSmall, ConvToFew
from tests.models.second_order import assert_same, penalty_and_gradients


def both(kind, channels, filters, window, padding, sides=(12, 10), stride=1):
    """The layer and Keras' own with the same weights, and images for them."""
    layers = [made(filters, window, stride, padding=padding) for made in (kind, keras.layers.Conv2D)]
    images = tf.constant(np.random.default_rng(1).normal(size=(2, *sides, channels)).astype("float32"))
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


SMALL = [("same", 1, (4, 4)), ("same", 1, (1, 3)), ("valid", 1, (5, 6)), ("valid", 2, (6, 4)), ("valid", 2, (7, 9))]


@pytest.mark.parametrize(("padding", "stride", "sides"), SMALL)
def test_small_maps_as_products_of_matrices_equal_the_plain_convolution(padding, stride, sides, monkeypatch):
    (ours, plain), images = both(ConvOfSmall, 5, 4, 3, padding, sides, stride)
    assert_equal(values_and_gradients(ours, images), values_and_gradients(plain, images))
    wanted = penalty_and_gradients(plain, images, plain.trainable_variables)
    for traced in (False, True):
        assert_same(penalty_and_gradients(ours, images, ours.trainable_variables, traced), wanted)
    monkeypatch.setattr(keras.layers.Conv2D, "convolution_op", None)  # Keras' own was not asked
    assert ours(images).shape == plain.compute_output_shape(images.shape)


def test_larger_maps_are_left_to_the_plain_convolution():
    (ours, plain), images = both(ConvOfSmall, 5, 4, 3, "same", (4, 5))
    np.testing.assert_array_equal(ours(images), plain(images))
    assert "MatMul" not in {op.type for op in tf.function(ours).get_concrete_function(images).graph.get_operations()}


def test_small_maps_in_half_precision_stay_within_its_rounding():
    (_, exact), images = both(ConvOfSmall, 32, 16, 3, "same", (4, 4))
    half = ConvOfSmall(16, 3, padding="same", dtype="mixed_bfloat16")
    half.build(images.shape)
    half.set_weights(exact.get_weights())
    found, wanted = (values_and_gradients(layer, images) for layer in (half, exact))
    for ours, full in zip(found, wanted, strict=True):
        np.testing.assert_allclose(tf.cast(ours, tf.float32), full, atol=0.015 * float(tf.reduce_max(tf.abs(full))))


@pytest.mark.parametrize(("window", "padding", "stride"), [(5, "same", 1), (3, "same", 2), (3, "valid", 3)])
def test_another_window_or_stride_is_refused(window, padding, stride):
    (ours, _), images = both(ConvOfSmall, 5, 4, window, padding, (9, 9), stride)
    with pytest.raises(ValueError, match="3x3 at stride 1"):
        ours(images)
