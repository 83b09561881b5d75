"""Triangles to pixels with a z-buffer. Numba compiles the loops when they are first called."""

from dataclasses import dataclass

import numpy as np
from numba import njit

# Strict IEEE arithmetic in a fixed order and no threads: the same bytes on every run.
compiled = njit(nogil=True, error_model="numpy")


@dataclass(frozen=True)
class Fragments:
    """What each covered pixel sees.

    Attributes:
        pixels: int64 [p], y * width + x, each at most once, ascending.
        triangles: int32 [p], row of the triangle seen there.
        weights: float32 [p, 3], barycentric coordinates in it.
        depth: float32 [p].
    """

    pixels: np.ndarray
    triangles: np.ndarray
    weights: np.ndarray
    depth: np.ndarray

    def interpolate(self, triangles, values):
        """Values float32 [m, c] at the vertices -> float32 [p, c] at the pixels; triangles int32 [t, 3]."""
        corners = triangles[self.triangles]
        result = values[corners[:, 0]] * self.weights[:, 0, None]
        for corner in (1, 2):
            result += values[corners[:, corner]] * self.weights[:, corner, None]
        return result


def rasterize(vertices, triangles, width, height, cull=True, perspective=False):
    """Fragments of the nearest triangle at the centre of each pixel; arguments as in `scan`."""
    seen, weights, depth = scan(vertices, triangles, width, height, cull, perspective)
    pixels = np.flatnonzero(seen >= 0)
    return Fragments(pixels, seen.ravel()[pixels], weights.reshape(-1, 3)[pixels], depth.ravel()[pixels])


def scan(vertices, triangles, width, height, cull=True, perspective=False):
    """Find the nearest triangle at the centre of each pixel.

    Args:
        vertices: float32 [m, 3]: x to the right and y down in pixels, the first pixel's centre at 0.5; z is depth,
            smaller is nearer.
        triangles: int32 [t, 3], rows of `vertices`.
        width, height: of the image.
        cull: leave out triangles that turn their back: those that are clockwise with y up.
        perspective: depth is -1 / (distance from the camera), times any constant, and the weights are asked for in
            space. Without, they are those on the screen, which are the same where all is projected in parallel.

    Returns:
        (triangle int32 [height, width], -1 where there is none; barycentric weights float32 [height, width, 3],
        0 there; depth float32 [height, width], inf there). A centre on an edge belongs to the triangle. Of triangles
        at equal depth, the first one wins. Triangles without area or with a corner that is no number are not seen.

    Raises:
        ValueError: a triangle has a corner that is no row of `vertices`.
    """
    vertices = np.ascontiguousarray(vertices, np.float32)
    triangles = _checked(triangles, len(vertices))
    return _scan(vertices, triangles, width, height, cull, perspective)


def average(seen, weights, triangles, values, block):
    """Mean of interpolated values over the block x block samples of each pixel; a sample of nothing counts as 0.

    Args:
        seen, weights: from `scan`, at block times the picture's width and height.
        triangles: int32 [t, 3]. values: float32 [m, c], at the vertices.

    Returns:
        float32 [height, width, c].
    """
    values = np.ascontiguousarray(values, np.float32)
    return _average(seen, weights, _checked(triangles, len(values)), values, block)


def average_textured(seen, weights, triangles, light, texels, texture, block):
    """Mean of texture times light plus highlight over the block x block samples of each pixel.

    Args:
        seen, weights, triangles, block: as in `average`.
        light: float32 [m, 6], at the vertices: a factor for red, green and blue, and what is added to each.
        texels: float32 [m, 2], x and y in the texture, 0 to its width and height; the texel there is taken as it is.
        texture: float32 [v, u, 3].

    Returns:
        float32 [height, width, 4]: red, green, blue, and the share of the pixel that is covered. What is not covered
        is black.
    """
    values = np.ascontiguousarray(np.concatenate([light, texels], axis=1), np.float32)
    texture = np.ascontiguousarray(texture, np.float32)
    return _average_textured(seen, weights, _checked(triangles, len(values)), values, texture, block)


def vertex_normals(points, triangles):
    """Smooth unit normals float32 [n, 3] of points [n, 3]: the sum over the triangles at each, weighted by area.

    Triangles int32 [t, 3] are counter-clockwise as seen from outside. Zero where no triangle touches a point.
    """
    points = np.ascontiguousarray(points, np.float32)
    return _vertex_normals(points, _checked(triangles, len(points)))


def _checked(triangles, count):
    """Triangles as the loops want them, who read whatever lies at the rows they are given."""
    triangles = np.ascontiguousarray(triangles, np.int32)
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < count:
        raise ValueError(f"triangles name vertices {triangles.min()} to {triangles.max()} of {count}")
    return triangles


