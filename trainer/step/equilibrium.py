"""The control that keeps a BEGAN generator and its discriminator in balance."""

import tensorflow as tf


def balance(real_loss, fake_loss, gamma):
    """gamma L(real) - L(fake), a scalar: positive while the generator is ahead.

    Source: Berthelot et al. 2017; docs/published.md D9.
    """
    return gamma * real_loss - fake_loss


def next_k(k, balance, lambda_k):
    """k_{t+1} = clip(k_t + lambda_k * balance, 0, 1): the weight of the fakes in the discriminator's loss."""
    return tf.clip_by_value(k + lambda_k * balance, 0.0, 1.0)
