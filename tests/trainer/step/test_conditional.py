"""CFS's losses by numbers worked by hand and as written; its gradient penalty by differences."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.conditional import ConditionalDiscriminator, ConditionalGenerator
from trainer.step import adversarial, losses
from trainer.step.conditional import ConditionalJudge

WEIGHTS = {"lambda_gp": 1.0, "lambda_cls": 1.0, "lambda_fm": 1.0, "r1": 0.0, "r1_interval": 1, "augment_strength": 1.0}


class Linear:
    """Scores: weight times the mean plus a constant; logits: the mean and 0; outputs: the image times 1, 2 and 4."""

    def __init__(self, weight, constant=0.0):
        self.weight, self.constant = tf.Variable(weight), constant
        self.trainable_variables = [self.weight]

    def __call__(self, images):
        mean = tf.reduce_mean(images, axis=[1, 2, 3])
        scores = self.weight * mean[:, None, None] + self.constant
        return scores, tf.stack([mean, tf.zeros_like(mean)], axis=1), [images, 2.0 * images, 4.0 * images]


def judge_of(network, halvings=0, **options):
    flags = {"gan_loss": "wgan_gp", "fakes": "mean"} | WEIGHTS | options
    return ConditionalJudge(network, halvings, SimpleNamespace(**flags))


def flat(*values):
    return tf.constant(values, tf.float32)[:, None, None, None] * tf.ones((1, 4, 4, 3))


def test_the_discriminators_loss_by_hand():
    """D(x) = 2 mean: photographs .5 and -.5, fakes .25 and 0, -.25 and .75. 48 numbers: its gradient's length is
    2 / sqrt(48) = .288675. Cross-entropies: log(1 + e^-.5) = .474077 twice: both photographs are named well."""
    judge, people = judge_of(Linear(2.0)), tf.constant([0, 1])
    told = judge.of_discriminator(flat(0.5, -0.5), [flat(0.25, 0.0), flat(-0.25, 0.75)], people, 3.0, None, 0)
    penalty = (1 - 0.288675) ** 2
    assert float(told["real_loss"]) == pytest.approx(0.0)
    assert float(told["fake_loss"]) == pytest.approx(0.5 * (0.25 + 0.5), rel=1e-6)
    assert float(told["class_loss"]) == pytest.approx(0.474077, rel=1e-5)
    assert float(told["penalty"]) == pytest.approx(penalty, rel=1e-5)
    assert float(told["loss"]) == pytest.approx(0.375 + 0.474077 + penalty, rel=1e-5)
    slope = 0.5 * (0.125 + 0.25) - 2 * (1 - 0.288675) / 48**0.5
    np.testing.assert_allclose(told["gradients"], [3.0 * slope], rtol=1e-5)


@pytest.mark.parametrize(("fakes", "drift"), [("mean", 0.0), ("sum", 1.0)])
def test_as_printed_nothing_keeps_the_scores_from_drifting(fakes, drift):
    """A constant b that is added to every score changes eq. 2 by b, as it has one photograph and two fakes."""
    images, people = [flat(0.5, -0.5), flat(0.25, 0.0), flat(-0.25, 0.75)], tf.constant([0, 1])

    def loss(constant):
        judge = judge_of(Linear(2.0, constant), fakes=fakes)
        return float(judge.of_discriminator(images[0], images[1:], people, 1.0, None, 0)["loss"])

    assert loss(7.0) - loss(0.0) == pytest.approx(7.0 * drift, abs=1e-4)


def test_the_makers_loss_by_hand():
    """Features: 1, 2, 4 times |x - fake|, which is .25 and .5 in the mean: 7 x .75."""
    judge, people = judge_of(Linear(2.0), lambda_cls=0.5, lambda_fm=0.1), tf.constant([0, 0])
    real, fakes = flat(0.5, 0.5), [flat(0.25, 0.25), flat(0.0, 0.0)]
    told = judge.of_makers(real, fakes, people, None)
    named = np.log1p(np.exp(-0.25)) + np.log(2)
    assert float(told["adversarial"]) == pytest.approx(-0.5 * (0.5 + 0.0))
    assert float(told["class_loss"]) == pytest.approx(named / 2, rel=1e-6)  # of one fake; the loss has both
    assert float(told["features"]) == pytest.approx(7 * 0.75, rel=1e-6)
    assert float(told["loss"]) == pytest.approx(-0.25 + 0.5 * named + 0.1 * 5.25, rel=1e-6)


def test_the_divergence_by_hand():
    mean, log_variance = tf.constant([[1.0, -2.0], [0.0, 0.0]]), tf.constant([[0.0, np.log(2.0)], [0.0, 0.0]])
    expected = 0.5 * (0.5 * (1 + 4 + (1 - 0 - 1) + (2 - np.log(2) - 1)))
    assert float(losses.latent_divergence(mean, log_variance)) == pytest.approx(expected, rel=1e-6)


def test_the_smaller_discriminator_sees_halved_images():
    image = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    np.testing.assert_array_equal(judge_of(Linear(1.0), 1).shown(image, None)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])


def test_the_penalty_by_hand():
    """D(x) = mean over 4 places of 3 x_1^2: the lengths of its gradient are 1.5 sqrt(6) and 3."""
    images = tf.constant([1.0, 9.0, -2.0, 9.0, 0.0, 9.0, 1.0, 9.0, 2.0] + [0.0] * 7, shape=(2, 2, 2, 2))
    penalty = adversarial.gradient_penalty(lambda x: 3.0 * x[..., :1] ** 2, images)
    assert float(penalty) == pytest.approx(0.5 * ((1.5 * 6**0.5 - 1) ** 2 + 4), rel=1e-6)


def test_the_penalty_s_gradient_is_what_differences_find():
    """To the weights of the real network, moved in a direction: a second derivative.

    Where a unit changes sides between the two ends the penalty jumps, and differences find the jump. With weights of
    this seed none does.
    """
    keras.utils.set_random_seed(1)
    network = ConditionalDiscriminator(32, 3, 4, 8)
    images = tf.random.stateless_uniform((2, 32, 32, 3), [0, 1], -1.0, 1.0)
    for variable in network.trainable_variables:  # scores as large as those of a trained one
        variable.assign(2.0 * variable)
    score = lambda x: network(x)[0]  # noqa: E731
    weights = [v for v in network.trainable_variables if "person" not in v.path]
    with tf.GradientTape() as tape:
        penalty = adversarial.gradient_penalty(score, images)
    gradients = tape.gradient(penalty, weights)
    kernels = [(weight, gradient) for weight, gradient in zip(weights, gradients, strict=True) if gradient is not None]
    assert len(kernels) >= 6  # a bias reaches the slope through the kinks of the units alone
    rng = np.random.default_rng(0)
    for weight, gradient in kernels:
        direction, before, ends = rng.normal(size=weight.shape), weight.numpy(), []
        direction = np.float32(direction / np.linalg.norm(direction))
        for sign in (1.0, -1.0):
            weight.assign(before + sign * 3e-4 * direction)
            ends.append(float(adversarial.gradient_penalty(score, images)))
        weight.assign(before)
        slope = (ends[0] - ends[1]) / 6e-4
        assert slope == pytest.approx(float(tf.reduce_sum(gradient * direction)), rel=0.05, abs=2e-3), weight.path


def test_a_mixture_of_people_is_one_of_their_parts():
    generator = ConditionalGenerator(64, 3, 5, 4, 8)
    parts = [generator.of_person(tf.constant([row])) for row in np.eye(3, dtype=np.float32)]
    mixed = generator.of_person(tf.constant([[0.2, 0.3, 0.5]]))
    np.testing.assert_allclose(mixed, 0.2 * parts[0] + 0.3 * parts[1] + 0.5 * parts[2], atol=1e-6)


def test_at_the_start_a_person_counts_as_much_as_a_latent_vector():
    generator = ConditionalGenerator(64, 40, 256, 8, 64)
    of_people = generator.of_person(tf.eye(40))
    of_latents = generator.of_latent(tf.random.stateless_normal((40, 256), [1, 2]))
    assert 0.8 < float(tf.math.reduce_std(of_people) / tf.math.reduce_std(of_latents)) < 1.25


def test_people_who_look_alike_begin_alike():
    generator, rng = ConditionalGenerator(64, 4, 256, 32, 512), np.random.default_rng(3)
    features = np.float32(rng.normal(size=(4, 6)))
    features[1] = features[0] + 0.01
    generator.begin_people(features, 1)
    parts = generator.of_person(tf.eye(4)).numpy()
    assert parts.std() == pytest.approx(generator.deviation, rel=1e-4)
    distances = [np.linalg.norm(parts[0] - other) for other in parts[1:]]
    assert distances[0] < 0.1 * min(distances[1:])
