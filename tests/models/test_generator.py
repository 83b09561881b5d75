import keras
import numpy as np
import pytest
import tensorflow as tf

from models.generator import Generator
from trainer.step.precision import computing_in


def test_nearest_doubles_each_pixel_and_convolves_by_3x3():
    network = Generator(4, 1, upsample="nearest")
    images = tf.random.stateless_normal((2, 6, 5, 16), [0, 1])
    plain = keras.layers.Conv2D(8, 3, padding="same", use_bias=False)
    plain.build((None, None, None, 16))
    plain.kernel.assign(network.up_1.kernel)
    expected = plain(tf.repeat(tf.repeat(images, 2, axis=1), 2, axis=2))
    np.testing.assert_allclose(network.up_1(images), expected, atol=1e-5)
    assert network(tf.zeros((1, 16, 16, 3))).shape == (1, 16, 16, 3)


def test_both_ways_have_as_many_weights_and_another_is_named():
    transposed, nearest = (Generator(4, 1, upsample=kind) for kind in ("transposed", "nearest"))
    assert transposed.count_params() == nearest.count_params()
    with pytest.raises(ValueError, match="'cubic'; one of transposed, nearest"):
        Generator(4, 1, upsample="cubic")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_residual_one_gives_the_image_where_it_changes_nothing(precision):
    images = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
    with computing_in(precision):
        network = Generator(4, 1, residual=True)
    assert 0 < np.abs(network(images) - images).max() < 0.5
    network.last.kernel.assign(tf.zeros_like(network.last.kernel))
    np.testing.assert_array_equal(network(images), images)
    network.last.kernel.assign(tf.fill(network.last.kernel.shape, 9.0))
    assert np.abs(network(images)).max() == 1
