"""Run folders: making one, finding one again, and reading back the flags it was trained with."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from utils.errors import UserError
from utils.files import atomic_write
from utils.flags import FLAGS
from utils.tables import ENCODING

# Flags that say what to do now, not how a run was trained.
NOT_READ_BACK = (
    *("is_train", "train_generator", "generate_dataset", "fit_dataset"),
    *("pretrained_gen", "load_path", "use_gpu", "max_minutes", "scores"),
)


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
    name = f"{options.task}_{kind}_{time.strftime('%m%d_%H%M%S')}"
    parent = Path(options.log_dir).expanduser()
    parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("", *(f"_{i}" for i in range(2, 1000))):
        folder = parent / (name + suffix)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise UserError(f"--log_dir: no free name for a run folder {parent / name}")


def write_params(folder, options, **more):
    """Write params.json: every flag, and what the run found out (n_id …)."""
    params = {name: getattr(options, name) for name in FLAGS} | more
    with atomic_write(folder / "params.json", "w") as file:
        json.dump(params, file, indent=1)


def read_params(folder):
    """The flags (and n_id …) that a run folder was trained with."""
    path = Path(folder) / "params.json"
    try:
        return json.loads(path.read_text(encoding=ENCODING))
    except FileNotFoundError:
        raise UserError(f"{folder} is no run folder: it has no params.json") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from None


def label_names(params, source):
    """Names of the labels of one of a run's sources, in order; None where its params do not say."""
    names = params.get("label_names")
    if isinstance(names, dict):
        return names.get(source)
    return names or params.get(f"{source}_label_names")  # older runs: of the one labelled source, or source by source


def adopted(options, params):
    """The flags of a run, but for those that the command line names.

    Args:
        options: utils.options.Options.
        params: the run's, of read_params.
    """
    kept = {name for name in FLAGS if name in params} - options.explicit - set(NOT_READ_BACK)
    return options.changed(**{name: params[name] for name in kept})


def find_weights(value, log_dir, flag):
    """Resolve --pretrained_gen or --load_path.

    Args:
        value: a run folder, its name under log_dir, one checkpoint in it, a TF1 checkpoint prefix of the published
            code, a folder of these, or, as in the published README, <folder>/model.ckpt for the newest checkpoint in or
            below <folder>.
        log_dir: where run folders are.
        flag: name of the flag, for the error.

    Returns:
        Weights.
    """
    for path in (Path(value).expanduser(), Path(log_dir).expanduser() / value):
        if path.is_file() and path.suffix == ".npz":
            return Weights(_run_of(path, flag), path)
        if Path(f"{path}.index").is_file():
            return Weights(None, path)
        folder = path.parent if path.name == "model.ckpt" else path
        if folder.is_dir():
            found = newest_checkpoint(folder) or _newest_below(folder)
            if found:
                return Weights(_run_of(found, flag), found)
            if published := _newest_published(folder):
                return Weights(None, published)
            if path == folder:
                raise UserError(f"--{flag}: {folder} holds no checkpoint")
    raise UserError(f"--{flag}: no run folder and no checkpoint at {value} (nor under {log_dir})")


def checkpoints(folder):
    """The checkpoints of a run folder, oldest first."""
    return sorted((Path(folder) / "checkpoints").glob("step-*.npz"))


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
