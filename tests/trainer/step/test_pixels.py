import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from trainer.step import pixels


def noise(count=3, size=8):
    return tf.random.stateless_uniform((count, size, size, 3), [1, 2], -1.0, 1.0)


def test_luminance_and_grey_by_hand():
    image = tf.constant([[[[1.0, 0.0, -1.0]]]])
    np.testing.assert_allclose(pixels.luminance(image), [[[[0.299 - 0.114]]]], rtol=1e-6)
    np.testing.assert_allclose(pixels.grey(image), np.full((1, 1, 1, 3), 0.185), rtol=1e-6)


def test_standardisation_by_hand():
    image = tf.reshape(tf.constant([0.0, 2.0, 4.0] * 4), (1, 2, 2, 3))
    fixed = pixels.standardized(image, fixed=True)[0, 0, 0]
    np.testing.assert_allclose(fixed, [-127.5 / 128, -125.5 / 128, -123.5 / 128])
    expected = np.array([-2.0, 0.0, 2.0]) / np.sqrt(8 / 3)
    np.testing.assert_allclose(pixels.standardized(image, fixed=False)[0, 0, 0], expected, rtol=1e-6)
    flat = tf.fill((1, 2, 2, 3), 7.0)
    np.testing.assert_array_equal(pixels.standardized(flat, fixed=False), tf.zeros((1, 2, 2, 3)))
    np.testing.assert_array_equal(pixels.levels(tf.constant([-2.0, -1.0, 0.0, 1.0, 2.0])), [0, 0, 127.5, 255, 255])


def test_a_blur_is_scipys():
    images = noise(2, 16)
    for sigma in (0.7, 1.5):
        expected = scipy.ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="mirror", truncate=3 + 0.5 / sigma)
        np.testing.assert_allclose(pixels.blurred(images, sigma), expected, atol=1e-5)
    assert pixels.blurred(images, 0.0) is images


@given(st.integers(1, 8), st.integers(0, 1000))
def test_a_crop_is_a_window_of_its_image(size, seed):
    images = noise(4)
    windows = pixels.cropped(images, size, [seed, 0]).numpy()
    assert windows.shape == (4, size, size, 3)
    places = range(8 - size + 1)
    for image, window in zip(images.numpy(), windows, strict=True):
        assert any((image[y : y + size, x : x + size] == window).all() for y in places for x in places)
    np.testing.assert_array_equal(windows, pixels.cropped(images, size, [seed, 0]))


def test_crops_of_a_batch_lie_in_different_places_and_reach_the_edges():
    ramp = tf.tile(tf.range(64.0)[None, :, None] + 100 * tf.range(64.0)[None, None], [64, 1, 1])
    ramp = tf.reshape(tf.transpose(ramp, [0, 2, 1]), (64, 64, 64, 1))[:, :8, :8]
    corners = {tuple(divmod(int(v), 100)) for v in pixels.cropped(ramp, 6, [3, 4])[:, 0, 0, 0].numpy()}
    assert corners == {(y, x) for y in range(3) for x in range(3)}


def test_centre_crop():
    image = tf.reshape(tf.range(25.0), (1, 5, 5, 1))
    np.testing.assert_array_equal(pixels.centre_cropped(image, 3)[0, :, :, 0], [[6, 7, 8], [11, 12, 13], [16, 17, 18]])
    np.testing.assert_array_equal(pixels.centre_cropped(image, 7), image)


def test_flips_mirror_some():
    images = noise(16)
    result = pixels.flipped(images, [1, 2]).numpy()
    mirrored = [(a[:, ::-1] == b).all() for a, b in zip(images.numpy(), result, strict=True)]
    assert 0 < sum(mirrored) < 16
    assert all(m or (a == b).all() for m, a, b in zip(mirrored, images.numpy(), result, strict=True))


