"""Light CNN (Wu et al. 2018, arXiv 1511.02683; layers as in the authors' AlfredXiangWu/LightCNN): max-feature-map."""

import keras
import tensorflow as tf

IMAGE_SIZE = 128  # pixels of the published networks
STAGES = (48, 96, 192, 128, 128)  # channels of the first convolution and of the four groups
START = "lecun_normal"
DEPTHS = {9: (0, 0, 0, 0), 29: (1, 2, 3, 4)}  # layers -> residual blocks before each group


class MaxFeatureMap(keras.layers.Layer):
    """A linear layer of twice the channels, split in two halves of which the larger value counts (MFM 2/1).

    Args:
        filters: channels or units that come out.
        size: height and width of the convolution; None: fully connected.
    """

    def __init__(self, filters, size=None, name=None):
        super().__init__(name=name)
        if size is None:
            self.linear = keras.layers.Dense(2 * filters, kernel_initializer=START, name="linear")
        else:
            self.linear = keras.layers.Conv2D(
                2 * filters, size, padding="same", kernel_initializer=START, name="linear"
            )

    def build(self, shape):
        self.linear.build(shape)

    def call(self, inputs):
        return tf.maximum(*tf.split(self.linear(inputs), 2, axis=-1))


class ResidualBlock(keras.layers.Layer):
    """input + MFM 3x3 (MFM 3x3 (input))."""

    def __init__(self, filters, name):
        super().__init__(name=name)
        self.first, self.second = MaxFeatureMap(filters, 3, "first"), MaxFeatureMap(filters, 3, "second")

    def build(self, shape):
        self.first.build(shape)
        self.second.build(shape)

    def call(self, inputs):
        return inputs + self.second(self.first(inputs))


class LightCnn(keras.Model):
    """Grey face -> feature (the authors' fc1). Dropout and classifier follow in training, outside this network.

    Kernels start at N(0, 1 / fan-in), biases at 0 (not given in the paper; ours: the larger of two such numbers has
    their mean square, so that nothing fades over 29 layers without a norm).

    Args:
        depth: 9 or 29 layers.
        embedding_size: length of the feature; 256 in the paper.
        size: height and width of the images; 128 in the paper. Four poolings halve it, rounding up.

    Raises:
        ValueError: another depth.
    """

    def __init__(self, depth=9, embedding_size=256, size=IMAGE_SIZE, name=None):
        super().__init__(name=name or f"light_cnn{depth}")
        if depth not in DEPTHS:
            raise ValueError(f"Light CNN has {' or '.join(map(str, DEPTHS))} layers, not {depth}")
        self.size = size
        body = [MaxFeatureMap(STAGES[0], 5, "conv1"), _pool("pool1")]
        for i, blocks in enumerate(DEPTHS[depth], start=1):
            body += [ResidualBlock(STAGES[i - 1], f"block{i}_{k}") for k in range(1, blocks + 1)]
            body += [MaxFeatureMap(STAGES[i - 1], 1, f"reduce{i}"), MaxFeatureMap(STAGES[i], 3, f"conv{i + 1}")]
            if i != 3:  # the last two groups share a pooling
                body.append(_pool(f"pool{i + 1}"))
        self.body = tuple(body)
        self.fc1 = MaxFeatureMap(embedding_size, name="fc1")
        self(tf.zeros((1, size, size, 1)))  # creates the weights

    def call(self, images):
        """Embed faces.

        Args:
            images: float32 [n, size, size, 1] in [0, 1].

        Returns:
            float32 [n, embedding_size], before l2 normalisation.

        Raises:
            ValueError: images of another size.
        """
        if tuple(images.shape[1:]) != (self.size, self.size, 1):
            raise ValueError(f"this Light CNN takes grey images of {self.size}x{self.size} pixels, not {images.shape}")
        hidden = images
        for part in self.body:
            hidden = part(hidden)
        return self.fc1(tf.reshape(hidden, [-1, hidden.shape[1] * hidden.shape[2] * hidden.shape[3]]))


def _pool(name):
    return keras.layers.MaxPooling2D(2, 2, "same", name=name)
