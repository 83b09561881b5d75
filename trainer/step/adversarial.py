"""Losses of a discriminator that scores images, high for real ones, and the penalty that keeps it smooth."""

import tensorflow as tf

from utils.errors import UserError


def hinge(real, fake):
    """The discriminator's: mean relu(1 - D(x)), mean relu(1 + D(G(z))). Two scalars (Lim and Ye 2017)."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real)), tf.reduce_mean(tf.nn.relu(1.0 + fake))


def hinge_of_generator(fake):
    """mean -D(G(z)). A scalar."""
    return -tf.reduce_mean(fake)


def nonsaturating(real, fake):
    """The discriminator's: mean softplus(-D(x)), mean softplus(D(G(z))). Two scalars (Goodfellow et al. 2014)."""
    return tf.reduce_mean(tf.nn.softplus(-real)), tf.reduce_mean(tf.nn.softplus(fake))


def nonsaturating_of_generator(fake):
    """mean softplus(-D(G(z))). A scalar."""
    return tf.reduce_mean(tf.nn.softplus(-fake))


LOSSES = {"hinge": (hinge, hinge_of_generator), "nonsaturating": (nonsaturating, nonsaturating_of_generator)}


def losses_of(name):
    """(the discriminator's loss, the generator's) of `--gan_loss`."""
    if name not in LOSSES:
        raise UserError(f"--gan_loss: {name!r} is none of {', '.join(LOSSES)}")
    return LOSSES[name]


def r1_penalty(discriminator, images):
    """R1 of Mescheder et al. 2018: mean over the images of the squared length of the score's gradient to the image.

    Args:
        discriminator: [n, h, w, c] -> scores [n, …]; an image's score is their mean.
        images: float32 [n, h, w, c], real ones.

    Returns:
        A scalar, to be weighted by half of `--r1`; its gradient to the discriminator's weights is a second one.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = discriminator(images)
        total = tf.reduce_sum(tf.reduce_mean(scores, axis=list(range(1, len(scores.shape)))))
    gradient = tape.gradient(total, images)
    return tf.reduce_mean(tf.reduce_sum(gradient**2, axis=[1, 2, 3]))
