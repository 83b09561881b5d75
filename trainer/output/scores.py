"""confidence_scores.csv: which scores generate gives each of its images, and the table read back."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.errors import UserError

TABLE = "confidence_scores.csv"  # its presence tells a generated folder from one of photographs
SCORES = ("d_score", "s_score", "c_score")  # of FaceGAN; low is good in all of them
TEXT = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}  # file names may be any bytes


@dataclass(frozen=True)
class Scores:
    """The rows of a table, in its order.

    Attributes:
        paths, identities: lists of str, of length n; paths with forward slashes, relative to the folder.
        values: {score: float64 [n]}, nan where it is empty.
    """

    paths: list
    identities: list
    values: dict


def asked_scores(value):
    """What --scores asks for: "d,s", say, or "none" -> names, in the order of SCORES.

    Raises:
        UserError: a letter that is no score; lists the choices.
    """
    letters = [] if value == "none" else [letter.strip() for letter in value.split(",")]
    known = [name[0] for name in SCORES]
    for letter in letters:
        if letter not in known:
            choices = f"{', '.join(known)}; give some of them with commas between, or none"
            raise UserError(f"--scores {value}: {letter!r} is none of {choices}")
    return tuple(name for name in SCORES if name[0] in letters)


def told_scores(names):
    """The value of --scores that asks for these names."""
    return ",".join(name[0] for name in names) or "none"


def read_scores(folder, flag):
    """Read the table of a generated folder.

    Args:
        flag: that names the folder, for messages.

    Returns:
        Scores.

    Raises:
        UserError: no table, another header, or a damaged line, which is named.
    """
    path = Path(folder) / TABLE
    if not path.is_file():
        raise UserError(f"{flag}: {folder} holds no {TABLE}: it is no folder that generate has finished")
    paths, identities, rows = [], [], []
    with open(path, **TEXT) as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if header[:2] != ["path", "identity"]:
            raise UserError(f"{flag}: {path} does not begin with the columns path,identity")
        while (row := _next_row(reader, header, f"{flag}: {path}")) is not None:
            paths.append(row[0])
            identities.append(row[1])
            rows.append(row[2:])
    values = np.array(rows, np.float64).reshape(-1, len(header) - 2)
    return Scores(paths, identities, {name: values[:, i] for i, name in enumerate(header[2:])})


def _next_row(reader, header, where):
    """[path, identity, score …] of the next line; None at the end."""
    try:
        row = next(reader, None)
        if row is None:
            return None
        name, identity, *scores = row
        if len(row) != len(header) or ".." in Path(name).parts or Path(name).is_absolute():
            raise ValueError
        return [name, identity, *(float(score) if score else np.nan for score in scores)]
    except (ValueError, csv.Error):
        raise UserError(f"{where}, line {reader.line_num}: not a row of path, identity and scores") from None
