"""The smallest system: a label and a seed become an image. What the contract asks of a new system, and no more."""

import keras
import numpy as np
import tensorflow as tf

from data_loader.inputs import Input
from data_loader.training_sources import Source
from trainer.published.arrays import named_weights
from trainer.step import losses, schedules
from trainer.step.adam import FusedAdam
from trainer.step.players import Players
from trainer.systems.system import Maker, Score, System, new_step

EACH = 3  # images of a label


class Toy(System):
    """Learns the mean photograph of each label; the seed adds noise."""

    shaping = ("input_scale_size",)
    flags = (*shaping, "dataset", "g_lr", "beta1", "beta2", "random_seed", "mixed_precision")
    rate_flags = "--g_lr"

    def __init__(self, options, labels):
        self.options, self.side, self.count = options, options.input_scale_size, labels["photographs"]
        self.sources = self.sources_of(options)
        shape = (self.side, self.side, 3)
        dense = keras.layers.Dense(3 * self.side**2, name="dense")
        self.network = keras.Sequential([dense, keras.layers.Reshape(shape)])
        self.network.build((None, self.count))
        self.networks, self.step = {"network": self.network}, new_step()
        self.players = Players(
            {"network": self.network.trainable_variables},
            {"network": FusedAdam(options.g_lr, options.beta1, options.beta2)},
            named_weights("network", self.network),
        )
        self.state = {"step": self.step} | self.players.state
        arguments = {name: (name, tf.TensorSpec([None], tf.int32)) for name in ("label", "seed")}
        scores = {"brightness": Score("mean of the image", better="high")}
        self.makers = {"generate": Maker(self.make, self.open_input, arguments, scores, "Each is made of a label.")}

    @classmethod
    def sources_of(cls, options):
        return {"photographs": Source("dataset", ("photograph",), "person")}

    def open_input(self, options, params, scores, indexes):
        return LabelsAndSeeds(params["label_names"]["photographs"], options)

    def draw(self, labels, seeds):
        waves = tf.reshape(tf.range(3.0 * self.side**2), (1, self.side, self.side, 3))
        noise = 0.01 * tf.sin(waves * (1.0 + tf.cast(seeds, tf.float32)[:, None, None, None]))
        return tf.tanh(self.network(tf.one_hot(labels, self.count)) + noise)

    @tf.function
    def train_step(self, batch):
        seeds = tf.zeros_like(batch["person"]) + tf.cast(self.step, tf.int32)
        with tf.GradientTape() as tape:
            loss = losses.absolute_error(self.draw(batch["person"], seeds), batch["photograph"])
        gradients = tape.gradient(loss, self.players.groups["network"])
        self.players.move({"network": gradients}, schedules.average_decay(self.step))
        self.step.assign_add(1)
        return {"loss/pixel": loss}

    @tf.function(reduce_retracing=True)
    def make(self, batch, scores=("brightness",)):
        image = self.draw(batch["label"], batch["seed"])
        return {"image": image} | {name: tf.reduce_mean(image, axis=[1, 2, 3]) for name in scores}

    def preview(self, batch):
        return {"Photographs": batch["photograph"]}

    def log_line(self, values):
        return f"Loss: {values['loss/pixel']:.6f}"

    def health(self, values):
        return None


class LabelsAndSeeds(Input):
    """Each label with EACH seeds."""

    spec = {"label": tf.TensorSpec([], tf.int32), "seed": tf.TensorSpec([], tf.int32)}
    flag, folder, digest = "--dataset", "", ""

    def __init__(self, names, options):
        self.label_names, self.first = names, options.random_seed
        self.labels = np.repeat(np.arange(len(names), dtype=np.int32), EACH)

    def read(self, i):
        return {"label": self.labels[i], "seed": np.int32(self.first + i)}
