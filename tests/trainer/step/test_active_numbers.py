"""Numbers of a code that are closed where noise is most of them."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.step.active_numbers import ActiveNumbers

NOISE = [0.2, 0.49, 0.51, 0.9]  # variances, of all images alike


def open_after(steps, most=0.5, last_step=3, noise=NOISE, open_before=None):
    """The numbers that are open once so many steps were observed, a list of 1 and 0."""
    numbers = ActiveNumbers(len(noise), most, last_step)
    if open_before:
        numbers.open.assign(open_before)
    logarithms = tf.math.log(tf.constant([noise, noise]) * [[0.9], [1.1]])  # about the same mean
    for step in range(steps):
        numbers.observe(logarithms, tf.constant(step, tf.int64))
    return numbers.open.numpy().tolist()


def test_what_is_mostly_noise_is_closed_in_one_step():
    assert open_after(2) == [1, 1, 1, 1]
    assert open_after(3) == open_after(5) == [1, 1, 0, 0]
    assert open_after(5, most=0.0) == [1, 1, 1, 1]
    assert open_after(5, last_step=9) == [1, 1, 1, 1]


def test_it_is_decided_by_an_average_of_steps():
    """From 1 on, with a tenth of it after the first step (1 / 10), 2 / 11 of that after the second, 3 / 12 …"""
    numbers = ActiveNumbers(1, 0.5, 2)
    for step in range(2):
        numbers.observe(tf.zeros((3, 1)) + tf.math.log(0.1), tf.constant(step))
    expected = 2 / 11 * (0.1 * 1.0 + 0.9 * 0.1) + 9 / 11 * 0.1
    assert float(numbers.state["code_noise"][0]) == pytest.approx(expected, rel=1e-5)


def test_the_clearest_stays_and_what_is_closed_stays_closed():
    assert open_after(3, most=0.1) == [1, 0, 0, 0]
    assert open_after(3, most=0.1, open_before=[0, 1, 1, 1]) == [0, 1, 0, 0]
    assert open_after(3, open_before=[0, 1, 1, 1]) == [0, 1, 0, 0]


def test_closed_numbers_are_nothing_and_count_for_nothing():
    numbers = ActiveNumbers(4, 0.5, 3)
    numbers.open.assign([1.0, 0.0, 1.0, 0.0])
    codes = tf.constant([[1.0, 9.0, 3.0, 9.0], [5.0, 9.0, 7.0, 9.0]])
    np.testing.assert_array_equal(numbers.of(codes), [[1, 0, 3, 0], [5, 0, 7, 0]])
    assert float(numbers.mean(codes)) == 4.0 and numbers.mean(codes, axis=1).numpy().tolist() == [2.0, 6.0]
    assert float(numbers.mean(codes[0])) == 2.0
