"""Triangles to pixels with a z-buffer, in NumPy without a loop over triangles or pixels."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fragments:
    """What each covered pixel sees.

    Attributes:
        pixels: int32 [p], y * width + x, each at most once.
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


def rasterize(vertices, triangles, width, height, cull=True):
    """Find the nearest triangle at the centre of each pixel.

    Args:
        vertices: float32 [m, 3]: x to the right and y down in pixels, the first pixel's centre at 0.5; z is depth,
            smaller is nearer.
        triangles: int32 [t, 3].
        width, height: of the image.
        cull: leave out triangles that turn their back: those that are clockwise with y up.

    Returns:
        Fragments. Of triangles at equal depth, the first one wins.
    """
    corners = vertices[triangles]  # [t, 3, 3]
    low = np.maximum(np.ceil(corners[:, :, :2].min(axis=1) - 0.5), 0).astype(np.int32)
    high = np.minimum(np.ceil(corners[:, :, :2].max(axis=1) - 0.5), (width, height)).astype(np.int32)
    extent = high - low
    (ax, ay, _), (bx, by, _), (cx, cy, _) = corners.transpose(1, 2, 0)
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    keep = (extent > 0).all(axis=1) & ((area < 0) if cull else (area != 0))
    kept = np.flatnonzero(keep).astype(np.int32)
    row, x, y = _candidates(low[kept], extent[kept])
    planes = _planes(corners[kept], area[kept], low[kept])  # [3 values][3 coefficients, k]
    weight_1, weight_2 = (_at(planes[value], row, x, y) for value in (0, 1))
    inside = np.flatnonzero((weight_1 >= 0) & (weight_2 >= 0) & (weight_1 + weight_2 <= 1))
    row, x, y, weight_1, weight_2 = (array[inside] for array in (row, x, y, weight_1, weight_2))
    depth = _at(planes[2], row, x, y)
    pixels = (y + low[kept, 1][row]) * np.int32(width) + x + low[kept, 0][row]
    seen = _nearest(pixels, depth, width * height)
    weight_1, weight_2 = weight_1[seen], weight_2[seen]
    weights = np.stack([1 - weight_1 - weight_2, weight_1, weight_2], axis=1)
    return Fragments(pixels[seen], kept[row[seen]], weights, depth[seen])


def _candidates(low, extent):
    """Every pixel of every bounding box: (row of the box, x, y), x and y counted from the box's corner."""
    counts = extent[:, 0] * extent[:, 1]
    row = np.repeat(np.arange(len(low), dtype=np.int32), counts)
    offset = np.arange(len(row), dtype=np.int32) - np.repeat(np.cumsum(counts, dtype=np.int32) - counts, counts)
    span = extent[:, 0][row]
    y = offset // span
    return row, offset - y * span, y


def _at(plane, row, x, y):
    """A plane's value at each candidate: a x + b y + c."""
    return plane[0][row] * x + plane[1][row] * y + plane[2][row]


def _planes(corners, area, low):
    """Weights of corners 1 and 2 and the depth as planes a x + b y + c over the box's own pixels: float32 [3, 3, k]."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners.transpose(1, 2, 0).astype(np.float64)
    area = area.astype(np.float64)
    weight_1 = np.stack([cy - ay, ax - cx], axis=1) / area[:, None]
    weight_2 = np.stack([ay - by, bx - ax], axis=1) / area[:, None]
    slopes = np.stack([weight_1, weight_2,
                       weight_1 * (bz - az)[:, None] + weight_2 * (cz - az)[:, None]], axis=1)  # [k, 3, 2]
    start = np.stack([low[:, 0] + 0.5 - ax, low[:, 1] + 0.5 - ay], axis=1)
    constant = (slopes * start[:, None, :]).sum(axis=2)
    constant[:, 2] += az
    return np.ascontiguousarray(np.concatenate([slopes, constant[:, :, None]], axis=2).transpose(1, 2, 0), np.float32)


def _nearest(pixels, depth, count):
    """Rows int [p] of the nearest fragment of each pixel that has any, in the order of the pixels."""
    if not len(pixels):
        return np.zeros(0, np.int64)
    low, high = float(depth.min()), float(depth.max())
    level = ((depth - low) * ((2 ** 30) / max(high - low, 1e-20))).astype(np.int64)
    key = (level << 32) | np.arange(len(pixels))
    nearest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(nearest, pixels, key)
    nearest = nearest[nearest != np.iinfo(np.int64).max]
    return nearest & 0xFFFFFFFF
