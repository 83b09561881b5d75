"""A folder that shards write, seen from outside: by what its run.json says, without the system that makes images."""

from pathlib import Path

from data_loader.generated_folder import read_run
from trainer.output.resumable_folder import OutputFolder
from utils.errors import UserError
from utils.shards import MOST, Shard

JOBS = ("generate", "fit")  # that write such folders
LARGEST = 10**10  # images of a folder, or of a batch


def open_folder(options):
    """The OutputFolder of data_dir/save_syn_dataset as its first shard sees it; writes nothing.

    Raises:
        UserError: no folder that `generate` or `fit` writes, or a damaged run.json.
    """
    flag, folder = "--save_syn_dataset", Path(options.data_dir).expanduser() / options.save_syn_dataset
    run = read_run(folder, flag)
    if run.get("job") not in JOBS or "finished" not in run:
        raise UserError(f"{flag}: {folder} is no folder that {' or '.join(JOBS)} writes")
    try:
        shards = Shard(1, _number(run.get("shards", 1), 1, MOST))
        _number(run["inputs"]["images"], 0, LARGEST)
        _number(run["settings"]["batch_size"], 1, LARGEST)
        if run["finished"]:
            _number(run["images"], 0, LARGEST)
        return OutputFolder(folder, run, flag, tuple(run["scores"]), columns=run.get("columns", ()), shard=shards)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{flag}: {folder / 'run.json'} is damaged: {error!r}") from error


def _number(value, least, most):
    """A whole number from `least` to `most`; else ValueError."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r} is no number from {least} to {most}")
    return value
