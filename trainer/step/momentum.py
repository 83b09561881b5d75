"""Stochastic gradient descent with momentum, in one operation for each variable."""

import keras
import tensorflow as tf

from trainer.step.adam import handle


class FusedMomentum(keras.optimizers.SGD):
    """v <- momentum v + g; w <- w - rate v: as in PyTorch, with which insightface trains.

    Keras' own SGD has the rate inside v, where a rate that falls does not reach the moves of before.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable and its momentum in place."""
        tf.raw_ops.ResourceApplyMomentum(
            var=handle(variable),
            accum=handle(self.momentums[self._get_variable_index(variable)]),
            lr=tf.cast(learning_rate, tf.float32),
            grad=gradient,
            momentum=self.momentum,
        )
