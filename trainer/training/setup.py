"""What any training does before the loop: resuming, checking the input, the run folder, batches; then the loop."""

import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from data_loader import licences, pipeline, pixel_cache, sample_weights
from trainer.face_networks.identity_loss import identity_network
from trainer.face_networks.table import RUNS
from trainer.published.arrays import holds_optimizers
from trainer.systems import system_class
from trainer.training.devices import Devices
from trainer.training.loop import Loop
from utils import runs
from utils.errors import UserError
from utils.flags import FLAGS


def resumed_run(options, job):
    """What --load_path leads to.

    Args:
        job: "train" or "train_recognizer": the run must be one of this job.

    Returns:
        (runs.Weights with a run folder, the flags with the run's adopted); (None, the flags) without --load_path.

    Raises:
        UserError: no such run, a TF1 checkpoint, a run of another job, other weights named beside it, or a flag that
            contradicts the shape of its networks or the kind of its optimizers.
    """
    if not options.load_path:
        return None, options
    found = runs.find_weights(options.load_path, options.log_dir, "load_path")
    if found.run is None or not holds_optimizers(found.checkpoint):
        raise UserError(f"--load_path: training goes on from a run folder, not from {found.checkpoint}")
    params = runs.read_params(found.run)
    kind = system_class(params.get("system"))
    if kind.job != job:
        raise UserError(f"--load_path: {found.run} is a run of the job {kind.job}")
    if "pretrained_gen" in options.explicit:
        raise UserError("--load_path goes on with a run, --pretrained_gen starts from weights: give one of them")
    if job == "train" and "pretrained_rec" in options.explicit:
        raise UserError(f"--pretrained_rec: {found.checkpoint} holds the face network of the run that goes on")
    shape = shape_of(params, ("system", "optimizer", *kind.shaping))
    for name, off in kind.training_only_off.items():  # of a loss that has a network, the weight may change, but to 0
        if name in options.explicit and off == 0 and 0 not in (shape.get(name, 0), getattr(options, name)):
            del shape[name]
    return found, runs.adopted(with_shape(options, shape, found.checkpoint), params)


def shape_of(params, names):
    """{flag: value} that a run was trained with, of the flags named.

    A run from before there was a flag has its default, by which things stay as they were. Exported weights are without
    what only their training needed: of it they say nothing here.

    Args:
        params: the run's, of utils.runs.read_params.
        names: of flags.
    """
    exported = "trained_with" in params
    return {name: params.get(name, FLAGS[name].default) for name in names if name in params or not exported}


def with_shape(options, trained_with, source):
    """The flags with those that shaped some weights.

    Args:
        trained_with: {flag: value} of the weights.
        source: where the weights are, for messages.

    Raises:
        UserError: the command line names another value.
    """
    for name, value in trained_with.items():
        if name in options.explicit and getattr(options, name) != value:
            raise UserError(f"--{name} {getattr(options, name)}: {source} was trained with {value}")
    return options.changed(**trained_with)


def seed_everything(options):
    """The same weights and, but for XLA on a GPU, the same arithmetic every time.

    Where it is asked for that, XLA refuses the gradient of max pooling on every device, so that it is not asked.
    """
    keras.utils.set_random_seed(options.random_seed)
    if not options.jit_compile:
        tf.config.experimental.enable_op_determinism()


def unreadable_files(indexes):
    """(path, reason) of what cannot be read among a sample of each index; an error where it is too much."""
    return [row for index in indexes.values() for row in pipeline.check_readable(index)]


def label_counts(sources, indexes):
    """{source: number of labels} of the labelled ones: what a system is built with."""
    return {name: len(index.label_names) for name, index in indexes.items() if sources[name].label}


def check_people(resumed, sources, indexes, instead):
    """An error where a run, to go on with or to start from, learned other people than its folders hold now, though as
    many perhaps, or of other kinds of images.

    Args:
        resumed: runs.Weights.
        instead: the flag that starts a training with other people from the run's weights; "": none does.
    """
    advice = "its weights are of its own people: begin a training without them"
    if instead:
        advice = f"to learn these from its weights, give {instead} {resumed.run} in place of --load_path"
    params = runs.read_params(resumed.run)
    for name, index in ((name, index) for name, index in indexes.items() if sources[name].label):
        there, here = runs.label_names(params, name), list(index.label_names)
        if not there or there == here:
            continue
        changes = [f"{what} {_some(people)}" for what, people in
                   (("added", set(here) - set(there)), ("missing", set(there) - set(here))) if people]  # fmt: skip
        raise UserError(
            f"{index.flag}: {index.folder} holds other people than {resumed.run} was trained on: "
            f"{'; '.join(changes) or 'the same in another order'}; {advice}"
        )
    there, here = set(params.get("labels") or ()), set(label_counts(sources, indexes))
    if there and there != here:
        flag = next(iter(indexes.values())).flag
        raise UserError(f"{flag}: {resumed.run} learned people of {_some(there)} images, and here are "
                        f"{_some(here) or 'unlabelled'} ones; {advice}")  # fmt: skip


