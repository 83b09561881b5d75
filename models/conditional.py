"""The networks of conditional face synthesis (Huang et al., PRCV 2018): a face out of a person and a latent vector.

The paper gives how often each halves or doubles the image, the activations and the norms; channels, kernels and the way
the person enters the generator are ours, after the code that its parts come from: BicycleGAN's residual encoder
(Zhu et al. 2017), StarGAN's discriminator (Choi et al. 2018), CVAE-GAN's concatenated category (Bao et al. 2017).
"""

import math

import keras
import numpy as np
import tensorflow as tf

from models.layers import InstanceNormalization

ENCODED = (1, 2, 3, 4)  # channels of the encoder's blocks, times its width (BicycleGAN: 64 to 256)
DOUBLINGS = 6
SLOPE = 0.01  # of the discriminator's leaky ReLU


class Encoder(keras.Model):
    """A photograph to the mean and the log-variance of its latent vector: four residual blocks, each halves the image.

    The dense layers see where in the image something is: after an instance norm the mean over all places says little.

    Args:
        size: pixels of the images. latent: numbers of a latent vector. filters: channels of the first block.
    """

    def __init__(self, size, latent=256, filters=64, name="encoder"):
        super().__init__(name=name)
        self.blocks = [_Halving(times * filters, name=f"block_{i}") for i, times in enumerate(ENCODED, 1)]
        self.mean = keras.layers.Dense(latent, name="mean")
        self.log_variance = keras.layers.Dense(latent, name="log_variance")
        self(tf.zeros((1, size, size, 3)))  # creates the weights

    def call(self, images):
        """float32 [n, s, s, 3] in [-1, 1] -> two float32 [n, latent]."""
        for block in self.blocks:
            images = block(images)
        flat = tf.reshape(images, [-1, math.prod(images.shape[1:])])
        return tf.cast(self.mean(flat), tf.float32), tf.cast(self.log_variance(flat), tf.float32)


class ConditionalGenerator(keras.Model):
    """A person and a latent vector to a face: six transposed convolutions, each doubles the image.

    A person is a row of weights, 1 for one of the training's and 0 for all others, or a mixture of such rows. A layer
    without bias makes of it what is added to the latent vector's part, so that a mixture of people is one of parts. At
    the start both parts are equally large: a person is seen too rarely for a small one to grow.

    Args:
        size: pixels of the images, 64 times a whole number. people: how many are known. latent: numbers of z.
        filters: channels before the last layer, doubled with every halving, up to `most`.
    """

    def __init__(self, size, people, latent=256, filters=64, most=512, name="generator"):
        super().__init__(name=name)
        self.start = size // 2**DOUBLINGS
        widths = [min(filters * 2**i, most) for i in range(DOUBLINGS)][::-1]
        self.width = widths[0]
        count = self.start**2 * self.width
        self.deviation = math.sqrt(2.0 * latent / (latent + count))  # of of_latent's sums, before anything is learned
        initial = keras.initializers.RandomNormal(stddev=self.deviation)
        self.of_person = keras.layers.Dense(count, use_bias=False, kernel_initializer=initial, name="of_person")
        self.of_latent = keras.layers.Dense(count, name="of_latent")
        self.deconvolutions = [
            _deconvolution(width, name=f"double_{i}") for i, width in enumerate([*widths[1:], 3], 1)
        ]
        self.norms = [InstanceNormalization(name=f"norm_{i}") for i in range(1, DOUBLINGS)]
        self(tf.zeros((1, people)), tf.zeros((1, latent)))

    def begin_people(self, features, seed):
        """Replace the persons' parts by their features through random weights, as large as before.

        Args:
            features: float32 [people, d].  seed: of the weights.
        """
        centred = features - features.mean(axis=0)
        random = np.random.default_rng(seed).normal(size=(features.shape[1], self.of_person.units))
        parts = centred @ random
        self.of_person.kernel.assign(self.deviation / parts.std() * parts)

    def call(self, people, latent):
        """float32 [n, people], [n, latent] -> float32 [n, s, s, 3] in [-1, 1]."""
        hidden = self.of_person(people) + self.of_latent(latent)
        hidden = tf.nn.relu(tf.reshape(hidden, [-1, self.start, self.start, self.width]))
        for deconvolution, norm in zip(self.deconvolutions, self.norms, strict=False):
            hidden = tf.nn.relu(norm(deconvolution(hidden)))
        return tf.tanh(tf.cast(self.deconvolutions[-1](hidden), tf.float32))


class ConditionalDiscriminator(keras.Model):
    """How real an image looks, and whom it shows: six convolutions, each halves it, and two outputs on the last.

    Args:
        size: pixels of the images, a power of two: under 64 it takes as many convolutions as there are halvings.
        people: how many are known. filters: channels of the first layer, doubled with every next one, up to `most`.
    """

    def __init__(self, size, people, filters=64, most=512, name="discriminator"):
        super().__init__(name=name)
        count = min(DOUBLINGS, int(math.log2(size)))
        self.convolutions = [
            keras.layers.Conv2D(min(filters * 2**i, most), 4, 2, "same", name=f"halve_{i + 1}") for i in range(count)
        ]
        self.source = keras.layers.Conv2D(1, 3, padding="same", use_bias=False, name="source")
        self.person = keras.layers.Conv2D(people, size // 2**count, use_bias=False, name="person")
        self(tf.zeros((1, size, size, 3)))

    def call(self, images):
        """float32 [n, s, s, 3] -> (scores [n, h, w], logits [n, people], the last three convolutions' outputs)."""
        outputs = []
        for convolution in self.convolutions:
            images = tf.nn.leaky_relu(convolution(images), SLOPE)
            outputs.append(images)
        scores = tf.cast(self.source(images), tf.float32)[..., 0]
        logits = tf.cast(self.person(images), tf.float32)[:, 0, 0]
        return scores, logits, [tf.cast(output, tf.float32) for output in outputs[-3:]]


class _Halving(keras.layers.Layer):
    """Two 3x3 convolutions with instance norm, the first halves the image, added to the halved input; then ReLU."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Conv2D(filters, 3, 2, "same", use_bias=False, name="first")
        self.second = keras.layers.Conv2D(filters, 3, 1, "same", use_bias=False, name="second")
        self.first_norm, self.second_norm = (InstanceNormalization(name=f"norm_{i}") for i in (1, 2))
        self.shortcut = keras.layers.Conv2D(filters, 1, name="shortcut")

    def call(self, images):
        hidden = tf.nn.relu(self.first_norm(self.first(images)))
        halved = tf.nn.avg_pool2d(tf.cast(images, self.compute_dtype), 2, 2, "VALID")
        return tf.nn.relu(self.second_norm(self.second(hidden)) + self.shortcut(halved))


def _deconvolution(filters, name):
    initial = keras.initializers.RandomNormal(stddev=0.02)
    return keras.layers.Conv2DTranspose(filters, 4, 2, "same", kernel_initializer=initial, name=name)
