"""The training of a face recogniser, for the jobs `train_recognizer` and `experiment`."""

import json
import shutil

from data_loader.generated_folder import alignment_of
from data_loader.joined import with_shared_people
from trainer.face_networks import network as face_networks
from trainer.face_networks.table import kind_of, with_sizes
from trainer.published import facenet
from trainer.step import schedules
from trainer.systems.flags_read import refuse_idle_flags
from trainer.systems.recognizer import SOURCES, Recognizer
from trainer.training import checkpoint, setup
from utils import runs
from utils.errors import UserError
from utils.files import atomic_write, read_json

RESULT = "result.json"


def train_recognizer(options, indexes, folder=None, resumed=None):
    """Train a recogniser in a run folder, through the one loop.

    Args:
        options: the flags; image_size, embedding_size and max_step become what they come to.
        indexes: {"labelled": index of real images, "synthetic": index of generated ones (optional)}: ImageIndex,
            JoinedIndex or SubsetIndex.
        folder: Path of the run folder, made where it is missing; None: a new one under log_dir.
        resumed: runs.Weights of an earlier run of the same flags, to go on with, or None.

    Returns:
        Recognizer, with the weights of the last step; its averages are those to use.

    Raises:
        UserError: one identity only, a flag that does not fit the network, unreadable images, nothing left to train.
    """
    if options.shared_people:
        indexes = with_shared_people(indexes)
    for index in indexes.values():
        if len(index.label_names) < 2:
            raise UserError(f"{index.flag}: {index.folder} holds one identity: a recogniser needs two at least")
    refuse_idle_flags(options)
    if resumed:
        setup.check_people(resumed, SOURCES, indexes, "--pretrained_rec")
    unreadable = setup.unreadable_files(indexes)
    setup.seed_everything(options)
    options, start = options.changed(system=face_networks.RECOGNIZER), None
    if not resumed:
        options, start = starting_point(options)
        options = with_sizes(options)
    options = options.changed(max_step=_steps(options, resumed))
    system = Recognizer(options, setup.label_counts(SOURCES, indexes))
    if resumed:
        checkpoint.restore(system, resumed.checkpoint)
    elif start:
        start(system.network)
        system.players.restart_averages()
    setup.check_steps_left(system, options, resumed)
    data = setup.open_data(indexes, {}, system.side, options, unreadable)

    if folder is None:
        folder = runs.new_run_folder(options, "rec")
    folder.mkdir(parents=True, exist_ok=True)
    roots = [root for index in indexes.values() for root in index.roots]
    alignment = alignment_of(roots, "--dataset")
    more = {"licences": setup.licences_of(indexes, options), **setup.people(SOURCES, indexes)}
    runs.write_params(folder, options, alignment=alignment, **more)
    setup.run_loop(system, data, folder, options)
    return system


def kept_result(folder, options, indexes, measure, needed):
    """What one recogniser of an experiment gives: read where it is there, else trained, measured and kept.

    Its checkpoints are deleted once the result is there.

    Args:
        folder: Path of its run folder.
        options, indexes: as train_recognizer takes them; max_step is named.
        measure: a function without arguments: {name: value}, for JSON, of the trained recogniser in `folder`.
        needed: names that a result has.

    Returns:
        The result; None where a signal stopped the training.

    Raises:
        UserError: as train_recognizer, or a damaged result.
    """
    path = folder / RESULT
    if path.is_file():
        result = _read_result(path, needed)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)  # where it was killed before it removed them
        return result
    newest = runs.newest_checkpoint(folder)
    if runs.steps_done(newest) < options.max_step:
        train_recognizer(options, indexes, folder=folder, resumed=runs.Weights(folder, newest) if newest else None)
    if runs.steps_done(runs.newest_checkpoint(folder)) < options.max_step:
        return None
    result = measure()
    with atomic_write(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    shutil.rmtree(folder / "checkpoints")
    return result


def _read_result(path, needed):
    try:
        result = read_json(path)
        if missing := needed - result.keys():
            raise KeyError(min(missing))
        return result
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise UserError(f"--report_dir: {path} is damaged ({error!r}): remove it, and its cell is done anew") from error


def starting_point(options):
    """What gives a new network its weights: --pretrained_rec where the command line names it; dlib's own for dlib's.

    What the command line does not name is taken from there: recognizer, sizes, standardisation.

    Returns:
        (the flags, a function of the network), or (the flags, None): it starts with fresh weights.

    Raises:
        UserError: no such weights, or weights of another network than the flags say.
    """
    if "pretrained_rec" not in options.explicit:
        if kind_of(options.recognizer).weights == "dlib":
            return options, lambda network: face_networks.load_dlib(network, options.asset_dir)
        return options, None
    found = runs.find_weights(options.pretrained_rec, options.log_dir, "pretrained_rec")
    if found.run is None:
        return _facenet(options)
    params = face_networks.recognizer_params(found, "pretrained_rec")
    shape = {name: getattr(params, name) for name in Recognizer.shaping}
    options = setup.with_shape(options, shape, found.run)
    options = options.changed(explicit=options.explicit | set(shape))
    return options, lambda network: face_networks.assign_recognizer(network, found)


def _facenet(options):
    """FaceNet's TF1 checkpoint, for its two networks."""
    if kind_of(options.recognizer).weights != "facenet":
        raise UserError(f"--pretrained_rec: {options.recognizer} starts from a run of train_recognizer, not from a TF1 "
                        "checkpoint")  # fmt: skip
    found = facenet.network_of(options.changed(explicit=options.explicit - {"model_def"}))
    if found["model_def"] != f"models.{options.recognizer}":
        raise UserError(f"--recognizer {options.recognizer}: {options.pretrained_rec} holds another network; give "
                        f"--recognizer {found['model_def'].removeprefix('models.')}")  # fmt: skip
    named = options.changed(**found)
    options = options.changed(embedding_size=found["embedding_size"], explicit=options.explicit | {"embedding_size"})
    return options, lambda network: facenet.load_facenet(network, named)


def _steps(options, resumed):
    """Steps to train: --max_step where it is named, else all epochs; not beyond the end of the schedule file."""
    epochs = len(schedules.epoch_rates(options))
    kept = resumed and not options.explicit & {"max_nrof_epochs", "epoch_size"}
    if "max_step" not in options.explicit and not kept:
        return epochs * options.epoch_size
    ends = epochs < options.max_nrof_epochs
    return min(options.max_step, epochs * options.epoch_size) if ends else options.max_step
