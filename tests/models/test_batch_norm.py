"""Batch norm of FaceNet's two networks in training."""

import numpy as np
import pytest
import tensorflow as tf

from models.inception_resnet_v1 import Conv, ConvNorm, DenseNorm, InceptionResnetV1
from models.nn4 import NN4, BiasedConvNorm
from tests.models.seeding import seed_weights, seeded_faces

LAYERS = {
    "conv": lambda decay: ConvNorm(3, Conv("conv", 5, (3, 1), 2, "VALID"), decay),
    "biased": lambda decay: BiasedConvNorm(3, Conv("conv", 5, (3, 3), 2), decay),
    "dense": lambda decay: DenseNorm(3, 5, "dense", decay),
}


def seeded(kind, decay):
    layer = LAYERS[kind](decay)
    seed_weights({f"{i}/{variable.name}": variable for i, variable in enumerate(layer.weights)})
    return layer


@pytest.mark.parametrize("kind", LAYERS)
def test_training_normalises_by_the_batch_and_moves_the_statistics(kind):
    layer = seeded(kind, 0.995)
    inputs = seeded_faces(4, 9)[:, 0, 0] if kind == "dense" else seeded_faces(4, 9)
    mean_before, variance_before = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    mapped = layer.linear(inputs, layer.kernel).numpy().reshape(-1, 5)
    mean, variance = mapped.mean(axis=0), mapped.var(axis=0)
    expected = (mapped - mean) / np.sqrt(variance + 1e-3)
    if kind == "biased":
        expected = expected * layer.gamma.numpy() + layer.bias.numpy()
    expected += layer.beta.numpy()
    expected = expected if kind == "dense" else np.maximum(expected, 0)
    np.testing.assert_allclose(layer(inputs, training=True).numpy().reshape(-1, 5), expected, atol=2e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.995 * mean_before + 0.005 * mean, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, 0.995 * variance_before + 0.005 * variance, atol=1e-6)


@pytest.mark.parametrize("kind", LAYERS)
def test_outside_training_it_is_the_frozen_layer(kind):
    inputs = seeded_faces(4, 9)[:, 0, 0] if kind == "dense" else seeded_faces(4, 9)
    trainable, frozen = seeded(kind, 0.9), seeded(kind, None)
    np.testing.assert_array_equal(trainable(inputs), frozen(inputs, training=True))
    np.testing.assert_array_equal(trainable.moving_mean, frozen.moving_mean)


@pytest.mark.parametrize(("make", "size", "decay"), [(InceptionResnetV1, 75, 0.995), (NN4, 96, 0.9)])
def test_a_whole_network_moves_its_statistics_in_training_only(make, size, decay):
    network = make(4, frozen=False)
    images = seeded_faces(2, size)
    before = [variable.numpy() for variable in network.non_trainable_variables]
    outputs = network(images)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.non_trainable_variables, strict=True))
    by_batch = network(images, training=True)
    assert np.abs(by_batch - outputs).max() > 0.01
    variances = [v for v in network.non_trainable_variables if v.name == "moving_variance"]
    assert all((v.numpy() != 1).any() and (v.numpy() >= decay * (1 - 1e-6)).all() for v in variances)
    assert len(variances) == (112 if size == 75 else 55)


def test_dropout_before_the_last_layer_follows_its_seed():
    network, images = NN4(4), seeded_faces(1)
    first, again, other, none = (
        network(images, dropout_seed=seed, keep=0.5).numpy() for seed in ([1, 2], [1, 2], [1, 3], None)
    )
    assert (first == again).all() and (first != other).any() and (first != none).any()
    np.testing.assert_array_equal(none, network(images))
    assert tf.reduce_all(network(images, dropout_seed=[1, 2], keep=1.0) == none)
