"""Beards with volume: the skin that a beard grows on, lifted off the face, more so towards the chin."""

import numpy as np

from data_loader.morphable.worn import BEARD_ROWS, Mesh, blob, rise

UNDER = 0.03  # how deep the shell lies under the skin at the beard's edge
THICKNESS = {"moustache": 0.045, "goatee": 0.035, "full": 0.10}
SHORTEST = 0.3  # beard_length under which a beard is paint alone


def regions(position, lips):
    """(cheeks and chin, moustache): 0 to 1 at points [n, 3] of the mean head; `lips` [n] is 1 on them."""
    x, y, z = position.T
    x = np.abs(x)
    edge = 6.52 + 0.75 * np.clip(x - 0.25, 0, 1)  # from the corner of the mouth up to the ear
    jaw = rise(edge - y, -0.03, 0.08) * rise(y, 6.08, 6.22) * rise(z, 0.3, 0.6)
    upper_lip = rise(y, 6.60, 6.66) * rise(-y, -6.81, -6.77) * rise(-x, -0.30, -0.20) * rise(z, 1.2, 1.35)
    corners = blob(x, 0.36, 0.07) * rise(y, 6.35, 6.45) * rise(-y, -6.76, -6.68) * rise(z, 1.0, 1.15)  # joins the two
    bare = 1 - np.clip(2 * lips, 0, 1)
    jaw = np.maximum(jaw, corners)
    return jaw * bare, upper_lip * bare


class BeardMaker:
    """Makes beards for heads.

    Args:
        model: MorphableModel. lips: float [m], 1 at the drawn vertices of the lips.
    """

    def __init__(self, model, lips):
        self.vertices = np.flatnonzero(model.parts["skin"])
        position = model.mean[model.corners[self.vertices]]
        jaw, moustache = regions(position, lips[self.vertices])
        chin = np.maximum(jaw * rise(-np.abs(position[:, 0]), -0.30, -0.12), moustache)
        self.shapes = {"moustache": moustache, "goatee": chin, "full": np.maximum(jaw, moustache)}
        self.lower = rise(-position[:, 1], -6.75, -6.3) * rise(position[:, 2], 0.6, 1.2)
        row_of = np.full(len(model.corners), -1)
        row_of[self.vertices] = np.arange(len(self.vertices))
        inside = (row_of[model.triangles] >= 0).all(axis=1)
        self.triangles = row_of[model.triangles[inside]].astype(np.int32)
        self.points = model.corners[self.vertices]

    def __call__(self, points, normals, look):
        """Mesh of the beard of looks.Look `look`; None where it has no volume. points, normals: float [n, 3]."""
        if look.beard not in THICKNESS or look.beard_length < SHORTEST:
            return None
        grown = self.shapes[look.beard]
        grain = 1 + 0.15 * np.random.default_rng([look.pattern, 6]).standard_normal(len(grown))
        thick = look.beard_length * THICKNESS[look.beard] * (1 + 1.5 * self.lower * look.beard_length) * grain
        height = np.where(grown > 0.02, thick * rise(grown, 0.3, 1.0) - UNDER * (1 - rise(grown, 0.05, 0.5)), -UNDER)
        drop = np.stack([np.zeros(len(grown)), -0.5 * height.clip(0) * self.lower, np.zeros(len(grown))], axis=1)
        shell = points[self.points] + normals[self.points] * height[:, None] + drop
        triangles = self.triangles[(grown[self.triangles] > 0.02).any(axis=1)]
        texels = np.stack([np.arange(len(grown)) * 37 % 509 / 509,
                           BEARD_ROWS[0] + 0.5 + (np.arange(len(grown)) * 5 % 15)], axis=1)
        return Mesh(shell.astype(np.float32), self.points, triangles, texels.astype(np.float32),
                    np.full(len(grown), 0.8, np.float32))


def paint(rows, colour, grey, look):
    """Colour the rows float32 [16, side, 3] of the texture: hair, some of it grey, rough."""
    random = np.random.default_rng([look.pattern, 10])
    white = np.clip(look.grey * (1 + 0.3 * (1 - look.grey) * random.standard_normal(rows.shape[:2])), 0, 1)[..., None]
    rough = np.clip(1 + 0.10 * random.standard_normal(rows.shape[:2]), 0.3, 2)[..., None]
    rows[:] = (colour + white * (grey - colour)) * rough
