"""What is added to the face's mesh: hair, beard and glasses as meshes of their own, painted on rows below the atlas.

Positions and sizes here and in hair.py, beard.py and glasses.py are ours, in decimetres of the mean head.
"""

from dataclasses import dataclass

import numpy as np

ROWS = 128  # rows of texels that are added below the atlas: 96 for hair, 16 each for beard and glasses
HAIR_ROWS, BEARD_ROWS, GLASSES_ROWS = (0, 96), (96, 112), (112, 128)


@dataclass(frozen=True)
class Mesh:
    """A surface that a head wears.

    Attributes:
        points: float32 [e, 3], as the model's: x to the person's left, y up, z forward.
        anchors: int [e], the point of the model that each follows when the face moves.
        triangles: int32 [t, 3], rows of `points`, counter-clockwise as seen from outside.
        texels: float32 [e, 2], x as a fraction of the atlas's width, y in the added rows in texels.
        reach: float32 [e], share of the light from outside that gets there.
    """

    points: np.ndarray
    anchors: np.ndarray
    triangles: np.ndarray
    texels: np.ndarray
    reach: np.ndarray


def joined(meshes):
    """One Mesh of several; None of none."""
    if not meshes:
        return None
    starts = np.cumsum([0, *(len(mesh.points) for mesh in meshes)])
    return Mesh(*(np.concatenate([getattr(mesh, name) for mesh in meshes]) for name in ("points", "anchors")),
                np.concatenate([mesh.triangles + np.int32(start) for mesh, start in zip(meshes, starts, strict=False)]),
                *(np.concatenate([getattr(mesh, name) for mesh in meshes]) for name in ("texels", "reach")))


def two_sided(mesh, inner_reach):
    """The mesh with a second copy that is seen from inside, where `inner_reach` of the light gets."""
    inside = Mesh(mesh.points, mesh.anchors, np.ascontiguousarray(mesh.triangles[:, ::-1]), mesh.texels,
                  mesh.reach * np.float32(inner_reach))
    return joined([mesh, inside])


def grid_triangles(rows, columns):
    """Triangles int32 [t, 3] of a grid of points, row by row, whose last column is joined to the first;
    counter-clockwise where rows go down and columns to the viewer's right."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    right = (column + 1) % columns
    a, b = row * columns + column, row * columns + right
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).reshape(-1, 3).astype(np.int32)


def rise(value, low, high):
    """0 under `low`, 1 over `high`, smooth between."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


def blob(value, centre, width):
    """1 at `centre`, a bell of `width` around it."""
    return np.exp(-((value - centre) / width) ** 2)
