"""Run folders: making one, finding one again, and reading back the flags it was trained with."""

import json
import math
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from utils.errors import UserError
from utils.files import atomic_write, check_writable, read_json, refuse_outside
from utils.flags import FLAGS
from utils.printable import printable

# Flags that say what to do now, not how a run was trained.
NOT_READ_BACK = (
    *("is_train", "train_generator", "generate_dataset", "fit_dataset"),
    *("pretrained_gen", "load_path", "use_gpu", "max_minutes", "scores"),
)
BEST = "best.json"  # in a run folder: which checkpoint is best, by what
LONGEST_TASK = 200  # bytes; a file system's names have 255, of which the kind, the time and a number take some
TF1_ENDING = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")  # of the files of a TF1 checkpoint


@dataclass(frozen=True)
class Weights:
    """What --pretrained_gen or --load_path leads to.

    Attributes:
        run: the run folder, or None for a TF1 checkpoint of the published code.
        checkpoint: path of the checkpoint: a file of ours, or a TF1 prefix.
    """

    run: Path | None
    checkpoint: Path


def new_run_folder(options, kind="gen"):
    """Make <log_dir>/<task>_<kind>_<MMDD_HHMMSS>/; a second run in the same second gets a suffix.

    Args:
        kind: "gen" for generators, "rec" for recognisers.
    """
    check_run_folder(options)
    name = f"{options.task}_{kind}_{time.strftime('%m%d_%H%M%S')}"
    parent = Path(options.log_dir).expanduser()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", *(f"_{i}" for i in range(2, 1000))):
            folder = parent / (name + suffix)
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        raise UserError(f"--log_dir: cannot make a run folder in {parent}: {error.strerror}") from error
    raise UserError(f"--log_dir: no free name for a run folder {parent / name}")


def check_run_folder(options):
    """Find out before the work whether a run folder can be made.

    Raises:
        UserError: --task is no part of a folder's name, or nothing can be written in --log_dir.
    """
    task = options.task
    refused = set(task) & set('/\\:*?"<>|') or printable(task) != task or task.startswith(".")
    if not task or refused or len(os.fsencode(task)) > LONGEST_TASK:
        shown = printable(task if len(task) <= 40 else f"{task[:40]}...")
        raise UserError(f"--task {shown}: begins a folder's name, 1 to {LONGEST_TASK} bytes on one line, no dot at its "
                        "start, not / \\ : * ? \" < > |")
    check_writable(Path(options.log_dir).expanduser(), "--log_dir")


def write_params(folder, options, **more):
    """Write params.json: every flag, and what the run found out (n_id …)."""
    params = {name: getattr(options, name) for name in FLAGS} | more
    with atomic_write(folder / "params.json", "w") as file:
        json.dump(params, file, indent=1)


def read_params(folder):
    """The flags (and n_id …) that a run folder was trained with."""
    path = Path(folder) / "params.json"
    try:
        params = read_json(path)
        if not isinstance(params, dict):
            raise ValueError(f"it holds a {type(params).__name__}, not flags and their values")
        wrong = [name for name in FLAGS if name in params and not _fits(params[name], FLAGS[name])]
        if wrong:
            raise ValueError(f"{wrong[0]} is {params[wrong[0]]!r}")
        _check_people(params)
        return params
    except FileNotFoundError:
        raise UserError(f"{folder} is no run folder: it has no params.json") from None
    except (ValueError, UserError) as error:
        raise UserError(f"{path} is damaged: {error}") from None


def _fits(value, flag):
    kinds = (int, float) if flag.kind is float else flag.kind
    if value == flag.default:
        return True
    if not isinstance(value, kinds) or isinstance(value, bool) != (flag.kind is bool):
        return False
    least, most = (-math.inf if flag.low is None else flag.low), (math.inf if flag.high is None else flag.high)
    return flag.kind not in (int, float) or least <= value <= most


def _check_people(params):
    """Raise ValueError where the numbers of people, or their names, which become folders, cannot be."""
    counts, names = params.get("labels", {}), params.get("label_names") or {}
    if not isinstance(counts, dict) or not all(type(count) is int and count > 0 for count in counts.values()):
        raise ValueError(f"labels is {counts!r}")
    for source, people in names.items() if isinstance(names, dict) else [("", names)]:
        if not isinstance(people, list) or len(people) != counts.get(source, len(people)):
            raise ValueError(f"label_names has not the {counts.get(source)} names of {source}")
        for name in people:
            if not isinstance(name, str) or name in ("", "."):
                raise ValueError(f"label_names holds {name!r}")
            refuse_outside(name, "label_names")


def read_best(folder):
    """{"measure", "step", "value", "history"} of a run's best checkpoint (trainer/training/best.py), or None."""
    path = Path(folder) / BEST
    try:
        found = read_json(path)
        if found["step"] is None:
            return None
        return found | {"measure": str(found["measure"]), "step": int(found["step"]), "value": float(found["value"]),
                        "history": [[int(step), float(value)] for step, value in found["history"]]}  # fmt: skip
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise UserError(f"{path} is damaged: {error!r}") from None


