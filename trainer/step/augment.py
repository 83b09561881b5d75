"""Augmentation in front of a discriminator, of generated and real images alike (DiffAugment, Zhao et al. 2020).

The generator's gradient goes through it, so that what is learned is to look real under it, and not to be augmented.
Strengths are the published ones; mirroring is ours. What a pose encoder is shown is changed by the same means, and by
blur and stretching (Burkov et al. 2020, who draw from more; how often and how far is theirs for stretching, ours else)
and by tone (ours).
"""

import tensorflow as tf

from trainer.step.pixels import blurred, cropped, flipped
from utils.errors import UserError

BRIGHTNESS = 0.5  # added at most, either way, to images in [-1, 1]
SATURATION, CONTRAST = 1.0, 0.5  # factors 1 +- so much, about each pixel's mean and about each image's
SHIFT, CUT_OUT = 1 / 8, 1 / 2  # of the side
BLUR = 1.5  # pixels
TONE = 1.0  # powers of 1/2 to 2
STRETCH = 0.2  # of height and of width, each of half of the images


def parse_augment(text, flag="augment"):
    """Names in `--augment`, with commas between -> a tuple in the order in which they are applied; () for none.

    Args:
        flag: or that of another; ALLOWED says which names it takes.

    Raises:
        UserError: a name that it does not take.
    """
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    for name in wanted:
        if name not in ALLOWED[flag]:
            raise UserError(f"--{flag}: {name!r} is none of {', '.join(ALLOWED[flag])}")
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


def _blur(images, seed, strength):
    """Anything between an image and its blurred self."""
    share = strength * tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed)
    return images + share * (blurred(images, BLUR) - images)


def _tone(images, seed, strength):
    """Another curve for each image and colour, between black and white, which stay: how dark and which hue a skin is.

    Where a background is black, as a render's, brightness alone could be read off it and undone.
    """
    powers = 2.0 ** (strength * TONE * (2.0 * tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 3], seed) - 1.0))
    return 2.0 * tf.clip_by_value(0.5 * (images + 1.0), 1e-6, 1.0) ** powers - 1.0


def _stretch(images, seed, strength):
    """About the centre, across and along apart; what comes in is grey.

    Not TensorFlow's ImageProjectiveTransformV3, which XLA does not compile (`--jit_compile`).
    """
    draws = tf.random.stateless_uniform([4, tf.shape(images)[0]], seed)
    factors = 1.0 + strength * STRETCH * (2.0 * draws[:2] - 1.0) * tf.cast(draws[2:] < 0.5, tf.float32)
    across, along = (_resampling(factor, images.shape[1]) for factor in tf.unstack(factors))
    images = across[:, None] @ images  # rows stay: [n, 1, s, s] @ [n, s, s, 3]
    return tf.reshape(along @ tf.reshape(images, [-1, images.shape[1], images.shape[2] * 3]), tf.shape(images))


def _resampling(factors, side):
    """Matrices that stretch rows of `side` pixels about their centre, bilinearly; 0 beyond them.

    Args:
        factors: float32 [n], above 0.

    Returns:
        float32 [n, side, side]: how much each pixel of the result takes of each pixel that was there.
    """
    places = tf.range(side, dtype=tf.float32) - (side - 1) / 2.0
    sources = places / factors[:, None]  # [n, side]: where each pixel of the result comes from
    return tf.nn.relu(1.0 - tf.abs(sources[:, :, None] - places))


KINDS = {"colour": _colour, "shift": _shift, "cutout": _cut_out, "flip": _flip, "blur": _blur, "stretch": _stretch,
         "tone": _tone}  # fmt: skip
ALLOWED = {"augment": ("colour", "shift", "cutout", "flip"), "pose_augment": ("colour", "blur", "stretch", "tone")}
