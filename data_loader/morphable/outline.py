"""Which pixels of a photograph are the person's, and how far hair reaches beyond the bald head that was fitted.

All numbers are ours.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from data_loader.morphable.hair import inside_hair

REACH = 0.6  # how far around the crop the photograph is looked at, in sides of the crop
SOURCE = 96  # pixels along the side of the crop in which heads and hair are looked for
SEEDS = 600  # colours that hair and background are known by, at most
LEAST_SEEDS = 30  # fewer say nothing
NEAREST = 5  # of them that a colour is compared with
THICKEST = 0.3  # of the crop's side: no hair is thicker
LIKELY = (1.0, 12.0)  # log odds of the person at the outline, and how fast they fall within a side of the crop
DEEPER = 60.0  # how fast they rise from the outline into the head
DEEP = 0.08  # from the outline into the head, in sides of the crop: what is there is the person
SHARP = 5.0  # how much the colours' distances count in log odds
HAIRLIKE = 25.0  # distance of colours up to which one looks like the other
GRAIN = 8.0  # distance of colours, in grey levels, that means nothing
CLOTHES = 20.0  # distance of colours that clothes are taken to have from the person's
INSIDE = 1.5  # pixels that the hair's surface lies within its outline
GRAZING = 0.4  # cosine to the camera up to which a point lies on the outline


class Line(NamedTuple):
    """A hairline as hair.inside_hair takes it: neither young nor receding."""

    hairline: float = 8.0
    receding: float = 0.0
    peak: float = 0.0
    sideburn: float = 0.1
    hair_style: str = "cropped"


def scalp_of(model):
    """float64 [n], how hairy the skin is at the model's points: 0 to 1, rising inside the hairline."""
    skin = np.zeros(len(model.mean))
    skin[model.corners[model.parts["skin"]]] = 1
    return skin * np.clip(inside_hair(Line(), model.mean) / 0.2, 0, 1)


def grid_side():
    """Pixels of a picture of the crop and of REACH around it, SOURCE along the crop's side."""
    return round((1 + 2 * REACH) * SOURCE)


def grid_places():
    """Places float32 [h, h, 2] of these pixels, in fractions of the crop's side."""
    line = np.float32((np.arange(grid_side()) + 0.5) / SOURCE - REACH)
    return np.stack(np.meshgrid(line, line), axis=-1)


def person_in(view, scalp, picture, chin):
    """How likely each pixel shows the person, not what is behind: float64 [h, h], 0 to 1.

    The person has the colours of the pixels well inside the head's outline, and hangs together with them; what is
    behind has those far away. The nearer to the outline, the more the colours decide.

    Args:
        view: camera.View of the head as `grid_places` counts. scalp: as scalp_of gives it.
        picture: projection.Picture. chin: its height, in fractions of the crop's side.
    """
    places = grid_places()
    mask, inside = view.mask > 0.5, picture.inside(places.reshape(-1, 2)).reshape(view.mask.shape)
    away = (ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask)) / SOURCE
    colours = picture(places.reshape(-1, 2)).reshape(*mask.shape, 3)
    below = np.clip((places[..., 1] - chin) / 0.1, 0, 1)  # clothes, which have colours of their own
    odds = LIKELY[0] - np.where(away > 0, LIKELY[1] * (1 - below), DEEPER) * away
    above = inside & (places[..., 1] < chin)
    hairy = view.average(scalp[:, None].astype(np.float32))[..., 0] > 0.8
    hairy = above & hairy & (away < -DEEP / 4)
    person, behind = [above & (away < -DEEP), hairy], _far(colours, away, above, hairy)
    if min(person[0].sum(), behind.sum()) >= LEAST_SEEDS:
        mine, other = _distance(colours, person), _distance(colours, [behind])
        mine = np.minimum(mine, mine + below * (CLOTHES - mine))
        odds += SHARP * (np.log(other + GRAIN) - np.log(mine + GRAIN))
    share = 1 / (1 + np.exp(-np.clip(ndimage.gaussian_filter(odds, 1), -30, 30)))
    share = np.where(inside, share, 0)
    parts, _ = ndimage.label(share > 0.5)
    sizes = np.bincount(parts[mask], minlength=2)
    main = parts == 1 + sizes[1:].argmax()
    share[~ndimage.binary_dilation(main, iterations=2)] = 0
    return share


def thickness(view, share, facing):
    """How far hair reaches out from the points at a head's outline.

    Args:
        view: as in person_in. share: what person_in gave. facing: [n], cosines of the points' normals to the camera.

    Returns:
        (int [k] points, float [k] distances in pixels of the view).
    """
    rows = np.flatnonzero(np.abs(facing) < GRAZING)
    out = view.point_normals[rows, :2] * (1, -1)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    steps = np.arange(0, THICKEST * SOURCE)
    path = view.screen[rows, None, :2] + steps[:, None] * out[:, None]
    x, y = np.clip(np.floor(path).astype(int), 0, len(share) - 1).transpose(2, 0, 1)
    bare = share[y, x] < 0.5
    reach = np.where(bare.any(axis=1), bare.argmax(axis=1), len(steps))
    return rows, np.maximum(reach - INSIDE, 0.0)


def _far(colours, away, where, hairy):
    """The pixels of `where` that are too far from the head for hair. In a crop that holds none these are the farthest,
    but for those that look like the hair on the head."""
    far = where & (away > THICKEST)
    if far.sum() < LEAST_SEEDS and where.any():
        far = where & (away > np.quantile(away[where], 0.8))
        if hairy.sum() >= LEAST_SEEDS:
            far &= _distance(colours, [hairy]) > HAIRLIKE
    return far


def _distance(colours, seeds):
    """Mean distance float [h, w] of colours [h, w, 3] to the nearest of those in a list of masks."""
    known = np.concatenate([_some(colours[where]) for where in seeds if where.any()])
    return cKDTree(known).query(colours.reshape(-1, 3), NEAREST)[0].mean(axis=1).reshape(colours.shape[:2])


def _some(colours):
    return colours[np.linspace(0, len(colours) - 1, min(SEEDS, len(colours))).astype(int)]


def inner(share, picture):
    """`share` [h, h] lessened to the least of the pixels around each; those beyond the photograph do not count."""
    inside = picture.inside(grid_places().reshape(-1, 2)).reshape(share.shape)
    return ndimage.minimum_filter(np.where(inside, share, 1), 3) * inside


def surely(share, places):
    """How surely places [n, 2], fractions of the crop's side, show the person, 0 to 1: of what `inner` gave."""
    x, y = np.clip(((places + REACH) * SOURCE).astype(int), 0, len(share) - 1).T
    return np.clip(2 * share[y, x] - 1, 0, 1)


def hair_colour(view, scalp, share, picture):
    """The median colour float32 [3] of the scalp's pixels; None where next to none are seen.

    Args:
        view, scalp, picture: as in person_in. share: what `inner` gave.
    """
    hairy = (view.average(scalp[:, None].astype(np.float32))[..., 0] > 0.8) & (share > 0.7)
    return np.median(picture(grid_places()[hairy]), axis=0) if hairy.sum() >= LEAST_SEEDS else None
