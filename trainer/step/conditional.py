"""The discriminators of conditional face synthesis (Huang et al., PRCV 2018): realism, and whom an image shows."""

import tensorflow as tf

from trainer.step import adversarial, losses, replicas
from trainer.step.augment import augmented
from trainer.step.streams import Stream, drawn


class ConditionalJudge:
    """One scale's discriminator, and what both players take from it.

    Of each photograph there are two fakes: of its own latent vector, and of a random one; or one of these alone.

    Args:
        network: models.conditional.ConditionalDiscriminator.
        halvings: how often images are halved, by averaging, before the network sees them.
        options: gan_loss, fakes, lambda_gp, lambda_cls, lambda_fm, r1, r1_interval, augment_strength.
        augment: names of trainer.step.augment.parse_augment.
    """

    def __init__(self, network, halvings, options, augment=()):
        self.network, self.halvings, self.options, self.augment = network, halvings, options, augment
        self._losses, self._loss_of_generator = adversarial.losses_of(options.gan_loss)
        self._latest_r1 = tf.Variable(0.0, trainable=False, aggregation=replicas.ONE)
        self.state = {} if options.gan_loss == "wgan_gp" else {"r1": self._latest_r1}

    def of_discriminator(self, real, fakes, people, scale, seed, step):
        """Eq. 8: L_D = -L_adv + l_cls L_cls^r, with eq. 2's L_adv and eq. 6's L_cls^r.

        Args:
            real: float32 [n, s, s, 3]. fakes: one or two of the same; no gradient flows into what made them.
            people: int32 [n].  scale: factor of all gradients.
            seed: int [2] of the step; None: nothing is augmented, and the penalty is taken in the middle.

        Returns:
            dict: loss, real_loss, fake_loss, class_loss, penalty (scalars), gradients (of `loss` to the weights).
        """
        variables = self.network.trainable_variables
        real, *fakes = (self.shown(tf.stop_gradient(images), seed) for images in (real, *fakes))
        with tf.GradientTape() as tape:
            scores, logits, _ = self.network(real)
            parts = [self._losses(scores, self.network(fake)[0]) for fake in fakes]
            real_loss, fake_loss = parts[0][0], self._together([fake for _, fake in parts])
            class_loss = losses.softmax_loss(logits, people)
            penalty = self._penalty(real, fakes, seed)
            loss = real_loss + fake_loss + self.options.lambda_cls * class_loss + self.options.lambda_gp * penalty
            scaled = scale * loss
        gradients = tape.gradient(scaled, variables)
        if self.state:
            from_r1, latest = adversarial.lazy_r1(
                lambda images: self.network(images)[0], real, variables, self.options, scale, step, self._latest_r1
            )
            gradients, penalty = [g + r for g, r in zip(gradients, from_r1, strict=True)], latest
        return {"loss": loss, "real_loss": real_loss, "fake_loss": fake_loss, "class_loss": class_loss,
                "penalty": penalty, "gradients": gradients}  # fmt: skip

    def of_makers(self, real, fakes, people, seed):
        """What encoder and generator take of eq. 8: L_adv + l_cls L_cls^f + l_FM L_FM (eqs. 2, 6, 3).

        Gradients flow to `fakes`; the photograph's features are as they are.

        Returns:
            dict: loss, adversarial, class_loss (of one fake; `loss` has the sum), features; scalars.
        """
        real = self.shown(real, seed)
        wanted = [tf.stop_gradient(output) for output in self.network(real)[2]]
        scored, class_losses, features = [], [], []
        for fake in fakes:
            scores, logits, outputs = self.network(self.shown(fake, seed))
            scored.append(self._loss_of_generator(scores))
            class_losses.append(losses.softmax_loss(logits, people))
            features += [losses.absolute_error(a, b) for a, b in zip(outputs, wanted, strict=True)]
        found = {"adversarial": self._together(scored), "class_loss": tf.add_n(class_losses),
                 "features": tf.add_n(features)}  # fmt: skip
        weights = {"adversarial": 1.0, "class_loss": self.options.lambda_cls, "features": self.options.lambda_fm}
        loss = tf.add_n([weight * found[name] for name, weight in weights.items()])
        return found | {"loss": loss, "class_loss": found["class_loss"] / len(fakes)}

    def shown(self, images, seed):
        """Images as the network sees them: augmented, a photograph and its fakes alike, then halved."""
        if seed is not None and self.augment:
            images = augmented(images, self.augment, drawn(seed, Stream.AUGMENTED_REAL), self.options.augment_strength)
        for _ in range(self.halvings):
            images = tf.nn.avg_pool2d(images, 2, 2, "VALID")
        return images

    def _together(self, parts):
        """Eq. 2's terms of the fakes."""
        return tf.add_n(parts) / (len(parts) if self.options.fakes == "mean" else 1)

    def _penalty(self, real, fakes, seed):
        """Eq. 2's: between each photograph and one of its two fakes, drawn for each (which fake is ours to say)."""
        if self.options.gan_loss != "wgan_gp":
            return tf.constant(0.0)
        count = tf.shape(real)[0]
        draws = tf.fill([2, count, 1, 1, 1], 0.5)
        if seed is not None:
            draws = tf.random.stateless_uniform([2, count, 1, 1, 1], drawn(seed, Stream.BETWEEN))
        fake = tf.where(draws[0] < 0.5, fakes[0], fakes[-1])
        between = real + draws[1] * (fake - real)
        return adversarial.gradient_penalty(lambda images: self.network(images)[0], between)
