"""Face chips against dlib's own, and the differentiable cut against the exact one."""

import dlib
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from data_loader import chips


def detection(points):
    """dlib's record of 68 whole-numbered points, the first pixel's centre at 0."""
    points = dlib.points([dlib.point(int(x), int(y)) for x, y in points])
    return dlib.full_object_detection(dlib.rectangle(0, 0, 9, 9), points)


def face(x=60, y=70, width=50, turn=0.2):
    """68 points about dlib's mean face, somewhere in a picture: whole numbers, float64 [68, 2]."""
    points = np.tile(chips.MEAN_FACE.mean(axis=0), (68, 1))
    points[chips.USED] = chips.MEAN_FACE
    points = (points - 0.5) * width @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.rint(points + (x, y) + np.random.default_rng(0).normal(0, 1, (68, 2)))


def smooth(height, width):
    coarse = np.random.default_rng(1).uniform(0, 255, (1, 8, 8, 3))
    return tf.image.resize(coarse, (height, width), "bicubic")[0].numpy().clip(0, 255).astype(np.uint8)


def test_the_mean_face_is_dlibs():
    """Measured as data_loader/chips.py says: one point at a time far off the origin, all others on it."""
    far = 10**8
    across, middles = np.zeros((68, 2)), np.zeros((68, 2))
    for number in range(68):
        points = np.zeros((68, 2))
        points[number] = far, 0
        details = dlib.get_face_chip_details(detection(points), chips.SIZE, chips.PADDING)
        rect = details.rect
        scale = (rect.right() - rect.left() + 1) / chips.SIZE / far
        across[number] = scale * np.cos(details.angle), scale * np.sin(details.angle)
        middles[number] = (rect.left() + rect.right()) / 2 / far, (rect.top() + rect.bottom()) / 2 / far
    used = np.flatnonzero(np.abs(across).max(axis=1) > 1e-9)
    assert used.tolist() == chips.USED.tolist()
    weights = across[used] * (1, -1)
    offsets = weights / (weights**2).sum()  # of each point from the middle of all, in pixels of the chip
    (a, b), first = across[used[0]], middles[used[0]] - (1 / len(used), 0)
    middle = chips.SIZE / 2 - np.linalg.solve([[a, -b], [b, a]], first)
    mean_face = (offsets + middle) / chips.SIZE * (1 + 2 * chips.PADDING) - chips.PADDING
    np.testing.assert_allclose(mean_face, chips.MEAN_FACE, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_any_points_are_placed_as_dlib_places_them(seed):
    points = np.random.default_rng(seed).integers(0, 400, (2, 68, 2))
    for found, one in zip(chips.place(points + 0.5), points, strict=True):
        details = dlib.get_face_chip_details(detection(one), chips.SIZE, chips.PADDING)
        rect, angle = details.rect, details.angle
        side = rect.right() - rect.left() + 1
        middle = (rect.left() + rect.right() + 1) / 2, (rect.top() + rect.bottom() + 1) / 2
        np.testing.assert_allclose(found, [*middle, side * np.cos(angle), side * np.sin(angle)], atol=1e-6)


@pytest.mark.parametrize("width", [50, 400])  # 400: from an image pyramid
def test_the_exact_cut_is_dlibs(width):
    pixels, points = smooth(3 * width, 2 * width), face(width, 1.4 * width, width)
    theirs = dlib.get_face_chip(pixels, detection(points))
    assert (chips.cut(pixels, chips.place(points + 0.5)) == theirs).all()


@pytest.mark.parametrize(("turn", "size"), [(0.0, 150), (0.4, 150), (-1.2, 160)])
def test_the_differentiable_cut_is_the_exact_one_to_a_grey_level(turn, size):
    pixels = np.stack([smooth(200, 200), smooth(200, 200)[::-1]])
    places = chips.place(np.stack([face(100, 100, 60, turn), face(90, 110, 80, -turn)]) + 0.5)
    where = tf.constant(chips.fractions(places, 200), tf.float32)
    cut = chips.cut_differentiably(tf.constant(pixels, tf.float32), where, size)
    exact = np.stack([chips.cut(image, at, size) for image, at in zip(pixels, places, strict=True)])
    assert exact.std() > 20
    difference = cut - exact
    assert -0.01 < difference.numpy().min() and difference.numpy().max() < 1.01  # dlib rounds down


def test_what_lies_outside_is_black():
    places = tf.constant([[0.0, 0.5, 1.0, 0.0]])
    cut = chips.cut_differentiably(tf.fill([1, 40, 40, 3], 200.0), places)[0].numpy()
    assert (cut[:, :70] == 0).all() and (cut[10:-10, 80:] == 200).all()


@pytest.mark.parametrize("side", [31, 64])
def test_the_gradient_is_the_cuts_own(side):
    """The cut is linear: whatever weighs its pixels, image times gradient is the weighed sum."""
    rng = np.random.default_rng(2)
    images = tf.constant(rng.uniform(0, 1, (2, side, side, 3)), tf.float32)
    weights = tf.constant(rng.uniform(0, 1, (2, 150, 150, 3)), tf.float32)
    places = tf.constant([[0.5, 0.5, 0.9, 0.1], [0.6, 0.4, 1.2, -0.3]])
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(weights * chips.cut_differentiably(images, places))
    gradient = tape.gradient(total, images)
    assert float(tf.reduce_sum(gradient * images)) == pytest.approx(float(total), rel=1e-4)
    assert float(gradient[0].numpy().std()) > 0


def test_the_fixed_place_is_that_of_our_renders(tmp_path):
    """The mean over renders as `render` frames them by itself."""
    import main
    from data_loader import folders
    from data_loader.face_places import known_places

    words = f"render --data_dir {tmp_path} --syn_dataset syn --n_id 4 --images_per_id 2 --syn_scale_size 16".split()
    assert main.main([*words, "--num_worker", "1"]) == 0
    places = known_places(folders.index_images(tmp_path / "syn", tmp_path / "cache"), "chip")
    np.testing.assert_allclose(places.mean(axis=0), chips.FIXED, atol=0.06)
    assert np.abs(places.std(axis=0)).max() < 0.15
