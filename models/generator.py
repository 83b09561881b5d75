"""FaceGAN's two generators: render -> photograph (G) and photograph -> render (G')."""

import keras
import tensorflow as tf

from models.convolutions import ConvFromFew, ConvOfDoubled, ConvToFew
from models.layers import InstanceNormalization, normal_conv, normal_conv_transpose, reflect_pad, seeded_dropout


class ResidualBlock(keras.layers.Layer):
    """Two reflect-padded 3x3 convolutions with instance norm, added to the input; no activation after the sum."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.conv_1 = normal_conv(filters, 3, name="conv_1")
        self.norm_1 = InstanceNormalization(name="norm_1")
        self.conv_2 = normal_conv(filters, 3, name="conv_2")
        self.norm_2 = InstanceNormalization(name="norm_2")

    def build(self, shape):
        for layer in (self.conv_1, self.norm_1, self.conv_2, self.norm_2):
            layer.build(shape)

    def call(self, inputs):
        hidden = tf.nn.relu(self.norm_1(self.conv_1(reflect_pad(inputs, 1))))
        return inputs + self.norm_2(self.conv_2(reflect_pad(hidden, 1)))


class Generator(keras.Model):
    """A shallow residual network from image to image (paper section 3; layer table in the published code).

    The published code builds it without any normalisation outside the residual blocks, because the name of the
    norm it asks for matches none that it knows; this network computes what that code computes.

    Args:
        filters: width of the first and last hidden layers (`conv_hidden_num_res`), doubled at each of two halvings.
        blocks: residual blocks (`num_res_rep`).
        skips: join the two early layers of equal size to the two late ones. G has them, G' has not.
        upsample: "transposed" convolutions, as published, or "nearest": doubled, then convolved (ours), which cannot
            weave a pattern of the stride into the image (Odena et al. 2016).
        residual: what the layers give is added to the image, and the sum kept in [-1, 1] (ours).
    """

    def __init__(self, filters=32, blocks=3, skips=True, upsample="transposed", residual=False, name="generator"):
        super().__init__(name=name, autocast=not residual)  # in 16 bits the image itself stays as it is
        self.filters, self.skips, self.residual = filters, skips, residual
        self.first = normal_conv(filters, 7, name="first", kind=ConvFromFew)
        self.down_1 = normal_conv(2 * filters, 3, 2, "same", name="down_1")
        self.down_2 = normal_conv(4 * filters, 3, 2, "same", name="down_2")
        self.blocks = [ResidualBlock(4 * filters, name=f"block_{i + 1}") for i in range(blocks)]
        self.up_1 = _doubling(upsample, 2 * filters, name="up_1")
        self.up_2 = _doubling(upsample, filters, name="up_2")
        self.last = normal_conv(3, 7, name="last", kind=ConvToFew)
        self.build((None, None, None, 3))

    def build(self, shape):
        width, joined = self.filters, 2 if self.skips else 1
        self.first.build((None, None, None, 3))
        self.down_1.build((None, None, None, width))
        self.down_2.build((None, None, None, 2 * width))
        for block in self.blocks:
            block.build((None, None, None, 4 * width))
        self.up_1.build((None, None, None, 4 * width))
        self.up_2.build((None, None, None, 2 * width * joined))
        self.last.build((None, None, None, width * joined))
        self.built = True

    def call(self, images, dropout_seed=None, keep=0.9):
        """Translate images.

        Args:
            images: float32 [n, s, s, 3] in [-1, 1], s a multiple of 4.
            dropout_seed: int32 [2]: drop activations after each residual block by this seed; None drops nothing.
            keep: share of the activations that dropout keeps.

        Returns:
            float32 [n, s, s, 3] in [-1, 1].
        """
        first = tf.nn.relu(self.first(reflect_pad(images, 3)))  # [n, s, s, f]
        down_1 = tf.nn.relu(self.down_1(first))  # [n, s/2, s/2, 2f]
        hidden = tf.nn.relu(self.down_2(down_1))  # [n, s/4, s/4, 4f]
        for index, block in enumerate(self.blocks):
            hidden = block(hidden)
            if dropout_seed is not None:
                hidden = seeded_dropout(hidden, keep, tf.random.experimental.stateless_fold_in(dropout_seed, index))
        up_1 = tf.nn.relu(self.up_1(hidden))  # [n, s/2, s/2, 2f]
        up_2 = tf.nn.relu(self.up_2(self._join(up_1, down_1)))  # [n, s, s, f]
        last = self.last(reflect_pad(self._join(up_2, first), 3))  # [n, s, s, 3]
        drawn = tf.nn.tanh(tf.cast(last, tf.float32))
        return tf.clip_by_value(images + drawn, -1.0, 1.0) if self.residual else drawn

    def _join(self, late, early):
        return tf.concat([late, early], axis=3) if self.skips else late


def _doubling(kind, filters, name):
    if kind == "transposed":
        return normal_conv_transpose(filters, name=name)
    if kind == "nearest":
        return normal_conv(filters, 3, padding="same", name=name, kind=ConvOfDoubled)
    raise ValueError(f"no up-sampling {kind!r}; one of transposed, nearest")
