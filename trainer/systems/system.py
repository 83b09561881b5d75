"""The contract between a system (what is trained) and everything that trains, saves, shows and exports it."""

import keras
import numpy as np
import tensorflow as tf

from trainer.output.scores import SCORES
from trainer.step import replicas
from utils.images import to_float

AT_ONCE = 32  # renders of a grid in one batch


class System:
    """Networks, their optimizers, and one training step. Subclasses fill the attributes in their constructor.

    Attributes:
        networks: {name: keras.Model}: saved, counted and exported by name.
        optimizers: {name: keras optimizer}, built in the constructor, so that a checkpoint can be checked in full.
        state: {name: tf.Variable}: whatever else must survive a restart: k_t's, centroids, averaged weights.
        sources: names of the batches that the system reads: "real", "labelled", "synthetic", "pair".
        rate_flags: the flags to lower where a loss is not finite, for messages.
        averages: list of (variable, its average), of keep_averages.

    A batch is one dict: `real`, `real_identity`, `synthetic`, `identity`, `pair_image`, `pair_render`: images float32
    in [-1, 1], NHWC; labels int32 from 0; for an identity network that takes face chips also `chip`, float32 [n, 4],
    the place of each render's face (data_loader/chips.py).
    """

    networks: dict[str, keras.Model]
    optimizers: dict[str, keras.optimizers.Optimizer]
    state: dict[str, tf.Variable]
    sources: tuple[str, ...]
    rate_flags: str
    averages: list

    def train_step(self, batch):
        """Move every network once. Returns {TensorBoard tag: scalar tensor}. A tf.function."""
        raise NotImplementedError

    def generate(self, batch, scores=SCORES):
        """Images out of a batch of renders: {"image": [n, s, s, 3] in [-1, 1], "d_score": [n], …}. A tf.function.

        `scores` is a tuple of the names that are wanted: nothing else is computed. One that cannot be had is left out.
        """
        raise NotImplementedError

    def generate_grid(self, renders):
        """Images out of the renders of a grid: uint8 [n, s, s, 3] -> float32 [n, s, s, 3] in [-1, 1]."""
        parts = np.split(to_float(renders), range(AT_ONCE, len(renders), AT_ONCE))
        return np.concatenate([self.generate({"synthetic": part}, scores=())["image"].numpy() for part in parts])

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

    def keep_averages(self, weights):
        """Begin a running average of each of {name in a checkpoint: variable}, in `averages` and in `state`."""
        self.averages = []
        for name, variable in weights.items():
            self.state[f"average/{name}"] = average = tf.Variable(
                variable.numpy(), trainable=False, aggregation=replicas.ONE
            )
            self.averages.append((variable, average))

    def restart_averages(self):
        """Begin them anew, at the weights."""
        for variable, average in self.averages:
            average.assign(variable.value)

    def move_averages(self, decay):
        """average <- average - (1 - decay) (average - variable), of all of them."""
        for variable, average in self.averages:
            average.assign_sub((1.0 - decay) * (average - variable.value))


def named_weights(name, network):
    """{name in a checkpoint: variable} of a network's weights.

    Keras' paths repeat in networks built of unnamed parts, so each name carries its place in the network too:
    "generator/003/block_1/conv_1/kernel".
    """
    return {f"{name}/{i:03d}/{v.path.partition('/')[2]}": v for i, v in enumerate(network.weights)}