def _some(names, most=5):
    listed = ", ".join(sorted(names)[:most])
    return f"{listed} and {len(names) - most} more" if len(names) > most else listed


def tell_streams(resumed, streams):
    """Say it where a run was begun by a version that drew other random numbers."""
    if runs.read_params(resumed.run).get("streams", 1) != streams:
        print(f"{resumed.run} was begun by a version that drew some random numbers otherwise: it goes on, not as it "
              "would have there, bit by bit")  # fmt: skip


def tell_weights(resumed, weights):
    """Say it where a run drew its images by other weights than {source: float64 [n]}."""
    if runs.read_params(resumed.run).get("image_weights", {}) != sample_weights.digests(weights):
        print(f"{resumed.run} drew images by other weights than now: it goes on, not as it would have there, bit by "
              "bit")  # fmt: skip


def check_steps_left(system, options, resumed, count=1):
    """An error where a resumed run, or `count` devices, have nothing left to do."""
    step, steps = int(system.state["step"].numpy()), options.max_step // count
    if step >= steps:
        reason = f"less than a step for each of {count} devices"
        if resumed:
            reason = f"{resumed.checkpoint} has done {step} of {steps} steps already"
        raise UserError(f"--max_step {options.max_step}: {reason}")


@dataclass(frozen=True)
class Data:
    """What a training reads, opened and checked before a run folder is made.

    Attributes:
        indexes: {source: index}.
        annotations: {source: {key: array [n, …]}}.
        readers: of pixel_cache.open_readers.
        unreadable: (path, reason) of files found unreadable, to tell.
        weights: {source: float64 [n]}, of the sources whose images are not drawn equally often.
    """

    indexes: dict
    annotations: dict
    readers: dict
    unreadable: list
    weights: dict


def read_annotations(sources, indexes):
    """{source: {key: array [n, …]}}: what batches bring beside pixels and labels."""
    return {name: sources[name].annotations(index) for name, index in indexes.items()}


def open_data(indexes, annotations, size, options, unreadable=(), weights=None):
    """Data of {source: index}; an error where there is no room for the pixels (--cache)."""
    folder = Path(options.asset_dir).expanduser() / "pixels"
    readers = pixel_cache.open_readers(indexes, size, options.cache, folder)
    return Data(indexes, annotations, readers, list(unreadable), weights or {})


def people(sources, indexes):
    """What params.json says of whom a run learns: {"labels": {source: number}, "label_names": {source: names}}, and
    `n_id`, the first of these numbers, in place of the flag."""
    counts = label_counts(sources, indexes)
    names = {name: list(indexes[name].label_names) for name in counts}
    return {"labels": counts, "label_names": names} | ({"n_id": next(iter(counts.values()))} if counts else {})


def licences_of(indexes, options):
    """What params.json says of whose work a run rests on: that of its folders, of the face network of its identity
    loss, and of the runs that it goes on from, starts from or looks through."""
    roots = [root for index in indexes.values() for root in index.roots]
    found = set().union(*map(licences.of_folder, roots))
    looked = system_class(options.system).looked_through(vars(options))
    if (network := identity_network(looked)) and not network.startswith(RUNS):
        found.add(licences.KNOWN[licences.of_network(network)])
    for flag in {"load_path", "pretrained_gen", "pretrained_rec"} & options.explicit:
        if run := runs.run_at(getattr(options, flag), options.log_dir):
            found |= licences.of_run(runs.read_params(run))
    return licences.written(found)


def run_loop(system, data, folder, options, grid=None, devices=None, best=None):
    """Train a system from its step on, in a run folder.

    Args:
        data: Data of the system's sources.
        folder: run folder; None: a worker beside the one that keeps it.
        grid: trainer.training.grid.Grid or None.
        devices: trainer.training.devices.Devices that the system was built on; None: one.
        best: trainer.training.best.Best or None.
    """
    devices = devices or Devices()
    print(f"run folder: {folder}" if folder else f"worker {devices.worker}: worker 0 keeps the run folder")
    for path, reason in data.unreadable:
        print(f"warning: {path} is skipped: {reason}", file=sys.stderr)
    if grid and folder:
        grid.save_inputs(folder)
    skipped = pipeline.SkippedFiles()
    batches = pipeline.training_batches(
        system.sources,
        data.indexes,
        batch_size=devices.local * options.batch_size,
        size=system.side,
        seed=options.random_seed,
        start_step=int(system.state["step"].numpy()),
        workers=options.num_worker,
        skipped=skipped,
        annotations=data.annotations,
        part=(devices.worker, devices.workers),
        readers=data.readers,
        weights=data.weights,
    )
    Loop(system, folder, options, grid, devices, best).run(pipeline.checked(batches, skipped))
