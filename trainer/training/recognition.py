"""The training of a face recogniser, for the jobs `train_recognizer` and `experiment`."""

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
    runs.write_params(folder, options, alignment=alignment, **setup.people(SOURCES, indexes))
    setup.run_loop(system, data, folder, options)
    return system


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
