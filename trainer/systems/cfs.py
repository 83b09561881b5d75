"""Conditional face synthesis (Huang, Xie, Lai, Feng, PRCV 2018): photographs of known people, and of mixtures of them.

Symbols of the paper, and the names here:
    E, G, D^1, D^2      encoder, generator, discriminator, discriminator_half (which sees the image at half its size)
    x, c                photograph, person
    z_enc, z_rand       latent vector of the photograph, and of nobody: N(0, 1)
    FR                  identity_network, frozen
    L_adv, L_cls, L_FM, L_gp    trainer/step/conditional.py, eqs. 2, 6, 3
    L_pixel, L_KL, L_id         pixel, divergence, identity, eqs. 4, 5, 7

No code of it was published; channels, kernels and what its text leaves open are ours (docs/cfs.md).
"""

import numpy as np
import tensorflow as tf

from data_loader.inputs import FolderInput
from data_loader.joined import labels_among
from data_loader.people import PeopleInput, StripInput
from data_loader.training_sources import Source, index_folder
from models.conditional import ConditionalDiscriminator, ConditionalGenerator, Encoder
from trainer.face_networks import network as face_networks
from trainer.face_networks.identity_loss import identity_network
from trainer.step import losses, replicas, schedules
from trainer.step.adam import FusedAdam
from trainer.step.augment import parse_augment
from trainer.step.conditional import ConditionalJudge
from trainer.step.health import ConditionalHealth
from trainer.step.pixels import flipped
from trainer.step.players import Players
from trainer.step.precision import computing_in
from trainer.step.streams import Stream, drawn, step_seed
from trainer.systems.flags_read import (
    CFS_SHAPING,
    SYSTEM_FLAGS,
    refuse_beside_photographs,
    refuse_idle_flags,
    refuse_looking,
)
from trainer.systems.identity import IdentityNetwork
from trainer.systems.system import SOMEBODY, Maker, Score, System, averaged_weights, new_step
from utils import runs
from utils.errors import UserError

SCORES = {
    "d_score": Score("mean score of the discriminator, high where the image looks like a photograph to it", "high"),
    "class_score": Score("how far the discriminator's chances of each person are from those that were asked for (cross-"
                         "entropy), low where it shows whom it should"),
}  # fmt: skip
TEXT = "Each image was made from a person, or a mixture of three, and a vector: a random one, or a photograph's."
SHOWS = f"Where `mixture` in metadata.csv names three people, the one shown does not exist. Of the others: {SOMEBODY}"
DISCRIMINATORS = ("discriminator", "discriminator_half")  # at full and at half size


