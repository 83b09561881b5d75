"""Which numbers of a random code are used: those that say more than their noise (ours)."""

import tensorflow as tf

from trainer.step import replicas, schedules

AVERAGED = 0.99  # decay of the average over steps


class ActiveNumbers:
    """Closes, once, what a code with noise says faintly.

    An encoder that is held near N(0, 1) spreads over many numbers, each with more noise than signal; what they tell is
    little, but their means tell it to whoever reads these without the noise. (Burda et al. 2016 count the active units
    of such a code by the variance of their means.)

    Args:
        count: numbers of the code.
        most: variance of the noise, on average over images and the latest steps, up to which a number stays open; 0:
            all stay. The one with the least noise does in any case.
        last_step: the step in which it is decided; steps count from 1.
    """

    def __init__(self, count, most, last_step):
        self._most, self._last_step = most, last_step
        self._noise = tf.Variable(tf.ones(count), trainable=False, aggregation=replicas.ONE)
        self.open = tf.Variable(tf.ones(count), trainable=False, aggregation=replicas.ONE)  # 1, or 0 where closed
        self.state = {"code_noise": self._noise, "code_open": self.open}

    def observe(self, log_variances, step):
        """Look at a step's codes, [n, count] of this device, before `step` counts it."""
        decay = schedules.average_decay(step, AVERAGED)
        noise = tf.reduce_mean(replicas.gathered(tf.exp(log_variances)), axis=0)
        noise = self._noise.assign(decay * self._noise + (1.0 - decay) * noise)
        if self._most:
            least = tf.reduce_min(tf.where(self.open > 0.0, noise, float("inf")))
            stays = self.open * tf.cast(noise <= tf.maximum(self._most, least), tf.float32)
            self.open.assign(tf.where(tf.equal(step + 1, self._last_step), stays, self.open))

    def of(self, codes):
        """Codes [n, count] with 0 for every number that is closed."""
        return codes * self.open

    def mean(self, values, axis=None):
        """Mean of values [count] or [n, count] over the numbers that are open; over images too unless `axis` is 1."""
        return tf.reduce_mean(self.of(values), axis) / tf.reduce_mean(self.open)
