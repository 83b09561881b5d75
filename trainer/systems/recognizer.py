"""A face recogniser: a network that embeds faces, trained to tell the identities of labelled folders apart.

Softmax with center loss (Wen et al. 2016), as FaceNet's train_softmax.py and its fork that made FaceGAN's tables. The
fork gives generated data a softmax head of their own: their identities are no one's among the real ones. Heads with a
margin, momentum, warm-up and random erasing are those of the field since (classifiers.py, trainer/step/margins.py).
"""

import tensorflow as tf

from data_loader.training_sources import Source
from models.layers import seeded_dropout
from trainer.face_networks.network import build_recognizer
from trainer.face_networks.preparation import FaceInput
from trainer.face_networks.table import kind_of, with_sizes
from trainer.published.arrays import named_weights
from trainer.step import schedules
from trainer.step.adam import FusedAdam
from trainer.step.health import SoftmaxHealth
from trainer.step.momentum import FusedMomentum
from trainer.step.players import Players
from trainer.step.precision import computing_in
from trainer.step.streams import RecognizerStream, drawn, step_seed
from trainer.systems.classifiers import classifier
from trainer.systems.flags_read import RECOGNIZER_SHAPING, SYSTEM_FLAGS
from trainer.systems.system import System, new_step

SOURCES = {
    "labelled": Source("dataset", ("real",), "real_identity"),
    "synthetic": Source("dataset", ("synthetic",), "identity"),
}
ADAM_EPSILON = 0.1  # FaceNet's (facenet.py, optimizer ADAM); far over the usual 1e-7, so that Adam is near momentum


