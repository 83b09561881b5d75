"""The BEGAN discriminator: an auto-encoder that is judged by how well it reconstructs (Berthelot et al. 2017)."""

import math

import keras
import tensorflow as tf

from models.convolutions import ConvFromFew, ConvOfDoubled, ConvToFew


class Autoencoder(keras.Model):
    """Encode an image into `code_size` numbers and decode it again.

    Halvings: log2(size) - 3, so 64 and 108 both come down in three (to 8 and to 14). The decoder doubles 14 back to
    112, whose centre 108 is taken.

    Args:
        size: height and width of the images in pixels.
        filters: width n; the encoder's i-th stage has i * n channels, the decoder n throughout.
        code_size: length z of the code.
    """

    def __init__(self, size, filters=64, code_size=64, name="autoencoder"):
        super().__init__(name=name)
        self.size = size
        stages = int(math.log2(size)) - 2
        bottom = size
        self.encoder = [_conv(filters, name="encode_first", kind=ConvFromFew)]
        for stage in range(1, stages + 1):
            self.encoder += [_conv(stage * filters, name=f"encode_{stage}_{i}") for i in (1, 2)]
            if stage < stages:
                self.encoder.append(_conv(stage * filters, strides=2, name=f"encode_{stage}_down"))
                bottom = -(-bottom // 2)
        self.code = _dense(code_size, name="code")
        self.from_code = _dense(bottom * bottom * filters, name="from_code")
        self.decoder = [_conv(filters, name=f"decode_1_{i}") for i in (1, 2)]
        for stage in range(2, stages + 1):
            self.decoder.append(_conv(filters, name=f"decode_{stage}_1", kind=ConvOfDoubled))
            self.decoder.append(_conv(filters, name=f"decode_{stage}_2"))
        self.last = _conv(3, activation=None, name="last", kind=ConvToFew)
        self.bottom, self.filters = bottom, filters
        self(tf.zeros((1, size, size, 3)))  # creates the weights

    def call(self, images):
        """Reconstruct images: float32 [n, s, s, 3] -> float32 [n, s, s, 3], unbounded (no tanh)."""
        return self.decode(self.encode(images))

    def encode(self, images):
        """float32 [n, s, s, 3] -> code float32 [n, z], linear."""
        for layer in self.encoder:
            images = layer(images)
        return self.code(tf.reshape(images, [tf.shape(images)[0], math.prod(images.shape[1:])]))

    def decode(self, code):
        """Code float32 [n, z] -> float32 [n, s, s, 3]."""
        hidden = tf.reshape(self.from_code(code), [-1, self.bottom, self.bottom, self.filters])
        for layer in self.decoder:
            hidden = layer(hidden)
        margin = (hidden.shape[1] - self.size) // 2
        images = tf.cast(self.last(hidden), tf.float32)
        return images[:, margin : margin + self.size, margin : margin + self.size]


def _conv(filters, strides=1, activation="elu", name=None, kind=keras.layers.Conv2D):
    return kind(filters, 3, strides, "same", activation=activation, name=name)


def _dense(units, name):
    return keras.layers.Dense(units, name=name)
