"""The job `train`: data set folders in, a run folder out."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_loader import folders, pipeline
from trainer import checkpoint, face_network, identity, system_class
from trainer.loop import Loop
from utils import runs
from utils.errors import UserError
from utils.images import save_grid


def run(options):
    """Train. Everything that can be wrong with the input is found before anything is written."""
    resumed = None
    if options.load_path:
        resumed = runs.find_weights(options.load_path, options.log_dir, "load_path")
        if resumed.run is None:
            raise UserError(f"--load_path: training goes on from a run folder, not from {resumed.checkpoint}")
        runs.adopt(options, resumed.run)
    keras.utils.set_random_seed(options.random_seed)
    tf.config.experimental.enable_op_determinism()
    sources = read_sources(options)
    skipped = pipeline.SkippedFiles()
    unreadable = [row for index in sources.values() for row in pipeline.check_readable(index)]
    _say_what_is_off(options)

    n_id = len(sources["synthetic"].label_names)
    if options.method_c != "none" and not resumed:
        face_network.choose_network(options)
    chips = identity.chip_places(sources["synthetic"], options)
    system = system_class(options.system)(options, n_id, pairs="pair" in sources)
    if resumed:
        checkpoint.restore(system, resumed.checkpoint)
    elif options.method_c != "none":
        face_network.load_weights(system.identity.network, options)
    step = int(system.state["step"].numpy())
    if step >= options.max_step:
        raise UserError(f"--max_step: {resumed.checkpoint} has done {step} of {options.max_step} steps already")

    folder = runs.new_run_folder(options)
    options.n_id = n_id
    runs.write_params(folder, options, label_names=list(sources["synthetic"].label_names))
    fixed = fixed_renders(sources["synthetic"], options)
    save_grid(fixed, folder / "syn_fixed.png", options.num_log_samples)
    print(f"run folder: {folder}")
    for path, reason in unreadable:
        print(f"warning: {path} is skipped: {reason}", file=sys.stderr)
    batches = pipeline.training_batches(
        sources,
        batch_size=options.batch_size,
        size=options.input_scale_size,
        seed=options.random_seed,
        start_step=step,
        workers=options.num_worker,
        skipped=skipped,
        chips=chips,
    )
    Loop(system, folder, options, fixed).run(pipeline.checked(batches, skipped))


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
