"""The fused Adam moves weights and moments as Keras' own does."""

import keras
import numpy as np
import tensorflow as tf

from trainer.step.adam import FusedAdam


def moved(kind, steps=5):
    """Weights and the optimizer's variables after some steps at a rate that falls."""
    rng = np.random.default_rng(3)
    variables = [keras.Variable(rng.normal(size=shape).astype("float32")) for shape in ((3, 4), (4,))]
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.1, 0.03])
    optimizer = kind(rate, 0.8, 0.95, epsilon=1e-8)
    optimizer.build(variables)
    step = tf.function(lambda gradients: optimizer.apply(gradients, variables))
    for _ in range(steps):
        step([tf.constant(rng.normal(size=v.shape).astype("float32")) for v in variables])
    return [v.numpy() for v in (*variables, *optimizer.variables)]


def test_as_keras():
    for ours, theirs in zip(moved(FusedAdam), moved(keras.optimizers.Adam), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-7)
