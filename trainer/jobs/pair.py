"""The `pair` job: photographs, each with the render of the model fitted to it."""

import multiprocessing
from pathlib import Path

import numpy as np

from data_loader import portraits
from data_loader.crops import check_folders, outputs, save
from data_loader.folders import RENDERS, UnreadableImage, decode_whole, index_images
from data_loader.morphable import parameters
from data_loader.outcome import NoOutput, Outcome
from utils.errors import UserError
from utils.files import atomic_write
from utils.progress import Progress

CROPS = ("face", "centre")
LONGEST = 1600  # pixels that a photograph's longer side is shrunk to (ours)


def run(options):
    """Fit the face to every photograph of data_dir/dataset and write pairs into data_dir/dataset_3dmm.

    <file> is the photograph's crop, 3dmm/<file> the render on black in the same crop. success.csv holds the landmark
    error in per cent of the distance of the outer eye corners; metadata.csv the fitted parameters, which
    --statistics_dir reads; failed.csv what gave no pair, and why. A second run goes on where the first one stopped.

    Args:
        options: data_dir, dataset, dataset_3dmm, size (pixels), image_format, max_fit_error (per cent), num_worker
            (processes), asset_dir; morphable_model: "makehuman", fitted to any photograph, or a statistical model, for
            photographs with a 300W-3D fit (<name>.mat) beside them; pair_crop: "face", the square that `align` cuts
            out, or "centre", the square that training cuts out of a photograph.

    Raises:
        UserError: dlib is not installed; no photographs; a flag out of range; the output folder holds something else.
    """
    data = Path(options.data_dir).expanduser()
    source, folder = data / options.dataset, data / options.dataset_3dmm
    _check(source, folder, options)
    index = index_images(source, Path(options.asset_dir).expanduser() / "index", exclude=(RENDERS,), flag="--dataset")
    files = [index.relative_path(i) for i in range(len(index))]
    worker = _Worker(portraits.fetch(options), source, folder, options)
    kept = ["path", *worker.portraitist.columns]
    settings = {name: getattr(options, name) for name in ("size", "image_format", "max_fit_error", "pair_crop")}
    settings["morphable_model"] = Path(options.morphable_model).name
    with (Outcome(folder, "pair", ["file", "error", "faces", *kept], settings, "--dataset_3dmm") as outcome,
          Progress(len(files), "pair", initial=sum(file in outcome for file in files)) as progress):
        work = [(file, output) for file, output in outputs(files, options.image_format) if file not in outcome]
        for file, values, reason in _results(work, worker, options.num_worker):
            if reason:
                outcome.failure(file, reason)
            else:
                outcome.success(file, values)
            progress.update(failed=len(outcome.failed))
        outcome.finish(files)
        rows = [outcome.succeeded[file] for file in files if file in outcome.succeeded]
    with atomic_write(folder / parameters.METADATA, "w", encoding="utf-8", newline="") as table:
        table.write(parameters.csv_line(kept))
        table.writelines(parameters.csv_line([row[column] for column in kept]) for row in rows)
    errors = [float(row["error"]) for row in rows if row["error"] != "nan"]
    middle = f", median landmark error {np.median(errors):.1f} % of the eye distance" if errors else ""
    print(f"pair: {len(rows)} pairs in {folder}{middle}, {len(outcome.failed)} photographs in failed.csv")


class _Worker:
    """Makes and writes the pair of one photograph."""

    def __init__(self, assets, source, folder, options):
        self.arguments = assets, source, folder, options
        self.source, self.folder = source, folder
        self.portraitist = portraits.open_portraitist(options, assets)

    def __call__(self, work):
        """(file, values of success.csv after the file, None), or (file, None, why there is no pair)."""
        file, output = work
        try:
            if output is None:
                raise NoOutput("another photograph has the same name but for its ending")
            portrait = self.portraitist(self.source / file, decode_whole(self.source / file, LONGEST))
        except UnreadableImage as error:
            return file, None, error.reason
        except (NoOutput, UserError) as error:  # the latter from a .mat beside the photograph
            return file, None, str(error)
        save(portrait.render, self.folder / RENDERS / output)
        save(portrait.photograph, self.folder / output)  # last: a kill leaves no photograph without its render
        numbers = [parameters.short(number) if isinstance(number, float) else number for number in portrait.numbers]
        return file, [f"{portrait.error:.3f}", portrait.faces, output, *numbers], None


def _check(source, folder, options):
    check_folders(source, folder, "--dataset_3dmm", options)
    if options.pair_crop not in CROPS:
        raise UserError(f"--pair_crop {options.pair_crop}: must be one of {', '.join(CROPS)}")
    for name, least in (("max_fit_error", 0.1), ("num_worker", 1)):
        if getattr(options, name) < least:
            raise UserError(f"--{name} {getattr(options, name)}: must be at least {least}")


def _results(work, worker, processes):
    """Yield what the worker gives for each, in any order."""
    if processes == 1 or len(work) < 2:
        yield from map(worker, work)
        return
    context = multiprocessing.get_context("spawn")  # forking after TensorFlow has threads can hang
    with context.Pool(min(processes, len(work)), _start, worker.arguments) as pool:
        yield from pool.imap_unordered(_work, work, chunksize=2)


_worker = None


def _start(*arguments):
    global _worker
    _worker = _Worker(*arguments)


def _work(work):
    return _worker(work)
