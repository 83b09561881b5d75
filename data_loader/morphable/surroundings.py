"""What is around a head in its photograph: a sheet that turns with the head, and what is behind it.

The head mesh ends at the skin. Hair, ears and clothes are drawn from a sheet through the head's outline that bends
backwards around it, as the depth image of Zhu et al., CVPR 2016 (face profiling). All numbers are ours.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data_loader.morphable.camera import DISTANCE

REACH = 0.6  # how far around the crop the photograph is looked at, in sides of the crop
CELLS = 32  # of the sheet along a side of the crop
SLOPE = 1.0  # how fast the sheet falls back from the outline
SOLID, GONE = 0.12, 0.35  # distance from the outline, in sides, up to which the sheet is whole; where it ends
SOURCE = 96  # pixels along the side of the crop at which the outline is looked for


@dataclass(frozen=True)
class Sheet:
    """A mesh: points float32 [k, 3], turned as in the photograph; triangles int32 [t, 3]; values float32 [k, 3]: place
    in the picture, and how solid it is, 0 to 1."""

    points: np.ndarray
    triangles: np.ndarray
    values: np.ndarray


def around(view, camera):
    """The Sheet around a head.

    Args:
        view: camera.View of the head in SOURCE pixels a side, with REACH around the crop.
        camera: Perspective in fractions of the crop's side.
    """
    mask = view.mask > 0.5
    near_in, at_in = ndimage.distance_transform_edt(mask, return_indices=True)
    near_out, at_out = ndimage.distance_transform_edt(~mask, return_indices=True)
    rim = np.where(mask & (near_in <= 1.5), view.depth, 0)
    weight = ndimage.gaussian_filter((mask & (near_in <= 1.5)).astype(float), 3)
    smooth = ndimage.gaussian_filter(rim, 3) / np.maximum(weight, 1e-9)
    away = np.where(mask, -near_in, near_out) / SOURCE
    outline = np.where(mask, smooth[tuple(at_in)], smooth[tuple(at_out)])
    outline = ndimage.gaussian_filter(outline, 4)
    count = round((1 + 2 * REACH) * CELLS) + 1
    line = np.linspace(-REACH, 1 + REACH, count)
    places = np.stack(np.meshgrid(line, line), axis=-1)
    rows = np.clip(((places[..., ::-1] + REACH) * SOURCE).astype(int), 0, len(mask) - 1)
    away, depth = (ndimage.map_coordinates(values, rows.reshape(-1, 2).T, order=0) for values in (away, outline))
    z = -depth - SLOPE * np.maximum(away, 0) / camera.scale
    near = DISTANCE / (DISTANCE - z)
    x, y = places.reshape(-1, 2).T
    scale = camera.scale * near
    points = np.stack([(x - camera.centre[0]) / scale, (camera.centre[1] - y) / scale, z], axis=1)
    solid = np.clip((GONE - away) / (GONE - SOLID), 0, 1)
    solid = solid * solid * (3 - 2 * solid)
    rows = np.arange(count * count, dtype=np.int32).reshape(count, count)
    a, b, c, d = (part.ravel() for part in (rows[:-1, :-1], rows[1:, :-1], rows[1:, 1:], rows[:-1, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    kept = (solid[triangles] > 0).any(axis=1) & (away[triangles] > -0.1).any(axis=1)
    values = np.concatenate([places.reshape(-1, 2), solid[:, None]], axis=1)
    return Sheet(points.astype(np.float32), triangles[kept], values.astype(np.float32))


def background(view, picture, size):
    """The photograph without its head: float32 [size, size, 3], what lies behind filled smoothly from around.

    Args:
        view: as in `around`. picture: projection.Picture.
    """
    line = np.float32((np.arange(round((1 + 2 * REACH) * size)) + 0.5) / size - REACH)
    places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    away = ndimage.distance_transform_edt(view.mask <= 0.5) / SOURCE
    rows = np.clip(((places[:, ::-1] + REACH) * SOURCE).astype(int), 0, len(away) - 1)
    away = away[tuple(rows.T)]
    weight = np.clip((away - SOLID) / (GONE - SOLID), 1e-6, 1) * picture.inside(places)
    side = len(line)
    pixels, weight = picture(places).reshape(side, side, 3), weight.reshape(side, side)
    filled = np.zeros_like(pixels)
    for sigma in (0.5, 0.2, 0.08, 0.03, 0.01):
        share = ndimage.gaussian_filter(weight, sigma * size)
        smooth = np.stack([ndimage.gaussian_filter(weight * pixels[..., channel], sigma * size)
                           for channel in range(3)], axis=-1) / np.maximum(share, 1e-9)[..., None]
        trust = np.clip(share / 0.2, 0, 1)[..., None]
        filled += trust * (smooth - filled)
    filled += np.clip(weight, 0, 1)[..., None] * (pixels - filled)
    start = round(REACH * size)
    return filled[start:start + size, start:start + size]
