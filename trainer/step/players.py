"""Players: groups of weights that are trained together, each by its own optimizer, and running averages of all."""

from contextlib import contextmanager

import tensorflow as tf

from trainer.step import replicas
from trainer.step.precision import LossScale


class Players:
    """What a training step moves.

    Args:
        groups: {name: list of variables}; no variable is in two of them.
        optimizers: {name: keras optimizer} of the same names; built here, so that a checkpoint can be checked in full.
        averaged: {name in a checkpoint: variable} of which a running average is kept.
        precision: what the networks compute in, as `--mixed_precision`; float16 scales the losses.

    Attributes:
        groups, optimizers: as above.
        averages: list of (variable, its average).
        state: {name: tf.Variable} that must survive a restart: averages, and float16's scale.
        scale: factor that every loss must be multiplied by before its gradient is taken; 1 but for float16.
    """

    def __init__(self, groups, optimizers, averaged, precision="float32"):
        self.groups, self.optimizers, self._loss_scale = groups, optimizers, LossScale(precision)
        for name, variables in groups.items():
            optimizers[name].build(variables)
        self.averages, self.state = [], dict(self._loss_scale.state)
        for name, variable in averaged.items():
            average = tf.Variable(variable.numpy(), trainable=False, aggregation=replicas.ONE)
            self.averages.append((variable, average))
            self.state[f"average/{name}"] = average

    @property
    def scale(self):
        return 1.0 * self._loss_scale.scale

    def move(self, gradients, decay=None):
        """Move groups once, then the averages of all.

        Args:
            gradients: {name of a group: list of gradients of this replica's mean losses, times `scale`}. A group that
                is left out stays: players that take turns are moved one by one.
            decay: of the averages, a scalar: average <- decay * average + (1 - decay) * variable; None: they stay.
        """
        names = [name for name in self.groups if name in gradients]
        of_groups = self._loss_scale.unscaled(replicas.shares([gradients[name] for name in names]))
        for name, of_each in zip(names, of_groups, strict=True):
            self.optimizers[name].apply(of_each, self.groups[name])
        if decay is None:
            return
        for variable, average in self.averages:
            average.assign_sub((1.0 - decay) * (average - variable.value))

    @contextmanager
    def averaged(self):
        """While this lasts the networks have their averaged weights, as when images are generated."""
        raw = [variable.numpy() for variable, _ in self.averages]
        for variable, average in self.averages:
            variable.assign(average.value())
        try:
            yield
        finally:
            for (variable, _), value in zip(self.averages, raw, strict=True):
                variable.assign(value)

    def restart_averages(self):
        """Begin the averages anew, at the weights."""
        for variable, average in self.averages:
            average.assign(variable.value)
