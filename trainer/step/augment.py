"""Augmentation in front of a discriminator, of generated and real images alike (DiffAugment, Zhao et al. 2020).

The generator's gradient goes through it, so that what is learned is to look real under it, and not to be augmented.
Strengths are the published ones; mirroring is ours.
"""

import tensorflow as tf

from trainer.step.pixels import cropped, flipped
from utils.errors import UserError

BRIGHTNESS = 0.5  # added at most, either way, to images in [-1, 1]
SATURATION, CONTRAST = 1.0, 0.5  # factors 1 +- so much, about each pixel's mean and about each image's
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


def augmented(images, names, seed, strength=1.0):
    """Change each image anew, a function of `seed`.

    Args:
        images: float32 [n, s, s, 3], grey being 0.
        names: of parse_augment.
        seed: int [2]; None changes nothing.
        strength: of colour and shift, 0 to 1: how far of the published ranges. A cut-out and a mirror image are whole.

    Returns:
        float32 of the same shape; colours may leave [-1, 1].
    """
    if seed is None:
        return images
    for place, name in enumerate(KINDS):
        if name in names:
            images = KINDS[name](images, tf.random.experimental.stateless_fold_in(seed, place), strength)
    return images


def _colour(images, seed, strength):
    brightness, saturation, contrast = tf.unstack(tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], seed))
    images = images + strength * BRIGHTNESS * (2.0 * brightness - 1.0)
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * (1.0 + strength * SATURATION * (2.0 * saturation - 1.0))
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * (1.0 + strength * CONTRAST * (2.0 * contrast - 1.0))


def _shift(images, seed, strength):
    """Up to an eighth of the side, either way; what comes in is grey."""
    side = images.shape[1]
    margin = round(strength * SHIFT * side)
    return cropped(tf.pad(images, [[0, 0], [margin, margin], [margin, margin], [0, 0]]), side, seed)


def _cut_out(images, seed, strength):
    """A square of half the side becomes grey; it may lie over the border."""
    side = images.shape[1]
    half = round(CUT_OUT * side) // 2
    centres = tf.random.stateless_uniform([2, tf.shape(images)[0], 1], seed, 0, side + 1, tf.int32)
    rows, columns = tf.unstack(tf.abs(tf.range(side) - centres) >= half)  # [n, side] each: outside the square
    outside = rows[:, :, None, None] | columns[:, None, :, None]
    return images * tf.cast(outside, images.dtype)


def _flip(images, seed, strength):
    return flipped(images, seed)


KINDS = {"colour": _colour, "shift": _shift, "cutout": _cut_out, "flip": _flip}
