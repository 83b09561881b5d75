import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loader.morphable.rasterizer import rasterize


def mesh(*triangles):
    """Vertices and triangles, corners turned so that they face the viewer (y is down)."""
    return np.array(triangles, np.float32).reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3)


def depth_image(fragments, width, height):
    image = np.full(width * height, np.nan)
    image[fragments.pixels] = fragments.depth
    return image.reshape(height, width)


def test_triangle_covers_the_pixels_whose_centres_it_holds():
    vertices, triangles = mesh([(0, 0, 1), (0, 4, 1), (4, 0, 1)])
    covered = ~np.isnan(depth_image(rasterize(vertices, triangles, 5, 4), 5, 4))
    # centres on the long edge, x + y = 4, belong to it
    np.testing.assert_array_equal(covered, [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])


def test_values_are_interpolated_as_planes():
    vertices, triangles = mesh([(-3, -2, 1), (-3, 20, 3), (20, -2, 5)])
    fragments = rasterize(vertices, triangles, 6, 5)
    x, y = fragments.pixels % 6 + 0.5, fragments.pixels // 6 + 0.5
    position = fragments.interpolate(triangles, vertices)
    np.testing.assert_allclose(position[:, 0], x, atol=1e-5)
    np.testing.assert_allclose(position[:, 1], y, atol=1e-5)
    np.testing.assert_allclose(position[:, 2], fragments.depth, atol=1e-5)
    assert len(fragments.pixels) == 30


def test_the_nearer_triangle_is_seen_in_any_order():
    far, near = [(0, 0, 5), (0, 9, 5), (9, 0, 5)], [(0, 0, 1), (0, 5, 1), (5, 0, 1)]
    for triangles in ((far, near), (near, far)):
        image = depth_image(rasterize(*mesh(*triangles), 9, 9), 9, 9)
        assert image[0, 0] == 1 and image[0, 7] == 5 and np.isnan(image[8, 8])


def test_crossing_triangles_are_parted_pixel_by_pixel():
    rising, falling = [(0, 0, 0), (0, 16, 0), (16, 0, 16)], [(0, 0, 8), (0, 16, 8), (16, 0, -8)]
    image = depth_image(rasterize(*mesh(rising, falling), 16, 2), 16, 2)
    x = np.arange(12) + 0.5
    np.testing.assert_allclose(image[0, :12], np.minimum(x, 8 - x), atol=1e-5)


def test_backs_are_left_out_unless_asked_for():
    vertices, triangles = mesh([(0, 0, 1), (4, 0, 1), (0, 4, 1)])
    assert len(rasterize(vertices, triangles, 4, 4).pixels) == 0
    assert len(rasterize(vertices, triangles, 4, 4, cull=False).pixels) == 10


def test_nothing_in_the_frame_gives_nothing():
    vertices, triangles = mesh([(50, 50, 1), (50, 54, 1), (54, 50, 1)], [(-9, -9, 1), (-9, -8, 1), (-8, -9, 1)])
    assert len(rasterize(vertices, triangles, 8, 8).pixels) == 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2 ** 32 - 1), count=st.integers(1, 12))
def test_equals_a_plain_loop_over_triangles_and_pixels(seed, count):
    random = np.random.default_rng(seed)
    corners = random.uniform(-4, 14, (count, 3, 3)).astype(np.float32)
    image = depth_image(rasterize(*mesh(*corners), 11, 9, cull=False), 11, 9)
    expected = np.full((9, 11), np.inf)
    unclear = np.zeros((9, 11), bool)  # centres within rounding of an edge may fall on either side
    for a, b, c in corners.astype(np.float64):
        for y in range(9):
            for x in range(11):
                matrix = np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]])
                weights = np.linalg.solve(matrix, [x + 0.5, y + 0.5, 1])
                unclear[y, x] |= np.abs(weights).min() < 1e-3
                if (weights >= 0).all():
                    expected[y, x] = min(expected[y, x], weights @ [a[2], b[2], c[2]])
    expected[np.isinf(expected)] = np.nan
    np.testing.assert_allclose(image[~unclear], expected[~unclear], atol=1e-3)
