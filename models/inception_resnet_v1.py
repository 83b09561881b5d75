"""FaceNet's Inception-ResNet-v1 (Szegedy et al. 2016, arXiv 1602.07261; layers as in davidsandberg/facenet)."""

from functools import partial
from typing import NamedTuple

import keras
import tensorflow as tf

from models.layers import seeded_dropout

BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_DECAY = 0.995  # of the moving statistics in training, as FaceNet
SMALLEST_IMAGE = 75  # pixels; below it nothing is left for Mixed_7a


class Conv(NamedTuple):
    """A convolution with batch norm and ReLU, by its TF1 name."""

    name: str
    filters: int
    size: tuple[int, int]  # height, width
    stride: int = 1
    padding: str = "SAME"


class Pool(NamedTuple):
    """A 3x3 max pooling, by its TF1 name."""

    name: str
    stride: int
    padding: str


STEM = (
    Conv("Conv2d_1a_3x3", 32, (3, 3), 2, "VALID"),
    Conv("Conv2d_2a_3x3", 32, (3, 3), 1, "VALID"),
    Conv("Conv2d_2b_3x3", 64, (3, 3)),
    Pool("MaxPool_3a_3x3", 2, "VALID"),
    Conv("Conv2d_3b_1x1", 80, (1, 1)),
    Conv("Conv2d_4a_3x3", 192, (3, 3), 1, "VALID"),
    Conv("Conv2d_4b_3x3", 256, (3, 3), 2, "VALID"),
)
BLOCK35 = {
    "Branch_0": (Conv("Conv2d_1x1", 32, (1, 1)),),
    "Branch_1": (Conv("Conv2d_0a_1x1", 32, (1, 1)), Conv("Conv2d_0b_3x3", 32, (3, 3))),
    "Branch_2": (
        Conv("Conv2d_0a_1x1", 32, (1, 1)), Conv("Conv2d_0b_3x3", 32, (3, 3)), Conv("Conv2d_0c_3x3", 32, (3, 3)),
    ),
}
MIXED_6A = {
    "Branch_0": (Conv("Conv2d_1a_3x3", 384, (3, 3), 2, "VALID"),),
    "Branch_1": (
        Conv("Conv2d_0a_1x1", 192, (1, 1)),
        Conv("Conv2d_0b_3x3", 192, (3, 3)),
        Conv("Conv2d_1a_3x3", 256, (3, 3), 2, "VALID"),
    ),
    "Branch_2": (Pool("MaxPool_1a_3x3", 2, "VALID"),),
}
BLOCK17 = {
    "Branch_0": (Conv("Conv2d_1x1", 128, (1, 1)),),
    "Branch_1": (
        Conv("Conv2d_0a_1x1", 128, (1, 1)), Conv("Conv2d_0b_1x7", 128, (1, 7)), Conv("Conv2d_0c_7x1", 128, (7, 1)),
    ),
}
MIXED_7A = {
    "Branch_0": (Conv("Conv2d_0a_1x1", 256, (1, 1)), Conv("Conv2d_1a_3x3", 384, (3, 3), 2, "VALID")),
    "Branch_1": (Conv("Conv2d_0a_1x1", 256, (1, 1)), Conv("Conv2d_1a_3x3", 256, (3, 3), 2, "VALID")),
    "Branch_2": (
        Conv("Conv2d_0a_1x1", 256, (1, 1)),
        Conv("Conv2d_0b_3x3", 256, (3, 3)),
        Conv("Conv2d_1a_3x3", 256, (3, 3), 2, "VALID"),
    ),
    "Branch_3": (Pool("MaxPool_1a_3x3", 2, "VALID"),),
}
BLOCK8 = {
    "Branch_0": (Conv("Conv2d_1x1", 192, (1, 1)),),
    "Branch_1": (
        Conv("Conv2d_0a_1x1", 192, (1, 1)), Conv("Conv2d_0b_1x3", 192, (1, 3)), Conv("Conv2d_0c_3x1", 192, (3, 1)),
    ),
}


