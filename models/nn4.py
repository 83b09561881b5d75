"""FaceNet's NN4 (Schroff et al. 2015, arXiv 1503.03832; layers as in FaceGAN's FaceNet fork)."""

from functools import partial

import keras
import tensorflow as tf

from models.inception_resnet_v1 import Branches, Chain, Conv, ConvNorm, Pool
from models.layers import seeded_dropout

BATCH_NORM_DECAY = 0.9  # of the moving statistics in training, as in the fork
IMAGE_SIZE = 96  # pixels; the only size whose last map is 3x3 = the last pooling's window, as in the published code

STEM = (
    Conv("conv1_7x7", 64, (7, 7), 2),
    Pool("pool1", 2, "SAME"),
    Conv("conv2_1x1", 64, (1, 1)),
    Conv("conv3_3x3", 192, (3, 3)),
    Pool("pool3", 2, "SAME"),
)
INCEPTIONS = (  # name, stride, 1x1, (3x3 reduction, 3x3), (5x5 reduction, 5x5), 1x1 behind the pooling; None: left out
    ("incept3a", 1, 64, (96, 128), (16, 32), 32),
    ("incept3b", 1, 64, (96, 128), (32, 64), 64),
    ("incept3c", 2, None, (128, 256), (32, 64), None),
    ("incept4a", 1, 256, (96, 192), (32, 64), 128),
    ("incept4b", 1, 224, (112, 224), (32, 64), 128),
    ("incept4c", 1, 192, (128, 256), (32, 64), 128),
    ("incept4d", 1, 160, (144, 288), (32, 64), 128),
    ("incept4e", 2, None, (160, 256), (64, 128), None),
    ("incept5a", 1, 384, (192, 384), None, 128),
    ("incept5b", 1, 384, (192, 384), None, 128),
)


class BiasedConvNorm(ConvNorm):
    """Convolution, batch norm with gamma, a bias added behind it, ReLU."""

    def __init__(self, channels, conv, decay=None):
        super().__init__(channels, conv, decay)
        self.gamma = self.add_weight(shape=(conv.filters,), initializer="ones", name="gamma")
        self.bias = self.add_weight(shape=(conv.filters,), initializer="zeros", name="bias")

    @property
    def offset(self):
        return self.beta + self.bias


class NN4(keras.Model):
    """Face image -> prelogits: the numbers whose l2-normalised vector is the FaceNet embedding.

    FaceGAN's identity network. The published code runs it frozen: batch norm by its moving statistics, no dropout.
    All weights but the moving statistics are trainable variables all the same. New weights start as in the published
    code: kernels at a truncated N(0, 0.1), the last at Glorot's uniform. 6,974,224 numbers at embedding size 128.

    Args:
        embedding_size: length of the output.
        frozen: batch norm by its moving statistics even when called with training=True. False: then by the batch, and
            the statistics move.
    """

    def __init__(self, embedding_size=128, frozen=True, name="nn4"):
        super().__init__(name=name)
        conv = partial(BiasedConvNorm, decay=None if frozen else BATCH_NORM_DECAY)
        body = [Chain(3, STEM, "stem", conv)]
        for name, *row in INCEPTIONS:
            body.append(Branches(body[-1].filters, _branches(*row), name, conv))
        self.body = tuple(body)
        self.bottleneck = keras.layers.Dense(embedding_size, name="Bottleneck")
        self.bottleneck.build((None, self.body[-1].filters))
        self.built = True

    def call(self, images, dropout_seed=None, keep=1.0):
        """Embed faces.

        Args:
            images: float32 [n, 96, 96, 3], each standardised to mean 0 and deviation 1.
            dropout_seed: int32 [2]: drop activations before the last layer by this seed; None drops nothing.
            keep: share of the activations that dropout keeps.

        Returns:
            float32 [n, embedding_size], before l2 normalisation.

        Raises:
            ValueError: the images are not 96x96.
        """
        if any(side not in (None, IMAGE_SIZE) for side in images.shape[1:3]):
            raise ValueError(f"NN4 takes images of {IMAGE_SIZE}x{IMAGE_SIZE} pixels, not {images.shape}")
        hidden = images
        for part in self.body:
            hidden = part(hidden)
        hidden = seeded_dropout(tf.reduce_mean(hidden, axis=[1, 2]), keep, dropout_seed)  # [n, 3, 3, 896] -> [n, 896]
        return self.bottleneck(hidden)  # [n, embedding_size]


def _branches(stride, single, three, five, pooled):
    """One row of INCEPTIONS as the branches of an inception module, by their TF1 names."""
    table = {}
    if single:
        table["branch1_1x1"] = (Conv("conv1x1", single, (1, 1)),)
    if three:
        table["branch2_3x3"] = (Conv("conv1x1", three[0], (1, 1)), Conv("conv3x3", three[1], (3, 3), stride))
    if five:
        table["branch3_5x5"] = (Conv("conv1x1", five[0], (1, 1)), Conv("conv5x5", five[1], (5, 5), stride))
    table["branch4_pool"] = (Pool("pool", stride, "SAME"), *([Conv("conv1x1", pooled, (1, 1))] if pooled else []))
    return table
