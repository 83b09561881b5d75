import numpy as np
import pytest
import tensorflow as tf

from models.facenet_names import nn4_names
from models.inception_resnet_v1 import Conv
from models.nn4 import NN4, BiasedConvNorm
from tests.models.seeding import fingerprint, seed_weights, seeded_faces

# First four prelogits of each image and the sums of the absolute values of all 128, for seed_weights and seeded_faces.
# Computed by this network after it had given the set loss of the published TF1 code's reference run with NN4 (64x64,
# step 0) to 1e-7 relative; they move by 1e-7 with the kernels that TensorFlow picks.
PRELOGITS = [[-0.0323611, -0.1090445, 0.0607324, 0.1074600], [-0.0337705, -0.1091276, 0.0618090, 0.1078526]]
ABSOLUTE_SUMS = [8.577715, 8.578103]


@pytest.fixture(scope="module")
def network():
    network = NN4()
    seed_weights(nn4_names(network))
    return network


@pytest.mark.parametrize("count", [1, 2])
def test_prelogits_are_those_of_the_verified_network(network, count):
    prelogits = network(seeded_faces(2)[:count]).numpy()
    assert prelogits.shape == (count, 128)
    np.testing.assert_allclose(prelogits[:, :4], PRELOGITS[:count], rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.abs(prelogits).sum(axis=1), ABSOLUTE_SUMS[:count], rtol=2e-6)


def test_numbers_are_those_of_the_published_checkpoint(network):
    assert network.count_params() == 6_974_224


def test_names_and_shapes_are_those_of_the_published_graph(network):
    names = nn4_names(network)
    assert len(names) == len({id(variable) for variable in names.values()}) == len(network.weights) == 332
    assert fingerprint(names) == 3434941618  # of the list taken from the published code's graph
    assert names["InceptionResnetV1/incept3a/branch2_3x3/conv3x3/batch_norm/batch_norm/gamma"].shape == (128,)
    inner = "C/conv1_7x7/batch_norm"
    assert f"{inner}/{inner}/moments/Squeeze/ExponentialMovingAverage" in nn4_names(network, "C")


def test_moving_statistics_are_named_mean_then_variance(network):
    moments = "InceptionResnetV1/conv1_7x7/batch_norm/InceptionResnetV1/conv1_7x7/batch_norm/moments"
    names, first = nn4_names(network), network.body[0].parts[0]
    assert names[f"{moments}/Squeeze/ExponentialMovingAverage"] is first.moving_mean
    assert names[f"{moments}/Squeeze_1/ExponentialMovingAverage"] is first.moving_variance


def test_gradients_reach_the_image_and_every_trainable_weight(network):
    with tf.GradientTape() as tape:
        images = tf.constant(seeded_faces(1))
        tape.watch(images)
        loss = tf.reduce_sum(tf.square(network(images)))
    image_gradient, *gradients = tape.gradient(loss, [images, *network.trainable_variables])
    assert all(gradient is not None and np.any(gradient) for gradient in [image_gradient, *gradients])
    assert len(gradients) == 332 - 2 * 55


def test_bias_comes_after_the_norm():
    layer = BiasedConvNorm(3, Conv("conv", 5, (3, 3), 2, "SAME"))
    seed_weights({f"{i}/{variable.name}": variable for i, variable in enumerate(layer.weights)})
    layer.bias.assign([1, 2, 3, 4, 5])
    layer.gamma.assign([0.5, 1, 2, 3, 4])
    images = seeded_faces(2, 9)
    hidden = tf.nn.conv2d(images, layer.kernel, 2, "SAME")
    hidden = tf.nn.batch_normalization(
        hidden, layer.moving_mean, layer.moving_variance, layer.beta, layer.gamma, 1e-3
    )
    np.testing.assert_allclose(layer(images), tf.nn.relu(hidden + layer.bias), atol=1e-5)


def test_only_96_pixels_are_taken(network):
    with pytest.raises(ValueError, match="96x96"):
        network(seeded_faces(1, 108))


def test_weights_survive_a_checkpoint(network, tmp_path):
    path = tf.train.Checkpoint(network=network).write(str(tmp_path / "c"))
    other = NN4()
    tf.train.Checkpoint(network=other).read(path)
    assert all(np.array_equal(saved, loaded) for saved, loaded in zip(network.weights, other.weights, strict=True))
