"""DA-GAN (Zhao et al., NIPS 2017): simulated views of a face into photographs of the same person.

Symbols of the paper, and the names here:
    x, x~, y        view, refined, photograph
    G_theta         generator         view -> refined
    D_phi           discriminator     an auto-encoder; its code also names the person (identity_head)
                    patches           judges realism in its place with --discriminator patch (ours)
    identity_network    a frozen face network, with --lambda_3 (ours)
    L_pp, L_ip      pixel, identity   eqs. 3 and 6
    L_adv, k_t      BEGAN's errors and the weight of the refined in them, eqs. 4 and 5
    L_con           misc/measure      eq. 9

No layer table, weight or rate of it is public: networks are FaceGAN's, whose BEGAN was published; lambda_1 and lambda_2
are ours (docs/dagan.md).
"""

import tensorflow as tf

from data_loader.inputs import FolderInput
from data_loader.joined import labels_among
from data_loader.training_sources import Source, index_folder
from models.autoencoder import Autoencoder
from models.generator import Generator
from models.identity_head import IdentityHead
from models.patches import PatchDiscriminator
from trainer.face_networks import network as face_networks
from trainer.step import losses, replicas, schedules
from trainer.step.adam import FusedAdam
from trainer.step.augment import parse_augment
from trainer.step.dual_agent import DualAgentJudge
from trainer.step.health import BeganHealth, PatchHealth
from trainer.step.patch import PatchJudge
from trainer.step.pixels import flipped
from trainer.step.players import Players
from trainer.step.precision import computing_in
from trainer.step.streams import Stream, drawn, step_seed
from trainer.systems.flags_read import DAGAN_SHAPING, SYSTEM_FLAGS, refuse_idle_flags, refuse_looking
from trainer.systems.identity import CHIPS, IdentityNetwork, sees_chips
from trainer.systems.system import D_SCORES, SOMEBODY, Maker, Score, System, averaged_weights, new_step
from utils import runs
from utils.errors import UserError

SCORES = {
    "d_score": D_SCORES["began"],
    "identity_score": Score("cross-entropy of its person in the discriminator's code, low where it shows that person",
                            needs=("identity",)),
}  # fmt: skip
TEXT = "Each image was made from a view of a photographed person's head that a simulator turned."


