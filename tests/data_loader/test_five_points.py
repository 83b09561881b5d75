"""ArcFace's crop: where five points come to lie, by hand and against least squares."""

import numpy as np
import pytest

from data_loader import five_points
from data_loader.five_points import TEMPLATE, cut, of_landmarks, place


def ramps(height, width):
    """Red is a pixel's x, green its y."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(width), np.arange(height)[:, None]
    return pixels


def moved(scale, degrees, shift):
    """The template's points, pixel centres at 0.5, scaled, turned clockwise and shifted: complex and as [5, 2]."""
    points = (TEMPLATE + 0.5) @ (1, 1j) * scale * np.exp(1j * np.radians(degrees)) + shift
    return points, np.stack([points.real, points.imag], axis=1)


def test_five_of_68():
    landmarks = np.arange(136.0).reshape(68, 2)
    expected = [(77, 78), (89, 90), (60, 61), (96, 97), (108, 109)]  # means of 36 to 41 and 42 to 47; 30, 48, 54
    np.testing.assert_array_equal(of_landmarks(landmarks), expected)


def test_a_face_that_fits_comes_to_lie_where_its_points_are_known():
    """Scaled by 1.5, turned by 20 degrees: what the crop shows at a point is the photograph's own place of it."""
    points, pairs = moved(1.5, 20, 60 + 10j)
    x, y, *across = place(pairs)
    np.testing.assert_allclose(np.hypot(*across), 1.5 * 112)
    np.testing.assert_allclose(np.degrees(np.arctan2(*across[::-1])), 20)
    centre = (56 + 56j) * 1.5 * np.exp(1j * np.radians(20)) + 60 + 10j
    np.testing.assert_allclose([x, y], [centre.real, centre.imag])
    crop = cut(ramps(250, 250), place(pairs)).astype(float)
    assert crop.shape == (112, 112, 3)
    for (column, row), there in zip(TEMPLATE.round().astype(int), moved(1.5, 20, 60 + 10j)[0], strict=True):
        at = (column + 0.5 + (row + 0.5) * 1j) * 1.5 * np.exp(1j * np.radians(20)) + 60 + 10j - 0.5 - 0.5j
        assert abs(crop[row, column, 0] - at.real) < 1.01 and abs(crop[row, column, 1] - at.imag) < 1.01
        assert abs(at - there) < 2


def test_a_crop_in_place_is_the_photograph():
    _, pairs = moved(1.0, 0, 0)
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    assert abs(cut(pixels, place(pairs)).astype(int) - pixels).max() <= 1


def test_other_sizes_show_the_same():
    _, pairs = moved(2.0, -10, 5 + 30j)
    small, large = (cut(ramps(250, 250), place(pairs), size).astype(float) for size in (28, 112))
    inside = np.s_[4:-4, 4:-4]
    np.testing.assert_allclose(small[inside], large.reshape(28, 4, 28, 4, 3).mean(axis=(1, 3))[inside], atol=1)


def test_points_that_fit_badly_are_nearest_in_the_crop():
    """The similarity of least squares from photograph to template, solved as four linear unknowns."""
    points = moved(1.3, 12, 40 + 20j)[1] + np.random.default_rng(1).normal(0, 6, (5, 2))
    rows = [[x, -y, 1, 0] for x, y in points] + [[y, x, 0, 1] for x, y in points]
    a, b, dx, dy = np.linalg.lstsq(np.array(rows), (TEMPLATE + 0.5).T.ravel(), rcond=None)[0]
    inverse = np.linalg.inv([[a, -b], [b, a]])
    expected = [*(inverse @ (56 - dx, 56 - dy)), *(inverse @ (112, 0))]
    np.testing.assert_allclose(place(points), expected, rtol=1e-9)


def test_what_lies_outside_is_black():
    _, pairs = moved(1.0, 0, -56 - 56j)
    crop = cut(np.full((112, 112, 3), 200, np.uint8), place(pairs))
    assert (crop[:, :56] == 0).all() and (crop[:56] == 0).all() and (crop[56:, 56:] == 200).all()


def test_one_place_is_no_face():
    with pytest.raises(ValueError, match="in one place"):
        place(np.full((5, 2), 7.0))
    assert five_points.SIZE == 112
