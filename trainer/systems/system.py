"""The contract between a system (what is trained) and everything that trains, saves, shows, generates and exports it.

The loop, checkpoints, generation, serving, cards and benchmarks use only what stands here. A new system is one file
beside this one, its networks in models/, its flags in utils/flags.py, which of them it reads in flags_read.py, those of
which it has another default in defaults.py, and its line in trainer/systems/__init__.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import tensorflow as tf

from data_loader.training_sources import Source
from trainer.published.arrays import named_weights
from trainer.step import replicas
from trainer.step.players import Players
from trainer.systems.defaults import system_defaults

NOBODY = "The people shown do not exist: any resemblance to a real person is unintentional."
SOMEBODY = "The images show the people whose photographs they were made of: treat them as photographs of these people."


@dataclass(frozen=True)
class Score:
    """A number that a system gives each image that it makes.

    Attributes:
        meaning: what it measures, for cards: goes on after "`name`: ".
        better: "low" or "high".
        needs: keys of a batch without which it is left out, beside the maker's arguments.
    """

    meaning: str
    better: str = "low"
    needs: tuple[str, ...] = ()


D_SCORES = {  # of a discriminator, by --discriminator
    "began": Score("error of the discriminator's reconstruction, low where the image looks like a photograph to it"),
    "patch": Score("mean score of the patch discriminator, high where the image looks like a photograph to it", "high"),
}


@dataclass(frozen=True)
class Maker:
    """How a system makes images in one job.

    Attributes:
        make: tf.function: (batch, scores=names) -> {"image": float32 [n, s, s, 3] in [-1, 1], score: float32 [n] …}.
            Dropout is off. Nothing is computed for scores that are not named; one that cannot be had is left out.
        open_input: function (options, params of the run, scores, indexes) -> what images are made of, a
            data_loader.inputs.Input. indexes: {source: index} of what a training has indexed already, {} elsewhere.
        arguments: {argument of the SavedModel: (key of the batch, tf.TensorSpec for any batch size)} of what `make`
            cannot do without.
        scores: {name: Score}, in the order of the columns; {} for none.
        text: what an image is made of, one or two sentences for the card.
        shows: whom the images show, for the card: nobody, or people who may be real.
    """

    make: Callable
    open_input: Callable
    arguments: dict[str, tuple[str, tf.TensorSpec]]
    scores: dict[str, Score] = field(default_factory=dict)
    text: str = ""
    shows: str = NOBODY


class System:
    """Networks, their optimizers, and one training step. Subclasses fill the attributes in their constructor.

    A subclass is built by (options, labels): the flags (utils/options.py), and {source: number of labels} of its
    labelled sources.

    Class attributes:
        flags: names of the flags that it reads.
        shaping: those of them that shape weights: they come from the run, and the command line may only repeat them.
        training_only_flags: shaping flags of parts that only training needs, such as a network in a loss.
        training_only_names: how the names of those parts begin in a checkpoint. Exported weights leave them out, and a
            training that starts from other weights begins them anew.
        identity_flags: more flags that say whether it looks through a face network, and through which.
        training_only_off: {flag: value} that builds the system without those parts.
        job: the job that trains it.
        rate_flags: the flags to lower where a loss is not finite, for messages.
        published: module of trainer.published that reads the published code's checkpoints and replays its reference
            runs (see trainer/published/facegan.py); None where none was published.

    Attributes:
        networks: {name: keras.Model}: saved, counted and exported by name. Give every layer a name: Keras' own count
            on from one system to the next in a process, and checkpoints hold them.
        state: {name: tf.Variable}: whatever else must survive a restart: "step", k_t's, centroids, averaged weights.
        players: trainer.step.players.Players: groups of weights, optimizers, averages.
        sources: {name: Source} of the batches that `train_step` reads.
        makers: {job: Maker}: generate, fit …; {} for a system that makes no images.
        side: pixels of a side of the images of its batches.
    """

    flags: tuple[str, ...]
    shaping: tuple[str, ...]
    training_only_flags: tuple[str, ...] = ()
    identity_flags: tuple[str, ...] = ()
    training_only_names: tuple[str, ...] = ()
    training_only_off: dict[str, object] = {}
    job = "train"
    rate_flags: str
    published = None

    networks: dict[str, keras.Model]
    state: dict[str, tf.Variable]
    players: Players
    people_in_weights = False  # whether networks have rows for the people, by number, so that others cannot start there
    sources: dict[str, Source]
    makers: dict[str, Maker] = {}
    side: int

    @property
    def optimizers(self):
        """{name: keras optimizer}, built in the constructor, so that a checkpoint can be checked in full."""
        return self.players.optimizers

    @classmethod
    def sources_of(cls, options):
        """{name: Source} of what a training with these flags reads, before the system is built."""
        raise NotImplementedError

    @classmethod
    def label_counts(cls, params):
        """{source: number of labels} that a run was trained with, of its params.json ({}: published weights)."""
        return params.get("labels", {})

    @classmethod
    def looked_through(cls, params):
        """{flag: value}, of the flags of a training, of those that say through which network it looks."""
        return {flag: params[flag] for flag in (*cls.training_only_flags, *cls.identity_flags) if flag in params}

    @classmethod
    def streams(cls, options):
        """Number of the layout of its random streams with these flags; it grows where one changes."""
        return 1

    @classmethod
    def refuse_idle(cls, options):
        """Raise UserError for a flag of the command line for which the others, a resumed run's perhaps, have no use."""

    @classmethod
    def with_defaults(cls, options):
        """The flags with the values that the system and other flags decide, where the command line names none."""
        return options.defaulting(**system_defaults(options))

    @classmethod
    def resolved(cls, options):
        """The flags as a new training will use them: what files decide is filled in. Says what is off."""
        return options

    def load_pretrained(self, indexes, annotations):
        """Read the weights of others that a new training begins with; not called where a run is resumed.

        Args:
            indexes: {source: index} of its images, for a system that looks at them before it begins.
            annotations: {source: {key: array [n, …]}}, what its batches bring beside images and labels.
        """

    def train_step(self, batch):
        """Move every group of weights once. Returns {TensorBoard tag: scalar tensor}. A tf.function.

        Args:
            batch: {key: tensor} of its sources: images float32 [n, s, s, 3] in [-1, 1], labels int32 [n] from 0.
        """
        raise NotImplementedError

    def preview(self, batch):
        """What TensorBoard shows of a batch: {tag: images float32 [n, s, s, 3] in [-1, 1]}."""
        raise NotImplementedError

    def log_line(self, values):
        """The losses of one logged step on one line; `values` is {tag: float}."""
        raise NotImplementedError

    def health(self, values):
        """A warning about the latest scalars, or None.

        Args:
            values: {tag: float} of one logged step.
        """
        raise NotImplementedError


def averaged_weights(networks):
    """{name in a checkpoint: variable} of which a running average is kept: all that is trained of {name: network}."""
    return {
        weight: variable
        for name, network in networks.items()
        for weight, variable in named_weights(name, network).items()
        if variable.trainable and network.trainable
    }


def new_step():
    """The number of steps done: int64, a scalar, the same on every replica."""
    return tf.Variable(tf.zeros([], tf.int64), trainable=False, aggregation=replicas.ONE)
