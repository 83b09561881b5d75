"""What networks compute in: float32, or 16 bits, with float32 kept where it counts (weights, losses, k_t's, images)."""

from contextlib import contextmanager

import keras
import tensorflow as tf

from trainer.step import replicas
from utils.errors import UserError

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
GROWS_AFTER = 2000  # steps without an overflow until float16's scale doubles, as in Micikevicius et al. 2018
LARGEST = 2.0**15


@contextmanager
def computing_in(name):
    """Layers that are built inside compute in this precision, "float32", "bfloat16" or "float16"."""
    if name not in POLICIES:
        raise UserError(f"--mixed_precision: {name!r} is none of {', '.join(POLICIES)}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class LossScale:
    """A factor on every loss that keeps small gradients from vanishing in float16; 1 in the other precisions.

    Where a gradient overflows, that step's are all taken as 0 and the factor halves.

    Attributes:
        scale: the factor, a scalar tf.Variable; 1.0 where there is none.
        state: {name: tf.Variable} that must survive a restart.
    """

    def __init__(self, precision):
        self.scale, self.state = 1.0, {}
        if precision == "float16":
            kept = {"trainable": False, "aggregation": replicas.ONE}
            self.scale = tf.Variable(LARGEST, **kept)
            self.steps = tf.Variable(0, dtype=tf.int64, **kept)  # since the scale last moved
            self.state = {"loss_scale": self.scale, "loss_scale_steps": self.steps}

    def unscaled(self, groups):
        """The gradients of the losses themselves, after which the scale has moved.

        Args:
            groups: lists of gradients of losses times `scale`.

        Returns:
            The same lists.
        """
        if not self.state:
            return groups
        bad = [tf.reduce_any(~tf.math.is_finite(g)) for gradients in groups for g in gradients]
        finite = replicas.mean([tf.cast(tf.reduce_any(bad), tf.float32)])[0] == 0.0  # on every replica
        inverse = 1.0 / self.scale.read_value()
        groups = [[tf.where(finite, g * inverse, tf.zeros_like(g)) for g in gradients] for gradients in groups]
        steps = tf.where(finite, self.steps + 1, 0)
        grown = tf.where(steps >= GROWS_AFTER, tf.minimum(2.0 * self.scale, LARGEST), self.scale)
        self.scale.assign(tf.where(finite, grown, tf.maximum(0.5 * self.scale, 1.0)))
        self.steps.assign(tf.where(steps >= GROWS_AFTER, tf.zeros_like(steps), steps))
        return groups