class LinearNorm(keras.layers.Layer):
    """Weights of a linear map and of the batch norm behind it; subclasses say which map, and what follows.

    There is no gamma (slim's scale=False) unless a subclass sets one. By its moving statistics, the norm is one factor
    and one summand per output channel: the factor is taken into the kernel, which is smaller than the map's output.

    Args:
        shape: shape of the kernel, output channels last.
        decay: of the moving statistics. With it, a call with training=True normalises by the batch and moves them;
            None: frozen, they are always used and never move.
    """

    def __init__(self, shape, name, decay=None):
        super().__init__(name=name)
        self.decay, self.gamma = decay, None
        start = keras.initializers.TruncatedNormal(stddev=0.1)
        # Not cast on reading: in half precision the norm must be folded in full precision first.
        add, channels = partial(self.add_weight, autocast=False), shape[-1:]
        self.kernel = add(shape=shape, initializer=start, name="kernel")
        self.beta = add(shape=channels, initializer="zeros", name="beta")
        self.moving_mean = add(shape=channels, initializer="zeros", trainable=False, name="moving_mean")
        self.moving_variance = add(shape=channels, initializer="ones", trainable=False, name="moving_variance")
        self.built = True

    def linear(self, inputs, kernel):
        """The map without bias."""
        raise NotImplementedError

    def finish(self, outputs):
        """What follows the norm."""
        return outputs

    @property
    def offset(self):
        """What is added behind the norm."""
        return self.beta

    def folded(self):
        """Kernel and bias of the map with its norm in it."""
        factor = tf.math.rsqrt(self.moving_variance + BATCH_NORM_EPSILON)
        factor = factor if self.gamma is None else self.gamma * factor
        return self.kernel * factor, self.offset - self.moving_mean * factor

    def call(self, inputs, training=False):
        if training and self.decay is not None:
            return self.finish(self._normalised_by_batch(self.linear(inputs, tf.cast(self.kernel, inputs.dtype))))
        kernel, bias = (tf.cast(weight, inputs.dtype) for weight in self.folded())
        return self.finish(tf.nn.bias_add(self.linear(inputs, kernel), bias))

    def _normalised_by_batch(self, outputs):
        mean, variance = tf.nn.moments(outputs, list(range(len(outputs.shape) - 1)))
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.decay * moving + (1.0 - self.decay) * value)
        return tf.nn.batch_normalization(outputs, mean, variance, self.offset, self.gamma, BATCH_NORM_EPSILON)


class DenseNorm(LinearNorm):
    """Fully connected layer and batch norm, no activation: [n, channels] -> [n, units]."""

    def __init__(self, channels, units, name, decay=None):
        super().__init__((channels, units), name, decay)

    def linear(self, inputs, kernel):
        return tf.matmul(inputs, kernel)


class ConvNorm(LinearNorm):
    """Convolution, batch norm and ReLU."""

    def __init__(self, channels, conv, decay=None):
        super().__init__((*conv.size, channels, conv.filters), conv.name, decay)
        self.stride, self.padding = conv.stride, conv.padding

    def linear(self, inputs, kernel):
        return tf.nn.conv2d(inputs, kernel, self.stride, self.padding)

    def finish(self, outputs):
        return tf.nn.relu(outputs)


class Chain(keras.layers.Layer):
    """Convolutions and poolings one after another; `filters` is the number of channels that come out."""

    def __init__(self, channels, table, name, conv_layer):
        super().__init__(name=name)
        parts = []
        for row in table:
            if isinstance(row, Pool):
                parts.append(keras.layers.MaxPooling2D(3, row.stride, row.padding.lower(), name=row.name))
            else:
                parts.append(conv_layer(channels, row))
                channels = row.filters
        self.parts = tuple(parts)  # in a list, tf.train.Checkpoint and SavedModel would not find the weights
        self.filters = channels
        self.built = True

    def call(self, inputs):
        hidden = inputs
        for part in self.parts:
            hidden = part(hidden)
        return hidden


