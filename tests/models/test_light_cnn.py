import numpy as np
import pytest
import tensorflow as tf

from models.light_cnn import LightCnn, MaxFeatureMap


def mfm(size, before, after):
    """Numbers of a max-feature-map convolution, by hand: a kernel and a bias of twice the channels."""
    return size * size * before * 2 * after + 2 * after


def group(before, after):
    return mfm(1, before, before) + mfm(3, before, after)


NINE = mfm(5, 1, 48) + group(48, 96) + group(96, 192) + group(192, 128) + group(128, 128) + mfm(1, 8 * 8 * 128, 256)
BLOCKS = 1 * 2 * mfm(3, 48, 48) + 2 * 2 * mfm(3, 96, 96) + 3 * 2 * mfm(3, 192, 192) + 4 * 2 * mfm(3, 128, 128)


@pytest.mark.parametrize(("depth", "numbers"), [(9, NINE), (29, NINE + BLOCKS)])
def test_numbers_are_those_of_the_layer_table(depth, numbers):
    network = LightCnn(depth)
    assert (NINE, NINE + BLOCKS) == (5_480_864, 12_573_280)  # about the paper's 5,556K and 12,637K
    assert network.count_params() == numbers
    assert network(tf.zeros((1, 128, 128, 1))).shape == (1, 256)


def test_feature_map_is_the_larger_half():
    layer = MaxFeatureMap(2)
    layer.build((None, 1))
    layer.linear.kernel.assign([[1.0, 2.0, 3.0, -4.0]])
    layer.linear.bias.assign([0.0, 0.0, 0.0, 1.0])
    np.testing.assert_array_equal(layer(tf.constant([[1.0], [-1.0]])), [[3.0, 2.0], [-1.0, 5.0]])


def test_a_residual_block_adds_its_input():
    block = LightCnn(29, size=16).body[2]
    for weight in block.second.weights:
        weight.assign(tf.zeros_like(weight))
    image = tf.random.stateless_normal((1, 4, 4, 48), [1, 2])
    np.testing.assert_array_equal(block(image), image)


def test_gradients_reach_every_weight():
    network = LightCnn(29, embedding_size=4, size=20)
    images = tf.random.stateless_uniform((2, 20, 20, 1), [1, 2])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(network(images)))
    gradients = tape.gradient(loss, network.trainable_variables)
    assert len(gradients) == 60 and all(np.any(gradient) for gradient in gradients)


def test_other_sizes_and_depths_are_named():
    with pytest.raises(ValueError, match="16x16 pixels"):
        LightCnn(9, size=16)(tf.zeros((1, 20, 20, 1)))
    with pytest.raises(ValueError, match="9 or 29 layers, not 4"):
        LightCnn(4)


def test_poolings_stand_where_the_layer_table_has_them():
    stages = ["conv1", "pool1", "reduce1", "conv2", "pool2", "reduce2", "conv3", "pool3"]
    stages += ["reduce3", "conv4", "reduce4", "conv5", "pool5"]
    assert [part.name for part in LightCnn(9, size=16).body] == stages
