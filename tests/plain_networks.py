"""FaceGAN's networks in plain Keras layers, for tests/yardstick.py: weights in the order of those in models/."""

import math

import keras
import tensorflow as tf

from models.inception_resnet_v1 import (
    BATCH_NORM_EPSILON,
    BLOCK8,
    BLOCK17,
    BLOCK35,
    MIXED_6A,
    MIXED_7A,
    STEM,
    Branches,
    Chain,
    Residual,
)


class PlainGenerator(keras.Model):
    """models.generator.Generator."""

    def __init__(self, filters, blocks, skips):
        super().__init__()
        self.skips = skips
        self.first = _conv(filters, 7)
        self.down_1, self.down_2 = _conv(2 * filters, 3, 2, "same"), _conv(4 * filters, 3, 2, "same")
        self.blocks = [PlainBlock(4 * filters) for _ in range(blocks)]
        self.up_1, self.up_2 = _conv_transpose(2 * filters), _conv_transpose(filters)
        self.last = _conv(3, 7)
        self(tf.zeros((1, 16, 16, 3)))  # creates the weights

    def call(self, images, dropout_seed=None, keep=0.9):
        first = tf.nn.relu(self.first(_reflect_pad(images, 3)))
        down_1 = tf.nn.relu(self.down_1(first))
        hidden = tf.nn.relu(self.down_2(down_1))
        for index, block in enumerate(self.blocks):
            hidden = block(hidden)
            if dropout_seed is not None:
                seed = tf.random.experimental.stateless_fold_in(dropout_seed, index)
                hidden = tf.nn.experimental.stateless_dropout(hidden, 1.0 - keep, seed)
        up_1 = tf.nn.relu(self.up_1(hidden))
        up_2 = tf.nn.relu(self.up_2(self._join(up_1, down_1)))
        return tf.nn.tanh(self.last(_reflect_pad(self._join(up_2, first), 3)))

    def _join(self, late, early):
        return tf.concat([late, early], axis=3) if self.skips else late


class PlainBlock(keras.layers.Layer):
    """models.generator.ResidualBlock."""

    def __init__(self, filters):
        super().__init__()
        self.conv_1, self.norm_1 = _conv(filters, 3), _instance_norm()
        self.conv_2, self.norm_2 = _conv(filters, 3), _instance_norm()

    def call(self, inputs):
        hidden = tf.nn.relu(self.norm_1(self.conv_1(_reflect_pad(inputs, 1))))
        return inputs + self.norm_2(self.conv_2(_reflect_pad(hidden, 1)))


class PlainAutoencoder(keras.Model):
    """models.autoencoder.Autoencoder."""

    def __init__(self, size, filters, code_size):
        super().__init__()
        self.size, self.filters, self.bottom = size, filters, size
        stages = int(math.log2(size)) - 2
        self.encoder = [_elu_conv(filters)]
        for stage in range(1, stages + 1):
            self.encoder += [_elu_conv(stage * filters), _elu_conv(stage * filters)]
            if stage < stages:
                self.encoder.append(_elu_conv(stage * filters, 2))
                self.bottom = -(-self.bottom // 2)
        self.code = keras.layers.Dense(code_size)
        self.from_code = keras.layers.Dense(self.bottom * self.bottom * filters)
        self.decoder = [[_elu_conv(filters), _elu_conv(filters)] for _ in range(stages)]
        self.last = keras.layers.Conv2D(3, 3, padding="same")
        self(tf.zeros((1, size, size, 3)))

    def call(self, images):
        for layer in self.encoder:
            images = layer(images)
        code = self.code(tf.reshape(images, [tf.shape(images)[0], math.prod(images.shape[1:])]))
        hidden = tf.reshape(self.from_code(code), [-1, self.bottom, self.bottom, self.filters])
        for stage, layers in enumerate(self.decoder):
            if stage > 0:
                hidden = tf.repeat(tf.repeat(hidden, 2, axis=1), 2, axis=2)
            for layer in layers:
                hidden = layer(hidden)
        margin = (hidden.shape[1] - self.size) // 2
        return self.last(hidden)[:, margin : margin + self.size, margin : margin + self.size]


class PlainFaceNetwork(keras.Model):
    """models.inception_resnet_v1.InceptionResnetV1, frozen, each batch norm a layer of its own."""

    def __init__(self, embedding_size):
        super().__init__()
        self.body = (
            Chain(3, STEM, "stem", PlainConvNorm),
            *(Residual(256, BLOCK35, 0.17, f"block35_{i}", PlainConvNorm) for i in range(1, 6)),
            Branches(256, MIXED_6A, "Mixed_6a", PlainConvNorm),
            *(Residual(896, BLOCK17, 0.10, f"block17_{i}", PlainConvNorm) for i in range(1, 11)),
            Branches(896, MIXED_7A, "Mixed_7a", PlainConvNorm),
            *(Residual(1792, BLOCK8, 0.20, f"block8_{i}", PlainConvNorm) for i in range(1, 6)),
            Residual(1792, BLOCK8, 1.0, "Block8", PlainConvNorm, relu=False),
        )
        self.bottleneck, self.norm = keras.layers.Dense(embedding_size, use_bias=False), _batch_norm()
        self(tf.zeros((1, 96, 96, 3)))

    def call(self, images):
        for part in self.body:
            images = part(images)
        return self.norm(self.bottleneck(tf.reduce_mean(images, axis=[1, 2])), training=False)


class PlainConvNorm(keras.layers.Layer):
    """models.inception_resnet_v1.ConvNorm, frozen, its norm not taken into its kernel."""

    def __init__(self, channels, conv):
        super().__init__()
        self.conv = keras.layers.Conv2D(conv.filters, conv.size, conv.stride, conv.padding.lower(), use_bias=False)
        self.norm = _batch_norm()

    def call(self, inputs):
        return tf.nn.relu(self.norm(self.conv(inputs), training=False))


def _reflect_pad(images, pixels):
    return tf.pad(images, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]], mode="REFLECT")


def _instance_norm():
    return keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)


def _batch_norm():
    return keras.layers.BatchNormalization(scale=False, epsilon=BATCH_NORM_EPSILON)


def _conv(filters, size, strides=1, padding="valid"):
    return keras.layers.Conv2D(filters, size, strides, padding, use_bias=False)


def _conv_transpose(filters):
    return keras.layers.Conv2DTranspose(filters, 3, 2, "same", use_bias=False)


def _elu_conv(filters, strides=1):
    return keras.layers.Conv2D(filters, 3, strides, "same", activation="elu")
