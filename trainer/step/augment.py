"""Augmentation in front of a discriminator, of generated and real images alike (DiffAugment, Zhao et al. 2020).

The generator's gradient goes through it, so that what is learned is to look real under it, and not to be augmented.
Strengths are the published ones; mirroring is ours.
"""

import tensorflow as tf

from trainer.step.pixels import cropped, flipped
from utils.errors import UserError

BRIGHTNESS = 0.5  # added at most, either way, to images in [-1, 1]
SATURATION, CONTRAST = (0.0, 2.0), (0.5, 1.5)  # factors, about each pixel's mean and about each image's
SHIFT, CUT_OUT = 1 / 8, 1 / 2  # of the side


def parse_augment(text):
    """Names in `--augment`, with commas between -> a tuple in the order in which they are applied; () for none.

    Raises:
        UserError: a name that is not known.
    """
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    for name in wanted:
        if name not in KINDS:
            raise UserError(f"--augment: {name!r} is none of {', '.join(KINDS)}")
    return tuple(name for name in KINDS if name in wanted)


def augmented(images, names, seed):
    """Change each image anew, a function of `seed`.

    Args:
        images: float32 [n, s, s, 3], grey being 0.
        names: of parse_augment.
        seed: int [2]; None changes nothing.

    Returns:
        float32 of the same shape; colours may leave [-1, 1].
    """
    if seed is None:
        return images
    for place, name in enumerate(KINDS):
        if name in names:
            images = KINDS[name](images, tf.random.experimental.stateless_fold_in(seed, place))
    return images


def _colour(images, seed):
    brightness, saturation, contrast = tf.unstack(tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], seed))
    images = images + BRIGHTNESS * (2.0 * brightness - 1.0)
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * _between(SATURATION, saturation)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * _between(CONTRAST, contrast)


def _between(ends, share):
    return ends[0] + (ends[1] - ends[0]) * share


def _shift(images, seed):
    """Up to an eighth of the side, either way; what comes in is grey."""
    side = images.shape[1]
    margin = round(SHIFT * side)
    return cropped(tf.pad(images, [[0, 0], [margin, margin], [margin, margin], [0, 0]]), side, seed)


def _cut_out(images, seed):
    """A square of half the side becomes grey; it may lie over the border."""
    side = images.shape[1]
    half = round(CUT_OUT * side) // 2
    centres = tf.random.stateless_uniform([2, tf.shape(images)[0], 1], seed, 0, side + 1, tf.int32)
    rows, columns = tf.unstack(tf.abs(tf.range(side) - centres) >= half)  # [n, side] each: outside the square
    outside = rows[:, :, None, None] | columns[:, None, :, None]
    return images * tf.cast(outside, images.dtype)


KINDS = {"colour": _colour, "shift": _shift, "cutout": _cut_out, "flip": flipped}
