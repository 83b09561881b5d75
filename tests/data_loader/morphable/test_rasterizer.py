import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loader.morphable.camera import Perspective, View, WeakPerspective
from data_loader.morphable.rasterizer import average, average_textured, rasterize, scan, vertex_normals


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


def test_the_first_of_equals_wins_and_what_is_no_triangle_is_not_seen():
    corners = [(0, 0, 1), (0, 9, 1), (9, 0, 1)]
    line, unknown = [(0, 0, 0), (4, 4, 0), (8, 8, 0)], [(0, 0, 0), (0, 9, np.nan), (9, 0, 0)]
    far_out = [(np.nan, 0, 0), (0, np.inf, 0), (9, 0, 0)]
    seen, weights, depth = scan(*mesh(line, far_out, unknown, corners, corners), 9, 9)
    assert set(np.unique(seen)) == {-1, 3} and np.isinf(depth[seen < 0]).all() and not weights[seen < 0].any()
    with pytest.raises(ValueError, match="vertices 0 to 3 of 3"):
        scan(np.zeros((3, 3)), [[0, 1, 3]], 9, 9)
    with pytest.raises(ValueError, match="vertices -1"):
        scan(np.zeros((3, 3)), [[0, 1, -1]], 9, 9)


def test_neighbours_share_their_edge_without_a_hole():
    grid = np.stack(np.meshgrid(np.arange(13.0), np.arange(13.0)), axis=2).reshape(-1, 2) / 3 * 8.1 - 1
    first = (np.arange(12)[:, None] * 13 + np.arange(12)).ravel()
    triangles = np.stack([first, first + 13, first + 1, first + 1, first + 13, first + 14], axis=1).reshape(-1, 3)
    for angle in np.linspace(0, 1.5, 7):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        vertices = np.concatenate([(grid - 15) @ turn + 15, np.ones((169, 1))], axis=1)
        seen, weights, _ = scan(vertices, triangles, 30, 30)
        assert (seen[6:24, 6:24] >= 0).all()
        np.testing.assert_allclose(weights[6:24, 6:24].sum(axis=2), 1, atol=1e-6)


def test_averages_count_what_is_covered():
    vertices, triangles = mesh([(0, 0, 1), (0, 4, 1), (4, 0, 1)])  # 10 of 16 centres
    seen, weights, _ = scan(vertices, triangles, 4, 4)
    cover = average(seen, weights, triangles, np.ones((3, 1)), 2)
    np.testing.assert_array_equal(cover[..., 0], [[1, 0.75], [0.75, 0]])
    x = average(seen, weights, triangles, vertices, 2)[..., 0]
    np.testing.assert_allclose(x, [[1, (2.5 + 3.5 + 2.5) / 4], [(0.5 + 1.5 + 0.5) / 4, 0]], atol=1e-6)


def test_texture_is_lit_texel_by_texel():
    vertices, triangles = mesh([(-9, -9, 1), (-9, 30, 1), (30, -9, 1)])
    seen, weights, _ = scan(vertices, triangles, 4, 4)
    texture = np.float32([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 1, 1]]])
    light = np.tile(np.float32([2, 3, 4, 0.5, 0, 0]), (3, 1))
    texels = vertices[:, :2] / 2  # x and y on the screen, half as large
    picture = average_textured(seen, weights, triangles, light, texels, texture, 2)
    np.testing.assert_allclose(picture, [[[2.5, 0, 0, 1], [0.5, 3, 0, 1]], [[0.5, 0, 4, 1], [2.5, 3, 4, 1]]], atol=1e-6)
    outside = average_textured(seen, weights, triangles, light, texels + 50, texture, 2)
    np.testing.assert_allclose(outside[0, 0], [2.5, 3, 4, 1], atol=1e-6)  # the texture's last texel


def test_normals_are_weighted_by_area():
    points = np.float32([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 3), (9, 9, 9)])
    normals = vertex_normals(points, [[0, 1, 2], [0, 2, 3]])  # areas 1/2 to +z and 3/2 to +x
    np.testing.assert_allclose(normals[0], np.array([3, 0, 1]) / np.sqrt(10), atol=1e-6)
    np.testing.assert_allclose(normals[[1, 3, 4]], [(0, 0, 1), (1, 0, 0), (0, 0, 0)], atol=1e-6)


def lumpy_ball():
    ball = trimesh.creation.icosphere(3)
    radius = 1.2 + 0.5 * np.random.default_rng(0).random(len(ball.vertices))
    return (ball.vertices * radius[:, None]).astype(np.float32), ball.faces


def shards():
    points = np.random.default_rng(1).uniform(-2, 2, (60, 1, 3)) + np.random.default_rng(2).normal(0, 0.7, (60, 3, 3))
    return points.reshape(-1, 3).astype(np.float32), np.arange(180).reshape(-1, 3)


@pytest.mark.parametrize("camera", [WeakPerspective(9.0, (20, 18)), Perspective(9.0, (20, 18), 5.0)])
@pytest.mark.parametrize("shape", [lumpy_ball, shards])
def test_sees_what_the_rays_of_another_renderer_hit(camera, shape):
    points, triangles = shape()
    # from outside a closed mesh, the nearest triangle never turns its back
    view = View(camera, points, triangles, 40, 36, oversample=1, cull=shape is lumpy_ball)
    x, y = np.meshgrid(np.arange(40) + 0.5, np.arange(36) + 0.5)
    aim = np.stack([(x - 20) / 9, (18 - y) / 9, np.zeros_like(x)], axis=2).reshape(-1, 3)  # the pixels where z is 0
    start = np.tile([0, 0, 5.0], (len(aim), 1)) if camera.perspective else aim + (0, 0, 5.0)
    other = trimesh.Trimesh(points, triangles, process=False)
    row, ray, place = other.ray.intersects_id(start, aim - start, multiple_hits=False, return_locations=True)
    expected = np.full(len(aim), -1)
    expected[ray] = row
    seen, weights, depth = view.triangle.ravel(), view.weights.reshape(-1, 3), view.depth.ravel()
    assert (seen == expected).mean() > 0.995  # centres on an edge may fall on either side
    same = seen[ray] == row
    assert same.sum() > 300
    np.testing.assert_allclose(depth[ray[same]], -place[same, 2], atol=1e-4)
    shares = trimesh.triangles.points_to_barycentric(other.triangles[row[same]], place[same])
    np.testing.assert_allclose(weights[ray[same]], shares, atol=1e-3)
