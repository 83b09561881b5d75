"""What changes over a training run, as pure functions of the step."""

import keras
import tensorflow as tf


def halving_steps(interval, max_step):
    """Steps after which the published code halves the learning rates: its interval halves with them.

    The code checks `step % interval == interval - 1` and then halves the interval: 128000 gives 127999, 191999,
    223999, 239999 and 247999 in 248,000 steps.

    Args:
        interval: `lr_update_step`.  max_step: steps of the run.

    Returns:
        List of int, ascending. It ends where the interval would reach 0 (the published code divides by it).
    """
    steps, step = [], -1
    while interval > 0:
        step += 1
        step += (interval - 1 - step) % interval
        if step >= max_step:
            break
        steps.append(step)
        interval //= 2
    return steps


def halved_rate(rate, interval, floor, max_step):
    """Learning rate by the optimizer's iterations: `rate`, halved after each of `halving_steps`, not under `floor`."""
    boundaries = halving_steps(interval, max_step)
    rates = [rate]
    for _ in boundaries:
        rates.append(max(rates[-1] * 0.5, floor))
    if not boundaries:  # PiecewiseConstantDecay needs one
        boundaries, rates = [max_step], [rate, rate]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)


def average_decay(step, limit=0.9999):
    """Decay of the averaged weights: min(limit, (1 + step) / (10 + step)), as TF1's ExponentialMovingAverage."""
    step = tf.cast(step, tf.float32)
    return tf.minimum(limit, (1.0 + step) / (10.0 + step))
