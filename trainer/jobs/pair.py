"""The `pair` job: photographs, each with the render of the model fitted to it."""

from pathlib import Path

import numpy as np

from data_loader import licences, portraits
from data_loader.crops import check_folders
from data_loader.folders import RENDERS, index_images
from data_loader.morphable import parameters
from data_loader.morphable.sources import MAKEHUMAN
from data_loader.outcome import Outcome
from data_loader.pair import Pairer
from data_loader.training_sources import index_cache
from utils.errors import UserError
from utils.files import atomic_write
from utils.tables import TEXT

CROPS = ("face", "centre")
USED = {MAKEHUMAN: ["makehuman", "landmarks"]}  # names in licences.KNOWN; the fits of other models are given


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
    index = index_images(source, index_cache(options), exclude=(RENDERS,), flag="--dataset")
    files = [index.relative_path(i) for i in range(len(index))]
    pairer = Pairer(source, folder, options, portraits.fetch(options))
    settings = {name: getattr(options, name) for name in ("size", "image_format", "max_fit_error", "pair_crop")}
    settings |= {"morphable_model": Path(options.morphable_model).name, "input_content": index.digest}
    with Outcome(folder, "pair", ("file", *pairer.columns), settings, "--dataset_3dmm") as outcome:
        licences.write(folder, USED.get(options.morphable_model, ["licensed model"]), [source])
        outcome.work_through(files, options.image_format, pairer, options.num_worker)
    _write_parameters(folder, ("path", *pairer.parameters), outcome.succeeded.values())
    errors = [float(row["error"]) for row in outcome.succeeded.values() if row["error"] != "nan"]
    middle = f", median landmark error {np.median(errors):.1f} % of the eye distance" if errors else ""
    print(f"pair: {len(outcome.succeeded)} pairs in {folder}{middle}, {len(outcome.failed)} photographs in failed.csv")


def _check(source, folder, options):
    check_folders(source, folder, "--dataset_3dmm", options)
    if options.pair_crop not in CROPS:
        raise UserError(f"--pair_crop {options.pair_crop}: must be one of {', '.join(CROPS)}")
    for name, least in (("max_fit_error", 0.1), ("num_worker", 1)):
        if getattr(options, name) < least:
            raise UserError(f"--{name} {getattr(options, name)}: must be at least {least}")


def _write_parameters(folder, columns, rows):
    """Write metadata.csv: of each row of success.csv these columns."""
    with atomic_write(folder / parameters.METADATA, "w", **TEXT) as table:
        table.write(parameters.csv_line(columns))
        table.writelines(parameters.csv_line([row[column] for column in columns]) for row in rows)
