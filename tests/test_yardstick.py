"""The yardstick of speed computes what FaceGan computes: else it measures something else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small import NETWORKS, reconstruct_far_off
from tests.yardstick import DirectFaceGan, copy_weights
from trainer.systems.facegan import FaceGan
from utils import command_line


def batch(size=16, count=2):
    rng = np.random.default_rng(0)
    names = ("real", "synthetic", "pair_image", "pair_render")
    images = {name: tf.constant(rng.uniform(-1, 1, (count, size, size, 3)), tf.float32) for name in names}
    return images | {"identity": tf.constant([1, 4])}


def listen(system):
    """{name of an optimizer: gradients}, filled as they are applied."""
    taken = {}
    for name, optimizer in system.optimizers.items():

        def apply(gradients, variables, name=name, apply=optimizer.apply):
            taken[name] = [gradient.numpy() for gradient in gradients]
            apply(gradients, variables)

        optimizer.apply = apply
    return taken


def largest_difference(ours, theirs):
    """Over pairs of arrays, each difference as a part of the array's largest number."""
    return max(np.abs(a - b).max() / np.abs(a).max() for a, b in zip(ours, theirs, strict=True))


def mean_difference(ours, theirs):
    """Of lists of variables, as a part of their mean size: Adam turns a gradient that is all rounding either way."""
    ours, theirs = (np.concatenate([v.numpy().ravel() for v in each]) for each in (ours, theirs))
    return np.abs(ours - theirs).mean() / np.abs(ours).mean()


@pytest.mark.slow
def test_a_step_and_what_it_generates_are_facegans(untraced):
    flags = ["--method_c", "magnet", "--lambda_c", "0.1", "--model_def", "models.inception_resnet_v1"]
    options = command_line.parse(["train", *NETWORKS, *flags], {"train": ""})[1]
    keras.utils.set_random_seed(1)
    system, direct = FaceGan(options, {"synthetic": 5}), DirectFaceGan(options, {"synthetic": 5})
    for name, value in (("k_real", 0.3), ("k_synthetic", 0.2), ("k_pair", 0.1)):
        system.state[name].assign(value)
    reconstruct_far_off(system)
    copy_weights(system, direct)
    data, expected_gradients, gradients = batch(), listen(system), listen(direct)

    expected, found = system.train_step(data), direct.train_step(data)
    assert set(expected) == set(found)
    for tag, value in expected.items():
        np.testing.assert_allclose(found[tag], value, rtol=1e-5, err_msg=tag)
    for name in system.optimizers:
        assert largest_difference(expected_gradients[name], gradients[name]) < 1e-4, name
    for name in system.networks:
        assert mean_difference(*(each.networks[name].weights for each in (system, direct))) < 1e-5, name
    assert mean_difference(*([average for _, average in each.players.averages] for each in (system, direct))) < 1e-5
    np.testing.assert_allclose(system.identity.centroids, direct.identity.centroids, atol=1e-6)

    expected, found = system.generate(data), direct.generate(data)
    assert set(expected) == set(found)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    assert set(direct.generate(data, scores=())) == {"image"}
