"""The networks of IP-GAN (Zeno et al. 2019): one face's identity and another's pose into one face.

Only the abstract of the paper is public; every layer here is ours. The generator follows what worked for its
neighbours: codes enter every block as scale and offset of normalised channels (Burkov et al. 2020), or begin the image
alone (Bao et al. 2018).
"""

import math

import keras
import tensorflow as tf

from models.convolutions import ConvOfDoubled, ConvToFew
from models.layers import InstanceNormalization

START = 4  # pixels of the side of the smallest maps
SLOPE = 0.2  # of the leaky units below 0
OF_IDENTITY, OF_BOTH = 128, 256  # numbers that an identity becomes, and that identity and pose become together


class PoseEncoder(keras.Model):
    """A face to the mean and the log-variance of its pose code: all of it that is not the person, in few numbers.

    4x4 convolutions that halve the image down to 4x4, with instance norm from the second on; then two dense layers.

    Args:
        size: pixels of the images, a power of two from 8 on. code: numbers of a pose code.
        filters: channels of the first layer, doubled with every next one, up to `most`.
    """

    def __init__(self, size, code=16, filters=32, most=256, name="pose_encoder"):
        super().__init__(name=name)
        count = int(math.log2(size // START))
        self.convolutions = [
            keras.layers.Conv2D(min(filters * 2**i, most), 4, 2, "same", name=f"halve_{i + 1}") for i in range(count)
        ]
        self.norms = [InstanceNormalization(name=f"norm_{i + 1}") for i in range(1, count)]
        self.mean = keras.layers.Dense(code, name="mean")
        self.log_variance = keras.layers.Dense(code, name="log_variance")
        self(tf.zeros((1, size, size, 3)))  # creates the weights

    def call(self, images):
        """float32 [n, s, s, 3] in [-1, 1] -> two float32 [n, code]."""
        hidden = tf.nn.leaky_relu(self.convolutions[0](images), SLOPE)
        for convolution, norm in zip(self.convolutions[1:], self.norms, strict=True):
            hidden = tf.nn.leaky_relu(norm(convolution(hidden)), SLOPE)
        flat = tf.reshape(hidden, [-1, math.prod(hidden.shape[1:])])
        return tf.cast(self.mean(flat), tf.float32), tf.cast(self.log_variance(flat), tf.float32)


class RecombiningGenerator(keras.Model):
    """An identity and a pose code to a face.

    Args:
        size: pixels of the images, a power of two from 8 on. identity, pose: numbers of the two codes.
        filters: channels before the last layer, doubled with every halving, up to `most`.
        injection: "adain": both codes scale and offset every block's normalised channels; "concat": they make the
            smallest maps, and nothing after these.
    """

    def __init__(self, size, identity, pose, filters=32, most=256, injection="adain", name="generator"):
        super().__init__(name=name)
        doublings = int(math.log2(size // START))
        widths = [min(filters * 2**i, most) for i in range(doublings)][::-1]
        self.width = widths[0]
        self.of_identity = keras.layers.Dense(OF_IDENTITY, name="of_identity")
        self.of_both = keras.layers.Dense(OF_BOTH, name="of_both")
        self.begin = keras.layers.Dense(START * START * self.width, name="begin")
        self.blocks = [_Doubling(width, injection == "adain", name=f"double_{i}") for i, width in enumerate(widths, 1)]
        self.last = ConvToFew(3, 3, padding="same", name="last")
        self(tf.zeros((1, identity)), tf.zeros((1, pose)))

    def call(self, identity, pose):
        """float32 [n, identity], [n, pose] -> float32 [n, s, s, 3] in [-1, 1]."""
        named = self.of_identity(identity)
        codes = tf.nn.leaky_relu(self.of_both(tf.concat([named, tf.cast(pose, named.dtype)], axis=1)), SLOPE)
        hidden = tf.reshape(self.begin(codes), [-1, START, START, self.width])
        for block in self.blocks:
            hidden = block(hidden, codes)
        return tf.tanh(tf.cast(self.last(hidden), tf.float32))


class _Doubling(keras.layers.Layer):
    """Nearest neighbours, then two 3x3 convolutions, each with a norm and a leaky ReLU."""

    def __init__(self, filters, styled, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [kind(filters, 3, padding="same", use_bias=False, name=f"convolution_{i}")
                             for i, kind in enumerate((ConvOfDoubled, keras.layers.Conv2D), 1)]  # fmt: skip
        kind = _StyledNormalization if styled else _Unstyled
        self.norms = [kind(filters, name=f"norm_{i}") for i in (1, 2)]

    def call(self, images, codes):
        hidden = images
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = tf.nn.leaky_relu(norm(convolution(hidden), codes), SLOPE)
        return hidden


class _StyledNormalization(keras.layers.Layer):
    """Each image and channel to mean 0 and deviation 1, then scaled and offset as the codes say (Huang 2017, AdaIN)."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.norm = keras.layers.GroupNormalization(-1, epsilon=1e-5, center=False, scale=False, name="norm")
        self.style = keras.layers.Dense(2 * filters, name="style")

    def call(self, images, codes):
        scale, offset = tf.split(self.style(codes)[:, None, None], 2, axis=3)
        return self.norm(images) * (1.0 + scale) + offset


class _Unstyled(InstanceNormalization):
    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)

    def call(self, images, codes):
        return super().call(images)
