"""What made a data set: the contents of its run.json, so that it can be made again."""

import hashlib
import os
import subprocess
from pathlib import Path

from data_loader import licences
from data_loader.morphable.parameters import RENDERED
from trainer.training.load import looked_through
from utils.errors import UserError
from utils.files import read_json
from utils.flags import FLAGS
from utils.runs import shortened, without_machine
from utils.versions import versions

ROOT = Path(__file__).resolve().parents[2]
# Flags that say which process does what, and nothing about the images.
ONE_PROCESS = {name: FLAGS[name].default for name in ("shard", "grid", "engine", "shards", "ray_address")}


def describe(job, loaded, inputs, options, target):
    """What made a data set. Holds no time, no host and no folder of this machine, so that the same run gives the same
    bytes anywhere, and the description can be published.

    Args:
        job: key of System.makers.
        loaded: trainer.training.load.Loaded.
        inputs: data_loader.inputs.Input that images are made of.
        options: the flags.
        target: the output folder, from which the input's is told.

    Returns:
        dict for JSON; `settings` is the part that one folder's images must share.
    """
    maker, params = loaded.maker(job), loaded.params
    return {
        "job": job,
        "settings": {
            "checkpoint_sha256": loaded.sha256(),
            "input_names_sha256": _names_sha256(inputs),
            "input_content": inputs.digest,
            "input_truth": inputs.truth,
            "mixed_precision": options.mixed_precision,
            "input_scale_size": options.input_scale_size,
            "batch_size": options.batch_size,
            "random_seed": options.random_seed,
            "image_format": options.image_format,
            "image_quality": options.image_quality if options.image_format == "jpg" else None,
        },
        "checkpoint": _name(loaded),
        "trained_on": trained_on(loaded),
        "trained_with": trained_with(loaded),
        "licences": licences.written(licences.of_run(params).union(*map(licences.of_folder, _folders(inputs)))),
        "inputs": {
            "flag": inputs.flag,
            "folder": inputs.folder and os.path.relpath(inputs.folder, target),  # "": not made of files
            **({"sources": told} if (told := _relative(inputs.sources, target)) else {}),
            **({"renderer": version} if (version := _renderer(inputs)) else {}),
            "images": len(inputs),
            "identities": len(inputs.label_names),
        },
        "made_of": maker.text,
        "shows": maker.shows,
        "scores": {name: {"meaning": score.meaning, "better": score.better} for name, score in maker.scores.items()},
        "columns": list(inputs.columns),
        "flags": without_machine({name: getattr(options, name) for name in FLAGS} | ONE_PROCESS),
        "versions": versions(),
        "commit": commit(),
        "finished": False,
    }


def _folders(inputs):
    """Those that images are made of."""
    return {*filter(None, [inputs.folder]), *inputs.sources.values()}


def trained_on(loaded):
    """{flag: folder, without the paths of this machine} of what it was trained on; None where it is not known."""
    flags, params = [source.flag for source in loaded.system.sources.values()], loaded.params
    return {flag: shortened(params[flag]) for flag in flags if flag in params} if params else None


def trained_with(loaded):
    """{flag: value} of what its training looked through, such as the network in a loss; None where it is not known."""
    return looked_through(loaded.params) if loaded.params else None


def _name(loaded):
    """The checkpoint below its run folder's name; a TF1 checkpoint's own name."""
    path = loaded.checkpoint
    return path.name if loaded.run is None else f"{loaded.run.resolve().name}/{path.parent.name}/{path.name}"


def _renderer(inputs):
    """Version of the renderer that drew the inputs' folder; None where it says none."""
    path = Path(inputs.folder, RENDERED) if inputs.folder else None
    if path is None or not path.is_file():
        return None
    try:
        note = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{inputs.flag}: {path} cannot be read: {error}") from error
    version = note.get("renderer") if isinstance(note, dict) else None
    return version if type(version) is int else None


def _relative(folders, target):
    return {name: os.path.relpath(folder, target) for name, folder in folders.items()}


def _names_sha256(inputs):
    """SHA-256 of what images are made of, in order, each ended by a newline."""
    digest = hashlib.sha256()
    for i in range(len(inputs)):
        digest.update(os.fsencode(inputs.source(i)) + b"\n")
    return digest.hexdigest()


def commit():
    """The commit of this code, with "-dirty" where files were changed; None without git or outside a clone."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
