"""A photograph's own colours on the head that was fitted to it; what it does not show is filled.

Every point carries where the photograph shows it, where it shows the point of the mirrored side, and colours that
join the two; a view then looks into the photograph at each of its samples, so that no detail is lost to a texture.
All weights are ours.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from data_loader.morphable import lighting

FACING = (0.15, 0.45)  # cosine to the camera from which a surface's colours count, and from which they count in full
HAIRY = 0.5  # how much earlier those of hair count, which is rough
BEHIND = 0.04  # a point is hidden that lies so many eye-to-mouth heights behind what is seen there
HOLD = 20.0  # how strongly a colour that is seen holds, against the smoothness of its surroundings
LINK = 0.02  # strength of a link between points that no triangle joins, such as an eye and its lid
HAIR = 0.5  # how strongly hidden hair tends to the colour of the hair that is seen
SHADES, SHADING = (0.2, 1.2), 0.7  # how open a point lies to all sides, by the median; how much of that is seen
HAIRLINE = 0.005  # strength of an edge between hair and skin
NEIGHBOURS = 4  # links of each point
SOFTENED = 2  # rounds in which what is seen fades out towards what is hidden
LEFT_OUT = ("lashes",)  # parts that are not drawn: the photograph has them on the lids


@dataclass(frozen=True)
class Picture:
    """A photograph around the square that a face was fitted in.

    Attributes:
        pixels: float32 [h, w, 3], 0..255.
        start: (x, y) of its first edge, in fractions of the square's side.
        per_side: (x, y) pixels in the square's side.
    """

    pixels: np.ndarray
    start: tuple
    per_side: tuple

    def __call__(self, places):
        """Colours float32 [k, 3] at places [k, 2], fractions of the square's side; beyond the edge, those of the edge.
        """
        height, width = self.pixels.shape[:2]
        x, y = ((places - np.float32(self.start)) * np.float32(self.per_side) - np.float32(0.5)).T
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
        left, top = np.minimum(x.astype(np.int32), width - 2), np.minimum(y.astype(np.int32), height - 2)
        x, y = (x - left)[:, None], (y - top)[:, None]
        flat, at = self.pixels.reshape(-1, 3), top * width + left
        above = flat[at] + x * (flat[at + 1] - flat[at])
        below = flat[at + width] + x * (flat[at + width + 1] - flat[at + width])
        return above + y * (below - above)

    @classmethod
    def of(cls, values, start, per_side):
        """The Picture of values float [h, w], one channel three times, that begins as far above as to the left."""
        return cls(np.repeat(np.float32(values)[..., None], 3, axis=2), (start, start), (per_side, per_side))

    def inside(self, places):
        """bool [k], whether places [k, 2] are in the photograph."""
        height, width = self.pixels.shape[:2]
        pixels = (places - self.start) * self.per_side
        return ((pixels >= 0) & (pixels <= (width, height))).all(axis=1)


@dataclass(frozen=True)
class Skin:
    """What each point of a head carries.

    Attributes:
        values: float32 [n, 12]: place in the picture, place of the mirrored point, how far the first is used, how far
            the second's detail is, the joining colour and the colour at the second place.
        picture: Picture.
    """

    values: np.ndarray
    picture: Picture

    def __call__(self, values):
        """Colours float32 [k, 3] of values [k, 12] between the points."""
        seen, mirrored = values[:, 4:5], values[:, 5:6]
        colour = seen * self.picture(values[:, :2]) + (1 - seen) * values[:, 6:9]
        rows = np.flatnonzero(values[:, 5] > 0)
        colour[rows] += mirrored[rows] * (self.picture(values[rows, 2:4]) - values[rows, 9:])
        return colour


class Projector:
    """Puts photographs on the heads of a model.

    Args:
        model: MorphableModel whose two sides mirror each other.
        scalp: float [n], how hairy its skin is: colours do not flow between hair and skin.

    Attributes:
        triangles: int32 [t, 3], points of the triangles that are drawn.
    """

    def __init__(self, model, scalp):
        self.model, self.scalp = model, scalp
        free = lighting.visibility(model, lighting.sphere()).mean(axis=1)
        self.shade = np.clip(free / np.median(free), *SHADES)[:, None] ** SHADING
        dropped = np.any([model.parts[part] for part in LEFT_OUT], axis=0)
        drawn = ~dropped[model.triangles].any(axis=1)
        self.triangles = model.corners[model.triangles[drawn]].astype(np.int32)
        tree = cKDTree(model.mean)
        self.mirror = tree.query(model.mean * (-1, 1, 1))[1]
        edges = np.concatenate([self.triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
        edges = np.unique(np.sort(edges, axis=1), axis=0)
        near = tree.query(model.mean, NEIGHBOURS + 1)[1][:, 1:]
        links = np.stack([np.repeat(np.arange(len(near)), NEIGHBOURS), near.ravel()], axis=1)
        self._edges = np.concatenate([edges, links])
        self._strength = np.repeat([1.0, LINK], [len(edges), len(links)])
        hair = scalp > 0.5
        self._strength[hair[self._edges[:, 0]] != hair[self._edges[:, 1]]] = HAIRLINE
        self._mean_of = self._neighbours(edges)

    def __call__(self, seen, facing, places, picture, hair):
        """The Skin of a head.

        Args:
            seen: float [n], how surely nothing hides a point, and it is the person's, 0 to 1.
            facing: [n], cosine of their normals to the camera.
            places: float32 [n, 2], where the photograph has them. picture: Picture.
            hair: its colour [3], to which hidden hair tends; None: not known.
        """
        weight = np.clip((facing + HAIRY * self.scalp - FACING[0]) / (FACING[1] - FACING[0]), 0, 1)
        weight = weight * weight * (3 - 2 * weight) * seen * picture.inside(places)
        for _ in range(SOFTENED):
            weight = np.where(self.scalp > 0.5, weight, np.minimum(weight, self._mean_of @ weight))
        colours = picture(places)
        mirrored = weight[self.mirror]
        joined = self._join(colours, weight, mirrored, hair)
        values = [places, places[self.mirror], weight[:, None], ((1 - weight) * mirrored)[:, None], joined,
                  colours[self.mirror]]
        return Skin(np.concatenate(values, axis=1).astype(np.float32), picture)

    def _join(self, colours, weight, mirrored, hair):
        """Colours float [n, 3]: those seen, where they are; elsewhere as smooth as may be but for the shade of hollows,
        or with the steps from point to point of the mirrored side, so that a difference of light between both sides
        makes no seam."""
        colours = colours / self.shade
        a, b = self._edges.T
        other = colours[self.mirror]
        step = (other[a] - other[b]) * np.minimum(mirrored[a], mirrored[b])[:, None]
        held = HOLD * weight
        if hair is not None:
            tends = HAIR * self.scalp * (1 - weight)
            colours = held[:, None] * colours + tends[:, None] * hair
            held = held + tends
            colours /= np.maximum(held, 1e-9)[:, None]
        return np.clip(self.shade * self.smooth(colours, held, step), 0, 255)

    def smooth(self, values, held, step=None):
        """Values float64 [n, c] that change as little from point to point as may be.

        Args:
            values: float [n, c]. held: [n], how strongly each is held to; 0: not at all.
            step: float [edges, c], what the first point of each edge has more than the second; None: nothing.
        """
        (a, b), count, strength = self._edges.T, len(values), self._strength
        graph = coo_matrix((np.concatenate([strength, strength]), (np.concatenate([a, b]), np.concatenate([b, a]))),
                           (count, count)).tocsc()
        system = diags(np.asarray(graph.sum(axis=1)).ravel() + held + 1e-6) - graph
        pull = held[:, None] * values
        if step is not None:
            step = step * strength[:, None]
            for channel in range(values.shape[1]):
                pull[:, channel] += np.bincount(a, step[:, channel], count) - np.bincount(b, step[:, channel], count)
        return splu(system.tocsc()).solve(pull)

    def _neighbours(self, edges):
        """Sparse [n, n]: the mean over a point and its neighbours."""
        count = len(self.model.mean)
        a, b = np.concatenate([edges, edges[:, ::-1], np.repeat(np.arange(count), 2).reshape(-1, 2)]).T
        graph = coo_matrix((np.ones(len(a)), (a, b)), (count, count)).tocsr()
        return diags(1 / np.asarray(graph.sum(axis=1)).ravel()) @ graph
