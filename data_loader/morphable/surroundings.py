"""What is around a head in its photograph: a sheet that turns with the head, and what is behind it.

The head mesh ends at the skin. Hair, ears and clothes are drawn from a sheet through the head's outline that bends
backwards around it, as the depth image of Zhu et al., CVPR 2016 (face profiling). All numbers are ours.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data_loader.morphable.camera import DISTANCE
from data_loader.morphable.outline import REACH, SOURCE, grid_places
from data_loader.morphable.projection import Picture

CELLS = 32  # of the sheet along a side of the crop
SLOPE = 1.0  # how fast the sheet falls back from the outline
COARSE = 2  # pixels of the outline's picture in one of what the background is filled in
CLEAR = 0.02  # distance from head and hair, in sides of the crop, that the background is not seen in
SOLID, GONE = 0.12, 0.35  # distance from the outline, in sides, up to which the sheet is whole; where it ends


@dataclass(frozen=True)
class Sheet:
    """A mesh: points float32 [k, 3], turned as in the photograph; triangles int32 [t, 3]; values float32 [k, 3]: place
    in the picture, and how solid it is there at most, 0 to 1; person: Picture of how solid what it shows is."""

    points: np.ndarray
    triangles: np.ndarray
    values: np.ndarray
    person: Picture

    def solid(self, values):
        """float32 [k, 1], how solid the sheet is at values [k, 3] between its points."""
        return values[:, 2:] * self.person(values[:, :2])[:, :1]


def around(view, camera, share):
    """The Sheet around a head.

    Args:
        view: camera.View of the head in SOURCE pixels a side, with REACH around the crop.
        camera: Perspective in fractions of the crop's side.
        share: what outline.person_in gave.
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
    share = ndimage.minimum_filter(np.where(mask, share[tuple(at_in)], share), 3)
    person = Picture.of(np.clip(share / 0.4 - 1.25, 0, 1), -REACH, SOURCE)
    away, depth = (values[tuple(rows.reshape(-1, 2).T)] for values in (away, outline))
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
    return Sheet(points.astype(np.float32), triangles[kept], values.astype(np.float32), person)


def background(view, picture, size, share):
    """The photograph without its head: float32 [size, size, 3], what lies behind filled smoothly from around.

    Args:
        view, share: as in `around`. picture: projection.Picture.
    """
    places = grid_places()[::COARSE, ::COARSE]
    hidden = ndimage.gaussian_filter(np.maximum(share, view.mask), 1) > 0.05
    clear = np.clip((ndimage.distance_transform_edt(~hidden) / SOURCE - CLEAR) / CLEAR, 0, 1)
    clear = Picture.of(clear, -REACH, SOURCE)
    flat, shape = places.reshape(-1, 2), places.shape[:2]
    weight = (clear(flat)[:, 0] * picture.inside(flat)).reshape(shape) + 1e-6  # where all is hidden
    filled = Picture(_filled(picture(flat).reshape(*shape, 3), weight), (-REACH - 0.5 * (COARSE - 1) / SOURCE,) * 2,
                     (SOURCE / COARSE,) * 2)
    line = np.float32((np.arange(size) + 0.5) / size)
    places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    result, shown = filled(places), clear(places)[:, :1] * picture.inside(places)[:, None]
    return (result + shown * (picture(places) - result)).reshape(size, size, 3)


def _filled(pixels, weight):
    """Pixels float32 [h, w, 3], smoothly filled from all around where weight [h, w], 0 to 1, is low."""
    filled = np.broadcast_to((pixels * weight[..., None]).sum(axis=(0, 1)) / weight.sum(), pixels.shape)
    for sigma in (0.5, 0.2, 0.08, 0.03, 0.015):
        sigma *= SOURCE / COARSE
        share = ndimage.gaussian_filter(weight, sigma)
        smooth = ndimage.gaussian_filter(weight[..., None] * pixels, (sigma, sigma, 0))
        smooth /= np.maximum(share, 1e-9)[..., None]
        filled = filled + np.clip(share / 0.2, 0, 1)[..., None] * (smooth - filled)
    return filled.astype(np.float32)
