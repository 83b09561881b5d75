"""IResNet against numbers worked out by hand from insightface's layer list."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.iresnet import Block, IResNet


def block(before, after, strided=False):
    """Parameters of a block: norm, 3x3, norm, PReLU, 3x3, norm; where it strides a 1x1 and its norm beside them."""
    body = 2 * before + 9 * before * after + 2 * after + after + 9 * after * after + 2 * after
    return body + (before * after + 2 * after if strided else 0)


def stages(*counts):
    pairs = ((64, 64), (64, 128), (128, 256), (256, 512))
    return sum(block(a, b, strided=True) + (count - 1) * block(b, b)
               for (a, b), count in zip(pairs, counts, strict=True))  # fmt: skip


STEM, HEAD = 9 * 3 * 64 + 2 * 64 + 64, 2 * 512 + (7 * 7 * 512 + 1) * 512 + 2 * 512


def parameters(network):
    """As PyTorch counts them: all but the moving statistics, the last norm's fixed scale included."""
    return sum(int(np.prod(v.shape)) for v in network.weights if not v.name.startswith("moving"))


@pytest.mark.parametrize(("depth", "counts", "published"), [(18, (2, 2, 2, 2), 24_025_600),
                                                            (50, (3, 4, 14, 3), 43_590_848)])
def test_parameters_are_those_of_the_published_layers(depth, counts, published):
    """The parameters of insightface's modules (arcface_torch/backbones/iresnet.py), added up by hand."""
    assert STEM + stages(*counts) + HEAD == published
    assert parameters(IResNet(depth)) == published


def test_fixed_scale_and_norms_are_as_published():
    network = IResNet(18, embedding_size=4, size=16)
    norms = [layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.9, 1e-5)}
    assert len(norms) == 1 + 8 * 3 + 4 + 2
    trained = {id(v) for v in network.trainable_variables}
    assert id(network.features.gamma) not in trained and id(network.features.beta) in trained
    assert all((layer.alpha.numpy() == 0.25).all() for layer in network._flatten_layers()
               if isinstance(layer, keras.layers.PReLU))  # fmt: skip


def test_a_block_is_what_its_layers_say():
    """Norms as they start divide by sqrt(1 + 1e-5); a strided 3x3 is padded by one pixel on every side, as PyTorch."""
    layer = Block(1, 1, 2, "block")
    kernel = np.arange(9.0, dtype=np.float32).reshape(3, 3)
    centre = np.zeros((3, 3), np.float32)
    centre[1, 1] = 1.0
    for conv, values in ((layer.conv1, -centre), (layer.conv2, kernel), (layer.projection, np.float32([[2.0]]))):
        conv.kernel.assign(values[..., None, None])
    image = np.arange(1.0, 17.0, dtype=np.float32).reshape(4, 4)
    unit = 1 / np.sqrt(1 + 1e-5)
    hidden = np.pad(-0.25 * image * unit**2, 1)  # norm, times -1, norm, PReLU
    convolved = [[(hidden[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] * kernel).sum() for x in (0, 1)] for y in (0, 1)]
    expected = np.array(convolved) * unit + 2 * image[::2, ::2] * unit
    np.testing.assert_allclose(layer(image[None, ..., None])[0, ..., 0], expected, rtol=1e-5)


def test_training_normalises_the_feature_and_moves_the_statistics():
    network = IResNet(18, embedding_size=3, size=16)
    images = tf.random.stateless_uniform((8, 16, 16, 3), [1, 2], -1.0, 1.0)
    before = network(images).numpy()
    feature = network(images, training=True).numpy()
    np.testing.assert_allclose(feature.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(feature.std(axis=0), 1, atol=1e-3)
    assert (network(images).numpy() != before).any()
    assert (network.features.moving_mean.numpy() != 0).any()


def test_dropout_lies_before_the_last_layer_and_follows_its_seed():
    network = IResNet(18, embedding_size=3, size=16)
    images = tf.random.stateless_uniform((2, 16, 16, 3), [1, 2], -1.0, 1.0)
    plain, first, again, other = (network(images, dropout_seed=seed, keep=0.5).numpy()
                                  for seed in (None, [1, 1], [1, 1], [1, 2]))  # fmt: skip
    assert (first == again).all() and (first != other).any() and (first != plain).any()


def test_gradients_reach_every_trained_weight():
    network = IResNet(18, embedding_size=4, size=20)  # an odd side halves upwards
    images = tf.random.stateless_uniform((4, 20, 20, 3), [1, 2], -1.0, 1.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(images, training=True) ** 3)
    gradients = tape.gradient(loss, network.trainable_variables)
    assert len(gradients) > 50 and all(g is not None and np.any(g) for g in gradients)


def test_other_sizes_and_depths_are_named():
    with pytest.raises(ValueError, match="16x16 pixels"):
        IResNet(18, 4, size=16)(tf.zeros((1, 112, 112, 3)))
    with pytest.raises(ValueError, match="18 or 50 layers, not 34"):
        IResNet(34)
