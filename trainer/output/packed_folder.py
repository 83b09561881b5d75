"""A finished folder of labelled images, read row by row for packing: never more than one image in memory."""

import hashlib
import math
import os
import re
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from data_loader.generated_folder import RUN, is_generated
from data_loader.index_file import natural_key
from data_loader.morphable.parameters import METADATA
from utils.errors import UserError
from utils.files import SUMS, read_inside, refuse_outside, sum_line
from utils.tables import PATHS, TEXT, Table

OURS = ("image", "label", "identity", "image/encoded", "image/format", "image/name", "__key__", "__url__")
INPUT = "input_"  # begins the name of a column in packages that has one of ours in metadata.csv
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?|nan", re.ASCII)  # "007" is none, but a name


@dataclass(frozen=True)
class Packed:
    """An image: its number from 0, name below the folder, identity, label from 0, bytes of its file, and what is known
    of it, {column: float, str or None}."""

    number: int
    name: str
    identity: str
    label: int
    data: bytes
    known: dict


class PackedFolder:
    """The images that a folder's metadata.csv names, in its order.

    Args:
        folder: Path, of `generate`, `filter` or `render`.
        flag: that names it, for messages.

    Attributes:
        count: of the images.
        identities: names in natural order; an image's label is its identity's place.
        columns: {name: whether it holds numbers alone} of what is known beside path and identity.

    Raises:
        UserError: no such folder, one that is not finished, no metadata.csv, or a damaged one: a column named twice or
            not at all, text that is not UTF-8, an identity with a line end.
    """

    def __init__(self, folder, flag):
        self.folder, self.flag = Path(folder), flag
        if not self.folder.is_dir():
            raise UserError(f"{flag}: no such folder: {self.folder}")
        self.generated = is_generated(self.folder, flag)
        if not (self.folder / METADATA).is_file():
            raise UserError(f"{flag}: {self.folder} holds no {METADATA}, as generate, filter and render write it")
        names, numbers, self.count = set(), {}, 0
        for _, identity, known in self._rows():
            names.add(identity)
            self.count += 1
            for name, value in known.items():
                numbers[name] = numbers.get(name, True) and _is_number(value)
        if not self.count:
            raise UserError(f"{flag}: {self.folder / METADATA} names no image")
        self.identities = sorted(names, key=lambda name: natural_key(os.fsencode(name)))
        self.columns = numbers

    def run(self):
        """Path of run.json, None where there is none."""
        return self.folder / RUN if (self.folder / RUN).is_file() else None

    def images(self, first=0):
        """Yield a Packed for each image from number `first` on.

        Raises:
            UserError: a file that is gone, leads out of the folder, or is not what SHA256SUMS says, where there is one.
        """
        label_of, sums = {name: label for label, name in enumerate(self.identities)}, self._sums()
        for number, (name, identity, known) in enumerate(self._rows()):
            told = next(sums)
            if number < first:
                continue
            try:
                data = read_inside(self.folder, name, self.flag)
            except OSError as error:
                raise UserError(f"{self.flag}: {self.folder / name}: {error.strerror}") from error
            if told is not None and told != sum_line(hashlib.sha256(data).hexdigest(), name):
                raise UserError(f"{self.flag}: {self.folder / name} is not the file that {SUMS} tells of")
            known = {column: _value(known[column], is_number) for column, is_number in self.columns.items()}
            yield Packed(number, name, identity, label_of[identity], data, known)

    def _sums(self):
        """Yield for each row its line of SHA256SUMS, which has their order; None where there is no such file."""
        path = self.folder / SUMS
        if not path.is_file():
            yield from repeat(None)
        with open(path, **TEXT) as file:
            yield from file
        yield from repeat("")

    def _rows(self):
        """Yield (name, identity, {column: text})."""
        table = Table(self.folder / METADATA, self.flag)
        name_at, (identity_at,) = table.path_place(), table.places(("identity",))
        others = [(place, INPUT + name if name in OURS else name)
                  for place, name in enumerate(table.header) if place not in (name_at, identity_at)]  # fmt: skip
        names = [name for _, name in others]
        twice = [name for name in names if names.count(name) > 1 or not name or name in PATHS]
        if twice:
            raise UserError(f"{table.where(1)}: column {twice[0]!r} is there twice, or has no name")
        _refuse_other_text(names, table.where(1))
        for line, row in table:
            refuse_outside(row[name_at], table.where(line))
            _refuse_other_text(row, table.where(line))
            if len(row[identity_at].splitlines()) > 1:
                raise UserError(f"{table.where(line)}: identity {row[identity_at]!r} has a line end")
            yield row[name_at], row[identity_at], {name: row[place] for place, name in others}


def _refuse_other_text(values, where):
    """UserError unless all is UTF-8, as packages must be: tables of ours let any byte through."""
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        bad = next(value for value in values if any("\ud800" <= letter <= "\udfff" for letter in value))
        raise UserError(f"{where}: {bad[:60]!r} is not UTF-8, as all in packages must be") from None


def _is_number(text):
    """Whether a value is a number as a program writes it, or says nothing."""
    return not text or bool(NUMBER.fullmatch(text))


def _value(text, is_number):
    if not is_number:
        return text
    return float(text) if text and math.isfinite(float(text)) else None
