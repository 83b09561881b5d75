"""A finished folder of labelled images, read row by row for packing: never more than one image in memory."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from data_loader.generated_folder import RUN, is_generated
from data_loader.index_file import natural_key
from data_loader.morphable.parameters import METADATA
from utils.errors import UserError
from utils.files import refuse_outside
from utils.tables import PATHS, Table


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
        UserError: no such folder, one that is not finished, no metadata.csv, or a damaged one.
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
            UserError: a file that is gone.
        """
        label_of = {name: label for label, name in enumerate(self.identities)}
        for number, (name, identity, known) in enumerate(self._rows()):
            if number < first:
                continue
            try:
                data = (self.folder / name).read_bytes()
            except OSError as error:
                raise UserError(f"{self.flag}: {self.folder / name}: {error.strerror}") from error
            known = {column: _value(known[column], is_number) for column, is_number in self.columns.items()}
            yield Packed(number, name, identity, label_of[identity], data, known)

    def _rows(self):
        """Yield (name, identity, {column: text})."""
        table = Table(self.folder / METADATA, self.flag)
        name_at, (identity_at,) = table.path_place(), table.places(("identity",))
        others = [(place, name) for place, name in enumerate(table.header) if name not in (*PATHS, "identity")]
        for line, row in table:
            refuse_outside(row[name_at], table.where(line))
            if any("\ud800" <= letter <= "\udfff" for letter in row[name_at] + row[identity_at]):
                raise UserError(f"{table.where(line)}: {row[name_at]!r} is not UTF-8, as names in packages must be")
            yield row[name_at], row[identity_at], {name: row[place] for place, name in others}


def _is_number(text):
    """Whether a value is a number, or says nothing."""
    try:
        float(text or 0)
        return True
    except ValueError:
        return False


def _value(text, is_number):
    if not is_number:
        return text
    return float(text) if text and math.isfinite(float(text)) else None
