"""DA-GAN's losses against numbers worked by hand (Zhao et al. 2017, eqs. 2 to 7)."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from trainer.step import losses
from trainer.step.dual_agent import DualAgentJudge

REAL, FAKE = 1.0, 0.5  # of every pixel


class Scaled(tf.Module):
    """An auto-encoder of one weight a: code = mean of the image, reconstruction = a x code."""

    def __init__(self, a=0.5):
        super().__init__()
        self.a = tf.Variable(a)

    @property
    def trainable_variables(self):
        return [self.a]

    def encode(self, images):
        return tf.reduce_mean(images, axis=[1, 2])  # [n, 1]

    def decode(self, code):
        return self.a * code[:, None, None, :]


class Head(tf.Module):
    """Two people: logits (w x code, 0)."""

    def __init__(self, w=2.0):
        super().__init__()
        self.w = tf.Variable(w)

    @property
    def trainable_variables(self):
        return [self.w]

    def __call__(self, code):
        return tf.concat([self.w * code, tf.zeros_like(code)], axis=1)


def judge_of(k=0.25, head=True, **named):
    flags = {"lambda_1": 0.1, "identity_perception": "softmax", "generator_weight": "one", "sum_errors": False,
             "discriminator": "began", "gamma": 0.5, "lambda_k": 0.5}  # fmt: skip
    judge = DualAgentJudge(Scaled(), Head() if head else None, SimpleNamespace(**flags | named), "misc/k_t")
    judge.k.assign(k)
    return judge


def images(value):
    return tf.constant(value, shape=(2, 1, 1, 1))


def logistic(x):
    return 1 / (1 + np.exp(-x))


def entropy(x):
    return -np.log(logistic(x))


ONES, ZEROS = tf.constant([1, 1]), tf.constant([0, 0])


def test_the_discriminator_by_hand():
    """errors .5 and .25; people 1 and 0: cross-entropies of logits (2, 0) and (1, 0)."""
    judge = judge_of()
    judged = judge.of_discriminator(images(REAL), images(FAKE), ONES, ZEROS, 1.0)
    identity_real, identity_fake = entropy(-2), entropy(1)
    np.testing.assert_allclose(judged["identity_real"], identity_real, rtol=1e-6)
    np.testing.assert_allclose(judged["identity_fake"], identity_fake, rtol=1e-6)
    loss = 0.5 - 0.25 * 0.25 + 0.1 * (identity_real + identity_fake)
    np.testing.assert_allclose(judged["loss"], loss, rtol=1e-6)
    of_network, of_head = judged["gradients"]
    np.testing.assert_allclose(of_network, -1.0 + 0.25 * 0.5, rtol=1e-6)  # d(1 - a)/da, d(.5 - .5 a)/da
    np.testing.assert_allclose(of_head, 0.1 * (logistic(2) * 1.0 - logistic(-1) * 0.5), rtol=1e-6)


@pytest.mark.parametrize(("weight", "factor"), [("one", 1.0), ("k_t", 0.25)])
def test_the_generator_by_hand(weight, factor):
    """Of each of two images: error (1 - a) x / 2, d = .25; identity: d of log(1 + exp(-2 x)) / 2."""
    seen = judge_of(generator_weight=weight).of_generator(images(FAKE), ZEROS, 1.0)
    np.testing.assert_allclose(seen["loss"], factor * 0.25 + 0.1 * entropy(1), rtol=1e-6)
    by_hand = factor * 0.5 / 2 - 0.1 * 2 * logistic(-1) / 2
    np.testing.assert_allclose(seen["gradient"], np.full((2, 1, 1, 1), by_hand), rtol=1e-6)


def test_as_printed_the_generator_has_no_adversarial_loss_at_the_start():
    seen = judge_of(k=0.0, generator_weight="k_t", head=False).of_generator(images(FAKE), None, 1.0)
    assert float(seen["loss"]) == 0 and not np.any(seen["gradient"])
    assert np.all(judge_of(k=0.0, head=False).of_generator(images(FAKE), None, 1.0)["gradient"] != 0)


def test_sums_are_so_many_times_the_means_and_k_moves_by_them():
    """Eq. 5: k + lambda_k (gamma real - fake) = .25 + .5 (.5 x 1 - .5); eq. 9: 1 + |0|."""
    shape = (2, 3, 3, 3)
    real, fake = tf.fill(shape, 1.0), tf.fill(shape, 0.5)
    mean, summed = (judge_of(head=False, sum_errors=sums).of_discriminator(real, fake, None, None, 1.0)
                    for sums in (False, True))  # fmt: skip
    np.testing.assert_allclose(summed["real_loss"], 54 * mean["real_loss"], rtol=1e-6)
    np.testing.assert_allclose(summed["gradients"][0], 54 * mean["gradients"][0], rtol=1e-6)
    judge = judge_of(head=False, sum_errors=True)
    judged = judge.of_discriminator(images(REAL), images(FAKE), None, None, 1.0)
    told = judge.after_step(judged)
    np.testing.assert_allclose(judge.k, 0.25 + 0.5 * (0.5 * 1.0 - 0.5), rtol=1e-6)
    np.testing.assert_allclose(told["misc/measure"], 1.0, rtol=1e-6)


def test_unlabelled_photographs_have_no_part_in_the_identity():
    judged = judge_of().of_discriminator(images(REAL), images(FAKE), None, ZEROS, 1.0)
    assert float(judged["identity_real"]) == 0
    np.testing.assert_allclose(judged["identity_fake"], entropy(1), rtol=1e-6)


def test_the_binary_form_by_hand():
    """Eq. 6: of logits (2, -1, 0) and person 1: yes by -1, no by 2, no by 0."""
    loss = losses.binary_identity_loss(tf.constant([[2.0, -1.0, 0.0]]), tf.constant([1]))
    np.testing.assert_allclose(loss, entropy(-2) + entropy(-1) + entropy(0), rtol=1e-6)
    twice = losses.binary_identity_loss(tf.constant([[2.0, -1.0, 0.0]] * 2), tf.constant([1, 1]))
    np.testing.assert_allclose(twice, loss, rtol=1e-6)  # a mean over images


def test_scores_are_of_each_image():
    scores = judge_of().identity_scores(tf.concat([images(REAL)[:1], images(FAKE)[:1]], 0), tf.constant([0, 1]))
    np.testing.assert_allclose(scores, [entropy(2), entropy(-1)], rtol=1e-6)
