"""IResNet, the improved residual network of ArcFace (Deng et al. 2019; layers as insightface's arcface_torch)."""

import keras
import tensorflow as tf

from models.convolutions import ConvOfSmall
from models.layers import FusedBatchNormalization, seeded_dropout

IMAGE_SIZE = 112  # pixels of a published side
STAGES = (64, 128, 256, 512)  # channels; each stage halves height and width, rounding up
DEPTHS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3)}  # published name -> blocks of the stages


class Block(keras.layers.Layer):
    """Shortcut + norm(conv(PReLU(norm(conv(norm(input)))))); the second convolution strides. No activation follows."""

    def __init__(self, channels, filters, stride, name):
        super().__init__(name=name)
        self.norm1 = _norm(channels, "bn1")
        self.conv1, self.norm2 = _conv(channels, filters, 3, 1, "conv1"), _norm(filters, "bn2")
        self.prelu = _prelu(filters, "prelu")
        self.conv2, self.norm3 = _conv(filters, filters, 3, stride, "conv2"), _norm(filters, "bn3")
        self.projection = self.projection_norm = None
        if stride != 1:
            self.projection = _conv(channels, filters, 1, stride, "downsample_conv")
            self.projection_norm = _norm(filters, "downsample_bn")
        self.built = True

    def call(self, inputs, training=False):
        hidden = self.norm2(self.conv1(self.norm1(inputs, training=training)), training=training)
        hidden = self.norm3(_strided(self.conv2, self.prelu(hidden)), training=training)
        if self.projection is None:
            return inputs + hidden
        return self.projection_norm(self.projection(inputs), training=training) + hidden


class IResNet(keras.Model):
    """Face -> feature, whose direction is compared.

    As published: convolutions without bias that start at N(0, 0.1); norms of epsilon 1e-5 and momentum 0.9 (PyTorch
    counts it 0.1); PReLUs that start at 0.25; dropout before the fully connected layer, and a norm behind it whose
    scale stays 1. What differs: a norm's moving variance is the batch's own, not n / (n - 1) of it, and the fully
    connected layer's bias, which the norm takes away, starts at 0.

    Args:
        depth: 18 or 50.
        embedding_size: length of the feature; 512 as published.
        size: height and width of the images; 112 as published. Four strides halve it, rounding up.

    Raises:
        ValueError: another depth.
    """

    def __init__(self, depth=18, embedding_size=512, size=IMAGE_SIZE, name=None):
        super().__init__(name=name or f"iresnet{depth}")
        if depth not in DEPTHS:
            raise ValueError(f"IResNet has {' or '.join(map(str, DEPTHS))} layers, not {depth}")
        self.size, channels = size, STAGES[0]
        self.stem, self.stem_norm = _conv(3, channels, 3, 1, "conv1"), _norm(channels, "bn1")
        self.stem_prelu = _prelu(channels, "prelu")
        blocks = []
        for stage, (filters, count) in enumerate(zip(STAGES, DEPTHS[depth], strict=True), start=1):
            for number in range(count):
                blocks.append(Block(channels, filters, 1 if number else 2, f"layer{stage}_{number}"))
                channels = filters
        self.blocks = tuple(blocks)  # in a list, tf.train.Checkpoint and SavedModel would not find the weights
        self.norm = _norm(channels, "bn2")
        start = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")  # PyTorch's
        self.fc = keras.layers.Dense(embedding_size, kernel_initializer=start, name="fc")
        self.fc.build((None, channels * (-(-size // 2 ** len(STAGES))) ** 2))
        self.features = _norm(embedding_size, "features")
        self.features.gamma.trainable = False
        self.built = True

    def call(self, images, training=False, dropout_seed=None, keep=1.0):
        """Embed faces.

        Args:
            images: float32 [n, size, size, 3], RGB in [-1, 1].
            training: norms by the batch, whose statistics move the moving ones.
            dropout_seed: int32 [2]: drop activations before the fully connected layer by this seed; None drops nothing.
            keep: share of the activations that dropout keeps; 1 is the published default.

        Returns:
            float32 [n, embedding_size], before l2 normalisation.

        Raises:
            ValueError: images of another size.
        """
        if tuple(images.shape[1:]) != (self.size, self.size, 3):
            raise ValueError(f"this IResNet takes images of {self.size}x{self.size} pixels, not {images.shape}")
        hidden = self.stem_prelu(self.stem_norm(self.stem(images), training=training))  # [n, 112, 112, 64]
        for block in self.blocks:
            hidden = block(hidden, training=training)
        hidden = self.norm(hidden, training=training)  # [n, 7, 7, 512]
        hidden = tf.reshape(hidden, [-1, self.fc.kernel.shape[0]])  # [n, 25088]
        return self.features(self.fc(seeded_dropout(hidden, keep, dropout_seed)), training=training)


def _conv(channels, filters, window, stride, name):
    """A convolution; one of window 3 and stride 2 is to be called through _strided, which pads it."""
    padding = "same" if stride == 1 else "valid"
    start = keras.initializers.RandomNormal(stddev=0.1)
    kind = ConvOfSmall if window == 3 else keras.layers.Conv2D
    layer = kind(
        filters, window, stride, padding, use_bias=False, kernel_initializer=start, name=name
    )
    layer.build((None, None, None, channels))
    return layer


def _strided(conv, hidden):
    """A 3x3 convolution padded by a pixel on every side, whatever its stride: TensorFlow pads strides otherwise."""
    if conv.padding == "valid":
        hidden = tf.pad(hidden, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return conv(hidden)


def _norm(channels, name):
    layer = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=name)
    layer.build((None, channels) if name == "features" else (None, None, None, channels))
    return layer


def _prelu(channels, name):
    layer = keras.layers.PReLU(keras.initializers.Constant(0.25), shared_axes=[1, 2], name=name)
    layer.build((None, 1, 1, channels))
    return layer
