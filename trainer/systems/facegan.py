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

from data_loader.training_sources import Source
from models.autoencoder import Autoencoder
from models.generator import Generator
from models.patches import PatchDiscriminator
from trainer.face_networks import network as face_networks
from trainer.published import facegan as published
from trainer.step import began, losses, replicas, schedules
from trainer.step.adam import FusedAdam
from trainer.step.augment import parse_augment
from trainer.step.began import BeganJudge
from trainer.step.health import BeganHealth, PatchHealth
from trainer.step.patch import PatchJudge
from trainer.step.pixels import flipped, varied
from trainer.step.players import Players
from trainer.step.precision import computing_in
from trainer.step.streams import Stream, drawn, step_seed
from trainer.systems.facegan_images import FaceGanImages
from trainer.systems.flags_read import FACEGAN_SHAPING, SYSTEM_FLAGS, refuse_idle_flags
from trainer.systems.identity import CHIPS, IdentityLoss, draws, takes_chips
from trainer.systems.system import averaged_weights, new_step


class FaceGan(FaceGanImages):
    """Two generators, two discriminators (BEGAN's; D_R of patches by a flag), and a loss on identity.

    Args:
        options: the flags (utils/flags.py): widths, rates, weights of the losses, method_c.
        labels: {"synthetic": identities among the renders}.
        random: False switches off dropout, random crop and flip, as in the reference runs.
    """

    shaping, flags = FACEGAN_SHAPING, SYSTEM_FLAGS["facegan"]
    # The identity network is someone else's, its centroids are of one training's people.
    training_only_flags = ("method_c", "centroids", "relax_c", "model_def", "embedding_size")
    training_only_names = ("identity_network/", "state/identity/")
    training_only_off = {"method_c": "none"}
    rate_flags = "--g_lr and --d_lr"
    published = published

    def __init__(self, options, labels, random=True):
        self.options, self.random, self.sources = options, random, self.sources_of(options)
        self.side = options.input_scale_size
        with computing_in(options.mixed_precision):
            self._make_networks(labels["synthetic"])
        self.step = new_step()
        self._make_judges()
        self.k_pair = began.new_balance_variable()
        self.players = self._make_players()
        self.state = {"step": self.step, "k_pair": self.k_pair} | self.players.state
        for name, judge in self.judges.items():
            self.state |= {f"{variable}_{name}": value for variable, value in judge.state.items()}
        if self.identity:
            self.state |= self.identity.state
        self.makers = self.make_makers()
        health = {"began": BeganHealth, "patch": PatchHealth}
        self._health = health[options.discriminator](self.rate_flags)

    @classmethod
    def sources_of(cls, options):
        """Photographs, renders, and pairs of both where `--dataset_3dmm` is not ''."""
        chip = CHIPS if takes_chips(options) else {}
        sources = {
            "real": Source("dataset", ("real",), weights="sample_weights"),
            "synthetic": Source("syn_dataset", ("synthetic",), "identity", least=2, **chip),
        }
        if options.dataset_3dmm:
            sources["pair"] = Source("dataset_3dmm", ("pair_image", "pair_render"))
        return sources

    @classmethod
    def streams(cls, options):
        """2 where the identity network's images are mirrored, whose stream was dropout's until then."""
        return 2 if draws(options) else 1

    @classmethod
    def label_counts(cls, params):
        """Older runs have n_id alone; the published code's checkpoints neither."""
        return params.get("labels") or {"synthetic": params.get("n_id", 1)}

    @classmethod
    def refuse_idle(cls, options):
        refuse_idle_flags(options)

    @classmethod
    def resolved(cls, options):
        """The flags with the identity network that `--pretrained_rec` holds; says which losses are off.

        Raises:
            UserError: as chosen_network.
        """
        if not options.dataset_3dmm:
            print("--dataset_3dmm '': no pairs, so the pair loss (lambda_d) and k_t3 are off")
        if options.method_c == "none":
            print("--method_c none: the identity loss (lambda_c) is off")
            return options
        return face_networks.chosen_network(options)

    def load_pretrained(self, indexes, annotations):
        """Read the identity network's weights; with --centroids renders look through it at renders and photographs."""
        if not self.identity:
            return
        face_networks.load_weights(self.identity.network, self.options)
        if self.options.centroids == "renders":
            places = annotations["synthetic"].get("chip")
            self.identity.centre_on(indexes["synthetic"], places, indexes["real"], self.side, self.as_shown)

    def _make_networks(self, n_id):
        options = self.options
        size, code = options.input_scale_size, options.z_num
        width, blocks, upsample = options.conv_hidden_num_res, options.num_res_rep, options.upsample
        self.generator = Generator(width, blocks, skips=True, upsample=upsample)
        self.generator_back = Generator(width, blocks, skips=False, upsample=upsample)
        if options.discriminator == "patch":
            self.discriminator_real = PatchDiscriminator(options.conv_hidden_num, options.patch_halvings)
        else:
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

    def _make_judges(self):
        """{name: judge}: D_R of the kind that --discriminator names, D_S always BEGAN's."""
        options, augment = self.options, parse_augment(self.options.augment)
        if options.discriminator == "patch":
            real = PatchJudge(self.discriminator_real, options, augment)
        else:
            real = BeganJudge(self.discriminator_real, options, "misc/k_t", augment)
        self.judges = {"real": real, "synthetic": BeganJudge(self.discriminator_synthetic, options, "misc/k_t2")}

    def groups(self):
        """{name: variables that one optimizer moves}."""
        identity = self.identity.trained_variables if self.identity else []
        return {
            "generator": self.generator.trainable_variables + identity,
            "generator_back": self.generator_back.trainable_variables,
            "discriminators": self.discriminator_real.trainable_variables
            + self.discriminator_synthetic.trainable_variables,
        }

    def _make_players(self):
        options, identity = self.options, self.identity
        groups, optimizers = self.groups(), {}
        for name in groups:
            rate = options.d_lr if name == "discriminators" else options.g_lr
            schedule = schedules.of_replicas(rate, options, replicas.count())
            optimizers[name] = FusedAdam(schedule, options.beta1, options.beta2, epsilon=1e-8)
        averaged = averaged_weights(self.networks)
        if identity:
            averaged |= {"identity/weights": identity.weights, "identity/biases": identity.biases}
        return Players(groups, optimizers, averaged, options.mixed_precision)

    @tf.function
    def train_step(self, batch):
        scalars, _ = self.step_with_images(batch)
        return scalars

    def step_with_images(self, batch):
        """One step: ({TensorBoard tag: scalar}, {name: what the networks made of the batch before the step})."""
        options, batch, scale = self.options, self.shown(batch), self.players.scale
        seed = step_seed(options.random_seed, self.step) if self.random else None
        seed = replicas.own_seed(seed)
        render, labels = batch["synthetic"], batch["identity"]
        real = self._augmented(batch["real"], seed)
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
        judged = self.judges["real"].judge(real, fake, scale, seed, self.step)
        judged_back = self.judges["synthetic"].judge(render, cycled, scale, seed, self.step)

        k_pair = self.k_pair if "pair" in self.sources else 0.0
        weights = (options.lambda_s, options.lambda_p, options.lambda_c)
        gradients = {
            "generator": tape.gradient(
                [fake, cycle, pixel, identity],
                self.players.groups["generator"],
                [judged["fake_gradient"], *(scale * weight for weight in weights)],
            ),
            "generator_back": tape.gradient(
                [cycled, cycle, pair_real],
                self.players.groups["generator_back"],
                [
                    judged_back["fake_gradient"],
                    scale * (options.lambda_s - options.lambda_d * k_pair),
                    scale * options.lambda_d,
                ],
            ),
            "discriminators": judged["gradients"] + judged_back["gradients"],
        }
        pair = pair_real - k_pair * cycle  # before k_pair moves
        self.players.move(gradients, schedules.average_decay(self.step))
        of_judge = self.judges["real"].after_step(judged)
        k_synthetic = self.judges["synthetic"].after_step(judged_back)["misc/k_t2"]
        if "pair" in self.sources:
            began.move_balance(self.k_pair, pair_real, cycle, options.gamma, options.lambda_k)
        self.step.assign_add(1)

        scalars = of_judge | {
            "loss/d_loss": judged["loss"] + judged_back["loss"],
            "loss/s_loss": cycle,
            "loss/p_loss": pixel,
            "loss/g_loss": judged["generator_loss"] + judged_back["generator_loss"],
            "loss/g_loss_back": judged_back["generator_loss"],
            "loss/c_loss": identity,
            "loss/sd_loss_forw": pair,
            "misc/k_t2": k_synthetic,
            "misc/k_t3": self.k_pair.read_value(),
            "misc/d_lr": self.optimizers["discriminators"].learning_rate,
            "misc/g_lr": self.optimizers["generator"].learning_rate,
            "misc/lambda_c": tf.constant(options.lambda_c),
            "misc/diversity": losses.spread(fake) / losses.spread(real),
        }
        images = {
            "x": fake,
            "y": cycled,
            "AE_x": judged.get("fake_decoded"),
            "AE_u": judged.get("real_decoded"),
            "d_score": judged["fake_scores"],
            "s_score": losses.absolute_error_per_image(cycled, render),
            "c_score": identity_scores,
        }
        return scalars, images

    def _augmented(self, real, seed):
        """Photographs as D_R sees them in training."""
        if self.options.random_flip and self.random:
            real = flipped(real, drawn(seed, Stream.PHOTOGRAPH_FLIP))
        if self.options.vary_photographs and self.random:
            real = varied(real, drawn(seed, Stream.PHOTOGRAPH_VARIATION))
        return real

    def _pixel_loss(self, fake, render):
        if not self.options.pixel_mask:
            return losses.absolute_error(fake, render)
        return losses.masked_absolute_error(fake, render, tf.cast(render > -1.0, tf.float32))

    def log_line(self, values):
        """The published code's line; with patches their mean scores stand in k_t's place."""
        line = f"Loss_D: {values['loss/d_loss']:.6f} Loss_G: {values['loss/g_loss']:.6f}, "
        if "misc/k_t" in values:
            return f"{line}k_t: {values['misc/k_t']:.4f}"
        return f"{line}D(real): {values['misc/d_real']:.3f} D(fake): {values['misc/d_fake']:.3f}"

    def health(self, values):
        """Warn of signs of collapse, as the contract says (trainer/step/health.py)."""
        return self._health.warning(values)
