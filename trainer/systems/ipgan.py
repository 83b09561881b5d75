"""IP-GAN (Zeno, Kalinovskiy, Matveev, ICANN 2019 workshops): one face's identity in another's pose.

A reconstruction from the abstract, which alone is public: an image gives an identity vector, any other face a pose
vector, both together that person in that pose; a generation path and a transformation path share parameters; no pose is
labelled. Everything else is ours, after its published neighbours (docs/ipgan.md): Bao et al. 2018, whose network has
the same name, for the alternation of paired and unpaired steps and their weights; Burkov et al. 2020 for what keeps the
person out of the pose code.

    transformation path     G(identity of x, pose of y)
    generation path         G(identity of x, a random pose code)
"""

import math

import tensorflow as tf

from data_loader import chips
from data_loader.recombined import PairInput, RecombinedInput, refuse_faceless
from data_loader.training_sources import Source, index_folder
from models.dlib_resnet import DlibResnet
from models.identity_pose import PoseEncoder, RecombiningGenerator
from models.patches import PatchDiscriminator
from trainer.face_networks import network as face_networks
from trainer.face_networks.table import DLIB
from trainer.step import losses, replicas, schedules
from trainer.step.active_numbers import ActiveNumbers
from trainer.step.adam import FusedAdam
from trainer.step.augment import augmented, parse_augment
from trainer.step.health import RecombinationHealth
from trainer.step.patch import PatchJudge
from trainer.step.pixels import flipped
from trainer.step.players import Players
from trainer.step.precision import computing_in
from trainer.step.streams import Stream, drawn, step_seed
from trainer.systems.flags_read import IPGAN_SHAPING, SYSTEM_FLAGS
from trainer.systems.identity import CHIPS, IdentityNetwork, chip_places
from trainer.systems.system import SOMEBODY, Maker, Score, System, averaged_weights, new_step
from utils.errors import UserError

SCORES = {
    "d_score": Score("mean score of the discriminator, high where the image looks like a photograph to it", "high"),
    "identity_score": Score("1 - cosine of the identity network's features of the image and of the face that gave it "
                            "its identity, low where it sees one person"),
    "pose_score": Score("mean absolute difference of the image's pose code from the one that was asked for"),
}  # fmt: skip
TEXT = "Each image was made from the identity of one photographed face and the pose of another, or a random one."
MAKERS = ("pose_encoder", "generator")


