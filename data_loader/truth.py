"""What is known of the images of a folder, for what is made of them: the rows of its metadata.csv."""

import csv
import os
from pathlib import Path

import numpy as np

from data_loader import five_points
from data_loader.face_places import POINTS, described, side_of
from data_loader.image_names import finder
from data_loader.morphable.parameters import METADATA
from utils.errors import UserError
from utils.files import sha256_of
from utils.tables import PATHS, Table, delimiter_of

OWN = (*PATHS, "identity", "index")  # columns about the image itself, as its scores are, not about what it shows
FIVE = tuple(f"{axis}5_{point}" for point in range(1, 6) for axis in "xy")  # as five_points.TEMPLATE


class Truth:
    """The rows that a folder's metadata.csv, or that of the renders it was made from, has for its images.

    Of each row the place in the file is kept, and not what it says: renders have over two hundred columns.

    Args:
        index: data_loader.folders.ImageIndex, or anything with its `folder`, `relative_path` and length.
        size: pixels of a side of what is made of the images, to which landmarks are scaled.

    Attributes:
        columns: names, () where nothing is known; with landmarks five more points behind them.
        digest: hex name of the file's content; "" where nothing is known.

    Raises:
        UserError: a metadata.csv that is damaged.
    """

    def __init__(self, index, size):
        folder, self.columns, self._points, self.digest = described(Path(index.folder)), (), [], ""
        self._offsets = np.full(len(index), -1, np.int64)
        if folder is None:
            return
        self.path = folder / METADATA
        table = Table(self.path)
        if not set(PATHS) & set(table.header):
            return
        self._delimiter = delimiter_of(self.path)
        self._places = [place for place, name in enumerate(table.header)
                        if name not in (*OWN, *FIVE) and not name.endswith("_score")]  # fmt: skip
        self.columns = tuple(table.header[place] for place in self._places)
        self._find(table, index)
        self.digest = sha256_of(self.path) if self.columns else ""
        if set(POINTS) <= set(self.columns):
            self._points = [self.columns.index(name) for name in POINTS]
            self.columns += FIVE
            first = int(np.argmax(self._offsets >= 0))
            self._scale = size / side_of(folder / self._row(first)[table.path_place()])

    def row(self, i):
        """Values of `columns` of image i, list of str; empty ones where the table does not name it."""
        row = self._row(i)
        if row is None:
            return [""] * len(self.columns)
        values = [row[place] if place < len(row) else "" for place in self._places]
        if not self._points:
            return values
        if not values[self._points[0]]:
            return [*values, *[""] * len(FIVE)]
        try:
            points = np.array([values[place] for place in self._points], np.float64).reshape(-1, 2) * self._scale
        except ValueError as error:
            raise UserError(f"{self.path}: {row[:1]}: a landmark is no number ({error})") from error
        for place, number in zip(self._points, points.ravel().tolist(), strict=True):
            values[place] = f"{number:.2f}"
        return [*values, *(f"{number:.2f}" for number in five_points.of_landmarks(points).ravel().tolist())]

    def _row(self, i):
        if self._offsets[i] < 0:
            return None
        with open(self.path, "rb") as file:
            file.seek(self._offsets[i])
            return next(self._parsed([_whole_line(file)]))

    def _parsed(self, lines):
        try:
            yield from csv.reader((os.fsdecode(line) for line in lines), delimiter=self._delimiter)
        except csv.Error as error:
            raise UserError(f"{self.path} is no CSV file: {error}") from error

    def _find(self, table, index):
        find, place = finder(index), table.path_place()
        with open(self.path, "rb") as file:
            _whole_line(file)  # the header
            offset = file.tell()
            while line := _whole_line(file):
                for row in self._parsed([line]):
                    i = find(row[place]) if place < len(row) else None
                    if i is not None:
                        self._offsets[i] = offset
                offset = file.tell()
        if (self._offsets < 0).all():
            self.columns, self._places = (), []


def _whole_line(file):
    """The next line, bytes; a value in quotes may hold line ends."""
    line = more = file.readline()
    while more and line.count(b'"') % 2:
        more = file.readline()
        line += more
    return line