class Cfs(System):
    """An encoder and a generator against discriminators of two sizes that also name the person.

    The baselines of the paper's Table 1 lack one side: --baseline cvae has no discriminator, cgan no encoder.

    Args:
        options: the flags (utils/flags.py).
        labels: {"real": people}.
        random: False switches off augmentation, flips and the draw of latent vectors, which are the mean's.
    """

    shaping, flags = CFS_SHAPING, SYSTEM_FLAGS["cfs"]
    training_only_flags = ("lambda_id", "model_def", "embedding_size")
    training_only_names = ("identity_network/",)
    training_only_off = {"lambda_id": 0.0}
    identity_flags, people_in_weights = ("people_start",), True
    rate_flags = "--g_lr and --d_lr"

    def __init__(self, options, labels, random=True):
        self.options, self.random, self.sources = options, random, self.sources_of(options)
        self.side, self.people = options.input_scale_size, labels["real"]
        with computing_in(options.mixed_precision):
            self._make_networks()
        augment = parse_augment(options.augment)
        self.judges = {name: ConditionalJudge(self.networks[name], halvings, options, augment)
                       for halvings, name in enumerate(DISCRIMINATORS) if name in self.networks}  # fmt: skip
        self.step, self.players = new_step(), self._make_players()
        self.state = {"step": self.step} | self.players.state
        for name, judge in self.judges.items():
            self.state |= {f"{variable}_{name}": value for variable, value in judge.state.items()}
        arguments = {"people": ("people", tf.TensorSpec([None, self.people])),
                     "latent": ("latent", tf.TensorSpec([None, options.z_num]))}  # fmt: skip
        scores = SCORES if self.judges else {}
        self.makers = {"generate": Maker(self.generate, self._open_people, arguments, scores, TEXT, SHOWS)}
        self._health = ConditionalHealth(self.rate_flags)

    @classmethod
    def sources_of(cls, options):
        """Photographs of people, two of each at least."""
        return {"real": Source("dataset", ("real",), "identity", least=2, weights="sample_weights")}

    @classmethod
    def refuse_idle(cls, options):
        refuse_idle_flags(options)
        if not identity_network(cls.looked_through(vars(options))):
            refuse_looking(options, "with --lambda_id 0")

    @classmethod
    def resolved(cls, options):
        """As FaceGan.resolved. Raises UserError for a size that six doublings cannot make, as chosen_network."""
        if options.input_scale_size % 64 or options.input_scale_size & (options.input_scale_size - 1):
            raise UserError(f"--input_scale_size {options.input_scale_size}: --system cfs makes 64, 128, 256 …")
        if not options.lambda_id:
            print("--lambda_id 0: the identity loss is off")
        return face_networks.chosen_network(options) if identity_network(cls.looked_through(vars(options))) else options

    def load_pretrained(self, indexes, annotations):
        """Read the identity network's weights; with --people_start features look through it at all photographs."""
        options, starts = self.options, self.options.people_start == "features"
        identity = IdentityNetwork(options) if starts and not self.identity else self.identity
        if identity:
            face_networks.load_weights(identity.network, options)
        if starts:
            self.generator.begin_people(identity.of_people(indexes["real"], self.side), options.random_seed)

    def _make_networks(self):
        options, people = self.options, self.people
        size, width, most = options.input_scale_size, options.conv_hidden_num, options.max_channels
        self.encoder = None
        self.generator = ConditionalGenerator(size, people, options.z_num, options.conv_hidden_num_res, most)
        self.networks = {"generator": self.generator}
        if options.baseline != "cgan":
            self.encoder = self.networks["encoder"] = Encoder(size, options.z_num, options.conv_hidden_num_res)
        if options.baseline != "cvae":
            for halvings, name in enumerate(DISCRIMINATORS):
                self.networks[name] = ConditionalDiscriminator(size // 2**halvings, people, width, most, name=name)
        self.identity = None
        if options.lambda_id:
            self.identity = IdentityNetwork(options)
            self.networks["identity_network"] = self.identity.network

    def _make_players(self):
        options, networks = self.options, self.networks
        groups = {}
        for group, names in (("makers", ("encoder", "generator")), ("discriminators", DISCRIMINATORS)):
            variables = [weight for name in names if name in networks for weight in networks[name].trainable_variables]
            groups |= {group: variables} if variables else {}
        optimizers, rates = {}, {"makers": (options.g_lr, options.n_critic), "discriminators": (options.d_lr, 1)}
        for name in groups:
            schedule = schedules.linear_of_replicas(rates[name][0], options, replicas.count(), rates[name][1])
            optimizers[name] = FusedAdam(schedule, options.beta1, options.beta2, epsilon=1e-8)
        return Players(groups, optimizers, averaged_weights(networks), options.mixed_precision)

    @tf.function
    def train_step(self, batch):
        """One step: both discriminators; then, every n_critic-th step, encoder and generator on the same fakes, judged
        by the discriminators that have moved (the order is not given in the paper; BicycleGAN's)."""
        options, people = self.options, batch["identity"]
        seed = replicas.own_seed(step_seed(options.random_seed, self.step)) if self.random else None
        real = self._flipped(batch["real"], seed)
        with tf.GradientTape(persistent=True) as tape:
            made = self._made(real, people, seed)
            pixel = divergence = tf.constant(0.0)
            if self.encoder:
                pixel = losses.absolute_error(made["fakes"][0], real)
                divergence = losses.latent_divergence(made["mean"], made["log_variance"])
            own_loss = options.lambda_pixel * pixel + options.lambda_kl * divergence
        judged = {name: judge.of_discriminator(real, made["fakes"], people, self.players.scale, seed, self.step)
                  for name, judge in self.judges.items()}  # fmt: skip
        if judged:
            self.players.move({"discriminators": [g for each in judged.values() for g in each["gradients"]]})
        scale = self.players.scale
        seen = self._of_makers(real, made["fakes"], people, seed, scale)
        decay = schedules.average_decay(self.step)

        def move():
            group = self.players.groups["makers"]
            own = ([own_loss], [scale]) if self.encoder else ([], [])
            gradients = tape.gradient([*made["fakes"], *own[0]], group, [*seen["gradients"], *own[1]])
            self.players.move({"makers": gradients}, decay)

        if options.n_critic == 1:
            move()
        else:
            tf.cond(tf.equal((self.step + 1) % options.n_critic, 0), move, lambda: None)
        self.step.assign_add(1)
        scalars = self._scalars(judged, seen) | {"loss/pixel": pixel, "loss/divergence": divergence}
        return scalars | {
            "loss/g_loss": seen["loss"] + own_loss,
            "misc/diversity": losses.spread(made["fakes"][-1]) / losses.spread(real),
        }

    def _made(self, real, people, seed):
        """{"fakes": [of the photograph's latent vector, of a random one], "mean", "log_variance"}; without an encoder
        the second fake alone, without discriminators the first."""
        shape, made, latents = [2, tf.shape(real)[0], self.options.z_num], {}, []
        draws = tf.zeros(shape) if seed is None else tf.random.stateless_normal(shape, drawn(seed, Stream.LATENT))
        if self.encoder:
            made["mean"], made["log_variance"] = self.encoder(real)
            latents.append(made["mean"] + tf.exp(0.5 * made["log_variance"]) * draws[0])
        if self.judges:
            latents.append(draws[1])
        rows = tf.one_hot(people, self.people)
        fakes = self.generator(tf.concat([rows] * len(latents), axis=0), tf.concat(latents, axis=0))
        return made | {"fakes": tf.split(fakes, len(latents))}

    def _of_makers(self, real, fakes, people, seed, scale):
        """What discriminators and identity network say of the fakes: {"gradients": two, "loss", "identity", …}."""
        fakes = [tf.stop_gradient(fake) for fake in fakes]
        with tf.GradientTape() as tape:
            tape.watch(fakes)
            told = [judge.of_makers(real, fakes, people, seed) for judge in self.judges.values()]
            found = {name: tf.add_n([tf.constant(0.0), *(each[name] for each in told)])
                     for name in ("loss", "adversarial", "class_loss", "features")}  # fmt: skip
            found["identity"] = self._identity_loss(real, fakes)
            loss = found["loss"] + self.options.lambda_id * found["identity"]
            scaled = scale * loss
        gradients = tape.gradient(scaled, fakes, unconnected_gradients="zero")  # where nobody judges them
        return found | {"loss": loss, "gradients": gradients}

    def _identity_loss(self, real, fakes):
        """Eq. 7: how far the features of both fakes are from the photograph's; the mean over their numbers (ours)."""
        if not self.identity:
            return tf.constant(0.0)
        wanted = tf.stop_gradient(self.identity.embed(real, None))
        return tf.add_n([losses.absolute_error(self.identity.embed(fake, None), wanted) for fake in fakes])

    def _scalars(self, judged, seen):
        each = {f"loss/{name}_{judge}": told[name] for judge, told in judged.items()
                for name in ("real_loss", "fake_loss", "class_loss", "penalty")}  # fmt: skip
        return each | {
            "loss/d_loss": tf.add_n([tf.constant(0.0), *(told["loss"] for told in judged.values())]),
            "loss/adversarial": seen["adversarial"],
            "loss/class_fake": seen["class_loss"] / max(1, len(judged)),  # of one image, beside a guess
            "loss/features": seen["features"],
            "loss/identity": seen["identity"],
            **{f"misc/{name}_lr": optimizer.learning_rate for name, optimizer in self.optimizers.items()},
        }

    def _flipped(self, real, seed):
        flips = self.options.random_flip and self.random
        return flipped(real, drawn(seed, Stream.PHOTOGRAPH_FLIP)) if flips else real

    def _open_people(self, options, params, scores, indexes):
        """Known people; with --n_id mixtures of three of them; with --dataset its photographs, as their own person or
        as --person. Exported weights have numbers in place of names."""
        names = runs.label_names(params, "real") or [f"{number + 1:05d}" for number in range(self.people)]
        if options.strips and (options.strips < 2 or "dataset" not in options.explicit):
            raise UserError(f"--strips {options.strips}: two images at least, between photographs of --dataset")
        if not indexes:
            refuse_beside_photographs(options)
        if indexes or "dataset" not in options.explicit:  # a training, whose photographs these are, shows known people
            return PeopleInput(names, options)
        if not self.encoder:
            raise UserError("--dataset: --baseline cgan has no encoder for photographs")
        index = index_folder(options, "dataset", labelled=True)
        wanted = {options.person} if options.person else set(index.label_names)
        if strangers := sorted(wanted - set(names)):
            flag = "--person" if options.person else f"--dataset {index.folder}"
            instead = "" if options.person else "; --person names whom to show"
            raise UserError(f"{flag}: the training did not know {strangers[0]}{instead}")
        shown = [names.index(options.person)] * len(index) if options.person else labels_among(index, names)
        people = np.eye(len(names), dtype=np.float32)[shown]
        if options.strips:
            return StripInput(index, self.side, options.strips, people)
        return FolderInput(index, self.side, "real", {"people": people})

    @tf.function(reduce_retracing=True)
    def generate(self, batch, scores=tuple(SCORES)):
        """Faces.

        Args:
            batch: `people` float32 [n, people], rows of weights; `latent` float32 [n, z], or `real` [n, s, s, 3],
                photographs whose latent vectors' means are taken; with `other` and `share` [n] so much of that one's.
            scores: names of the scores that are wanted, a tuple.

        Returns:
            {"image": [n, s, s, 3], score: [n], …}.
        """
        latent = batch["latent"] if "latent" in batch else self.encoder(batch["real"])[0]
        if "other" in batch:
            latent += batch["share"][:, None] * (self.encoder(batch["other"])[0] - latent)
        image = self.generator(batch["people"], latent)
        results = {"image": image}
        if scores and self.judges:
            sources, logits, _ = self.networks["discriminator"](image)
            each = {"d_score": tf.reduce_mean(sources, axis=[1, 2]),
                    "class_score": tf.nn.softmax_cross_entropy_with_logits(batch["people"], logits)}  # fmt: skip
            results |= {name: each[name] for name in scores}
        return results

    @tf.function
    def preview(self, batch):
        """Photographs, what their latent vectors give, and what random ones give of the same people."""
        made = self._made(batch["real"], batch["identity"], step_seed(self.options.random_seed, self.step))
        tags = ["Reconstructed Images"] * bool(self.encoder) + ["Generated Images"] * bool(self.judges)
        return {"Real Images": batch["real"]} | dict(zip(tags, made["fakes"], strict=True))

    def log_line(self, values):
        return (f"Loss_D: {values['loss/d_loss']:.6f} Loss_G: {values['loss/g_loss']:.6f}, "
                f"pixel: {values['loss/pixel']:.4f} class: {values['loss/class_fake']:.3f}")

    def health(self, values):
        """Warn of signs of collapse, as the contract says (trainer/step/health.py)."""
        return self._health.warning(values)
