"""The job `train`: data set folders in, a run folder out."""

from pathlib import Path

import numpy as np

from data_loader import folders
from trainer.face_networks import face_network
from trainer.systems import identity, system_class
from trainer.training import checkpoint, setup
from trainer.training.devices import Devices
from trainer.training.load import starting_weights
from utils import runs
from utils.errors import UserError
from utils.images import save_grid


def run(options):
    """Train. Everything that can be wrong with the input is found before anything is written."""
    resumed = setup.resumed_run(options, recognizer=False)
    if options.system == setup.RECOGNIZER:
        raise UserError(f"--system {options.system}: the job train_recognizer trains it")
    devices = Devices(options.num_gpu)
    setup.seed_everything(options)
    start = None if resumed else starting_weights(options)
    sources = read_sources(options)
    unreadable = setup.unreadable_files(sources)
    _say_what_is_off(options)

    n_id = len(sources["synthetic"].label_names)
    if options.method_c != "none" and not resumed:
        face_network.choose_network(options)
    chips = identity.chip_places(sources["synthetic"], options)
    with devices.scope():
        system = system_class(options.system)(options, n_id, pairs="pair" in sources)
        if resumed:
            checkpoint.restore(system, resumed.checkpoint)
        elif options.method_c != "none":
            face_network.load_weights(system.identity.network, options)
        if start:
            start(system)
    setup.check_steps_left(system, options, resumed, devices.count)
    readers = setup.open_readers(sources, options.input_scale_size, options)

    fixed = fixed_renders(sources["synthetic"], options)
    folder = _run_folder(options, sources["synthetic"], fixed) if devices.chief else None
    size = options.input_scale_size
    setup.run_loop(system, sources, readers, folder, options, size, unreadable, fixed, chips, devices)


def _run_folder(options, renders, fixed):
    folder = runs.new_run_folder(options)
    options.n_id = len(renders.label_names)
    runs.write_params(folder, options, label_names=list(renders.label_names))
    save_grid(fixed, folder / "syn_fixed.png", options.num_log_samples)
    return folder


def read_sources(options):
    """Index the folders that the flags name: {"real", "synthetic", "pair"} -> index; without pairs no "pair"."""
    data, cache = Path(options.data_dir).expanduser(), Path(options.asset_dir).expanduser() / "index"
    sources = {
        "real": folders.index_images(data / options.dataset, cache, flag="--dataset"),
        "synthetic": folders.index_images(
            data / options.syn_dataset, cache, labelled=True, min_per_label=2, flag="--syn_dataset"
        ),
    }
    if options.dataset_3dmm:
        sources["pair"] = folders.index_pairs(data / options.dataset_3dmm, cache, flag="--dataset_3dmm")
    return sources


def fixed_renders(index, options):
    """The renders of the fixed grid: uint8 [rows * num_log_samples, s, s, 3], a row for each of the first identities.

    A row that has fewer images is filled up with black.
    """
    size, columns = options.input_scale_size, options.num_log_samples
    rows = min(options.num_log_id, len(index.label_names))
    images = np.zeros((rows * columns, size, size, 3), np.uint8)
    for row in range(rows):
        for column, position in enumerate(np.flatnonzero(index.labels == row)[:columns]):
            images[row * columns + column] = folders.decode(index.path(position), size)
    return images


def _say_what_is_off(options):
    if not options.dataset_3dmm:
        print("--dataset_3dmm '': no pairs, so the pair loss (lambda_d) and k_t3 are off")
    if options.method_c == "none":
        print("--method_c none: the identity loss (lambda_c) is off")
