"""Where the face lies in each image of a folder, as far as the folder's own tables say (renders, generated images)."""

import os
from pathlib import Path

import numpy as np

from data_loader import chips, five_points
from data_loader.faces import crop_square, landmark_box
from data_loader.folders import UnreadableImage, decode_whole
from data_loader.generated_folder import made_from
from data_loader.morphable.parameters import LANDMARKS, METADATA
from utils.errors import UserError
from utils.files import last_part, refuse_outside, spellings
from utils.tables import Table

POINTS = [column for column in LANDMARKS if not column.startswith("visible")]  # x_1, y_1, x_2 ...
WHOLE = (0.5, 0.5, 1.0, 0.0)
FIXED = {"chip": chips.FIXED, "square": WHOLE, "arcface": WHOLE}  # where nothing is known: how `embedding` cuts then
SMALLEST = 3  # pixels between the outermost landmarks, across and down (ours)
GENERATIONS = 8  # data sets made of data sets, before the search for the renders is given up (ours)


def known_places(index, alignment, refused=None):
    """Places of the faces whose landmarks are known, from the folder's metadata.csv or that of its renders.

    Folders that earlier versions generated have no metadata.csv: their run.json names the folder that they were made
    from, where the render has the same path but for its ending.

    Args:
        index: data_loader.folders.ImageIndex, or joined.JoinedIndex, each of whose folders has its own table.
        alignment: "chip", "square" or "arcface".
        refused: dict that takes {number of an image: reason} where landmarks are no face in the image, whose place is
            nan then; without it that is an error.

    Returns:
        float32 [n, 4], fractions of the square image's side as data_loader.chips says; nan where nothing is known.

    Raises:
        UserError: a metadata.csv or run.json that is damaged, lacks a column, or is about other images; or landmarks
            that are no face in the image.
    """
    if parts := getattr(index, "parts", None):
        return np.concatenate([known_places(part, alignment) for part in parts])
    places = np.full((len(index), 4), np.nan, np.float32)
    folder = described(Path(index.folder))
    if folder is None:
        return places
    numbers = {_stem(index.relative_path(i)): i for i in range(len(index))}
    side = path = None
    for path, landmarks in _rows(folder / METADATA):
        path = next((name for name in spellings(path) if _stem(name) in numbers), path)
        i = numbers.get(_stem(path))
        if i is not None:
            side = side or side_of(folder / path)
            try:
                _check(landmarks, side)
                places[i] = chips.fractions(place(landmarks, alignment, side, side), side)
            except ValueError as error:
                if refused is None:
                    raise UserError(f"{folder / METADATA}: {path}: {error}") from error
                refused[i] = str(error)
    if path is not None and side is None:
        raise UserError(f"{index.flag}: {folder / METADATA} names no image of {index.folder}; its last row: {path}")
    return places


def place(landmarks, alignment, width, height):
    """The place of a face in an image of width x height: float64 [4], pixels.

    Args:
        landmarks: [68, 2] in pixels.
        alignment: "chip", dlib's; "square", the one that the jobs `align` and `pair` cut out; "arcface", ArcFace's.
    """
    if alignment == "chip":
        return chips.place(landmarks)
    if alignment == "square":
        left, top, side = crop_square(landmark_box(landmarks), width, height)
        return np.array([left + side / 2, top + side / 2, side, 0.0])
    if alignment == "arcface":
        return five_points.place(five_points.of_landmarks(landmarks))
    raise ValueError(f"no place for alignment {alignment!r}; one of chip, square, arcface")


def described(folder):
    """The folder with a metadata.csv that `folder` is, or was made from; None where there is none."""
    for _ in range(GENERATIONS):
        if os.path.isfile(folder / METADATA):
            return folder
        source = made_from(folder)
        if source is None:
            return None
        beside = folder.parent / last_part(source)  # where both have been moved together
        folder = source if os.path.isdir(source) or not os.path.isdir(beside) else beside
    return None


def side_of(path):
    """Pixels of a render's side. All renders of a folder have one size; this one speaks for them.

    Raises:
        UserError: it cannot be read, or is not square.
    """
    try:
        height, width = decode_whole(path).shape[:2]
    except UnreadableImage as error:
        raise UserError(f"{path.parent}: the size of the renders is that of {path.name}: {error.reason}") from error
    if height != width:
        raise UserError(f"{path}: a render with landmarks must be square, is {width}x{height}")
    return height


def _check(landmarks, side):
    """Raise ValueError where landmarks [68, 2] are no face in an image of `side` pixels; it may stick out (ours)."""
    if not (abs(landmarks - side / 2) <= 1.5 * side).all() or (abs(landmarks.mean(axis=0) - side / 2) > side / 2).any():
        raise ValueError(f"landmarks outside an image of {side} pixels")
    if (np.ptp(landmarks, axis=0) < SMALLEST).any():
        raise ValueError(f"landmarks within {SMALLEST} pixels of each other")


def _rows(path):
    """Yield (path of the image, landmarks float64 [68, 2]) of a metadata.csv; nothing where it has no landmarks."""
    table = Table(path)
    if not set(POINTS) & set(table.header):
        return
    name_at, where = table.path_place(), table.places(POINTS)
    for line, row in table:
        if not any(row[place] for place in where):  # of an image of which nothing was known
            continue
        points = np.array([table.number(line, row, place) for place in where]).reshape(-1, 2)
        if not np.isfinite(points).all():
            raise UserError(f"{table.where(line)}: a landmark is not finite")
        refuse_outside(row[name_at], table.where(line))
        yield row[name_at], points


def _stem(path):
    return os.path.splitext(path)[0]
