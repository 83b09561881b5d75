"""Layers that more than one network uses."""

import keras
import numpy as np
import tensorflow as tf


class InstanceNormalization(keras.layers.GroupNormalization):
    """Normalise each image and channel over its pixels, then scale (from N(1, 0.02)) and offset, as published."""

    def __init__(self, **kwargs):
        scale = keras.initializers.RandomNormal(mean=1.0, stddev=0.02)
        super().__init__(groups=-1, epsilon=1e-5, gamma_initializer=scale, **kwargs)


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """keras.layers.BatchNormalization of maps [n, h, w, c] through TensorFlow's fused operation in training.

    Keras' own is a dozen operations, all of them bound by memory, in half precision on copies in float32.
    """

    def call(self, inputs, training=False, mask=None):
        """Maps of any precision -> the same; in training by the batch, whose statistics move the moving ones."""
        if not training or len(inputs.shape) != 4:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=self.gamma, offset=self.beta, mean=[], variance=[], epsilon=self.epsilon
        )
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
        variance *= (count - 1) / count  # what comes out is of the population that the batch is drawn from
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1.0 - self.momentum) * value)
        return outputs


def reflect_pad(images, pixels):
    """Mirror `pixels` rows and columns on every side: [n, h, w, c] -> [n, h + 2p, w + 2p, c].

    As tf.pad, whose forward pass takes two to five times as long on a CPU as gathering does.
    """

    @tf.custom_gradient
    def padded(images):
        def gradient(upstream):
            sides = [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]]
            return tf.raw_ops.MirrorPadGrad(input=upstream, paddings=sides, mode="REFLECT")

        rows, columns = (np.pad(np.arange(side), pixels, mode="reflect") for side in images.shape[1:3])
        return tf.gather(tf.gather(images, rows, axis=1), columns, axis=2), gradient

    return padded(images)


def seeded_dropout(values, keep, seed):
    """Keep a share of the values, scaled by 1 / keep, and drop the rest; a function of `seed`, int32 [2].

    Nothing is dropped where `seed` is None or `keep` is 1.
    """
    if seed is None or keep == 1.0:
        return values
    return tf.nn.experimental.stateless_dropout(values, 1.0 - keep, seed)


def normal_conv(filters, size, strides=1, padding="valid", name=None, kind=keras.layers.Conv2D):
    """Convolution without bias, starting at N(0, 0.02), as everywhere in the published generators."""
    return kind(
        filters, size, strides, padding, use_bias=False, kernel_initializer=_normal(), name=name
    )


def normal_conv_transpose(filters, name=None):
    """3x3 transposed convolution without bias that doubles height and width, starting at N(0, 0.02)."""
    return keras.layers.Conv2DTranspose(
        filters, 3, 2, "same", use_bias=False, kernel_initializer=_normal(), name=name
    )


def _normal():
    return keras.initializers.RandomNormal(stddev=0.02)
