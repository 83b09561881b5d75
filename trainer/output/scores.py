"""confidence_scores.csv: which scores the images of a generated folder have, and the table read back."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.errors import UserError

TABLE = "confidence_scores.csv"  # its presence tells a generated folder from one of photographs
ENDING = "_score"  # of most names; --scores and run.json leave it out
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


def asked_scores(value, known):
    """The scores that --scores asks for, in their order.

    Args:
        value: "all", "none", or some names with commas between; the ending "_score" may be left out.
        known: {name: Score} of the system.

    Raises:
        UserError: a name that is no score; lists the choices.
    """
    if value in ("all", "none") or not known:
        return tuple(known) if value == "all" else ()
    names = [name.strip().removesuffix(ENDING) for name in value.split(",")]
    short = [name.removesuffix(ENDING) for name in known]
    for name in names:
        if name not in short:
            choices = f"{', '.join(short)}; give some of them with commas between, all or none"
            raise UserError(f"--scores {value}: {name!r} is none of {choices}")
    return tuple(name for name in known if name.removesuffix(ENDING) in names)


def told_scores(names):
    """The value of --scores that asks for these names."""
    return ",".join(name.removesuffix(ENDING) for name in names) or "none"


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