class Recognizer(System):
    """One network, and a head for each kind of label.

    Args:
        options: the flags (utils/flags.py); image_size and embedding_size are those of the network (table.with_sizes).
        labels: {"labelled": identities of the real images}, and with generated ones {"synthetic": theirs}.

    Attributes:
        network: keras.Model: what `face_input.prepare` gives -> float32 [n, embedding_size], before normalisation.
        face_input: FaceInput.
        heads: {"real": Classifier} and, with generated images of other people, "synthetic".
    """

    shaping, flags = RECOGNIZER_SHAPING, SYSTEM_FLAGS["recognizer"]
    rate_flags = "--learning_rate"
    job = "train_recognizer"

    def __init__(self, options, labels):
        self.options, self.kind = options, kind_of(options.recognizer)
        self.sources = {name: source for name, source in SOURCES.items() if name in labels}
        self.face_input = FaceInput(options)
        with computing_in(options.mixed_precision):
            self.network = build_recognizer(options)
        self.networks, self.side = {"recognizer": self.network}, self.face_input.shown
        self._keys = [key for source in self.sources.values() for key in source.images]
        self.heads = {"real": classifier("real", options, labels["labelled"], weight=1.0)}
        if "synthetic" in labels and not options.shared_people:
            self.heads["synthetic"] = classifier("synthetic", options, labels["synthetic"], options.lambda_syn)
        guesses = {f"loss/cross_entropy{head.ending}": head.guess for head in self.heads.values()}
        self._health = SoftmaxHealth(guesses, self.rate_flags)
        kernels = [v for v in self.network.trainable_variables if v.name == "kernel"]
        self.decayed = kernels + [head.weights for head in self.heads.values()]
        self.step, self.players = new_step(), self._make_players()
        self.state = {"step": self.step} | self.players.state
        for head in self.heads.values():
            self.state |= head.state

    @classmethod
    def sources_of(cls, options):
        """Real images alone; generated ones come where --dataset names folders that hold them."""
        return {"labelled": SOURCES["labelled"]}

    @classmethod
    def with_defaults(cls, options):
        """The flags with the network's own sizes."""
        return with_sizes(options)

    @classmethod
    def label_counts(cls, params):
        """Older runs have n_id and n_syn."""
        counts = params.get("labels") or {"labelled": params["n_id"], "synthetic": params.get("n_syn", 0)}
        return {name: count for name, count in counts.items() if count}

    def _make_players(self):
        options = self.options
        groups = {
            "trunk": self.network.trainable_variables,
            "heads": [variable for head in self.heads.values() for variable in head.trained],
        }
        factors = {"trunk": options.trunk_lr_factor, "heads": 1.0}
        optimizers = {name: _optimizer(schedules.recognizer_rate(options, f), options) for name, f in factors.items()}
        return Players(groups, optimizers, named_weights("recognizer", self.network), options.mixed_precision)

    @tf.function
    def train_step(self, batch):
        """One step on `real` with `real_identity` and, where there are any, `synthetic` with `identity`.

        Both go through the network as one batch, so that batch norm sees them together, as in the fork.
        """
        options = self.options
        dropout_seed, augment_seed = self._seeds()
        images, labels = [batch[key] for key in self._keys], [batch["real_identity"]]
        if "synthetic" in self.sources:
            labels.append(batch["identity"])
        if len(self.heads) == 1:  # of shared people one head judges all
            labels = [tf.concat(labels, axis=0)]
        counts = [tf.shape(part)[0] for part in labels]
        shown = self.face_input.prepare(self._augmented(tf.concat(images, axis=0), augment_seed))
        with tf.GradientTape() as tape:
            features = self._features(shown, dropout_seed)
            told = {}
            for (name, head), part, own in zip(self.heads.items(), tf.split(features, counts), labels, strict=True):
                told[name] = head.judge(part, own, self._head_dropout(dropout_seed, name))
            decay = options.weight_decay * tf.add_n([tf.nn.l2_loss(weight.value) for weight in self.decayed])
            total = decay + tf.add_n([
                each["cross_entropy"] + options.center_loss_factor * each["center"] for each in told.values()
            ])
            scaled = self.players.scale * total
        gradients = tape.gradient(scaled, self.players.groups)
        self.players.move(gradients, schedules.average_decay(self.step, options.moving_average_decay))
        for head, part, own in zip(self.heads.values(), tf.split(features, counts), labels, strict=True):
            head.move_centroids(part, own)
        self.step.assign_add(1)
        return self._scalars(told, decay, total)

    def _seeds(self):
        """int32 [2] for dropout and for augmentation, a function of (random_seed, step)."""
        seed = step_seed(self.options.random_seed, self.step)
        return drawn(seed, RecognizerStream.DROPOUT), drawn(seed, RecognizerStream.AUGMENTATION)

    def _augmented(self, images, seed):
        options = self.options
        return self.face_input.augmented(
            images, seed, options.random_crop, options.random_flip, options.random_rotate, options.random_erasing
        )

    def _features(self, shown, seed):
        more = {"dropout_seed": seed, "keep": self.options.keep_probability} if self.kind.dropout_inside else {}
        return tf.cast(self.network(shown, training=True, **more), tf.float32)

    def _head_dropout(self, seed, name):
        """What a head does to its features before it looks at them, where the network drops nothing itself."""
        if self.kind.dropout_inside:
            return lambda features: features
        seed = tf.random.experimental.stateless_fold_in(seed, list(self.heads).index(name))
        return lambda features: seeded_dropout(features, self.options.keep_probability, seed)

    def _scalars(self, told, decay, total):
        scalars = {
            "loss/total": total,
            "loss/weight_decay": decay,
            "misc/learning_rate": self.optimizers["heads"].learning_rate,
        }
        for name, each in told.items():
            ending = self.heads[name].ending
            scalars |= {f"loss/{key}{ending}": each[key] for key in ("cross_entropy", "center")}
            scalars[f"train/accuracy{ending}"] = each["accuracy"]
        return scalars

    @tf.function(reduce_retracing=True)
    def embed(self, images):
        """Faces as they are read, float32 [n, shown, shown, 3] in [-1, 1] -> float32 [n, embedding_size], raw."""
        return tf.cast(self.network(self.face_input.prepare(images), training=False), tf.float32)

    @tf.function
    def preview(self, batch):
        """The faces as this step of training shows them."""
        return {f"Shown {key}": self._augmented(batch[key], self._seeds()[1]) for key in self._keys}

    def log_line(self, values):
        line = f"loss: {values['loss/total']:.4f} accuracy: {values['train/accuracy']:.3f}"
        if "synthetic" in self.heads:
            line += f" synthetic: {values['train/accuracy_synthetic']:.3f}"
        return line

    def health(self, values):
        """Warn of losses without bound, as the contract says (trainer/step/health.py)."""
        return self._health.warning(values)


def _optimizer(schedule, options):
    if options.optimizer == "sgd":
        return FusedMomentum(schedule, options.momentum)
    if options.optimizer == "adam":
        return FusedAdam(schedule, options.beta1, options.beta2, epsilon=ADAM_EPSILON)
    raise ValueError(f"no optimizer {options.optimizer!r}; one of adam, sgd")
