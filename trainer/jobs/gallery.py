"""The job `gallery`: a page to look at a folder of images, or at a run."""

from pathlib import Path

import numpy as np

from data_loader.folders import index_images
from data_loader.generated_folder import TABLE, is_generated
from data_loader.image_names import finder, rows_of
from data_loader.morphable.parameters import METADATA
from data_loader.training_sources import folder_names, index_cache
from trainer.output.gallery import ACROSS, cells_across, curves, write_page, write_sheets
from utils import runs
from utils.claim import Claim
from utils.errors import UserError
from utils.files import lies_in
from utils.signals import StopRequest
from utils.tables import PATHS, Table

MOST_LANDMARKS = ("x_", "y_", "visible_", "x5_", "y5_")  # columns of which there are too many to sort by


def run(options):
    """Write gallery_dir/index.html and its sheets; goes on where it was stopped.

    Returns:
        Exit status: 0; 1 where a signal stopped it.

    Raises:
        UserError: no such folder or run, or results of other settings; a folder beside that holds nothing of
            the same name; or more side by side than a sheet is wide.
    """
    data, flag = Path(options.data_dir).expanduser(), "--save_syn_dataset"
    index = _indexed(data / options.save_syn_dataset, flag, options)
    is_generated(index.folder, flag)
    beside = {name: _indexed(data / name, "--beside", options) for name in
              folder_names(options, "beside")}  # fmt: skip
    for name, other in beside.items():
        _check_beside(name, other, index)
    across = cells_across(len(beside) + 1, options.gallery_size)
    target, figures = Path(options.gallery_dir).expanduser(), []
    for folder in (index.folder, *(other.folder for other in beside.values())):
        if lies_in(target, folder):
            raise UserError(f"--gallery_dir: {target} is in {folder}, where nothing is written")
    if "pretrained_gen" in options.explicit:
        figures = curves(_scalars(runs.find_weights(options.pretrained_gen, options.log_dir, "pretrained_gen").run))
    settings = {"gallery_size": options.gallery_size, "images": index.digest,
                "beside": {name: other.digest for name, other in beside.items()}}  # fmt: skip
    settings |= {"across": across} if across < ACROSS else {}
    with Claim(target, "gallery.json", settings, "--gallery_dir"), StopRequest() as stop:
        numbers = _numbers(index)
        done = write_sheets(target, index, list(beside.values()), options.gallery_size, options.num_worker, stop)
        if stop.name:
            print(f"stopped by {stop.name} after {done} sheets; the same command goes on there")
            return 1
        title = Path(index.folder).name
        page = write_page(target, title, index, numbers, list(beside), options.gallery_size, figures)
    print(f"{page}: {len(index)} images; open it in a browser")
    return 0


def _indexed(folder, flag, options):
    """Labelled where the folder has people, else not."""
    inside = folder.iterdir() if folder.is_dir() else ()
    labelled = any(path.is_dir() and not path.name.startswith(".") for path in inside)
    return index_images(folder, index_cache(options), labelled, flag=flag)


def _check_beside(name, other, index):
    find = finder(other)
    if all(find(index.relative_path(i)) is None for i in range(len(index))):
        raise UserError(f"--beside: {name} holds no image of a name that {Path(index.folder).name} has")


def _numbers(index):
    """{column of metadata.csv: float64 [n]} of those that hold numbers, landmarks left out; of older folders the scores
    alone; {} without a table."""
    path = next((path for name in (METADATA, TABLE) if (path := Path(index.folder) / name).is_file()), None)
    if path is None:
        return {}
    table = Table(path, index.flag)
    wanted = [(place, name) for place, name in enumerate(table.header)
              if name not in (*PATHS, "identity", "index") and not name.startswith(MOST_LANDMARKS)]  # fmt: skip
    found = {name: np.full(len(index), np.nan) for _, name in wanted}
    for i, line, row in rows_of(table, index):
        for place, name in list(wanted):
            try:
                found[name][i] = table.number(line, row, place) if row[place] else np.nan
            except UserError:  # words, not numbers
                wanted.remove((place, name))
                del found[name]
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def _scalars(run):
    """{tag: (steps, values)} of a run's TensorBoard files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorflow import float32, make_ndarray

    events = EventAccumulator(str(run), size_guidance={"tensors": 2000}).Reload()
    found = {}
    for tag in events.Tags()["tensors"]:
        written = events.Tensors(tag)
        if written[0].tensor_proto.dtype == float32.as_datatype_enum:  # the others are images
            found[tag] = [e.step for e in written], [float(make_ndarray(e.tensor_proto)) for e in written]
    return found
