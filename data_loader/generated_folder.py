"""What a folder of generated images holds beside them, and how far it has come: the one place that knows.

trainer/output/resumable_folder.py writes these files; whoever reads a folder asks here.

    run.json                        from the first moment on: job, settings, inputs, scores, `finished`
    confidence_scores.partial.csv   while images are made: a row for each that is done
    confidence_scores.csv           at the end, of jobs that give scores: path, identity, the scores

What `align` cuts out of such a folder is generated too: its align.json says so.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.errors import UserError
from utils.files import last_part, read_json, refuse_outside, spellings
from utils.tables import Table

RUN, ROWS, TABLE = "run.json", "confidence_scores.partial.csv", "confidence_scores.csv"
ALIGNED = "align.json"
ALIGNMENTS = {"arcface": "arcface", "facenet": "chip", "dlib": "chip"}  # of --crop, as data_loader/face_places.py


def is_generated(folder, flag):
    """Whether a folder was generated (else it holds photographs or renders).

    Args:
        flag: that names the folder, for messages.

    Raises:
        UserError: it was, but is not finished.
    """
    folder = Path(folder)
    if (folder / ROWS).is_file() or (folder / RUN).is_file() and not _read(folder, flag).get("finished", True):
        raise UserError(f"{flag}: {folder} is not finished: run the job that makes it to its end first")
    if (folder / ALIGNED).is_file():
        return bool(_read(folder, flag, ALIGNED).get("generated"))
    return (folder / TABLE).is_file() or (folder / RUN).is_file()


def alignment_of(roots, flag):
    """How the faces of image folders were cut, as a face network knows it: "arcface" where `align --crop arcface` made
    all of them, "chip" where facenet or dlib, "none" where it made none, only some, or squares.

    Args:
        roots: paths.
        flag: that names them, for messages.
    """
    crops = {_read(Path(root), flag, ALIGNED).get("crop") if (Path(root) / ALIGNED).is_file() else None
             for root in roots}  # fmt: skip
    found = {ALIGNMENTS.get(crop, "none") for crop in crops}
    return found.pop() if len(found) == 1 else "none"


def read_run(folder, flag):
    """run.json of a generated folder.

    Raises:
        UserError: there is none, or it is none of this program's.
    """
    run = _read(Path(folder), flag)
    lacking = [key for key in ("settings", "flags", "inputs") if not isinstance(run.get(key), dict)]
    if lacking:
        raise UserError(f"{flag}: {Path(folder) / RUN} is not one that generate has written: no {lacking[0]}")
    return run


def made_from(folder):
    """Path of the folder that a generated folder was made from; None without a run.json, or where it was made of none.

    Raises:
        UserError: a run.json that does not say it.
    """
    path = Path(folder) / RUN
    if not os.path.isfile(path):  # that run.json tells of another, whose name may be anything
        return None
    try:
        source = _read(Path(folder), "run.json")["inputs"]["folder"]  # from `folder`; earlier versions: absolute
        return Path(os.path.normpath(Path(folder) / source)) if source else None
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} does not say which folder it was made from ({error!r})") from error


def trained_on(folder, flag):
    """Name of the data set that a flag named when the generator of a folder was trained; None where it is not known."""
    if not (Path(folder) / RUN).is_file():
        return None
    name = (_read(Path(folder), "run.json").get("trained_on") or {}).get(flag)
    return last_part(name) if name else None


def trained_with(folder, flag):
    """What only the training of a folder's generator used, such as the network in a loss; None where it is not known.

    Args:
        flag: that names the folder, for messages.

    Returns:
        {flag: value} of the training.
    """
    if not (Path(folder) / RUN).is_file():
        return None
    run = _read(Path(folder), flag)
    if "trained_with" in run:
        found = run["trained_with"]
    else:  # earlier versions: all flags, which say nothing of a TF1 checkpoint
        found = run.get("flags") if run.get("trained_on") else None
    return found if isinstance(found, dict) else None


@dataclass(frozen=True)
class Scores:
    """The rows of confidence_scores.csv, in its order.

    Attributes:
        paths, identities: lists of str, of length n; paths with forward slashes, relative to the folder.
        values: {score: float64 [n]}, nan where it is empty.
    """

    paths: list
    identities: list
    values: dict


def read_scores(folder, flag):
    """Read the table of a generated folder.

    Args:
        flag: that names the folder, for messages.

    Returns:
        Scores.

    Raises:
        UserError: no table, a column that is missing, or a damaged line: names file and line.
    """
    path = Path(folder) / TABLE
    if not path.is_file():
        raise UserError(f"{flag}: {folder} holds no {TABLE}: it is no folder that generate has finished")
    table = Table(path, flag)
    path_at, identity_at = table.places(("path", "identity"))
    scores = [place for place in range(len(table.header)) if place not in (path_at, identity_at)]
    paths, identities, rows = [], [], []
    for line, row in table:
        refuse_outside(row[path_at], table.where(line))
        paths.append(_there(Path(folder), row[path_at]))
        identities.append(row[identity_at])
        rows.append([table.number(line, row, place) if row[place] else np.nan for place in scores])
    values = np.array(rows, np.float64).reshape(len(rows), len(scores))
    return Scores(paths, identities, {table.header[place]: values[:, i] for i, place in enumerate(scores)})


def high_scores(folder, flag):
    """Names of the scores of which high is good, as run.json says; of others, and of all of earlier versions, low is.

    Args:
        flag: that names the folder, for messages.

    Raises:
        UserError: a run.json that does not say it as it should.
    """
    scores = (_read(Path(folder), flag).get("scores") if (Path(folder) / RUN).is_file() else None) or {}
    if not isinstance(scores, dict) or not all(isinstance(told, dict) for told in scores.values()):
        raise UserError(f"{flag}: {Path(folder) / RUN}: scores is none of this program's")
    return {name for name, told in scores.items() if told.get("better") == "high"}


def _there(folder, path):
    """A path of a table as the file is spelt: asked of the disk only where there are several ways."""
    ways = spellings(path)
    return path if len(ways) == 1 else next((way for way in ways if os.path.exists(folder / way)), path)


def _read(folder, flag, name=RUN):
    try:
        run = read_json(folder / name)
    except (OSError, ValueError) as error:
        raise UserError(f"{flag}: {folder / name} cannot be read: {error}") from error
    return run if isinstance(run, dict) else {}
