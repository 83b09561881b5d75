"""Layers that more than one network uses."""

import keras
import tensorflow as tf


class InstanceNormalization(keras.layers.GroupNormalization):
    """Normalise each image and channel over its pixels, then scale (from N(1, 0.02)) and offset, as published."""

    def __init__(self, **kwargs):
        scale = keras.initializers.RandomNormal(mean=1.0, stddev=0.02)
        super().__init__(groups=-1, epsilon=1e-5, gamma_initializer=scale, **kwargs)


def reflect_pad(images, pixels):
    """Mirror `pixels` rows and columns on every side: [n, h, w, c] -> [n, h + 2p, w + 2p, c]."""
    return tf.pad(images, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]], mode="REFLECT")


def seeded_dropout(values, keep, seed):
    """Keep a share of the values, scaled by 1 / keep, and drop the rest; a function of `seed`, int32 [2].

    Nothing is dropped where `seed` is None or `keep` is 1.
    """
    if seed is None or keep == 1.0:
        return values
    return tf.nn.experimental.stateless_dropout(values, 1.0 - keep, seed)


def normal_conv(filters, size, strides=1, padding="valid", name=None):
    """Convolution without bias, starting at N(0, 0.02), as everywhere in the published generators."""
    return keras.layers.Conv2D(
        filters, size, strides, padding, use_bias=False, kernel_initializer=_normal(), name=name
    )


def normal_conv_transpose(filters, name=None):
    """3x3 transposed convolution without bias that doubles height and width, starting at N(0, 0.02)."""
    return keras.layers.Conv2DTranspose(
        filters, 3, 2, "same", use_bias=False, kernel_initializer=_normal(), name=name
    )


def _normal():
    return keras.initializers.RandomNormal(stddev=0.02)
