"""Losses by numbers worked by hand, and R1 by differences."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from models.patches import PatchDiscriminator
from trainer.step import adversarial
from trainer.step.patch import PatchJudge
from utils.errors import UserError

REAL, FAKE = tf.constant([2.0, 0.5, -1.0]), tf.constant([-2.0, 0.0, 0.5])


def test_hinge_by_hand():
    discriminator, generator = adversarial.losses_of("hinge")
    real, fake = discriminator(REAL, FAKE)
    assert float(real) == pytest.approx((0 + 0.5 + 2) / 3) and float(fake) == pytest.approx((0 + 1 + 1.5) / 3)
    assert float(generator(FAKE)) == pytest.approx(0.5)


def test_nonsaturating_by_hand():
    """log(1 + e^-2) = .126928, log(1 + e^-.5) = .474077, log(1 + e) = 1.313262, log 2 = .693147."""
    discriminator, generator = adversarial.losses_of("nonsaturating")
    real, fake = discriminator(REAL, FAKE)
    assert float(real) == pytest.approx((0.126928 + 0.474077 + 1.313262) / 3, rel=1e-5)
    assert float(fake) == pytest.approx((0.126928 + 0.693147 + 0.974077) / 3, rel=1e-5)
    assert float(generator(FAKE)) == pytest.approx((2.126928 + 0.693147 + 0.474077) / 3, rel=1e-5)


def test_another_loss_is_named():
    with pytest.raises(UserError, match="--gan_loss: 'wgan' is none of hinge, nonsaturating"):
        adversarial.losses_of("wgan")


def test_r1_by_hand():
    """D(x) = mean over 4 places of 3 x_1^2: its gradient is 6 x / 4 at the first channel of each."""
    images = tf.reshape(tf.constant([1.0, 9.0, -2.0, 9.0, 0.0, 9.0, 1.0, 9.0]), (1, 2, 2, 2))
    penalty = adversarial.r1_penalty(lambda x: 3.0 * x[..., :1] ** 2, images)
    assert float(penalty) == pytest.approx((1.5**2) * (1 + 4 + 0 + 1))


def test_r1_is_what_differences_find():
    """Each pixel of each image moved by 1e-5 either way, in double precision."""
    kernel = tf.random.stateless_normal((3, 3, 2, 4), [0, 1], dtype=tf.float64)
    images = tf.random.stateless_normal((2, 4, 4, 2), [0, 2], dtype=tf.float64)

    def discriminator(images):
        return tf.reduce_sum(tf.nn.tanh(tf.nn.conv2d(images, kernel, 1, "SAME")), axis=3, keepdims=True)

    moved = 1e-5 * tf.reshape(tf.eye(32, dtype=tf.float64), (32, 1, 4, 4, 2))
    score = lambda images: tf.reduce_mean(discriminator(images), axis=[1, 2, 3])  # noqa: E731
    up, down = (tf.stack([score(images + sign * one) for one in moved]) for sign in (1.0, -1.0))
    slopes = (up - down) / 2e-5  # [32, n]
    expected = float(tf.reduce_mean(tf.reduce_sum(slopes**2, axis=0)))
    assert float(adversarial.r1_penalty(discriminator, images)) == pytest.approx(expected, rel=1e-6)


def judge_of(augment=(), **options):
    flags = {"gan_loss": "hinge", "adversarial_weight": 0.25, "r1": 0.0, "r1_interval": 1, "augment_strength": 1.0}
    flags |= options
    network = PatchDiscriminator(2)
    return PatchJudge(network, SimpleNamespace(**flags), augment)


def images(seed):
    return tf.random.stateless_uniform((2, 16, 16, 3), [0, seed], -1.0, 1.0)


def test_both_players_get_the_gradients_of_their_losses_as_written():
    judge, real, fake = judge_of(r1=0.6), images(1), images(2)
    judged = judge.judge(real, fake, 2.0, None, tf.constant(0, tf.int64))
    network = judge.network
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fake)
        reals, fakes = network(real), network(fake)
        generator = -tf.reduce_mean(fakes)
        loss = tf.reduce_mean(tf.nn.relu(1.0 - reals)) + tf.reduce_mean(tf.nn.relu(1.0 + fakes))
        loss += 0.3 * adversarial.r1_penalty(network, real)
    np.testing.assert_allclose(judged["fake_gradient"], 2.0 * 0.25 * tape.gradient(generator, fake), rtol=1e-5)
    for ours, theirs in zip(judged["gradients"], tape.gradient(loss, network.trainable_variables), strict=True):
        np.testing.assert_allclose(ours, 2.0 * theirs, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(judged["fake_scores"], judge.scores(fake), rtol=1e-6)


def test_lazy_r1_comes_every_so_many_steps_times_so_many():
    real, fake, lazy = images(1), images(2), judge_of(r1=0.6, r1_interval=3)
    every = PatchJudge(lazy.network, SimpleNamespace(**(vars(lazy.options) | {"r1_interval": 1})))
    none = PatchJudge(lazy.network, SimpleNamespace(**(vars(lazy.options) | {"r1": 0.0})))
    function = tf.function(lambda judge, step: judge.judge(real, fake, 1.0, None, step)["gradients"], autograph=False)
    step = tf.constant(0, tf.int64)
    without, always = function(none, step), function(every, step)
    penalty = float(adversarial.r1_penalty(lazy.network, real))
    for number in (2, 3, 4):
        gradients = function(lazy, step + number)
        for ours, bare, full in zip(gradients, without, always, strict=True):
            expected = bare + 3.0 * (full - bare) if number == 3 else bare
            np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)
        latest = float(lazy.after_step({"scalars": {}})["loss/r1"])
        assert latest == pytest.approx(penalty if number > 2 else 0.0, rel=1e-5)


def test_what_it_sees_is_augmented_by_the_step_and_the_seed():
    judge = judge_of(augment=("colour", "flip"))
    plain = judge.judge(images(1), images(2), 1.0, None, tf.constant(0, tf.int64))
    first, again, other = (judge.judge(images(1), images(2), 1.0, tf.constant(seed, tf.int64), tf.constant(0, tf.int64))
                           for seed in ([1, 2], [1, 2], [1, 3]))  # fmt: skip
    for name in ("real_loss", "fake_loss"):
        assert float(first[name]) == float(again[name])
        assert len({float(judged[name]) for judged in (plain, first, other)}) == 3