def test_rotation_turns_about_the_centre_by_at_most_ten_degrees():
    size, radius = 101, 40
    image = np.full((64, size, size, 3), -1.0, np.float32)
    image[:, 48:53, 48 + radius : 53 + radius] = 1.0  # a spot to the right of the centre
    image[:, 49:52, 49:52] = 0.5
    turned = pixels.rotated(tf.constant(image), [1, 2]).numpy()
    np.testing.assert_allclose(turned[:, 50, 50], 0.5, atol=1e-4)
    weight = np.maximum(turned[:, :, 70:, 0] + 1, 0)
    y = (weight * np.arange(size)[:, None]).sum((1, 2)) / weight.sum((1, 2)) - 50
    x = (weight * np.arange(70, size)).sum((1, 2)) / weight.sum((1, 2)) - 50
    np.testing.assert_allclose(np.hypot(x, y), radius, atol=0.6)
    degrees = np.degrees(np.arctan2(y, x))
    assert -10.3 < degrees.min() < -7 and 7 < degrees.max() < 10.3
    black = pixels.rotated(tf.ones((8, 31, 31, 3)), [1, 2]).numpy()
    assert black.min() == pytest.approx(-1, abs=0.05) and (black[:, 15, 15] == 1).all()


def test_varied_images_are_moved_zoomed_and_lit_within_bounds():
    """A ramp along x shows all three: its slope is zoom x gain, where it crosses the middle the shift."""
    side = 33
    ramp = tf.broadcast_to((tf.range(side, dtype=tf.float32) - 16) / 40.0, (200, side, side))  # -0.4...0.4
    varied = pixels.varied(tf.repeat(ramp[..., None], 3, axis=3), [3, 4]).numpy()
    assert varied.shape == (200, side, side, 3) and np.abs(varied).max() <= 1
    levels = varied[:, 16, 12:21, 0] + 1  # of the light, 0 is black
    slope, middle = (levels[:, -1] - levels[:, 0]) / 8, levels[:, 4]
    # level(x) = gain * (1 + (zoom * (x - 16) + shift) / 40): gain and zoom * gain are between
    gain_low, gain_high = pixels.GAIN
    moved = pixels.SHIFT * side / 40
    assert (middle >= gain_low * (1 - moved) - 1e-5).all() and (middle <= gain_high * (1 + moved) + 1e-5).all()
    assert middle.min() < 0.6 and middle.max() > 1.0
    ratio = slope * 40 / middle  # zoom / (1 + shift / 40)
    assert (ratio > (1 - pixels.ZOOM) / (1 + moved) - 1e-4).all() and (ratio < (1 + pixels.ZOOM) / (1 - moved)).all()
    assert ratio.std() > 0.03
    np.testing.assert_array_equal(varied, pixels.varied(tf.repeat(ramp[..., None], 3, axis=3), [3, 4]))
    # what came into view at the border is mirrored, not black
    assert varied[:, :, 0].min() > gain_low * (1 - 0.4 - moved) - 1


def holes(images, chance, seed=1):
    """(images after erasing, bool [n, h, w] of what was erased); images of zeros, so that noise differs from them."""
    found = pixels.erased(images, chance, tf.constant([seed, 2])).numpy()
    return found, (found != 0).any(axis=3)


def test_erasing_takes_rectangles_of_the_published_sizes():
    found, hole = holes(tf.zeros((400, 60, 40, 3)), 1.0)
    rows, columns = hole.any(axis=2).sum(axis=1), hole.any(axis=1).sum(axis=1)
    assert (hole.sum(axis=(1, 2)) == rows * columns).all()  # rectangles, and one in each image
    area, ratio = rows * columns / 2400, rows / columns
    assert 0.01 < area.min() < 0.05 and 0.33 < area.max() < 0.43  # 0.02 to 0.4, but for whole pixels
    assert 0.2 < ratio.min() < 0.5 and 2.2 < ratio.max() < 4.5  # 0.3 to 1 / 0.3
    noise = found[hole]
    assert abs(noise.mean()) < 0.01 and -1 <= noise.min() < -0.99 and 0.99 < noise.max() <= 1
    assert noise.std() == pytest.approx(1 / 3**0.5, abs=0.01)
    tops = hole.any(axis=2).argmax(axis=1)
    assert tops.min() == 0 and (tops + rows).max() == 60  # up to every edge


def test_erasing_meets_its_chance_and_follows_its_seed():
    images = tf.zeros((1000, 8, 8, 3))
    found, hole = holes(images, 0.3)
    assert hole.any(axis=(1, 2)).mean() == pytest.approx(0.3, abs=0.05)
    assert (found == holes(images, 0.3)[0]).all() and (found != holes(images, 0.3, seed=2)[0]).any()
    assert not holes(images, 0.0)[1].any()