def label_names(params, source):
    """Names of the labels of one of a run's sources, in order; None where its params do not say."""
    names = params.get("label_names")
    if isinstance(names, dict):
        return names.get(source)
    return names or params.get(f"{source}_label_names")  # older runs: of the one labelled source, or source by source


def adopted(options, params):
    """The flags of a run, but for those that the command line names.

    Folders of the machine that trained (data_dir, asset_dir, log_dir) are taken over only where they are there: another
    machine has its own.

    Args:
        options: utils.options.Options.
        params: the run's, of read_params.
    """
    kept = {name for name in FLAGS if name in params} - options.explicit - set(NOT_READ_BACK)
    folders = {name for name in kept if FLAGS[name].path == "machine"}
    elsewhere = {name for name in folders if not os.path.isdir(os.path.expanduser(params[name]))}
    return options.changed(**{name: params[name] for name in kept - elsewhere})


def without_machine(flags):
    """{flag: value} as it may be published: without folders of this machine; of whole paths the last part.

    Args:
        flags: {flag: value}; what is no flag stays.
    """
    kinds = {name: FLAGS[name].path if name in FLAGS else "" for name in flags}
    return {name: shortened(value) if kinds[name] else value
            for name, value in flags.items() if kinds[name] != "machine"}  # fmt: skip


def shortened(paths):
    """Paths with commas between: of a whole one, or one that leads upwards, the last part."""
    parts = [PurePath(part) for part in paths.split(",")]
    return ",".join(part.name if part.is_absolute() or ".." in part.parts else str(part) if str(part) != "." else ""
                    for part in parts)  # fmt: skip


def find_weights(value, log_dir, flag):
    """Resolve --pretrained_gen or --load_path.

    Args:
        value: a run folder, its name under log_dir, one checkpoint in it or the folder of them, a TF1 checkpoint prefix
            of the published code or one of its files, a folder of these, or, as in the published README,
            <folder>/model.ckpt for the newest checkpoint in or below <folder>.
        log_dir: where run folders are.
        flag: name of the flag, for the error.

    Returns:
        Weights.
    """
    for path in (Path(value).expanduser().absolute(), Path(log_dir).expanduser().absolute() / value):
        if path.is_file() and path.suffix == ".npz":
            return Weights(_run_of(path, flag), path)
        prefix = Path(TF1_ENDING.sub("", str(path)))
        if Path(f"{prefix}.index").is_file():
            return Weights(None, prefix)
        folder = _folder_of(path)
        if folder.is_dir():
            found = newest_checkpoint(folder) or _newest_below(folder)
            if found:
                return Weights(_run_of(found, flag), found)
            if published := _newest_published(folder):
                return Weights(None, published)
            if path == folder:
                raise UserError(f"--{flag}: {folder} holds no checkpoint")
        if path.is_file():
            raise UserError(f"--{flag}: {path} is no checkpoint: give a run folder, a .npz in its checkpoints/, or "
                            "a TF1 checkpoint's name")  # fmt: skip
    raise UserError(f"--{flag}: no run folder and no checkpoint at {value} (nor under {log_dir})")


def run_at(value, log_dir):
    """The run folder that a flag's value leads to, or lies in; None where there is none, as of weights of others."""
    for path in (Path(value).expanduser().absolute(), Path(log_dir).expanduser().absolute() / value):
        for folder in (path, *path.parents[:2]):
            if (folder / "params.json").is_file():
                return folder
    return None


def _folder_of(path):
    """The folder that a path means: RUN for RUN/checkpoints and RUN/params.json, <folder> for <folder>/model.ckpt."""
    inside = path.name in ("checkpoints", "params.json") and (path.parent / "params.json").is_file()
    return path.parent if inside or path.name in ("model.ckpt", "checkpoint") else path


def checkpoints(folder):
    """The checkpoints of a run folder, oldest first."""
    return sorted((Path(folder) / "checkpoints").glob("step-*.npz"))


def checkpoint_after(folder, step):
    """Path of a run folder's checkpoint after so many steps."""
    return Path(folder) / "checkpoints" / f"step-{step:09d}.npz"


def steps_done(checkpoint):
    """Steps after which a checkpoint was saved, by its name; 0 for None."""
    return int(checkpoint.stem.removeprefix("step-")) if checkpoint else 0


def newest_checkpoint(folder):
    """The newest checkpoint of a run folder, or None."""
    found = checkpoints(folder)
    return found[-1] if found else None


def _newest_below(folder):
    found = [checkpoint for run in folder.iterdir() if (checkpoint := newest_checkpoint(run))]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _newest_published(folder):
    """The TF1 checkpoint of the most steps in a folder of the published code, or None."""
    found = [path.with_suffix("") for path in folder.glob("model.ckpt-*.index")]
    steps = {path: path.name.removeprefix("model.ckpt-") for path in found}
    return max((path for path in found if steps[path].isdecimal()), key=lambda path: int(steps[path]), default=None)


def _run_of(checkpoint, flag):
    run = checkpoint.parent.parent
    if not (run / "params.json").is_file():
        raise UserError(f"--{flag}: {checkpoint} is in no run folder: no {run / 'params.json'}")
    return run
