"""FaceGAN (Gecer et al., ECCV 2018): renders of a 3D face model into photographs of people who do not exist.

Symbols of the paper and of its code, and the names here:
    G, "G_inf"            generator                 render -> photograph
    G', "G_inv"           generator_back            photograph -> render
    D_R, "D_forw"         discriminator_real        judges photographs
    D_S, "D_back"         discriminator_synthetic   judges renders
    D_P, "sd_loss"        pair                      G' on photographs whose render is known
    C                     identity_network          a face recogniser
    k_t, k_t2, k_t3       k_real, k_synthetic, k_pair
    s_loss, p_loss, c_loss    cycle, pixel, identity
"""

import tensorflow as tf

from models.autoencoder import Autoencoder
from models.generator import Generator
from trainer.output.scores import SCORES
from trainer.step import equilibrium, losses, replicas, schedules
from trainer.step.adam import FusedAdam
from trainer.step.health import BeganHealth
from trainer.step.pixels import flipped, grey, varied
from trainer.step.precision import LossScale, computing_in
from trainer.systems.identity import IdentityLoss
from trainer.systems.system import System, named_weights

IMAGES = ("real", "synthetic", "pair_image", "pair_render")  # of a batch


class FaceGan(System):
    """Two generators, two BEGAN discriminators, and a loss on identity.

    Args:
        options: the flags (utils/flags.py): widths, rates, weights of the losses, method_c.
        n_id: identities among the renders.
        pairs: whether batches bring `pair_image` and `pair_render`; without them the pair term is off.
        random: False switches off dropout, random crop and flip, as in the reference runs.
    """

    def __init__(self, options, n_id, pairs=True, random=True):
        self.options, self.random = options, random
        self.rate_flags = "--g_lr and --d_lr"
        self.sources = ("real", "synthetic", "pair") if pairs else ("real", "synthetic")
        with computing_in(options.mixed_precision):
            self._make_networks(n_id)
        self.loss_scale = LossScale(options.mixed_precision)
        self.step, *balances = (
            tf.Variable(tf.zeros([], dtype), trainable=False, aggregation=replicas.ONE)
            for dtype in (tf.int64, tf.float32, tf.float32, tf.float32)
        )
        self.k_real, self.k_synthetic, self.k_pair = balances
        self.state = {
            "step": self.step,
            "k_real": self.k_real,
            "k_synthetic": self.k_synthetic,
            "k_pair": self.k_pair,
        } | self.loss_scale.state
        if self.identity:
            self.state |= self.identity.state
        self._make_optimizers()
        self._make_averages()
        self._health = BeganHealth(self.rate_flags)

    def _make_networks(self, n_id):
        options = self.options
        size, code = options.input_scale_size, options.z_num
        self.generator = Generator(options.conv_hidden_num_res, options.num_res_rep, skips=True)
        self.generator_back = Generator(options.conv_hidden_num_res, options.num_res_rep, skips=False)
        self.discriminator_real = Autoencoder(size, options.conv_hidden_num, code)
        self.discriminator_synthetic = Autoencoder(size, options.conv_hidden_num_back, code)
        self.networks = {
            "generator": self.generator,
            "generator_back": self.generator_back,
            "discriminator_real": self.discriminator_real,
            "discriminator_synthetic": self.discriminator_synthetic,
        }
        self.identity = None
        if options.method_c != "none":
            self.identity = IdentityLoss(options, n_id)
            self.networks["identity_network"] = self.identity.network

    def _make_optimizers(self):
        options = self.options
        trained_with_generator = self.identity.trained if self.identity else []
        self.trained = {
            "generator": self.generator.trainable_variables + trained_with_generator,
            "generator_back": self.generator_back.trainable_variables,
            "discriminators": self.discriminator_real.trainable_variables
            + self.discriminator_synthetic.trainable_variables,
        }
        self.optimizers = {}
        for name, variables in self.trained.items():
            rate = options.d_lr if name == "discriminators" else options.g_lr
            schedule = schedules.of_replicas(rate, options, replicas.count())
            optimizer = FusedAdam(schedule, options.beta1, options.beta2, epsilon=1e-8)
            optimizer.build(variables)
            self.optimizers[name] = optimizer

    def _make_averages(self):
        weights = {
            weight: variable
            for name, network in self.networks.items()
            for weight, variable in named_weights(name, network).items()
            if variable.trainable and network.trainable
        }
        self.keep_averages(weights | self._identity_head())

    def _identity_head(self):
        if not self.identity:
            return {}
        return {"identity/weights": self.identity.weights, "identity/biases": self.identity.biases}

    @tf.function
    def train_step(self, batch):
        scalars, _ = self.step_with_images(batch)
        return scalars

    def step_with_images(self, batch):
        """One step: ({TensorBoard tag: scalar}, {name: what the networks made of the batch before the step})."""
        options, batch, scale = self.options, self._shown(batch), 1.0 * self.loss_scale.scale
        seed = tf.stack([tf.constant(options.random_seed, tf.int64), self.step]) if self.random else None
        seed = replicas.own_seed(seed)
        render, real, labels = batch["synthetic"], batch["real"], batch["identity"]
        if options.random_flip and self.random:
            real = flipped(real, tf.random.experimental.stateless_fold_in(seed, 100))
        if options.vary_photographs and self.random:
            real = varied(real, tf.random.experimental.stateless_fold_in(seed, 200))
        with tf.GradientTape(persistent=True) as tape:
            fake = self.generator(render, dropout_seed=seed)
            cycled = self.generator_back(fake)
            cycle = losses.absolute_error(cycled, render)
            pixel = self._pixel_loss(fake, render)
            identity, identity_scores = tf.constant(0.0), None
            if self.identity:
                identity, identity_scores = self.identity(fake, labels, seed, batch.get("chip"))
            pair_real = tf.constant(0.0)
            if "pair" in self.sources:
                pair_real = losses.absolute_error(self.generator_back(batch["pair_image"]), batch["pair_render"])
        judged = self._judge(self.discriminator_real, self.k_real, real, fake, scale)
        judged_back = self._judge(self.discriminator_synthetic, self.k_synthetic, render, cycled, scale)

        k_pair = self.k_pair if "pair" in self.sources else 0.0
        pair = pair_real - k_pair * cycle
        generator_gradients = tape.gradient(
            [fake, cycle, pixel, identity],
            self.trained["generator"],
            [judged["fake_gradient"], *(scale * w for w in (options.lambda_s, options.lambda_p, options.lambda_c))],
        )
        back_gradients = tape.gradient(
            [cycled, cycle, pair_real],
            self.trained["generator_back"],
            [
                judged_back["fake_gradient"],
                scale * (options.lambda_s - options.lambda_d * k_pair),
                scale * options.lambda_d,
            ],
        )
        gradients = [generator_gradients, back_gradients, judged["gradients"] + judged_back["gradients"]]
        gradients = self.loss_scale.unscaled(replicas.shares(gradients))
        for (name, variables), of_each in zip(self.trained.items(), gradients, strict=True):
            self.optimizers[name].apply(of_each, variables)
        self.move_averages(schedules.average_decay(self.step))
        balances = self._move_equilibria(judged, judged_back, pair_real, cycle)
        self.step.assign_add(1)

        scalars = {
            "loss/d_loss": judged["loss"] + judged_back["loss"],
            "loss/s_loss": cycle,
            "loss/p_loss": pixel,
            "loss/g_loss": judged["fake_loss"] + judged_back["fake_loss"],
            "loss/g_loss_back": judged_back["fake_loss"],
            "loss/c_loss": identity,
            "loss/sd_loss_forw": pair,
            "misc/k_t": self.k_real.read_value(),
            "misc/k_t2": self.k_synthetic.read_value(),
            "misc/k_t3": self.k_pair.read_value(),
            "misc/d_lr": self.optimizers["discriminators"].learning_rate,
            "misc/g_lr": self.optimizers["generator"].learning_rate,
            "misc/lambda_c": tf.constant(options.lambda_c),
            "misc/balance": balances[0],
            "misc/measure": judged["real_loss"] + tf.abs(balances[0]),
            "misc/diversity": _spread(fake) / _spread(real),
        }
        images = {
            "x": fake,
            "y": cycled,
            "AE_x": judged["fake_decoded"],
            "AE_u": judged["real_decoded"],
            "d_score": losses.absolute_error_per_image(judged["fake_decoded"], fake),
            "s_score": losses.absolute_error_per_image(cycled, render),
            "c_score": identity_scores,
        }
        return scalars, images

    def _shown(self, batch):
        """What the networks see of a batch: all of it, or its luminance.

        Grey photographs cannot carry the colour of a render: without this the cycle loss makes G hide it in patterns.
        """
        if not self.options.grayscale:
            return batch
        return {name: grey(value) if name in IMAGES else value for name, value in batch.items()}

    def _pixel_loss(self, fake, render):
        if not self.options.pixel_mask:
            return losses.absolute_error(fake, render)
        return losses.masked_absolute_error(fake, render, tf.cast(render > -1.0, tf.float32))

    def _judge(self, discriminator, k, real, fake, scale):
        """One pass over each image serves both players: k moves only what the discriminator takes from the fakes.

        Gradients are `scale` times the losses'.
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

    def _move_equilibria(self, judged, judged_back, pair_real, cycle):
        moves = [
            (self.k_real, judged["real_loss"], judged["fake_loss"]),
            (self.k_synthetic, judged_back["real_loss"], judged_back["fake_loss"]),
        ]
        if "pair" in self.sources:
            moves.append((self.k_pair, pair_real, cycle))
        balances = []
        for k, *both in moves:
            real_loss, fake_loss = replicas.mean(both)
            balances.append(equilibrium.balance(real_loss, fake_loss, self.options.gamma))
            k.assign(equilibrium.next_k(k, balances[-1], self.options.lambda_k))
        return balances

    @tf.function(reduce_retracing=True)
    def generate(self, batch, scores=SCORES):
        """Photographs out of renders, dropout off.

        Args:
            batch: `synthetic` [n, s, s, 3]; `identity` int32 [n], where an identity score is wanted, and `chip`
                float32 [n, 4], where the faces of the renders are, as in training.
            scores: names of the scores that are wanted, a tuple. Only the networks that they need run.

        Returns:
            {"image": [n, s, s, 3], score: [n], …}; "c_score" with the magnet loss and `identity` only.
        """
        batch = self._shown(batch)
        fake = self.generator(batch["synthetic"])
        results = {name: self._score(name, fake, batch) for name in scores}
        return {"image": fake} | {name: values for name, values in results.items() if values is not None}

    def _score(self, name, fake, batch):
        if name == "d_score":
            return losses.absolute_error_per_image(self.discriminator_real(fake), fake)
        if name == "s_score":
            return losses.absolute_error_per_image(self.generator_back(fake), batch["synthetic"])
        if name == "c_score":
            known = self.identity and "identity" in batch
            return self.identity.scores(fake, batch["identity"], batch.get("chip")) if known else None
        raise ValueError(f"no score {name!r}; one of {', '.join(SCORES)}")

    @tf.function(reduce_retracing=True)
    def fit(self, batch):
        """Renders out of photographs: {"image": [n, s, s, 3]} of batch["real"]."""
        return {"image": self.generator_back(self._shown(batch)["real"])}

    @tf.function
    def preview(self, batch):
        """The published code's TensorBoard images."""
        batch = self._shown(batch)
        fake = self.generator(batch["synthetic"])
        return {
            "Real Images": batch["real"],
            "Generated Images": fake,
            "Generated Rendering": self.generator_back(fake),
            "Rendering GT": batch["synthetic"],
            "AE_x": self.discriminator_real(fake),
            "AE_u": self.discriminator_real(batch["real"]),
        }

    def log_line(self, values):
        """The published code's line."""
        return f"Loss_D: {values['loss/d_loss']:.6f} Loss_G: {values['loss/g_loss']:.6f}, k_t: {values['misc/k_t']:.4f}"

    def health(self, values):
        """Warn of signs of collapse, as the contract says (trainer/health.py)."""
        return self._health.warning(values)


def _spread(images):
    """How much the images of a batch differ: standard deviation over the batch, meaned over pixels. A scalar."""
    return tf.reduce_mean(tf.math.reduce_std(images, axis=0)) + 1e-8


