"""The random streams of a training step: a name for each, so that no two draw the same numbers.

Every stream is a function of (random_seed, step) and its number. A number never changes its meaning: a system whose
streams change says so to runs that were begun before (System.streams).
"""

from enum import IntEnum

import tensorflow as tf


class Stream(IntEnum):
    """Numbers that are folded into a step's seed. A generator's dropout takes 0 … 99, a number for each block."""

    PHOTOGRAPH_FLIP = 100
    PHOTOGRAPH_VARIATION = 200
    IDENTITY_FLIP = 300  # 1 until format 2 of the streams: that of the second block's dropout
    AUGMENTED_REAL = 400
    AUGMENTED_FAKE = 500
    LATENT = 600
    BETWEEN = 700
    POSE_INPUT = 800
    REPLICA = 1000  # and up: that of a device, folded in before any other


class RecognizerStream(IntEnum):
    """The same for recognisers, whose steps draw nothing else."""

    DROPOUT = 0
    AUGMENTATION = 1


def step_seed(random_seed, step):
    """int64 [2]: the seed of one step."""
    return tf.stack([tf.constant(random_seed, tf.int64), step])


def drawn(seed, stream):
    """The seed of one stream of a step."""
    return tf.random.experimental.stateless_fold_in(seed, int(stream))
