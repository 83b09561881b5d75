"""What a recogniser's features are judged by in training: softmax heads, plain ones and ones with a margin."""

import math

import keras
import tensorflow as tf

from trainer.step import losses, margins


def classifier(name, options, n_id, weight):
    """The head that --head names; arguments as Classifier takes them."""
    return (Classifier if options.head == "softmax" else MarginClassifier)(name, options, n_id, weight)


class Classifier:
    """Softmax layer and centroids of one set of labels. Weights start as FaceNet's: truncated N(0, 0.1), biases at 0.

    Args:
        name: "real" or "synthetic".
        options: embedding_size, center_loss_alfa, random_seed.
        n_id: labels.
        weight: with which its losses reach the network (its own weights they move in full).
    """

    def __init__(self, name, options, n_id, weight):
        self.name, self.options, self.weight = name, options, weight
        self.ending = "" if name == "real" else f"_{name}"  # of its scalars' tags
        seed = options.random_seed + (name != "real")  # two heads that begin alike would learn alike
        self.weights = keras.Variable(self.start(seed)((options.embedding_size, n_id)), name=f"{name}_weights")
        self.trained = [self.weights, *self.make_more(n_id)]
        self.centroids = keras.Variable(
            tf.zeros((n_id, options.embedding_size)), trainable=False, name=f"{name}_centroids"
        )

    @staticmethod
    def start(seed):
        """Initializer of the weights."""
        return keras.initializers.TruncatedNormal(stddev=0.1, seed=seed)

    def make_more(self, n_id):
        """Trained variables beside the weights, list."""
        self.biases = keras.Variable(tf.zeros(n_id), name=f"{self.name}_biases")
        return [self.biases]

    @property
    def state(self):
        """What of it must survive a restart, by name."""
        variables = [*self.trained, self.centroids]
        return {f"head/{self.name}/{v.name.removeprefix(f'{self.name}_')}": v for v in variables}

    @property
    def guess(self):
        """Cross-entropy of a network that has learnt nothing."""
        return math.log(self.weights.shape[1])

    def logits(self, features, labels):
        """(logits that the loss is taken of, values whose largest is the answer): float32 [n, c] both."""
        logits = tf.matmul(features, self.weights) + self.biases
        return logits, logits

    def judge(self, features, labels, dropout):
        """Losses of features [n, d] with labels int32 [n]: {"cross_entropy", "center", "accuracy": scalars}."""
        features = _with_scaled_gradient(features, self.weight)
        logits, answers = self.logits(dropout(features), labels)
        right = tf.equal(tf.argmax(answers, axis=1, output_type=tf.int32), labels)
        return {
            "cross_entropy": losses.softmax_loss(logits, labels),
            "center": losses.center_loss(features, labels, self.centroids),
            "accuracy": tf.reduce_mean(tf.cast(right, tf.float32)),
        }

    def move_centroids(self, features, labels):
        """After the loss was taken, as in FaceNet."""
        step = 1.0 - self.options.center_loss_alfa
        self.centroids.assign(losses.moved_centroids(self.centroids, features, labels, step))


class MarginClassifier(Classifier):
    """The same on directions: no biases, cosines in place of products, and a margin to the own class in training.

    Args:
        options: head, margin, margin_scale too.
    """

    @staticmethod
    def start(seed):
        """insightface's; only directions count, and how fast they turn: the slower, the longer a weight is."""
        return keras.initializers.RandomNormal(stddev=0.01, seed=seed)

    def make_more(self, n_id):
        return []

    @property
    def guess(self):
        options = self.options
        return margins.guess_loss(options.head, self.margin, options.margin_scale, self.weights.shape[1])

    @property
    def margin(self):
        return margins.own_margin(self.options.head, self.options.margin)

    def logits(self, features, labels):
        cosines = margins.cosines(features, self.weights)
        return margins.margin_logits(
            self.options.head, cosines, labels, self.margin, self.options.margin_scale
        ), cosines


def _with_scaled_gradient(values, weight):
    """`values`, whose gradient is scaled by `weight` on its way back."""

    @tf.custom_gradient
    def scale(values):
        return tf.identity(values), lambda upstream: weight * upstream

    return scale(values)
