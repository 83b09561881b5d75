import numpy as np
import pytest
import tensorflow as tf

from models.facenet_names import inception_resnet_v1_names
from models.inception_resnet_v1 import Conv, ConvNorm, InceptionResnetV1
from tests.models.seeding import fingerprint, seed_weights, seeded_faces

# First four prelogits of each image and the sums of the absolute values of all 128, for seed_weights and seeded_faces.
# Computed by this network after it had given the set loss of the published TF1 code's reference runs (64x64 and
# 108x108, step 0) to 2e-7 relative; they move by 6e-7 with the kernels that TensorFlow picks.
PRELOGITS = [[0.0529476, -0.2056809, -0.0686859, 0.2268008], [0.0580241, -0.2592563, -0.0555352, 0.2118340]]
ABSOLUTE_SUMS = [30.029156, 30.390512]


@pytest.fixture(scope="module")
def network():
    network = InceptionResnetV1()
    seed_weights(inception_resnet_v1_names(network))
    return network


@pytest.mark.parametrize("count", [1, 2])
def test_prelogits_are_those_of_the_verified_network(network, count):
    prelogits = network(seeded_faces(2)[:count]).numpy()
    assert prelogits.shape == (count, 128)
    np.testing.assert_allclose(prelogits[:, :4], PRELOGITS[:count], rtol=0, atol=5e-6)
    np.testing.assert_allclose(np.abs(prelogits).sum(axis=1), ABSOLUTE_SUMS[:count], rtol=1e-5)


def test_numbers_are_those_of_the_published_checkpoint(network):
    assert network.count_params() == 22_808_144
    assert sum(variable.shape[0] for variable in network.non_trainable_variables) == 28_832


def test_names_and_shapes_are_those_of_the_published_graph(network):
    names = inception_resnet_v1_names(network)
    assert len(names) == len({id(variable) for variable in names.values()}) == len(network.weights) == 490
    assert fingerprint(names) == 485663328  # of the list taken from the published code's graph
    assert names["InceptionResnetV1/Repeat_1/block17_10/Branch_1/Conv2d_0b_1x7/weights"].shape == (1, 7, 128, 128)
    assert "C/Bottleneck/BatchNorm/moving_variance" in inception_resnet_v1_names(network, "C")


def test_gradients_reach_the_image_and_every_trainable_weight(network):
    with tf.GradientTape() as tape:
        images = tf.constant(seeded_faces(1))
        tape.watch(images)
        loss = tf.reduce_sum(tf.square(network(images)))
    image_gradient, *gradients = tape.gradient(loss, [images, *network.trainable_variables])
    assert all(gradient is not None and np.any(gradient) for gradient in [image_gradient, *gradients])
    assert len(gradients) == 490 - 2 * 112


def test_training_mode_is_frozen_too(network):
    before = [variable.numpy() for variable in network.non_trainable_variables]
    images = seeded_faces(1)
    np.testing.assert_array_equal(network(images, training=True), network(images, training=False))
    assert all(np.array_equal(a, b) for a, b in zip(before, network.non_trainable_variables, strict=True))


def test_norm_in_the_kernel_is_the_norm_behind_the_convolution():
    layer = ConvNorm(3, Conv("conv", 5, (3, 1), 2, "VALID"))
    seed_weights({f"{i}/{variable.name}": variable for i, variable in enumerate(layer.weights)})
    layer.moving_variance.assign([0.5, 1, 2, 3, 4])
    images = seeded_faces(2, 9)
    expected = tf.nn.conv2d(images, layer.kernel, 2, "VALID")
    expected = tf.nn.batch_normalization(expected, layer.moving_mean, layer.moving_variance, layer.beta, None, 1e-3)
    np.testing.assert_allclose(layer(images), tf.nn.relu(expected), atol=1e-6)


def test_images_from_75_pixels_up(network):
    assert network(seeded_faces(1, 75)).shape == (1, 128)
    with pytest.raises(ValueError, match="from 75 pixels up"):
        network(seeded_faces(1, 74))


def test_weights_survive_a_weights_file(network, tmp_path):
    network.save_weights(tmp_path / "c.weights.h5")
    other = InceptionResnetV1()
    other.load_weights(tmp_path / "c.weights.h5")
    assert all(np.array_equal(saved, loaded) for saved, loaded in zip(network.weights, other.weights, strict=True))


def test_weights_survive_a_checkpoint(network, tmp_path):
    path = tf.train.Checkpoint(network=network).write(str(tmp_path / "c"))
    other = InceptionResnetV1()
    tf.train.Checkpoint(network=other).read(path)
    assert all(np.array_equal(saved, loaded) for saved, loaded in zip(network.weights, other.weights, strict=True))
