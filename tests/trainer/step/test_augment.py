import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import affine_transform

from trainer.step.augment import ALLOWED, KINDS, augmented, parse_augment
from utils.errors import UserError

SEEDS = st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)).map(list)


def noise(count=4, size=16):
    return tf.random.stateless_uniform((count, size, size, 3), [1, 2], -1.0, 1.0)


def test_names_come_in_their_order_and_others_are_told():
    assert parse_augment("") == () and parse_augment("flip, colour") == ("colour", "flip")
    with pytest.raises(UserError, match="--augment: 'rotate' is none of colour, shift, cutout, flip"):
        parse_augment("colour,rotate")


@pytest.mark.parametrize("name", KINDS)
def test_each_follows_the_seed_and_changes_images_apart(name):
    images = tf.tile(noise(1), [16, 1, 1, 1])
    first, again, other = (augmented(images, (name,), [7, seed]).numpy() for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and len({image.tobytes() for image in first}) > 1
    assert augmented(images, (name,), None) is images and augmented(images, (), [7, 0]) is images


@given(SEEDS)
def test_colour_moves_each_image_along_its_own_lines(seed):
    """Brightness, then the distance to grey, then the distance to the mean: an affine map of (pixel, its grey)."""
    images = noise()
    found = augmented(images, ("colour",), seed).numpy()
    for before, after in zip(images.numpy(), found, strict=True):
        grey = np.broadcast_to(before.mean(axis=2, keepdims=True), before.shape)
        columns = np.stack([before.ravel(), grey.ravel(), np.ones(before.size)], axis=1)
        weights, *_ = np.linalg.lstsq(columns, after.ravel(), rcond=None)
        np.testing.assert_allclose(columns @ weights, after.ravel(), atol=1e-4)
        assert -1e-4 < weights[0] < 2 * 1.5 + 1e-4  # saturation times contrast
        assert 0.5 - 1e-4 < weights[0] + weights[1] < 1.5 + 1e-4  # contrast
        assert abs(after.mean() - before.mean()) < 0.5 + 1e-4  # brightness


@given(SEEDS)
def test_a_shift_is_up_to_an_eighth_and_grey_comes_in(seed):
    images = noise()
    padded = np.pad(images, [[0, 0], [2, 2], [2, 2], [0, 0]])
    for before, after in zip(padded, augmented(images, ("shift",), seed).numpy(), strict=True):
        assert any((before[y : y + 16, x : x + 16] == after).all() for y in range(5) for x in range(5))


@given(SEEDS)
def test_a_square_is_cut_out_and_nothing_else(seed):
    images = noise()
    for before, after in zip(images.numpy(), augmented(images, ("cutout",), seed).numpy(), strict=True):
        gone = (after == 0).all(axis=2)
        rows, columns = gone.any(axis=1), gone.any(axis=0)
        assert (gone == rows[:, None] & columns).all() and rows.sum() <= 8 and columns.sum() <= 8
        assert rows.sum() >= 3 and columns.sum() >= 3  # a corner of it, at least
        np.testing.assert_array_equal(after[~gone], before[~gone])


@given(SEEDS)
def test_a_tone_bends_each_colour_between_black_and_white(seed):
    ends = tf.concat([-tf.ones((2, 4, 8, 3)), noise(2, 8)[:, :4], tf.ones((2, 4, 8, 3))], axis=1)
    for before, after in zip(ends.numpy(), augmented(ends, ("tone",), seed).numpy(), strict=True):
        np.testing.assert_allclose(after[:4], -1.0, atol=3e-3)
        np.testing.assert_allclose(after[8:], 1.0, atol=1e-6)
        with np.errstate(divide="ignore"):
            powers = np.log(0.5 * after[4:8] + 0.5) / np.log(0.5 * before[4:8] + 0.5)
        assert (powers > 0.49).all() and (powers < 2.01).all()
        np.testing.assert_allclose(powers, np.broadcast_to(np.median(powers, axis=(0, 1)), powers.shape), rtol=0.01)


@given(SEEDS)
def test_a_stretch_is_bilinear_about_the_centre_and_grey_comes_in(seed):
    """Against scipy's resampling, with the factors that a ramp shows."""
    side, ramp = 16, tf.range(16, dtype=tf.float32) - 7.5
    ramps = tf.stack([tf.broadcast_to(ramp, [side, side]), tf.broadcast_to(ramp[:, None], [side, side]),
                      tf.ones([side, side])], axis=2)  # fmt: skip
    across, along, _ = np.moveaxis(augmented(ramps[None], ("stretch",), seed)[0].numpy(), 2, 0)
    steps = across[7, 8] - across[7, 7], along[8, 7] - along[7, 7]  # of the source, for one pixel of the result
    assert all(1 / 1.21 < step < 1 / 0.79 for step in steps)
    found = augmented(noise(1), ("stretch",), seed)[0].numpy()
    matrix, offset = np.diag([steps[1], steps[0], 1.0]), [7.5 * (1 - steps[1]), 7.5 * (1 - steps[0]), 0.0]
    wanted = affine_transform(noise(1)[0].numpy(), matrix, offset, order=1, mode="grid-constant")
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_what_changes_a_pose_input_compiles_with_xla():
    images = noise()
    names = ALLOWED["pose_augment"]
    compiled = tf.function(lambda: augmented(images, names, [5, 6]), jit_compile=True)()
    assert compiled.shape == images.shape and np.isfinite(compiled).all()


def test_strength_is_how_far_colour_and_shift_go():
    images = noise(32)
    np.testing.assert_allclose(augmented(images, ("colour", "shift"), [3, 4], 0.0), images, atol=1e-6)
    half, whole = (augmented(images, ("colour",), [3, 4], strength).numpy() for strength in (0.5, 1.0))
    moved = [np.abs(found.mean(axis=(1, 2, 3)) - images.numpy().mean(axis=(1, 2, 3))) for found in (half, whole)]
    np.testing.assert_allclose(moved[0], 0.5 * moved[1], atol=1e-5)  # brightness alone moves an image's mean
    assert moved[1].max() > 0.4
    padded = np.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
    for before, after in zip(padded, augmented(images, ("shift",), [3, 4], 0.5).numpy(), strict=True):
        assert any((before[y : y + 16, x : x + 16] == after).all() for y in range(3) for x in range(3))


def test_gradients_pass_through_all_of_them():
    images = noise()
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(augmented(images, tuple(KINDS), [1, 1]) ** 2)
    gradient = tape.gradient(total, images).numpy()
    assert all(np.abs(image).sum() > 0 for image in gradient) and np.isfinite(gradient).all()
