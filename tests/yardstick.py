"""The direct port of the published step, against which speed is judged: the same numbers, nothing done for speed.

One tape over the whole graph; each discriminator passes [fakes; real images] as one batch, and G's and G''s gradients
go through all of it; plain Keras layers, Adam and averages. Its networks (tests/plain_networks.py) have the weights of
the real ones in the same order, so that `copy_weights` makes both equal; losses and schedules are the system's own.
"""

import keras
import tensorflow as tf

from tests.plain_networks import PlainAutoencoder, PlainFaceNetwork, PlainGenerator
from trainer.step import losses, schedules
from trainer.step.players import Players
from trainer.systems.facegan import FaceGan
from trainer.systems.facegan_images import SCORES
from trainer.systems.identity import IdentityLoss

ADAM_EPSILON = 1e-8


class DirectFaceGan(FaceGan):
    """FaceGan, computed as the published code computes it.

    Args:
        options: the flags; without grayscale, random_flip and vary_photographs, which the published code has not, and
            with models.inception_resnet_v1 or no identity loss.
        labels, random: as FaceGan.
    """

    def __init__(self, options, labels, random=True):
        if options.grayscale or options.random_flip or options.vary_photographs:
            raise ValueError("the direct port knows no grayscale, random_flip or vary_photographs")
        self.options, self.random, self.sources = options, random, self.sources_of(options)
        size, code = options.input_scale_size, options.z_num
        self.side = size
        self.generator = PlainGenerator(options.conv_hidden_num_res, options.num_res_rep, skips=True)
        self.generator_back = PlainGenerator(options.conv_hidden_num_res, options.num_res_rep, skips=False)
        self.discriminator_real = PlainAutoencoder(size, options.conv_hidden_num, code)
        self.discriminator_synthetic = PlainAutoencoder(size, options.conv_hidden_num_back, code)
        self.networks = {
            "generator": self.generator,
            "generator_back": self.generator_back,
            "discriminator_real": self.discriminator_real,
            "discriminator_synthetic": self.discriminator_synthetic,
        }
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.k_real, self.k_synthetic, self.k_pair = (tf.Variable(0.0, trainable=False) for _ in range(3))
        self.state = {"k_real": self.k_real, "k_synthetic": self.k_synthetic, "k_pair": self.k_pair}
        self.identity = None
        if options.method_c != "none":
            if options.model_def != "models.inception_resnet_v1":
                raise ValueError(f"the direct port has no {options.model_def}")
            self.identity = IdentityLoss(options, labels["synthetic"])
            self.identity.network = PlainFaceNetwork(options.embedding_size)
            self.identity.network.trainable = options.relax_c
            self.networks["identity_network"] = self.identity.network
        self.players = self._make_players()
        self.makers = self.make_makers()

    def _make_players(self):
        options = self.options
        groups = self.groups()
        optimizers = {}
        for name in groups:
            rate = options.d_lr if name == "discriminators" else options.g_lr
            rate = schedules.halved_rate(rate, options.lr_update_step, options.lr_lower_boundary, options.max_step)
            optimizers[name] = keras.optimizers.Adam(rate, options.beta1, options.beta2, epsilon=ADAM_EPSILON)
        averaged = [variable for network in self.networks.values() for variable in network.trainable_variables]
        averaged += [self.identity.weights, self.identity.biases] if self.identity else []
        return Players(groups, optimizers, dict(enumerate(averaged)))

    @tf.function
    def train_step(self, batch):
        """One step, as FaceGan's: {tag: scalar}."""
        with tf.GradientTape(persistent=True) as tape:
            made = self._forward(batch)
            totals = self._totals(made)
        for name, optimizer in self.optimizers.items():
            gradients = tape.gradient(totals[name], self.players.groups[name])
            optimizer.apply(gradients, self.players.groups[name])
        decay = schedules.average_decay(self.step)
        for variable, average in self.players.averages:
            average.assign_sub((1.0 - decay) * (average - variable.value))
        balance = self._move_k(self.k_real, made["judged"]["real_loss"], made["judged"]["fake_loss"])
        self._move_k(self.k_synthetic, made["judged_back"]["real_loss"], made["judged_back"]["fake_loss"])
        self._move_k(self.k_pair, made["pair_real"], made["cycle"])
        self.step.assign_add(1)
        return self._scalars(made, totals, balance)

    def _move_k(self, k, real_loss, fake_loss):
        balance = self.options.gamma * real_loss - fake_loss
        k.assign(tf.clip_by_value(k + self.options.lambda_k * balance, 0.0, 1.0))
        return balance

    def _forward(self, batch):
        options, render = self.options, batch["synthetic"]
        seed = tf.stack([tf.constant(options.random_seed, tf.int64), self.step]) if self.random else None
        fake = self.generator(render, dropout_seed=seed)
        back = self.generator_back(tf.concat([fake, batch["pair_image"]], axis=0))
        cycled, pair_cycled = tf.split(back, 2)
        identity = tf.constant(0.0)
        if self.identity:
            identity, _ = self.identity(fake, batch["identity"], seed, batch.get("chip"))
        difference = tf.abs(fake - render)
        mask = tf.cast(render > -1.0, tf.float32) if options.pixel_mask else tf.ones_like(render)
        return {
            "fake": fake,
            "real": batch["real"],
            "identity": identity,
            "cycle": losses.absolute_error(cycled, render),
            "pixel": tf.reduce_mean(mask * difference),
            "pair_real": losses.absolute_error(pair_cycled, batch["pair_render"]),
            "judged": self._judged(self.discriminator_real, fake, batch["real"]),
            "judged_back": self._judged(self.discriminator_synthetic, cycled, render),
        }

    def _judged(self, discriminator, fake, real):
        """Both errors out of one pass over [fake; real]."""
        images = tf.concat([fake, real], axis=0)
        fake_decoded, real_decoded = tf.split(discriminator(images), 2)
        return {
            "fake_loss": losses.absolute_error(fake_decoded, fake),
            "real_loss": losses.absolute_error(real_decoded, real),
        }

    def _totals(self, made):
        options, judged, judged_back = self.options, made["judged"], made["judged_back"]
        pair = made["pair_real"] - self.k_pair * made["cycle"]
        return {
            "pair": pair,
            "generator": judged["fake_loss"] + options.lambda_s * made["cycle"] + options.lambda_p * made["pixel"]
            + options.lambda_c * made["identity"],
            "generator_back": judged_back["fake_loss"] + options.lambda_s * made["cycle"] + options.lambda_d * pair,
            "discriminators": judged["real_loss"] - self.k_real * judged["fake_loss"]
            + judged_back["real_loss"] - self.k_synthetic * judged_back["fake_loss"],
        }

    def _scalars(self, made, totals, balance):
        judged, judged_back = made["judged"], made["judged_back"]
        spread = [tf.reduce_mean(tf.math.reduce_std(made[name], axis=0)) + 1e-8 for name in ("fake", "real")]
        return {
            "loss/d_loss": totals["discriminators"],
            "loss/s_loss": made["cycle"],
            "loss/p_loss": made["pixel"],
            "loss/g_loss": judged["fake_loss"] + judged_back["fake_loss"],
            "loss/g_loss_back": judged_back["fake_loss"],
            "loss/c_loss": made["identity"],
            "loss/sd_loss_forw": totals["pair"],
            "misc/k_t": self.k_real.read_value(),
            "misc/k_t2": self.k_synthetic.read_value(),
            "misc/k_t3": self.k_pair.read_value(),
            "misc/d_lr": self.optimizers["discriminators"].learning_rate,
            "misc/g_lr": self.optimizers["generator"].learning_rate,
            "misc/lambda_c": tf.constant(self.options.lambda_c),
            "misc/balance": balance,
            "misc/measure": judged["real_loss"] + tf.abs(balance),
            "misc/diversity": spread[0] / spread[1],
        }

    @tf.function
    def generate(self, batch, scores=tuple(SCORES)):
        """As FaceGan's, with the scores named."""
        render = batch["synthetic"]
        fake = self.generator(render)
        result = {"image": fake}
        if "d_score" in scores:
            result["d_score"] = losses.absolute_error_per_image(self.discriminator_real(fake), fake)
        if "s_score" in scores:
            result["s_score"] = losses.absolute_error_per_image(self.generator_back(fake), render)
        if "c_score" in scores and self.identity:
            result["c_score"] = self.identity.scores(fake, batch["identity"], batch.get("chip"))
        return result


def copy_weights(source, target):
    """Give a system the weights, k_t's and averages of another one that is built alike."""
    for name, network in source.networks.items():
        target.networks[name].set_weights(network.get_weights())
    for name in ("k_real", "k_synthetic", "k_pair"):
        target.state[name].assign(source.state[name])
    if source.identity:
        for name in ("centroids", "weights", "biases"):
            getattr(target.identity, name).assign(getattr(source.identity, name))
    target.players.restart_averages()
