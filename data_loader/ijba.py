"""IJB-A: which faces make up a template, and which templates are compared, from the protocol's CSV files."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_loader.faces import crop_square
from data_loader.folders import UnreadableImage, upright_size
from utils.errors import UserError
from utils.files import refuse_outside, spellings
from utils.tables import Table, read_rows, trimmed

FLAG = "--ijba_dir"
COLUMNS = ("TEMPLATE_ID", "SUBJECT_ID", "FILE", "MEDIA_ID", "FACE_X", "FACE_Y", "FACE_WIDTH", "FACE_HEIGHT")
METADATA, COMPARISONS, GALLERY, PROBES = "verify_metadata", "verify_comparisons", "search_gallery", "search_probe"
PARTNERS = {METADATA: COMPARISONS, COMPARISONS: METADATA, GALLERY: PROBES, PROBES: GALLERY}
LARGEST = 2**62  # of numbers in the tables
DEPTH = 3  # folder levels at which the files are looked for: IJB-A_11_sets/split1/ in the published archive


@dataclass(frozen=True)
class Faces:
    """One row for each face.

    Attributes:
        path: of the CSV file, Path.
        templates, subjects, media: int64 [n].
        files: list of str, relative to the images' folder.
        boxes: float64 [n, 4]: left, top, right, bottom in pixels.
    """

    path: Path
    templates: np.ndarray
    subjects: np.ndarray
    media: np.ndarray
    files: list
    boxes: np.ndarray

    def subject_of(self):
        """{template: its subject}."""
        return dict(zip(self.templates.tolist(), self.subjects.tolist(), strict=True))


def find_splits(folder):
    """The protocol's files at or up to three levels below `folder`.

    Returns:
        {kind: {split's number: Path}} with kind METADATA, COMPARISONS, GALLERY, PROBES; the two of verification, or the
        two of search, may both be empty.

    Raises:
        UserError: no such folder; no such files; a split without one of the two files that belong together; two
            files of one name.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise UserError(f"{FLAG}: no such folder: {folder}")
    found = {kind: {} for kind in PARTNERS}
    for path in sorted(path for depth in range(DEPTH + 1) for path in folder.glob("*/" * depth + "*.csv")):
        named = re.fullmatch(r"(\w+)_([1-9]\d*)\.csv", path.name)
        if named and named[1] in found:
            other = found[named[1]].setdefault(int(named[2]), path)
            if other != path:
                raise UserError(f"{FLAG}: two files of one name: {other} and {path}")
    for kind, partner in PARTNERS.items():
        for split, path in found[kind].items():
            if split not in found[partner]:
                raise UserError(f"{FLAG}: {path} is there, {partner}_{split}.csv is not")
    if not any(found.values()):
        raise UserError(f"{FLAG}: no {METADATA}_1.csv and no {GALLERY}_1.csv in {folder}")
    return found


def read_faces(path):
    """Read train_N.csv, verify_metadata_N.csv, search_gallery_N.csv or search_probe_N.csv.

    Returns:
        Faces.

    Raises:
        UserError: cannot be read, a column is missing, a value is no number, a box is empty, a template has two
            subjects, or there are no rows. Names file and line.
    """
    table = Table(path, FLAG)
    table.header = [name.upper() for name in table.header]
    places = table.places(COLUMNS)
    subjects, faces = {}, []
    for line, row in table:
        where = table.where(line)
        face = _face([row[place].strip() for place in places], where)
        if subjects.setdefault(face[0], face[1]) != face[1]:
            raise UserError(f"{where}: template {face[0]} has two subjects, {subjects[face[0]]} and {face[1]}")
        faces.append(face)
    if not faces:
        raise UserError(f"{table.where(1)}: no faces below it")
    templates, subjects, files, media, boxes = zip(*faces, strict=True)
    return Faces(Path(path), np.array(templates), np.array(subjects), np.array(media), list(files), np.array(boxes))


def read_comparisons(path, faces):
    """Read verify_comparisons_N.csv: two templates a line, no header.

    Args:
        path: of the file.
        faces: Faces of the split's verify_metadata_N.csv.

    Returns:
        (first, second, same): templates int64 [n] twice, bool [n].

    Raises:
        UserError: cannot be read, has no pair of one person or none of two people, or a line has not two templates of
            `faces`. Names file and line.
    """
    subject_of = faces.subject_of()
    pairs = []
    for line, row in read_rows(path, FLAG):
        where = f"{FLAG}: {path} line {line}"
        row = trimmed(row, 2)
        if len(row) != 2:
            raise UserError(f"{where}: not two template ids")
        pair = [_number(int, value, "template id", where) for value in row]
        for template in pair:
            if template not in subject_of:
                raise UserError(f"{where}: template {template} is not in {faces.path.name}")
        pairs.append(pair)
    if not pairs:
        raise UserError(f"{FLAG}: {path}: no comparisons")
    first, second = np.array(pairs).T
    same = np.array([subject_of[a] == subject_of[b] for a, b in pairs])
    if same.all() or not same.any():
        raise UserError(f"{FLAG}: {path} has no pair of {'two people' if same.all() else 'one person'}")
    return first, second, same


def image_paths(folder, faces):
    """Where each face's image is: <folder>/<FILE> or <folder>/images/<FILE>, list of Path.

    Raises:
        UserError: a missing image; names it and the CSV file.
    """
    paths, images = {}, Path(folder).expanduser()
    for file in faces.files:
        if file not in paths:
            places = [root / name for root in (images, images / "images") for name in spellings(file)]
            paths[file] = next(filter(os.path.isfile, places), None)
            if paths[file] is None:
                raise UserError(f"{FLAG}: {faces.path}: no such image: {places[0]} (nor in images/)")
    return [paths[file] for file in faces.files]


def check_boxes(faces, paths):
    """Raise UserError where the middle of a face's box lies outside its image, or an image cannot be read.

    Args:
        faces: Faces.
        paths: of image_paths.
    """
    sizes = {}
    rows = zip(paths, faces.files, faces.templates.tolist(), faces.boxes.tolist(), strict=True)
    for path, file, template, (left, top, right, bottom) in rows:
        try:
            width, height = sizes[path] if path in sizes else sizes.setdefault(path, upright_size(path))
        except UnreadableImage as error:
            raise UserError(f"{FLAG}: {error}") from error
        if not (0 <= left + right <= 2 * width and 0 <= top + bottom <= 2 * height):
            raise UserError(f"{FLAG}: {faces.path}: the face of template {template} is outside {file}: its box reaches "
                            f"from {left:g},{top:g} to {right:g},{bottom:g}, the image to {width},{height}")


def crop(pixels, box):
    """Cut the square about a face's box, with the margin of faces.crop_square: uint8 [h, w, 3] -> [s, s, 3]."""
    left, top, side = crop_square(box, pixels.shape[1], pixels.shape[0])
    return pixels[top:top + side, left:left + side]


def _face(values, where):
    """(template, subject, file, medium, (left, top, right, bottom)) of one row's values of COLUMNS."""
    template, subject, file, medium, *box = values
    numbers = [_number(int, value, name, where)
               for value, name in ((template, "TEMPLATE_ID"), (subject, "SUBJECT_ID"), (medium, "MEDIA_ID"))]
    left, top, width, height = (_number(float, value, name, where)
                                for value, name in zip(box, COLUMNS[4:], strict=True))
    if not file:
        raise UserError(f"{where}: FILE is empty")
    refuse_outside(file, where)
    if width <= 0 or height <= 0:
        raise UserError(f"{where}: the face's box is {width:g} x {height:g} pixels")
    return numbers[0], numbers[1], file, numbers[2], (left, top, left + width, top + height)


def _number(kind, value, name, where):
    try:
        number = kind(value)
    except ValueError:
        raise UserError(f"{where}: {name} is no number: {value!r}") from None
    if number != number:
        raise UserError(f"{where}: {name} is no number: {value!r}")
    if abs(number) >= LARGEST:
        raise UserError(f"{where}: {name} is out of range: {value[:40]!r}")
    return number
