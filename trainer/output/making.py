"""What the jobs that make images do: load a system, open what images are made of, fill a folder."""

from functools import partial
from pathlib import Path

import numpy as np

from data_loader.folders import decode
from data_loader.training_sources import named_folders
from trainer.output import card, provenance
from trainer.output.resumable_folder import OutputFolder, target_folder
from trainer.output.scores import asked_scores, told_scores
from trainer.output.writer import Task, write_images
from trainer.training.load import load_system
from utils.errors import UserError
from utils.files import check_writable, refuse_in_inputs
from utils.images import save_grid
from utils.shards import parse_shard


def make_images(job, flag, options):
    """Make an image of each input that the job's input lists.

    Args:
        job: key of System.makers.
        flag: the flag that names the output folder, under data_dir.
        options: the flags.

    Returns:
        Exit status: 0; 1 where a signal stopped it.

    Raises:
        UserError: whatever is wrong with weights, input or output, before anything is written; a full disk.
    """
    loaded = load_system(options)
    options, maker = loaded.options, loaded.maker(job)
    scores = asked_scores(options.scores, maker.scores)
    target = target_folder(flag, options)
    if options.grid:
        _check_grid(options)
    inputs = maker.open_input(options, loaded.params, scores, {})
    description = provenance.describe(job, loaded, inputs, options, target)
    if maker.scores:
        description["settings"]["scores"] = told_scores(scores)
    shard = parse_shard(options.shard)
    output = OutputFolder(target, description, f"--{flag}", tuple(maker.scores), columns=inputs.columns, shard=shard)
    text = card.of(output) if maker.text else None
    status = write_images(Task(inputs, output, partial(maker.make, scores=scores), text), options)
    if options.grid and output.finished:
        _save_grid(inputs, target, options)
    return status


def _check_grid(options):
    """Find out before the work whether the grid can be written where --grid says, and that it is none of the inputs."""
    path = Path(options.grid).expanduser()
    refuse_in_inputs("grid", path, named_folders(options))
    if path.is_dir() or path.suffix.lower() != ".png":
        raise UserError(f"--grid: {path} is not the name of a .png file")
    if not path.absolute().parent.is_dir():
        raise UserError(f"--grid: there is no folder {path.parent}")
    check_writable(path.absolute().parent, "--grid")


def _save_grid(inputs, folder, options):
    """The first images of the first people, as the fixed grid of a training shows them."""
    people = np.unique(inputs.labels)[: options.num_log_id]
    numbers = [np.flatnonzero(inputs.labels == person)[: options.num_log_samples] for person in people]
    columns = max(map(len, numbers))
    images = np.zeros((len(people), columns, options.input_scale_size, options.input_scale_size, 3), np.uint8)
    for row, some in enumerate(numbers):
        for column, i in enumerate(some.tolist()):
            path = folder / f"{inputs.name(i)}.{options.image_format}"
            if path.is_file():  # unreadable inputs have none
                images[row, column] = decode(path, options.input_scale_size)
    save_grid(images.reshape(-1, *images.shape[2:]), Path(options.grid), columns)
    print(f"grid: {options.grid}")
