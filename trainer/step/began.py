"""BEGAN (Berthelot et al. 2017): an auto-encoder judges images by how well it reconstructs them; k_t keeps balance."""

import tensorflow as tf

from trainer.step import equilibrium, losses, replicas


def judge(discriminator, k, real, fake, scale=1.0):
    """Errors of an auto-encoder on real and generated images, and the gradients that both players need.

    One pass over each image serves both players: k changes only what the discriminator takes from the fakes.

    Args:
        discriminator: keras.Model, images -> reconstructed images.
        k: k_t, the weight of the fakes in the discriminator's loss, a scalar.
        real, fake: float32 [n, s, s, c]. No gradient flows into what made `fake`: take `fake_gradient` for that.
        scale: factor of all gradients.

    Returns:
        dict: fake_loss, real_loss (scalars), loss (the discriminator's: real_loss - k fake_loss), fake_gradient (of
        fake_loss to `fake`), gradients (of `loss` to the discriminator's trainable variables), fake_decoded and
        real_decoded (reconstructions).
    """
    variables = discriminator.trainable_variables
    fake = tf.stop_gradient(fake)
    with tf.GradientTape() as tape:
        tape.watch(fake)
        fake_decoded = discriminator(fake)
        fake_loss = losses.absolute_error(fake_decoded, fake)
    fake_gradient, *from_fake = tape.gradient(fake_loss, [fake, *variables], scale)
    with tf.GradientTape() as tape:
        real_decoded = discriminator(real)
        real_loss = losses.absolute_error(real_decoded, real)
    from_real = tape.gradient(real_loss, variables, scale)
    return {
        "fake_loss": fake_loss,
        "real_loss": real_loss,
        "loss": real_loss - k * fake_loss,
        "fake_gradient": fake_gradient,
        "gradients": [r - k * f for r, f in zip(from_real, from_fake, strict=True)],
        "fake_decoded": fake_decoded,
        "real_decoded": real_decoded,
    }


def new_balance_variable():
    """A k_t: float32, 0 at the start, the same on every replica."""
    return tf.Variable(0.0, trainable=False, aggregation=replicas.ONE)


def move_balance(k, real_loss, fake_loss, gamma, lambda_k):
    """Move k_t by the errors of the whole batch, meaned over the replicas; it moves last in a step.

    Args:
        k: of new_balance_variable.
        real_loss, fake_loss: scalars of this replica.
        gamma, lambda_k: the flags of these names.

    Returns:
        The balance, gamma real_loss - fake_loss, a scalar.
    """
    balance = equilibrium.balance(*replicas.mean([real_loss, fake_loss]), gamma)
    k.assign(equilibrium.next_k(k, balance, lambda_k))
    return balance


def measure(real_loss, balance):
    """BEGAN's convergence measure, L(real) + |balance|: low is good. A scalar."""
    return real_loss + tf.abs(balance)
