"""The network by its size and by dlib's own answers; its weights' reader is tested in tests/trainer."""

import dlib
import numpy as np
import pytest
import tensorflow as tf

from data_loader import assets
from models.dlib_resnet import IMAGE_SIZE, DlibResnet, prepared
from trainer.published.dlib_import import FILE, load_dlib_resnet


@pytest.fixture(scope="module")
def path():
    return assets.fetch("dlib_models", "~/.cache/facegan") / FILE


@pytest.fixture(scope="module")
def network(path):
    network = DlibResnet()
    load_dlib_resnet(network, path)
    return network


def chips(count):
    """Smooth random pictures, which reach every layer as faces do: uint8 [n, 150, 150, 3]."""
    coarse = np.random.default_rng(0).uniform(0, 255, (count, 6, 6, 3))
    return tf.image.resize(coarse, [IMAGE_SIZE] * 2, "bicubic").numpy().clip(0, 255).astype(np.uint8)


def test_count_of_weights():
    assert DlibResnet().count_params() == 5_607_488


def test_any_pixels_give_what_dlib_gives(network, path):
    pixels = chips(3)
    theirs = np.array([dlib.face_recognition_model_v1(str(path)).compute_face_descriptor(chip) for chip in pixels])
    ours = network(prepared(tf.constant(pixels, tf.float32))).numpy()
    assert ours.shape == (3, 128)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_gradient_reaches_the_pixels(network):
    """Along its gradient the embedding changes as the gradient says."""
    pixels = tf.constant(chips(1), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        length = tf.reduce_sum(network(prepared(pixels)) ** 2)
    gradient = tape.gradient(length, pixels)
    step = 2.0 * gradient / tf.norm(gradient)
    ends = [float(tf.reduce_sum(network(prepared(pixels + sign * step)) ** 2)) for sign in (1, -1)]
    assert (ends[0] - ends[1]) / 4.0 == pytest.approx(float(tf.norm(gradient)), rel=0.05)
