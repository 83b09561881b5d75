"""A discriminator that scores patches (ours; the published one is BEGAN's): for few photographs and few steps."""

import tensorflow as tf

from trainer.step import adversarial, replicas
from trainer.step.augment import augmented
from trainer.step.streams import Stream, drawn
from utils.errors import UserError


class PatchJudge:
    """Judges images by a network's scores, and gives both players their gradients.

    Args:
        network: models.patches.PatchDiscriminator.
        options: gan_loss, adversarial_weight, r1, r1_interval, augment_strength.
        augment: names of trainer.step.augment.parse_augment.
    """

    def __init__(self, network, options, augment=()):
        if options.gan_loss == "wgan_gp":
            raise UserError("--gan_loss wgan_gp: --discriminator patch has no gradient penalty; it is for --system cfs")
        self.network, self.options, self.augment = network, options, augment
        self._losses, self._loss_of_generator = adversarial.losses_of(options.gan_loss)
        self._latest_r1 = tf.Variable(0.0, trainable=False, aggregation=replicas.ONE)
        self.state = {"r1": self._latest_r1}

    def judge(self, real, fake, scale, seed, step):
        """As trainer.step.began.BeganJudge.judge. R1 is lazy, and of the photographs as they are shown."""
        variables, fake = self.network.trainable_variables, tf.stop_gradient(fake)
        real_shown = self._shown(real, seed, Stream.AUGMENTED_REAL)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(fake)
            fakes = self.network(self._shown(fake, seed, Stream.AUGMENTED_FAKE))
            reals = self.network(real_shown)
            generator_loss = self._loss_of_generator(fakes)
            real_loss, fake_loss = self._losses(reals, fakes)
            loss = real_loss + fake_loss
        gradients = tape.gradient(loss, variables, scale)
        from_r1, _ = adversarial.lazy_r1(
            self.network, real_shown, variables, self.options, scale, step, self._latest_r1
        )
        return {
            "generator_loss": generator_loss,
            "fake_loss": fake_loss,
            "real_loss": real_loss,
            "loss": loss,
            "fake_gradient": tape.gradient(generator_loss, fake, scale * self.options.adversarial_weight),
            "fake_scores": tf.reduce_mean(fakes, axis=[1, 2, 3]),
            "gradients": [g + r for g, r in zip(gradients, from_r1, strict=True)],
            "scalars": {
                "loss/d_loss_real": real_loss,
                "loss/d_loss_fake": fake_loss,
                "misc/d_real": tf.reduce_mean(reals),
                "misc/d_fake": tf.reduce_mean(fakes),
            },
        }

    def after_step(self, judged):
        """The scalars to log; nothing moves. R1 is that of the newest step that took it, not weighted."""
        return judged["scalars"] | {"loss/r1": self._latest_r1.read_value()}

    def scores(self, images):
        """Mean score of each image, high where it looks real: [n, s, s, 3] -> [n]."""
        return tf.reduce_mean(self.network(images), axis=[1, 2, 3])

    def decoded(self, images):
        """It draws nothing."""
        return None

    def _shown(self, images, seed, stream):
        strength = self.options.augment_strength
        return images if seed is None else augmented(images, self.augment, drawn(seed, stream), strength)
