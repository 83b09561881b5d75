"""What is around a head in its photograph: a sheet that turns with the head, and what is behind it.

The head mesh ends at the skin. Hair, ears and clothes are drawn from a sheet through the head's outline that bends
backwards around it, as the depth image of Zhu et al., CVPR 2016 (face profiling). All numbers are ours.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data_loader.morphable.camera import DISTANCE
from data_loader.morphable.outline import REACH, SOURCE, grid_places, inner
from data_loader.morphable.projection import Picture

CELLS = 32  # of the sheet along a side of the crop
SLOPE = 1.0  # how fast the sheet falls back from the outline
COARSE = 2  # pixels of the outline's picture in one of what the background is filled in
CLEAR = 0.02  # distance from head and hair, in sides of the crop, that the background is not seen in
# Next to the outline a fit may be off: what is nearer in the photograph than the first is not drawn over the head.
LOOSE = (0.02, 0.06)
SURE = (0.5, 0.9)  # share of the person from which a pixel is drawn, and from which it hides what is behind
WITHIN = 0.1  # how far the sheet goes on behind the head, in sides of the crop
FAINT = 1e-2  # what a doubtful pixel counts for, against a clear one
BODY = 0.15  # height above the chin, in sides of the crop, from which down clothes may be seen
GRAIN = 0.03  # what is finer than this, in sides of the crop, is texture of the background
SOLID, GONE = 0.12, 0.35  # distance from the outline, in sides, up to which the sheet is whole; where it ends


@dataclass(frozen=True)
class Sheet:
    """A mesh: points float32 [k, 3], turned as in the photograph; triangles int32 [t, 3]; values float32 [k, 4]: place
    in the picture, how solid it is there at most, and how much of that is left in front of the head, 0 to 1; person:
    Picture of how solid what it shows is."""

    points: np.ndarray
    triangles: np.ndarray
    values: np.ndarray
    person: Picture

    def solid(self, values):
        """float32 [k, 1], how solid the sheet is at values [k, 4] between its points."""
        return values[:, 2:3] * self.person(values[:, :2])[:, :1]


def around(view, camera, share, picture):
    """The Sheet around a head.

    Args:
        view: camera.View of the head, in pixels as outline.grid_places has them.
        camera: Perspective in fractions of the crop's side.
        share: what outline.person_in gave. picture: projection.Picture.
    """
    away, depth, share = _outline(view, share, picture)
    places = _nodes()
    x, y = places.reshape(-1, 2).T
    row, column = np.clip(((places.reshape(-1, 2).T + REACH) * SOURCE).astype(int), 0, len(away) - 1)[::-1]
    away, depth = away[row, column], depth[row, column]
    z = -depth - SLOPE * np.maximum(away, 0) / camera.scale
    scale = camera.scale * DISTANCE / (DISTANCE - z)
    points = np.stack([(x - camera.centre[0]) / scale, (camera.centre[1] - y) / scale, z], axis=1)
    solid = np.clip((GONE - away) / (GONE - SOLID), 0, 1)
    solid = solid * solid * (3 - 2 * solid)
    nodes = np.arange(len(points), dtype=np.int32).reshape(places.shape[:2])
    a, b, c, d = (part.ravel() for part in (nodes[:-1, :-1], nodes[1:, :-1], nodes[1:, 1:], nodes[:-1, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    kept = (solid[triangles] > 0).any(axis=1) & (away[triangles] > -WITHIN).any(axis=1)
    over = np.clip((away - LOOSE[0]) / (LOOSE[1] - LOOSE[0]), 0, 1)
    values = np.stack([x, y, solid, over], axis=1).astype(np.float32)
    return Sheet(points.astype(np.float32), triangles[kept], values, Picture.of(share, -REACH, SOURCE))


def _outline(view, share, picture):
    """Of each pixel [h, h]: how far it is from the head's outline, in sides of the crop, negative inside; the outline's
    depth next to it; how solid a sheet there is, by `share` next to the outline where the head itself is."""
    mask = view.mask > 0.5
    within, at_head = ndimage.distance_transform_edt(mask, return_indices=True)
    beyond, at_outside = ndimage.distance_transform_edt(~mask, return_indices=True)
    rim = mask & (within <= 1.5)
    depth = ndimage.gaussian_filter(np.where(rim, view.depth, 0), 3)
    depth /= np.maximum(ndimage.gaussian_filter(rim.astype(float), 3), 1e-9)
    depth = ndimage.gaussian_filter(np.where(mask, depth[tuple(at_head)], depth[tuple(at_outside)]), 4)
    share = inner(np.where(mask, share[tuple(at_head)], share), picture)
    return np.where(mask, -within, beyond) / SOURCE, depth, np.clip((share - SURE[0]) / (SURE[1] - SURE[0]), 0, 1)


def _nodes():
    """Places float64 [k, k, 2] of the sheet's points, in fractions of the crop's side."""
    line = np.linspace(-REACH, 1 + REACH, round((1 + 2 * REACH) * CELLS) + 1)
    return np.stack(np.meshgrid(line, line), axis=-1)


def background(view, picture, size, share, chin):
    """The photograph without its head: float32 [size, size, 3], what lies behind filled from around: smoothly, and with
    the texture that the nearest background has, mirrored.

    Args:
        view, share, picture: as in `around`. chin: its height, in fractions of the crop's side.
    """
    places = grid_places()[::COARSE, ::COARSE]
    hidden = ndimage.gaussian_filter(np.maximum(share, view.mask), 1) > 0.05
    clear = np.clip((ndimage.distance_transform_edt(~hidden) / SOURCE - CLEAR) / CLEAR, 0, 1)
    grain = Picture(_grain(picture, clear), (-REACH, -REACH), (SOURCE, SOURCE))
    clear = Picture.of(clear, -REACH, SOURCE)
    flat, shape = places.reshape(-1, 2), places.shape[:2]
    far = np.square(ndimage.distance_transform_edt(view.mask <= 0.5) / SOURCE)[::COARSE, ::COARSE]
    doubtful = FAINT * (1 - share[::COARSE, ::COARSE]) * far  # what is most likely behind, where nothing is clear
    weight = (clear(flat)[:, 0].reshape(shape) + doubtful) * picture.inside(flat).reshape(shape)
    weight = weight * np.where(places[..., 1] < chin - BODY, 1, FAINT**2) + 1e-9  # clothes are not behind the head
    filled = Picture(_filled(picture(flat).reshape(*shape, 3), weight), (-REACH - 0.5 * (COARSE - 1) / SOURCE,) * 2,
                     (SOURCE / COARSE,) * 2)
    line = np.float32((np.arange(size) + 0.5) / size)
    places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    result, shown = filled(places) + grain(places), clear(places)[:, :1] * picture.inside(places)[:, None]
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


def _grain(picture, clear):
    """Texture float32 [h, h, 3] of what is not clear [h, h], 0 to 1: what is finer than GRAIN in the clear pixels that
    lie as far beyond the nearest clear one."""
    places = grid_places()
    flat = places.reshape(-1, 2)
    clear = clear * picture.inside(flat).reshape(clear.shape)
    pixels, sigma = picture(flat).reshape(*clear.shape, 3), GRAIN * SOURCE
    smooth = ndimage.gaussian_filter(clear[..., None] * pixels, (sigma, sigma, 0))
    smooth /= np.maximum(ndimage.gaussian_filter(clear, sigma), 1e-6)[..., None]
    nearest = ndimage.distance_transform_edt(clear < 1, return_distances=False, return_indices=True)
    mirrored = tuple(np.clip(2 * nearest - np.indices(clear.shape), 0, len(clear) - 1))
    return np.float32((clear[..., None] * (pixels - smooth))[mirrored])