class IpGan(System):
    """A pose encoder and a generator against a discriminator of patches; a frozen face network says who is who.

    Args:
        options: the flags (utils/flags.py).
        labels: {"real": people}.
        random: False switches off augmentation, flips and the draw of pose codes, which are the mean's.
    """

    shaping, flags = IPGAN_SHAPING, SYSTEM_FLAGS["ipgan"]
    identity_flags = ("model_def",)
    rate_flags = "--g_lr and --d_lr"

    def __init__(self, options, labels, random=True):
        if labels["real"] < 2:
            raise UserError(f"--dataset {options.dataset}: shows one person: nobody to take a pose from")
        self.options, self.random, self.sources = options, random, self.sources_of(options)
        self.side, size, most = options.input_scale_size, options.input_scale_size, options.max_channels
        with computing_in(options.mixed_precision):
            self.identity = IdentityNetwork(options)
            self.pose_encoder = PoseEncoder(size, options.z_num, options.conv_hidden_num_res, most)
            self.generator = RecombiningGenerator(
                size, self._identity_numbers(), options.z_num, options.conv_hidden_num_res, most, options.injection
            )
            self.discriminator = PatchDiscriminator(options.conv_hidden_num, options.patch_halvings)
        self.networks = {
            "identity_network": self.identity.network,
            "pose_encoder": self.pose_encoder,
            "generator": self.generator,
            "discriminator": self.discriminator,
        }
        self.judge = PatchJudge(self.discriminator, options, parse_augment(options.augment))
        self.pose_augment = parse_augment(options.pose_augment, "pose_augment")
        self.step, self.players = new_step(), self._make_players()
        self.active = ActiveNumbers(options.z_num, options.pose_noise, options.lr_update_step)
        self.state = {"step": self.step} | self.judge.state | self.active.state | self.players.state
        images = tf.TensorSpec([None, size, size, 3])
        arguments = {"identity_images": ("identity_image", images), "pose_images": ("pose_image", images)}
        self.makers = {"generate": Maker(self.generate, self._open_faces, arguments, SCORES, TEXT, SOMEBODY)}
        self._health = RecombinationHealth(self.rate_flags)

    @classmethod
    def sources_of(cls, options):
        """Photographs or renders of people, and with each another image of the same person."""
        return {"real": Source("dataset", ("image",), "identity", same="same", weights="sample_weights", several=True,
                               **CHIPS)}  # fmt: skip

    @classmethod
    def resolved(cls, options):
        """The flags with the identity network that `--pretrained_rec` holds.

        Raises:
            UserError: a size that no doublings make, or as chosen_network.
        """
        size = options.input_scale_size
        if size < 8 or size & (size - 1):
            raise UserError(f"--input_scale_size {size}: --system ipgan makes 8, 16, 32, 64 …")
        return face_networks.chosen_network(options)

    def load_pretrained(self, indexes, annotations):
        """Read the identity network's weights."""
        face_networks.load_weights(self.identity.network, self.options)

    def _identity_numbers(self):
        if self.options.identity_code == "vector":
            return self.options.embedding_size
        if not isinstance(self.identity.network, DlibResnet):
            raise UserError(f"--identity_code map: of {DLIB} only")
        size = self.identity.kind.size
        return math.prod(self.identity.network.maps(tf.zeros((1, size, size, 3))).shape[1:])

    def _make_players(self):
        options = self.options
        groups = {
            "makers": [weight for name in MAKERS for weight in self.networks[name].trainable_variables],
            "discriminator": self.discriminator.trainable_variables,
        }
        optimizers = {}
        for name, rate in (("makers", options.g_lr), ("discriminator", options.d_lr)):
            schedule = schedules.linear_of_replicas(rate, options, replicas.count())
            optimizers[name] = FusedAdam(schedule, options.beta1, options.beta2, epsilon=1e-8)
        return Players(groups, optimizers, averaged_weights(self.networks), options.mixed_precision)

    @tf.function
    def train_step(self, batch):
        """One step, paired and unpaired in turn: the pose is taken from another image of the same person, or from the
        next image of the batch, whoever that shows."""
        options = self.options
        seed = replicas.own_seed(step_seed(options.random_seed, self.step)) if self.random else None
        people, paired = batch["identity"], tf.equal(self.step % 2, 0)
        image, image_chip = self._flipped(batch["image"], batch["chip"], seed)
        same, same_chip = self._flipped(batch["same"], batch["same_chip"], seed)

        def asked(of_image, of_same):
            return tf.where(paired, of_same, replicas.rolled(of_image))

        target, chip = asked(image, same), asked(image_chip, same_chip)
        weights = tf.where(paired | tf.equal(people, replicas.rolled(people)), 1.0, options.lambda_unpaired)
        wanted, code = self._identified(image, image_chip)
        shape = [2, tf.shape(image)[0], options.z_num]  # of two rows of random pose codes
        draws = tf.zeros(shape) if seed is None else tf.random.stateless_normal(shape, drawn(seed, Stream.LATENT))
        with tf.GradientTape(persistent=True) as tape:
            codes = self.pose_encoder(self._as_pose_input(tf.concat([image, same], axis=0), seed))
            means, log_variances = (tf.split(each, 2) for each in codes)  # of image and of same
            mean, log_variance = asked(*means), asked(*log_variances)
            pose = mean + tf.exp(0.5 * log_variance) * draws[0]
            shown = self.active.of(tf.concat([pose, draws[1]], axis=0))
            fakes = self.generator(tf.concat([code, code], axis=0), shown)
            recombined, _ = tf.split(fakes, 2)
            pixel = tf.reduce_mean(weights * losses.absolute_error_per_image(recombined, target))
            divergence = losses.latent_divergence(*codes)
            shared = self.active.mean(losses.intraclass_correlation(*(replicas.gathered(mean) for mean in means)))
            own = options.lambda_pixel * pixel + options.lambda_kl * divergence + options.lambda_icc * shared
        scale = self.players.scale
        judged = self.judge.judge(image, fakes, scale, seed, self.step)
        fixed = tf.tile(tf.constant([chips.FIXED]), [tf.shape(image)[0], 1])
        poses = tf.stop_gradient(tf.concat([mean, draws[1]], axis=0))
        seen = self._seen(fakes, tf.concat([wanted, wanted], axis=0), poses, tf.concat([chip, fixed], axis=0), scale)
        gradients = tape.gradient(
            [fakes, own], self.players.groups["makers"], [judged["fake_gradient"] + seen["gradient"], scale]
        )
        self.active.observe(codes[1], self.step)
        decay = schedules.average_decay(self.step)
        self.players.move({"makers": gradients, "discriminator": judged["gradients"]}, decay)
        self.step.assign_add(1)
        return judged["scalars"] | self.judge.after_step(judged) | {
            "loss/d_loss": judged["loss"],
            "loss/g_loss": options.adversarial_weight * judged["generator_loss"] + seen["loss"] + own,
            "loss/pixel": pixel,
            "loss/divergence": divergence,
            "loss/person_in_pose": shared,
            "loss/identity": seen["identity"],
            "loss/pose": seen["pose"],
            "misc/pose_spread": self.active.mean(tf.math.reduce_std(mean, axis=0)),
            "misc/pose_numbers": tf.reduce_sum(self.active.open),
            "misc/diversity": losses.spread(recombined) / losses.spread(image),
            **{f"misc/{name}_lr": optimizer.learning_rate for name, optimizer in self.optimizers.items()},
        }

    def _seen(self, fakes, wanted, poses, chip, scale):
        """What identity network and pose encoder say of the fakes: {"gradient" (to the fakes), "loss", "identity",
        "pose"}. Neither moves by it: a pose encoder that did could please by one code for all."""
        options, fakes = self.options, tf.stop_gradient(fakes)
        with tf.GradientTape() as tape:
            tape.watch(fakes)
            identity = tf.reduce_mean(self.identity.distances(fakes, wanted, chip))
            pose = self.active.mean(tf.abs(self.pose_encoder(fakes)[0] - poses))
            loss = options.lambda_id * identity + options.lambda_pose * pose
        return {"gradient": tape.gradient(loss, fakes, scale), "loss": loss, "identity": identity, "pose": pose}

    def _identified(self, images, chip):
        """(features of length 1, [n, d]; the identity code, [n, numbers], of mean square 1)."""
        wanted = self.identity.features(images, None, chip)
        code = wanted
        if self.options.identity_code == "map":
            maps = self.identity.maps(images, chip)
            flat = tf.reshape(maps, [-1, math.prod(maps.shape[1:])])
            code = tf.math.l2_normalize(flat, axis=1, epsilon=1e-10)
        return tf.stop_gradient(wanted), tf.stop_gradient(code * float(code.shape[1]) ** 0.5)

    def _as_pose_input(self, images, seed):
        """Changed in what tells the person and not the pose: colour, sharpness, proportions."""
        own = None if seed is None else drawn(seed, Stream.POSE_INPUT)
        return augmented(images, self.pose_augment, own, self.options.augment_strength)

    def _flipped(self, images, chip, seed):
        """Half of the images mirrored, and the places of their faces with them; both of a person alike."""
        if seed is None or not self.options.random_flip:
            return images, chip
        own = drawn(seed, Stream.PHOTOGRAPH_FLIP)
        flip = tf.random.stateless_uniform([tf.shape(images)[0], 1], own) < 0.5  # as pixels.flipped draws
        mirrored = chip * tf.constant([-1.0, 1.0, 1.0, -1.0]) + tf.constant([1.0, 0.0, 0.0, 0.0])
        return flipped(images, own), tf.where(flip, mirrored, chip)

    def _open_faces(self, options, params, scores, indexes):
        """Each person of --dataset in random poses, or in those of --pose_dataset; or one face in another's pose."""
        if options.identity_image or options.pose_image:
            for name in ("identity_image", "pose_image"):
                if not getattr(options, name):
                    raise UserError(f"--{name}: name both --identity_image and --pose_image")
            for name in ("dataset", "pose_dataset", "images_per_id", "same_latents"):
                if name in options.explicit:
                    raise UserError(f"--{name}: --identity_image and --pose_image are one pair, without folders")
            return PairInput(options, self.side)
        people = indexes.get("real") or index_folder(options, "dataset", labelled=True, several=True)
        places, poses = chip_places(people), None
        if indexes:  # a training shows people as rows and poses as columns
            shown = {"same_latents": True, "images_per_id": options.num_log_samples}
            options, poses = options.changed(**shown, explicit=options.explicit | {"images_per_id"}), people
        elif options.pose_dataset:
            poses = index_folder(options, "pose_dataset")
            refuse_faceless(poses, options)
        return RecombinedInput(people, places, self.side, options, poses)

    @tf.function(reduce_retracing=True)
    def generate(self, batch, scores=tuple(SCORES)):
        """Faces.

        Args:
            batch: `identity_image` [n, s, s, 3]; `identity_chip` [n, 4], where its face is; `pose_image`, or
                `pose_code` [n, code].
            scores: names of the scores that are wanted, a tuple.

        Returns:
            {"image": [n, s, s, 3], score: [n], …}.
        """
        wanted, code = self._identified(batch["identity_image"], batch.get("identity_chip"))
        pose = batch["pose_code"] if "pose_code" in batch else self.pose_encoder(batch["pose_image"])[0]
        pose = self.active.of(pose)
        image = self.generator(code, pose)
        results = {"image": image}
        if "d_score" in scores:
            results["d_score"] = self.judge.scores(image)
        if "identity_score" in scores:
            results["identity_score"] = self.identity.distances(image, wanted)
        if "pose_score" in scores:
            results["pose_score"] = self.active.mean(tf.abs(self.pose_encoder(image)[0] - pose), axis=1)
        return results

    def codes(self, images, chip=None):
        """The codes of images: (features of length 1 [n, d], pose codes, their deviations, [n, code])."""
        means, log_variances = self.pose_encoder(images)
        return self._identified(images, chip)[0], self.active.of(means), self.active.of(tf.exp(0.5 * log_variances))

    @tf.function
    def preview(self, batch):
        """Faces, whose pose they take, what becomes of both, and of a random pose."""
        poses = tf.roll(batch["image"], 1, axis=0)
        _, code = self._identified(batch["image"], batch["chip"])
        return {
            "Identity Images": batch["image"],
            "Pose Images": poses,
            "Recombined Images": self.generator(code, self.active.of(self.pose_encoder(poses)[0])),
        }

    def log_line(self, values):
        return (f"Loss_D: {values['loss/d_loss']:.4f} Loss_G: {values['loss/g_loss']:.4f}, pixel: "
                f"{values['loss/pixel']:.4f} identity: {values['loss/identity']:.4f} pose: {values['loss/pose']:.4f}")

    def health(self, values):
        """Warn of signs of collapse, as the contract says (trainer/step/health.py)."""
        return self._health.warning(values)
