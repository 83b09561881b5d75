"""Readers of the files that 3D face models come in: here the text files of MakeHuman."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.errors import UserError
from utils.tables import split_lines


@dataclass(frozen=True)
class ObjMesh:
    """A polygon mesh as a Wavefront .obj file holds it; all indices count from 0.

    Attributes:
        vertices: float32 [n, 3], in the file's unit (MakeHuman: decimetres, y up, z towards the viewer).
        texture: float32 [m, 2], texture coordinates in [0, 1], v up.
        faces: int32 [f, 4], vertices of each face; a triangle repeats its last corner.
        texture_faces: int32 [f, 4], the same for `texture`.
        groups: [f] strings, the `g` line each face stands under.
    """

    vertices: np.ndarray
    texture: np.ndarray
    faces: np.ndarray
    texture_faces: np.ndarray
    groups: np.ndarray


def read_obj(path):
    """Read an .obj file of triangles and quads with texture coordinates.

    Raises:
        UserError: the file cannot be read, or a line of it is not what the format says.
    """
    vertices, texture, faces, texture_faces, groups, group = [], [], [], [], [], ""
    for number, line in enumerate(split_lines(_read_text(path)), 1):
        kind, *fields = line.split() or [""]
        try:
            if kind == "v":
                vertices.append(_numbers(fields, 3))
            elif kind == "vt":
                texture.append(_numbers(fields, 2))
            elif kind == "g":
                group = fields[0]
            elif kind == "f":
                corners = [[_index(index) for index in field.split("/")[:2]] for field in fields]
                corner, texture_corner = zip(*corners, strict=True)
                faces.append(_four(corner))
                texture_faces.append(_four(texture_corner))
                groups.append(group)
        except (ValueError, IndexError) as error:
            raise UserError(f"{path}, line {number}: no .obj line: {line[:60]!r} ({error})") from error
    mesh = ObjMesh(_array(vertices, 3), _array(texture, 2), np.array(faces, np.int32).reshape(-1, 4),
                   np.array(texture_faces, np.int32).reshape(-1, 4), np.array(groups))
    for index, points, what in ((mesh.faces, mesh.vertices, "vertex"), (mesh.texture_faces, mesh.texture, "texture")):
        if index.size == 0 or index.max() >= len(points):
            raise UserError(f"{path}: no faces, or a face names a {what} point that is not there")
    return mesh


def read_target(path):
    """Read a MakeHuman .target or .target.gz: lines of `vertex dx dy dz`.

    Returns:
        (index int32 [k], offset float32 [k, 3]); k is 0 for an empty target, which is a valid one.

    Raises:
        UserError: the file cannot be read, or a line of it is not what the format says.
    """
    lines = [line for line in split_lines(_read_text(path)) if line.strip() and not line.lstrip().startswith("#")]
    try:
        rows = np.array(" ".join(lines).split(), np.float64).reshape(len(lines), 4)
    except ValueError as error:
        raise UserError(f"{path}: not a target file, whose lines are `vertex dx dy dz` ({error})") from error
    index = rows[:, 0].astype(np.int32)
    if not np.isfinite(rows).all() or (index != rows[:, 0]).any() or (index < 0).any():
        raise UserError(f"{path}: a vertex number that is no whole number from 0, or an offset that is not finite")
    return index, rows[:, 1:].astype(np.float32)


def _read_text(path):
    path = Path(path)
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def _numbers(fields, count):
    if len(fields) < count:
        raise ValueError(f"{len(fields)} numbers in place of {count}")
    return [float(field) for field in fields[:count]]


def _index(text):
    index = int(text) - 1
    if not 0 <= index < 2**31:
        raise ValueError(f"{text[:20]} is the number of no point")
    return index


def _four(corners):
    if len(corners) not in (3, 4):
        raise ValueError(f"a face of {len(corners)} corners")
    return [*corners, corners[-1]][:4]


def _array(rows, width):
    return np.array(rows, np.float32).reshape(-1, width)