@compiled
def _scan(vertices, triangles, width, height, cull, perspective):
    seen = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 3), np.float32)
    depth = np.full((height, width), np.inf, np.float32)
    for row in range(len(triangles)):
        a, b, c = vertices[triangles[row, 0]], vertices[triangles[row, 1]], vertices[triangles[row, 2]]
        # float64: differences of float32 and their products are exact, so that neighbours agree on their edge
        ax, ay, az = np.float64(a[0]), np.float64(a[1]), np.float64(a[2])
        bx, by, bz = np.float64(b[0]), np.float64(b[1]), np.float64(b[2])
        cx, cy, cz = np.float64(c[0]), np.float64(c[1]), np.float64(c[2])
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0 or (cull and area > 0):
            continue
        left, top = max(np.ceil(min(ax, bx, cx) - 0.5), 0.0), max(np.ceil(min(ay, by, cy) - 0.5), 0.0)
        right = min(np.floor(max(ax, bx, cx) - 0.5), width - 1.0)
        bottom = min(np.floor(max(ay, by, cy) - 0.5), height - 1.0)
        if not (left <= right and top <= bottom):
            continue
        scale = 1 / area
        if area < 0:  # turned round, so that all three shares are positive inside
            ax, ay, az, bx, by, bz, scale = bx, by, bz, ax, ay, az, -scale
        for y in range(int(top), int(bottom) + 1):
            py = y + 0.5
            edge_a, edge_b, edge_c = (cx - bx) * (py - by), (ax - cx) * (py - cy), (bx - ax) * (py - ay)
            for x in range(int(left), int(right) + 1):
                px = x + 0.5
                of_a, of_b = edge_a - (cy - by) * (px - bx), edge_b - (ay - cy) * (px - cx)
                of_c = edge_c - (by - ay) * (px - ax)
                if of_a >= 0 and of_b >= 0 and of_c >= 0:
                    of_a, of_b, of_c = of_a * scale, of_b * scale, of_c * scale
                    here = of_a * az + of_b * bz + of_c * cz
                    if np.float32(here) < depth[y, x]:
                        depth[y, x], seen[y, x] = here, row
                        if perspective:
                            of_a, of_b, of_c = of_a * az / here, of_b * bz / here, of_c * cz / here
                        if area < 0:
                            of_a, of_b = of_b, of_a
                        weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = of_a, of_b, of_c
    return seen, weights, depth


@compiled
def _average(seen, weights, triangles, values, block):
    channels = values.shape[1]
    result = np.zeros((seen.shape[0] // block, seen.shape[1] // block, channels), np.float32)
    share = np.float32(1 / (block * block))
    for y in range(result.shape[0] * block):
        for x in range(result.shape[1] * block):
            if seen[y, x] >= 0:
                a, b, c = triangles[seen[y, x]]
                of_a, of_b, of_c = weights[y, x, 0] * share, weights[y, x, 1] * share, weights[y, x, 2] * share
                for channel in range(channels):
                    result[y // block, x // block, channel] += (
                        of_a * values[a, channel] + of_b * values[b, channel] + of_c * values[c, channel])
    return result


@compiled
def _average_textured(seen, weights, triangles, values, texture, block):
    result = np.zeros((seen.shape[0] // block, seen.shape[1] // block, 4), np.float32)
    share = np.float32(1 / (block * block))
    here = np.empty(8, np.float32)
    for y in range(result.shape[0] * block):
        for x in range(result.shape[1] * block):
            if seen[y, x] >= 0:
                a, b, c = triangles[seen[y, x]]
                of_a, of_b, of_c = weights[y, x, 0], weights[y, x, 1], weights[y, x, 2]
                for value in range(8):
                    here[value] = of_a * values[a, value] + of_b * values[b, value] + of_c * values[c, value]
                u = min(max(int(here[6]), 0), texture.shape[1] - 1)
                v = min(max(int(here[7]), 0), texture.shape[0] - 1)
                pixel = result[y // block, x // block]
                for channel in range(3):
                    pixel[channel] += share * (texture[v, u, channel] * here[channel] + here[channel + 3])
                pixel[3] += share
    return result


@compiled
def _vertex_normals(points, triangles):
    normals = np.zeros((len(points), 3), np.float64)
    for row in range(len(triangles)):
        a, b, c = points[triangles[row, 0]], points[triangles[row, 1]], points[triangles[row, 2]]
        ux, uy, uz = np.float64(b[0]) - a[0], np.float64(b[1]) - a[1], np.float64(b[2]) - a[2]
        vx, vy, vz = np.float64(c[0]) - a[0], np.float64(c[1]) - a[1], np.float64(c[2]) - a[2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in range(3):
            total = normals[triangles[row, corner]]
            total[0], total[1], total[2] = total[0] + nx, total[1] + ny, total[2] + nz
    result = np.zeros((len(points), 3), np.float32)
    for row in range(len(points)):
        x, y, z = normals[row]
        length = max(np.sqrt(x * x + y * y + z * z), 1e-12)
        result[row, 0], result[row, 1], result[row, 2] = x / length, y / length, z / length
    return result
