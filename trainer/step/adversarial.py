"""Losses of a discriminator that scores images, high for real ones, and the penalty that keeps it smooth."""

import tensorflow as tf

from trainer.step import replicas
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


def wasserstein(real, fake):
    """The discriminator's: -mean D(x), mean D(G(z)). Two scalars (Arjovsky et al. 2017); needs a gradient penalty."""
    return -tf.reduce_mean(real), tf.reduce_mean(fake)


LOSSES = {
    "hinge": (hinge, hinge_of_generator),
    "nonsaturating": (nonsaturating, nonsaturating_of_generator),
    "wgan_gp": (wasserstein, hinge_of_generator),
}


def losses_of(name):
    """(the discriminator's loss, the generator's) of `--gan_loss`."""
    if name not in LOSSES:
        raise UserError(f"--gan_loss: {name!r} is none of {', '.join(LOSSES)}")
    return LOSSES[name]


def gradient_penalty(discriminator, images):
    """WGAN-GP's (Gulrajani et al. 2017): mean over the images of (length of the score's gradient to the image - 1)^2.

    Args:
        discriminator: [n, h, w, c] -> scores [n, …]; an image's score is their mean.
        images: float32 [n, h, w, c], between real ones and fakes.

    Returns:
        A scalar; its gradient to the discriminator's weights is a second one.
    """
    squares = _squared_lengths(discriminator, images)
    return tf.reduce_mean((tf.sqrt(squares + 1e-12) - 1.0) ** 2)


def r1_penalty(discriminator, images):
    """R1 of Mescheder et al. 2018: mean over the images of the squared length of the score's gradient to the image.

    Args:
        discriminator: [n, h, w, c] -> scores [n, …]; an image's score is their mean.
        images: float32 [n, h, w, c], real ones.

    Returns:
        A scalar, to be weighted by half of `--r1`; its gradient to the discriminator's weights is a second one.
    """
    return tf.reduce_mean(_squared_lengths(discriminator, images))


def lazy_r1(discriminator, images, variables, options, scale, step, latest):
    """Gradients of half of `--r1` times R1, in every `r1_interval`-th step alone, times so many (Karras et al. 2020).

    Args:
        discriminator, images: as r1_penalty.  variables: of the discriminator.
        options: r1, r1_interval.  scale: factor of all gradients.  step: number of the step, a scalar.
        latest: variable that holds the newest R1 that was taken.

    Returns:
        (gradients to `variables`, zeros in the steps without it; what `latest` then holds).
    """
    weight, every = 0.5 * options.r1, options.r1_interval
    none = [tf.zeros_like(variable) for variable in variables]

    def penalised():
        with tf.GradientTape() as tape:
            penalty = r1_penalty(discriminator, images)
        gradients = tape.gradient(penalty, variables, scale * weight * every)
        return penalty, [none[i] if gradient is None else gradient for i, gradient in enumerate(gradients)]

    def untouched():
        return latest.read_value(), none

    if not weight:
        return none, latest.read_value()
    penalty, gradients = penalised() if every == 1 else tf.cond(tf.equal(step % every, 0), penalised, untouched)
    latest.assign(replicas.mean([penalty])[0])  # here: devices cannot meet inside the branch
    return gradients, latest.read_value()


def _squared_lengths(discriminator, images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = discriminator(images)
        total = tf.reduce_sum(tf.reduce_mean(scores, axis=list(range(1, len(scores.shape)))))
    gradient = tape.gradient(total, images)
    return tf.reduce_sum(gradient**2, axis=[1, 2, 3])
