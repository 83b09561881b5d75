"""DA-GAN's discriminator (Zhao et al. 2017): BEGAN's auto-encoder, whose code also names the person."""

import tensorflow as tf

from trainer.step import losses, replicas
from trainer.step.began import BeganJudge

IDENTITY = {"softmax": losses.softmax_loss, "binary": losses.binary_identity_loss}  # by --identity_perception


class DualAgentJudge(BeganJudge):
    """Judges images by how well an auto-encoder reconstructs them, and by whom its code shows.

    Where `judge` serves both players in one pass over each image, here each player asks for itself: between the two
    the discriminator may have moved (--update alternating).

    Args:
        network: models.autoencoder.Autoencoder.
        head: models.identity_head.IdentityHead; None: nobody is named.
        options: gamma, lambda_k, lambda_1, identity_perception, generator_weight, sum_errors, discriminator (patch:
            another network judges realism, and G has L_ip alone from this one).
        tag: TensorBoard tag of its k_t.

    Attributes:
        trained: the discriminator's variables, the head's among them.
    """

    def __init__(self, network, head, options, tag):
        super().__init__(network, options, tag)
        self.head, self.trained = head, network.trainable_variables + (head.trainable_variables if head else [])

    def of_discriminator(self, real, fake, real_labels, fake_labels, scale):
        """Eq. 7: L_D = L_adv + lambda_1 L_ip, with L_adv = error(y) - k_t error(x~) (eq. 4).

        Args:
            real, fake: float32 [n, s, s, 3]; no gradient flows into what made `fake`.
            real_labels, fake_labels: int32 [n]; None: these images have no part in L_ip.
            scale: factor of all gradients.

        Returns:
            dict: real_loss, fake_loss, identity_real, identity_fake, loss (scalars), gradients (of `loss` to
            `trained`).
        """
        with tf.GradientTape() as tape:
            fake_loss, identity_fake = self._seen(tf.stop_gradient(fake), fake_labels)
            real_loss, identity_real = self._seen(real, real_labels)
            loss = real_loss - self.k * fake_loss + self.options.lambda_1 * (identity_real + identity_fake)
        return {
            "real_loss": real_loss,
            "fake_loss": fake_loss,
            "identity_real": identity_real,
            "identity_fake": identity_fake,
            "loss": loss,
            "gradients": tape.gradient(loss, self.trained, scale),
        }

    def of_generator(self, fake, fake_labels, scale):
        """What G takes of eq. 2 from the discriminator: w error(x~) + lambda_1 L_ip.

        w is 1 as in BEGAN, or k_t: so eq. 2 reads, and G then has no adversarial loss while k_t is 0. Where another
        network judges realism nothing is reconstructed: L_ip is all.

        Returns:
            dict: loss (scalar), gradient (of `loss` to `fake`).
        """
        fake = tf.stop_gradient(fake)
        with tf.GradientTape() as tape:
            tape.watch(fake)
            if self.options.discriminator == "patch":
                loss = self.options.lambda_1 * self._identity_loss(self.network.encode(fake), fake_labels)
            else:
                weight = self.k if self.options.generator_weight == "k_t" else 1.0
                error, identity = self._seen(fake, fake_labels)
                loss = weight * error + self.options.lambda_1 * identity
        return {"loss": loss, "gradient": tape.gradient(loss, fake, scale, unconnected_gradients="zero")}

    def identity_scores(self, images, labels):
        """Cross-entropy of each image against its person, low where the code shows it: float32 [n]."""
        logits = self.head(self.network.encode(images))
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)

    def _seen(self, images, labels):
        """(error of the reconstruction, loss of the identity)."""
        code = self.network.encode(images)
        decoded = self.network.decode(code)
        if self.options.sum_errors:  # over the images of all replicas, whose losses are meaned
            error = replicas.count() * losses.absolute_error_sum(decoded, images)
        else:
            error = losses.absolute_error(decoded, images)
        return error, self._identity_loss(code, labels)

    def _identity_loss(self, code, labels):
        if self.head is None or labels is None:
            return tf.constant(0.0)
        return IDENTITY[self.options.identity_perception](self.head(code), labels)
