"""What the jobs that train have in common: resuming, checking the input, and the batches for the one loop."""

import sys
from pathlib import Path

import keras
import tensorflow as tf

from data_loader import pipeline, pixel_cache
from trainer.training.devices import Devices
from trainer.training.loop import Loop
from utils import runs
from utils.errors import UserError

RECOGNIZER = "recognizer"  # the system that train_recognizer trains; `train` has all others


def resumed_run(options, recognizer):
    """What --load_path leads to, its flags adopted; None without --load_path.

    Args:
        recognizer: whether the run must be one of train_recognizer, or must not.

    Returns:
        runs.Weights with a run folder.

    Raises:
        UserError: no such run, a TF1 checkpoint, or a run of the other job.
    """
    if not options.load_path:
        return None
    found = runs.find_weights(options.load_path, options.log_dir, "load_path")
    if found.run is None:
        raise UserError(f"--load_path: training goes on from a run folder, not from {found.checkpoint}")
    system = runs.read_params(found.run).get("system")
    if (system == RECOGNIZER) != recognizer:
        job = "train_recognizer" if system == RECOGNIZER else "train"
        raise UserError(f"--load_path: {found.run} is a run of the job {job}")
    runs.adopt(options, found.run)
    return found


def seed_everything(options):
    """The same weights and the same arithmetic every time."""
    keras.utils.set_random_seed(options.random_seed)
    tf.config.experimental.enable_op_determinism()


def unreadable_files(sources):
    """(path, reason) of what cannot be read among a sample of each source; an error where it is too much."""
    return [row for index in sources.values() for row in pipeline.check_readable(index)]


def check_steps_left(system, options, resumed, count=1):
    """An error where a resumed run, or `count` devices, have nothing left to do."""
    step, steps = int(system.state["step"].numpy()), options.max_step // count
    if step >= steps:
        reason = f"less than a step for each of {count} devices"
        if resumed:
            reason = f"{resumed.checkpoint} has done {step} of {steps} steps already"
        raise UserError(f"--max_step {options.max_step}: {reason}")


def open_readers(sources, size, options):
    """What reads the sources' images, by --cache. Before a run folder is made: there may be no room for the pixels."""
    folder = Path(options.asset_dir).expanduser() / "pixels"
    return pixel_cache.open_readers(sources, size, options.cache, folder)


def run_loop(system, sources, readers, folder, options, size, unreadable=(), fixed=None, chips=None, devices=None):
    """Train a system on its sources, from its step on, in a run folder.

    Args:
        sources: {name: index}, as pipeline.training_batches.
        readers: of open_readers.
        size: side of the images of a batch.
        unreadable: (path, reason) found before, to tell.
        fixed: renders of the grid, or None.
        chips: places of the renders' faces, or None, as pipeline.training_batches.
        devices: trainer.training.devices.Devices that the system was built on; None: one.
    """
    devices = devices or Devices()
    print(f"run folder: {folder}" if folder else f"worker {devices.worker}: worker 0 keeps the run folder")
    for path, reason in unreadable:
        print(f"warning: {path} is skipped: {reason}", file=sys.stderr)
    skipped = pipeline.SkippedFiles()
    batches = pipeline.training_batches(
        sources,
        batch_size=devices.local * options.batch_size,
        size=size,
        seed=options.random_seed,
        start_step=int(system.state["step"].numpy()),
        workers=options.num_worker,
        skipped=skipped,
        chips=chips,
        part=(devices.worker, devices.workers),
        readers=readers,
    )
    Loop(system, folder, options, fixed, devices).run(pipeline.checked(batches, skipped))
