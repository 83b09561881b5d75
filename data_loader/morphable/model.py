"""A 3D morphable face model: mean, bases, topology and texture atlas, read from the MakeHuman files."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from data_loader.morphable.formats import read_obj, read_target
from data_loader.morphable.landmarks import MAKEHUMAN
from utils.errors import UserError

HEAD_CHART = (0.6, 0.14, 1.0, 0.87)  # left, bottom, right, top of the head in the file's texture square
NECK = 5.2  # height in decimetres under which the body is not drawn (ours); the chin is at 6.3
FACE_PARTS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "cheek", "chin", "ears")
# Where each part lies in the square texture atlas: left, bottom, right, top (ours). Skin takes nearly all of it.
ATLAS = {
    "skin": (0.00, 0.15, 1.00, 1.00), "inside": (0.75, 0.00, 0.86, 0.14),
    "neck": (0.87, 0.00, 1.00, 0.14),
    "left_eye": (0.00, 0.00, 0.14, 0.14), "right_eye": (0.15, 0.00, 0.29, 0.14),
    "teeth": (0.30, 0.00, 0.44, 0.14), "tongue": (0.45, 0.00, 0.59, 0.14), "lashes": (0.60, 0.00, 0.74, 0.14),
}
PART_GROUPS = {
    "body": "skin", "helper-l-eye": "left_eye", "helper-r-eye": "right_eye", "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth", "helper-tongue": "tongue",
    "helper-l-eyelashes-1": "lashes", "helper-l-eyelashes-2": "lashes",
    "helper-r-eyelashes-1": "lashes", "helper-r-eyelashes-2": "lashes",
}


@dataclass(frozen=True)
class Basis:
    """Named linear directions of shape: points = mean + weights @ offsets.

    Attributes:
        names: k names.
        offsets: float32 [k, n, 3], decimetres for a weight of 1.
    """

    names: tuple
    offsets: np.ndarray

    def __call__(self, weights):
        """The offsets float32 [n, 3] of `weights` [k]."""
        total = np.zeros(self.offsets.shape[1:], np.float32)
        for row in np.flatnonzero(weights):  # not one matrix product: BLAS would wake its threads, which costs more
            total += np.float32(weights[row]) * self.offsets[row]
        return total


@dataclass(frozen=True)
class MorphableModel:
    """Mean, bases, topology and texture coordinates of a head; x to its left, y up, z forward, in decimetres.

    Attributes:
        mean: float32 [n, 3].
        macro, shape, expression: Basis each: gender, age, ethnicity and weight; single features; face action units.
        corners: int32 [m], the point of each drawn vertex: points on a seam of the texture are drawn as several.
        triangles: int32 [t, 3], drawn vertices, counter-clockwise as seen from outside.
        texture: float32 [m, 2], in the atlas, [0, 1], v up.
        parts: {part: bool [m]}, the drawn vertices of each part of ATLAS.
        source_texture: float32 [m, 2], texture coordinates of the file, which the region masks use.
        masks: {name: path of a grey image over the file's texture square, white inside the region}.
        landmarks: int [68], the point of each landmark of the 68-point mark-up.
    """

    mean: np.ndarray
    macro: Basis
    shape: Basis
    expression: Basis
    corners: np.ndarray
    triangles: np.ndarray
    texture: np.ndarray
    parts: dict
    source_texture: np.ndarray
    masks: dict
    landmarks: np.ndarray

    @cached_property
    def eyes(self):
        """(left, right): points int [k] of each eyeball."""
        return tuple(np.unique(self.corners[self.parts[part]]) for part in ("left_eye", "right_eye"))

    @cached_property
    def teeth(self):
        """Points int [k] of the teeth: they hold the height of the mouth, whatever the lips do."""
        return np.unique(self.corners[self.parts["teeth"]])

    def normals(self, points):
        """Smooth unit normals float32 [n, 3] of points float32 [n, 3]; zero where no triangle touches a point."""
        triangles = self.corners[self.triangles]
        a, b, c = (points[triangles[:, corner]] for corner in range(3))
        area = np.cross(b - a, c - a)
        total = np.stack([np.bincount(triangles.ravel(), np.repeat(area[:, axis], 3), len(points))
                          for axis in range(3)], axis=1)
        return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def load_makehuman(folder):
    """Read the head of the MakeHuman base mesh and its targets.

    Args:
        folder: what assets.fetch("morphable_face", ...) gives.

    Raises:
        UserError: a file is missing or is not what its format says.
    """
    folder = Path(folder)
    targets = folder / "mpfb2" / "targets"
    mesh = read_obj(folder / "mpfb2" / "3dobjs" / "base.obj")
    part_of_face = _part_of_face(mesh)
    drawn = part_of_face != ""
    faces, texture_faces, part_of_face = mesh.faces[drawn], mesh.texture_faces[drawn], part_of_face[drawn]
    points, faces_in_points = np.unique(faces, return_inverse=True)
    pairs, quads = np.unique(np.stack([faces_in_points.ravel(), texture_faces.ravel()]), axis=1, return_inverse=True)
    quads = quads.reshape(-1, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    parts = {part: np.isin(np.arange(pairs.shape[1]), quads[part_of_face == part]) for part in ATLAS}
    source_texture = mesh.texture[pairs[1]]
    kinds = [path for path in sorted((targets / "macrodetails").glob("*.target.gz"))
             if re.search(r"-(young|old)(-averagemuscle-|\.)", path.name)]
    details = [path for part in FACE_PARTS for path in sorted((targets / part).glob("*.target.gz"))]
    units = sorted((folder / "faceunits01" / "targets" / "faceunits").glob("*.target"))
    for found, what in ((kinds, "macrodetails"), (details, "shape"), (units, "faceunits")):
        if not found:
            raise UserError(f"{folder}: no {what} targets; delete this folder and it is fetched again")
    return MorphableModel(
        mean=mesh.vertices[points], macro=_basis(kinds, points), shape=_basis(details, points),
        expression=_basis(units, points), corners=pairs[0].astype(np.int32),
        triangles=triangles[_real_triangles(triangles)], texture=_atlas(source_texture, parts), parts=parts,
        source_texture=source_texture,
        masks={path.stem.removeprefix("mpfb_"): path for path in (folder / "mpfb2" / "textures").glob("*.jpg")},
        landmarks=np.searchsorted(points, MAKEHUMAN))


def _part_of_face(mesh):
    """The part of ATLAS that each face of the file belongs to; "" for what is not drawn."""
    part = np.array([PART_GROUPS.get(group, "") for group in mesh.groups])
    centre, texture = mesh.vertices[mesh.faces].mean(axis=1), mesh.texture[mesh.texture_faces].mean(axis=1)
    left, bottom, right, top = HEAD_CHART
    on_head = (texture > (left, bottom)).all(axis=1) & (texture < (right, top)).all(axis=1)
    rest = (part == "skin") & ~on_head  # mouth, nostrils, eye sockets, and the whole body
    neck = rest & (texture[:, 0] > 0.2) & (texture[:, 0] < left)
    part[rest] = "inside"
    part[neck] = "neck"
    part[(part == "lashes") & (np.char.endswith(mesh.groups, "-1"))] = ""  # lower lashes: too heavy at these sizes
    part[(centre[:, 1] < NECK) | (np.abs(centre[:, 0]) > 1.7)] = ""
    return part


def _basis(paths, points):
    """The offsets of target files at `points` (sorted vertex numbers of the file)."""
    offsets = np.zeros((len(paths), len(points), 3), np.float32)
    for row, path in zip(offsets, paths, strict=True):
        index, offset = read_target(path)
        place = np.minimum(np.searchsorted(points, index), len(points) - 1)
        here = points[place] == index
        row[place[here]] = offset[here]
    return Basis(tuple(path.name.split(".")[0] for path in paths), offsets)


def _real_triangles(triangles):
    a, b, c = triangles.T
    return (a != b) & (b != c) & (c != a)


def _atlas(source, parts):
    """Texture coordinates in the atlas: each part's own coordinates stretched over its rectangle."""
    texture = np.zeros_like(source)
    for part, (left, bottom, right, top) in ATLAS.items():
        low, high = source[parts[part]].min(axis=0), source[parts[part]].max(axis=0)
        unit = (source[parts[part]] - low) / (high - low)
        texture[parts[part]] = np.array([left, bottom]) + unit * np.array([right - left, top - bottom])
    return texture
