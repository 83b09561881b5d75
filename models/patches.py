"""A discriminator that judges an image patch by patch (Isola et al. 2017); its layer table is ours."""

import keras
import tensorflow as tf

SLOPE = 0.2  # of the leaky units below 0


class PatchDiscriminator(keras.Model):
    """Images -> a map of scores, high where a patch looks real.

    A 3x3 convolution, h of 4x4 that halve, two of 3x3; with h = 3 a score sees 56x56 pixels, with 2 28x28, with 1
    14x14, and there are (s / 2^h)^2.

    Args:
        filters: channels of the first layer; doubled at each halving.
        halvings: h.
    """

    def __init__(self, filters=64, halvings=3, name="discriminator"):
        super().__init__(name=name)
        self.hidden = [_conv(filters, 3, name="first")]
        self.hidden += [_conv(2**i * filters, 4, 2, name=f"down_{i}") for i in range(1, halvings + 1)]
        self.hidden.append(_conv(2**halvings * filters, 3, name="hidden"))
        self.scores = _conv(1, 3, name="scores")
        self.build((None, None, None, 3))

    def build(self, shape):
        channels = 3
        for layer in (*self.hidden, self.scores):
            layer.build((None, None, None, channels))
            channels = layer.filters
        self.built = True

    def call(self, images):
        """float32 [n, s, s, 3] -> float32 [n, s / 2^h, s / 2^h, 1], unbounded."""
        for layer in self.hidden:
            images = tf.nn.leaky_relu(layer(images), SLOPE)
        return tf.cast(self.scores(images), tf.float32)


def _conv(filters, size, strides=1, name=None):
    return keras.layers.Conv2D(filters, size, strides, "same", name=name)