class DaGan(System):
    """A generator that refines views, and an auto-encoder that judges realism and names the person.

    Args:
        options: the flags (utils/flags.py).
        labels: {"synthetic": people}, of views and photographs together; {} with --identity_perception none.
        random: False switches off dropout and flips.
    """

    shaping, flags = DAGAN_SHAPING, SYSTEM_FLAGS["dagan"]
    # The head's people are one training's.
    training_only_flags = ("identity_perception", "lambda_3", "model_def", "embedding_size")
    training_only_names = ("identity_head/", "identity_network/")
    training_only_off = {"identity_perception": "none", "lambda_3": 0.0}
    rate_flags = "--g_lr and --d_lr"

    def __init__(self, options, labels, random=True):
        self.options, self.random, self.sources = options, random, self.sources_of(options)
        self.side, size, code = options.input_scale_size, options.input_scale_size, options.z_num
        with computing_in(options.mixed_precision):
            self.generator = Generator(options.conv_hidden_num_res, options.num_res_rep, upsample=options.upsample,
                                       residual=options.residual)  # fmt: skip
            self.discriminator = Autoencoder(size, options.conv_hidden_num, code, name="discriminator")
            self.head = IdentityHead(labels["synthetic"], code) if options.identity_perception != "none" else None
            self.identity = IdentityNetwork(options) if options.lambda_3 else None
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.networks |= {"identity_head": self.head} if self.head else {}
        self.networks |= {"identity_network": self.identity.network} if self.identity else {}
        self.judge = DualAgentJudge(self.discriminator, self.head, options, "misc/k_t")
        self.patches = self._make_patches()
        self.step, self.players = new_step(), self._make_players()
        self.state = {"step": self.step, "k": self.judge.k} | self.players.state
        if self.patches:
            self.state |= {f"{variable}_patches": value for variable, value in self.patches.state.items()}
        arguments = {"images": ("synthetic", tf.TensorSpec([None, size, size, 3]))}
        scores = SCORES | {"d_score": D_SCORES[options.discriminator]}
        self.makers = {"generate": Maker(self.generate, self._open_views, arguments, scores, TEXT, SOMEBODY)}
        self._health = BeganHealth(self.rate_flags)
        if self.patches:
            self._health = PatchHealth(self.rate_flags, "the discriminator of patches", "--lambda_2")

    @classmethod
    def sources_of(cls, options):
        """Photographs, and views of people; both labelled where the code names people, in one list of these."""
        named = options.identity_perception != "none"
        known = named and options.label_photographs
        real = Source("dataset", ("real",), "real_identity" if known else "", least=2 if known else 1,
                      weights="sample_weights", people=known)  # fmt: skip
        chip = CHIPS if options.lambda_3 and sees_chips(options) else {}
        view = Source("syn_dataset", ("synthetic",), "identity" if named else "", folders=True, people=known, **chip)
        return {"real": real, "synthetic": view}

    @classmethod
    def refuse_idle(cls, options):
        refuse_idle_flags(options)
        if "augment" in options.explicit and options.augment and options.discriminator != "patch":
            raise UserError(f"--augment: --system dagan with --discriminator {options.discriminator} does not read it")
        if not options.lambda_3:
            refuse_looking(options, "without --lambda_3")

    @classmethod
    def resolved(cls, options):
        """The flags, with the face network that `--pretrained_rec` holds where one is looked through."""
        return face_networks.chosen_network(options) if options.lambda_3 else options

    def load_pretrained(self, indexes, annotations):
        """Read the face network's weights."""
        if self.identity:
            face_networks.load_weights(self.identity.network, self.options)

    def _make_patches(self):
        """The judge of realism, its network among the system's; None: the auto-encoder judges that too."""
        options = self.options
        if options.discriminator != "patch":
            return None
        network = PatchDiscriminator(options.conv_hidden_num, options.patch_halvings, name="patches")
        self.networks["patches"] = network
        return PatchJudge(network, options, parse_augment(options.augment))

    def _make_players(self):
        options = self.options
        groups = {"generator": self.generator.trainable_variables, "discriminator": self.judge.trained}
        if self.patches:
            groups["patches"] = self.networks["patches"].trainable_variables
        optimizers = {}
        for name in groups:
            rate = options.g_lr if name == "generator" else options.d_lr
            schedule = schedules.of_replicas(rate, options, replicas.count())
            optimizers[name] = FusedAdam(schedule, options.beta1, options.beta2, epsilon=1e-8)
        return Players(groups, optimizers, averaged_weights(self.networks), options.mixed_precision)

    @tf.function
    def train_step(self, batch):
        """One step: D, then G against the D that has moved, then k_t. --update simultaneous: G against the same D.

        Patches, where they judge, serve G in the pass that serves themselves, before they move.
        """
        options = self.options
        seed = replicas.own_seed(step_seed(options.random_seed, self.step)) if self.random else None
        view, real = batch["synthetic"], self._flipped(batch["real"], seed)
        labels, real_labels = batch.get("identity"), batch.get("real_identity")
        with tf.GradientTape(persistent=True) as tape:
            refined = self.generator(view, dropout_seed=seed)
            pixel = losses.absolute_error(refined, view)
        judged = self.judge.of_discriminator(real, refined, real_labels, labels, self.players.scale)
        gradients = {"discriminator": judged["gradients"]}
        if self.patches:
            realism = self.patches.judge(real, refined, self.players.scale, seed, self.step)
            gradients["patches"] = realism["gradients"]
        scale = self.players.scale
        if options.update == "alternating":
            self.players.move(gradients)
            gradients, before, scale = {}, scale, self.players.scale
            if self.patches:  # judged at the scale before
                realism["fake_gradient"] *= scale / before
        seen = self.judge.of_generator(refined, labels, scale)
        if self.patches:
            seen["loss"] += options.adversarial_weight * realism["generator_loss"]
            seen["gradient"] += realism["fake_gradient"]
        if self.identity:
            kept = self._person_kept(view, refined, batch.get("chip"), scale)
            seen["loss"] += options.lambda_3 * kept["loss"]
            seen["gradient"] += kept["gradient"]
        gradients["generator"] = tape.gradient(
            [refined, pixel], self.players.groups["generator"], [seen["gradient"], scale * options.lambda_2]
        )
        self.players.move(gradients, schedules.average_decay(self.step))
        told = self.judge.after_step(judged)
        told |= {"loss/d_loss_real": judged["real_loss"], "loss/d_loss_fake": judged["fake_loss"]}
        if self.patches:  # whose losses have these names everywhere; the auto-encoder's are then its own
            told |= {"loss/error_real": judged["real_loss"], "loss/error_fake": judged["fake_loss"]}
            told |= self.patches.after_step(realism)
        told |= {"loss/person": kept["loss"]} if self.identity else {}
        self.step.assign_add(1)
        return told | {
            "loss/d_loss": judged["loss"],
            "loss/g_loss": seen["loss"] + options.lambda_2 * pixel,
            "loss/identity_real": judged["identity_real"],
            "loss/identity_fake": judged["identity_fake"],
            "loss/pixel": pixel,
            "misc/d_lr": self.optimizers["discriminator"].learning_rate,
            "misc/g_lr": self.optimizers["generator"].learning_rate,
            "misc/diversity": losses.spread(refined) / losses.spread(real),
        }

    def _person_kept(self, view, refined, chip, scale):
        """How far the face network sees the refined from the view: {"loss": 1 - the cosine of its features, "gradient":
        of lambda_3 times that, to `refined`}. chip: float32 [n, 4], where the faces are; None: at chips.FIXED."""
        refined, wanted = tf.stop_gradient(refined), tf.stop_gradient(self.identity.features(view, None, chip))
        with tf.GradientTape() as tape:
            tape.watch(refined)
            loss = tf.reduce_mean(self.identity.distances(refined, wanted, chip))
        return {"loss": loss, "gradient": tape.gradient(loss, refined, scale * self.options.lambda_3)}

    def _flipped(self, real, seed):
        flips = self.options.random_flip and self.random
        return flipped(real, drawn(seed, Stream.PHOTOGRAPH_FLIP)) if flips else real

    def _open_views(self, options, params, scores, indexes):
        """Views; with their people's labels where the training knew all of them."""
        index, more = indexes.get("synthetic") or index_folder(options, "syn_dataset", labelled=True), {}
        if "identity_score" in scores and self._knows(index, params):
            more = {"identity": labels_among(index, runs.label_names(params, "synthetic"))}
        return FolderInput(index, self.side, "synthetic", more)

    def _knows(self, index, params):
        if not self.head:
            print("identity_score stays empty: these weights name nobody")
            return False
        strangers = set(index.label_names) - set(runs.label_names(params, "synthetic") or ())
        if strangers:
            print(f"identity_score stays empty: the training did not know {min(strangers)}")
        return not strangers

    @tf.function(reduce_retracing=True)
    def generate(self, batch, scores=tuple(SCORES)):
        """Refined views, dropout off.

        Args:
            batch: `synthetic` [n, s, s, 3]; `identity` int32 [n], where an identity score is wanted.
            scores: names of the scores that are wanted, a tuple.

        Returns:
            {"image": [n, s, s, 3], score: [n], …}.
        """
        refined = self.generator(batch["synthetic"])
        results = {"image": refined}
        if "d_score" in scores:
            results["d_score"] = (self.patches or self.judge).scores(refined)
        if "identity_score" in scores and self.head and "identity" in batch:
            results["identity_score"] = self.judge.identity_scores(refined, batch["identity"])
        return results

    @tf.function
    def preview(self, batch):
        """Views, what became of them, photographs, and what D makes of both."""
        refined = self.generator(batch["synthetic"])
        return {
            "Simulated Images": batch["synthetic"],
            "Refined Images": refined,
            "Real Images": batch["real"],
            "AE_x": self.judge.decoded(refined),
            "AE_u": self.judge.decoded(batch["real"]),
        }

    def log_line(self, values):
        line = f"Loss_D: {values['loss/d_loss']:.6f} Loss_G: {values['loss/g_loss']:.6f}, "
        line += f"k_t: {values['misc/k_t']:.4f} L_con: {values['misc/measure']:.4f}"
        if not self.patches:
            return line
        return f"{line} D(real): {values['misc/d_real']:.3f} D(fake): {values['misc/d_fake']:.3f}"

    def health(self, values):
        """Warn of signs of collapse, as the contract says (trainer/step/health.py)."""
        return self._health.warning(values)