class Branches(keras.layers.Layer):
    """Chains side by side, their channels joined; `filters` is the number of channels that come out."""

    def __init__(self, channels, table, name, conv_layer):
        super().__init__(name=name)
        self.parts = tuple(Chain(channels, rows, branch, conv_layer) for branch, rows in table.items())
        self.filters = sum(part.filters for part in self.parts)
        self.built = True

    def call(self, inputs):
        return tf.concat([part(inputs) for part in self.parts], axis=3)


class Residual(keras.layers.Layer):
    """input + scale * (1x1 convolution of the joined branches), then ReLU unless `relu` is False."""

    def __init__(self, channels, table, scale, name, conv_layer, relu=True):
        super().__init__(name=name)
        self.scale, self.relu = scale, relu
        self.branches = Branches(channels, table, "branches", conv_layer)
        start = keras.initializers.TruncatedNormal(stddev=0.1)
        self.up = keras.layers.Conv2D(channels, 1, kernel_initializer=start, name="Conv2d_1x1")
        self.up.build((None, None, None, self.branches.filters))
        self.built = True

    def call(self, inputs):
        outputs = inputs + self.scale * self.up(self.branches(inputs))
        return tf.nn.relu(outputs) if self.relu else outputs


class InceptionResnetV1(keras.Model):
    """Face image -> prelogits: the numbers whose l2-normalised vector is the FaceNet embedding.

    The published FaceGAN code runs it frozen: batch norm by its moving statistics, no dropout. Kernels, biases and
    betas are trainable variables all the same; the moving statistics are not (the published code lists them as
    trainable, which is why its `relax_c` fails with this network). New weights start as in FaceNet: kernels at a
    truncated N(0, 0.1), everything else at 0, variances at 1. 22,808,144 numbers at embedding size 128.

    Args:
        embedding_size: length of the output; 128 in the models of 2017, 512 in those of 2018.
        frozen: batch norm by its moving statistics even when called with training=True. False: then by the batch, and
            the statistics move.
    """

    def __init__(self, embedding_size=128, frozen=True, name="inception_resnet_v1"):
        super().__init__(name=name)
        decay = None if frozen else BATCH_NORM_DECAY
        conv = partial(ConvNorm, decay=decay)
        self.body = (
            Chain(3, STEM, "stem", conv),
            *(Residual(256, BLOCK35, 0.17, f"block35_{i}", conv) for i in range(1, 6)),
            Branches(256, MIXED_6A, "Mixed_6a", conv),
            *(Residual(896, BLOCK17, 0.10, f"block17_{i}", conv) for i in range(1, 11)),
            Branches(896, MIXED_7A, "Mixed_7a", conv),
            *(Residual(1792, BLOCK8, 0.20, f"block8_{i}", conv) for i in range(1, 6)),
            Residual(1792, BLOCK8, 1.0, "Block8", conv, relu=False),
        )
        self.bottleneck = DenseNorm(1792, embedding_size, "Bottleneck", decay)
        self.built = True

    def call(self, images, dropout_seed=None, keep=1.0):
        """Embed faces.

        Args:
            images: float32 [n, h, w, 3], each standardised to mean 0 and deviation 1; h and w at least 75 (FaceNet was
                trained at 160, FaceGAN gives it 96).
            dropout_seed: int32 [2]: drop activations before the last layer by this seed; None drops nothing.
            keep: share of the activations that dropout keeps.

        Returns:
            float32 [n, embedding_size], before l2 normalisation.

        Raises:
            ValueError: the images are too small.
        """
        if any(side is not None and side < SMALLEST_IMAGE for side in images.shape[1:3]):
            raise ValueError(f"Inception-ResNet-v1 takes images from {SMALLEST_IMAGE} pixels up, not {images.shape}")
        hidden = images
        for part in self.body:
            hidden = part(hidden)
        hidden = seeded_dropout(tf.reduce_mean(hidden, axis=[1, 2]), keep, dropout_seed)  # [n, 1792]
        return self.bottleneck(hidden)  # [n, embedding_size]
