"""SGD with momentum against its recurrence worked by hand, at a rate that falls."""

import keras
import numpy as np
import tensorflow as tf

from trainer.step.momentum import FusedMomentum


def test_the_rate_stands_outside_the_momentum():
    """v = 2, then 0.5 * 2 + 4 = 5, then 0.5 * 5 + 0 = 2.5; w = 10 - 0.1 * 2 - 0.1 * 5 - 0.01 * 2.5."""
    weight = keras.Variable(np.float32([10.0]))
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.01])  # 0.1 at iterations 0 and 1
    optimizer = FusedMomentum(rate, 0.5)
    optimizer.build([weight])
    step = tf.function(lambda gradient: optimizer.apply([gradient], [weight]))
    seen = []
    for gradient in (2.0, 4.0, 0.0):
        step(tf.constant([gradient]))
        seen.append(float(weight.numpy()[0]))
    np.testing.assert_allclose(seen, [9.8, 9.3, 9.275], rtol=1e-6)
