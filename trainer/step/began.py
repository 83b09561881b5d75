"""BEGAN (Berthelot et al. 2017): an auto-encoder judges images by how well it reconstructs them; k_t keeps balance."""

import tensorflow as tf

from trainer.step import equilibrium, losses, replicas
from trainer.step.augment import augmented
from trainer.step.streams import Stream, drawn


class BeganJudge:
    """An auto-encoder as a judge, and its k_t.

    Args:
        network: keras.Model, images -> reconstructed images.
        options: gamma, lambda_k, augment_strength.
        tag: TensorBoard tag of its k_t.
        augment: names of trainer.step.augment.parse_augment: what is shown, and reconstructed, is then augmented.
    """

    def __init__(self, network, options, tag, augment=()):
        self.network, self.options, self.tag, self.augment = network, options, tag, augment
        self.k = new_balance_variable()
        self.state = {"k": self.k}

    def judge(self, real, fake, scale, seed, step):
        """What a discriminator makes of images, and the gradients that both players need.

        Args:
            real, fake: float32 [n, s, s, c]. No gradient flows into what made `fake`: take `fake_gradient` for that.
            scale: factor of all gradients.
            seed: of this training step, int [2], for the augmentation; None: none.
            step: number of this training step, a scalar.

        Returns:
            dict: generator_loss, real_loss, fake_loss, loss (the discriminator's); gradients (of `loss` to the
            discriminator's trainable variables); fake_gradient (of the generator's weighted loss to `fake`);
            fake_scores, float32 [n]. BEGAN's has what `judge` below returns too.
        """
        if seed is None or not self.augment:
            judged = judge(self.network, self.k, real, fake, scale)
        else:
            strength = self.options.augment_strength
            with tf.GradientTape() as tape:
                tape.watch(fake)
                shown = augmented(fake, self.augment, drawn(seed, Stream.AUGMENTED_FAKE), strength)
            real = augmented(real, self.augment, drawn(seed, Stream.AUGMENTED_REAL), strength)
            judged = judge(self.network, self.k, real, shown, scale)
            judged["fake_gradient"] = tape.gradient(shown, fake, judged["fake_gradient"])
        scores = losses.absolute_error_per_image(judged["fake_decoded"], judged["fake_shown"])
        return judged | {"generator_loss": judged["fake_loss"], "fake_scores": scores}

    def after_step(self, judged):
        """Move k_t; the scalars to log."""
        balance = move_balance(
            self.k, judged["real_loss"], judged["fake_loss"], self.options.gamma, self.options.lambda_k
        )
        return {
            self.tag: self.k.read_value(),
            "misc/balance": balance,
            "misc/measure": measure(judged["real_loss"], balance),
        }

    def scores(self, images):
        """Error of the reconstruction, low where an image looks real: [n, s, s, 3] -> [n]."""
        return losses.absolute_error_per_image(self.network(images), images)

    def decoded(self, images):
        """The reconstructions."""
        return self.network(images)


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
        real_decoded (reconstructions), fake_shown (`fake`).
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
        "fake_shown": fake,
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
