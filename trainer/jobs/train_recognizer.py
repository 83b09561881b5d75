"""The job `train_recognizer`: labelled folders in, a run folder with a face recogniser out."""

from pathlib import Path
from types import SimpleNamespace

from data_loader import assets, folders
from data_loader.joined import JoinedIndex
from trainer.face_networks import recognizer_networks
from trainer.face_networks.face_network import FaceNetwork
from trainer.output.scores import TABLE
from trainer.published import dlib_import, tf1_import
from trainer.step import schedules
from trainer.systems.recognizer import Recognizer
from trainer.systems.system import named_weights
from trainer.training import checkpoint, setup
from utils import runs
from utils.errors import UserError

FACENET = ("inception_resnet_v1", "nn4")


def run(options):
    """Train. Everything that can be wrong with the input is found before anything is written."""
    resumed = setup.resumed_run(options, recognizer=True)
    sources = read_sources(options)
    train(options, sources, resumed=resumed)


def read_sources(options):
    """Index the roots that --dataset names: {"labelled": index} and, where any was generated, "synthetic": index.

    Roots of one kind share one label space, one after the other. Where all roots were generated they take the real
    ones' place. What `filter` kept of a generated folder is a folder like it: nothing is filtered here.

    Raises:
        UserError: a root is missing, named twice or not labelled, or there is one identity only.
    """
    data, cache = Path(options.data_dir).expanduser(), Path(options.asset_dir).expanduser() / "index"
    names = [name.strip() for name in options.dataset.split(",")]
    for name in names:
        if not name or names.count(name) > 1:
            raise UserError(f"--dataset {options.dataset}: {'a folder is named twice' if name else 'an empty name'}")
    parts = {"labelled": [], "synthetic": []}
    for name in names:
        index = folders.index_images(data / name, cache, labelled=True, flag="--dataset")
        parts["synthetic" if (data / name / TABLE).is_file() else "labelled"].append(index)
    if not parts["labelled"]:
        print("--dataset: all of it was generated, and is trained on as real images would be (lambda_syn is off)")
        parts = {"labelled": parts["synthetic"]}
    return {name: part[0] if len(part) == 1 else JoinedIndex(part) for name, part in parts.items() if part}


def train(options, sources, folder=None, resumed=None):
    """Train a recogniser in a run folder, through the one loop.

    Args:
        options: the flags, with `explicit`; image_size, embedding_size and max_step become what they come to.
        sources: {"labelled": index of real images, "synthetic": index of generated ones (optional)}: ImageIndex,
            JoinedIndex or SubsetIndex.
        folder: Path of the run folder, made where it is missing; None: a new one under log_dir.
        resumed: runs.Weights of an earlier run of the same flags, to go on with, or None.

    Returns:
        Recognizer, with the weights of the last step; `averages` holds those to use.

    Raises:
        UserError: one identity only, a flag that does not fit the network, unreadable images, nothing left to train.
    """
    for index in sources.values():
        if len(index.label_names) < 2:
            raise UserError(f"{index.flag}: {index.folder} holds one identity: a recogniser needs two at least")
    unreadable = setup.unreadable_files(sources)
    setup.seed_everything(options)
    options.system = setup.RECOGNIZER
    start = None if resumed else starting_point(options)
    if not resumed:
        recognizer_networks.take_sizes(options)
    options.max_step = _steps(options, resumed)
    options.n_id, n_syn = (len(sources[name].label_names) if name in sources else 0 for name in
                           ("labelled", "synthetic"))
    system = Recognizer(options, options.n_id, n_syn)
    if resumed:
        checkpoint.restore(system, resumed.checkpoint)
    elif start:
        start(system.network)
        system.restart_averages()
    setup.check_steps_left(system, options, resumed)
    readers = setup.open_readers(sources, system.face_input.shown, options)

    if folder is None:
        folder = runs.new_run_folder(options, "rec")
    folder.mkdir(parents=True, exist_ok=True)
    names = {f"{name}_label_names": list(index.label_names) for name, index in sources.items()}
    runs.write_params(folder, options, n_syn=n_syn, **names)
    setup.run_loop(system, sources, readers, folder, options, system.face_input.shown, unreadable)
    return system


def load_recognizer(value, log_dir="logs", flag="pretrained_rec"):
    """The averaged weights of a run of this job.

    Args:
        value: a run folder, its name under log_dir, or one checkpoint in it.
        flag: the flag that named it, for messages.

    Returns:
        (network, params): keras.Model of what FaceInput(params).prepare gives -> float32 [n, embedding_size], before l2
        normalisation; SimpleNamespace of the run's params.json.

    Raises:
        UserError: no such run, one of another job, or a damaged checkpoint.
    """
    found = runs.find_weights(str(value), log_dir, flag)
    params = _params(found, flag)
    network = recognizer_networks.build_network(params)
    _assign(network, found)
    return network, params


def open_recognizer(value, log_dir="logs", flag="pretrained_rec"):
    """A run of this job as a face network that looks at images as they lie, as it was trained; as load_recognizer."""
    network, params = load_recognizer(value, log_dir, flag)
    look = recognizer_networks.FaceInput(params)
    return FaceNetwork(f"{params.recognizer} ({value})", network, look.shown, "none", True, look.prepare)


def _params(found, flag):
    params = runs.read_params(found.run) if found.run else {}
    if params.get("system") != setup.RECOGNIZER:
        raise UserError(f"--{flag}: {found.run or found.checkpoint} is no run of train_recognizer")
    return SimpleNamespace(**params)


def _assign(network, found):
    arrays = checkpoint.read_arrays(found.checkpoint)
    averages = {f"{checkpoint.AVERAGE}{name}": v for name, v in named_weights("recognizer", network).items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    checkpoint.check_names(averages, shapes, found.checkpoint, ignored=set(arrays) - set(averages))
    for name, variable in averages.items():
        variable.assign(arrays[name])


def _steps(options, resumed):
    """Steps to train: --max_step where it is named, else all epochs; not beyond the end of the schedule file."""
    epochs = len(schedules.epoch_rates(options))
    kept = resumed and not options.explicit & {"max_nrof_epochs", "epoch_size"}
    if "max_step" not in options.explicit and not kept:
        return epochs * options.epoch_size
    ends = epochs < options.max_nrof_epochs
    return min(options.max_step, epochs * options.epoch_size) if ends else options.max_step


def starting_point(options):
    """What gives a new network its weights: --pretrained_rec where the command line names it; dlib's own for dlib's.

    What the command line does not name is taken from there: recognizer, sizes, standardisation.

    Returns:
        A function of the network, or None: it starts with fresh weights.

    Raises:
        UserError: no such weights, or weights of another network than the flags say.
    """
    if "pretrained_rec" not in options.explicit:
        if options.recognizer == "dlib_resnet":
            weights = assets.fetch("dlib_models", options.asset_dir) / dlib_import.FILE
            return lambda network: dlib_import.load_dlib_resnet(network, weights)
        return None
    found = runs.find_weights(options.pretrained_rec, options.log_dir, "pretrained_rec")
    if found.run is None:
        return _published(options)
    params = _params(found, "pretrained_rec")
    for name in ("recognizer", "image_size", "embedding_size", "use_fixed_image_standardization"):
        if name in options.explicit and getattr(options, name) != getattr(params, name):
            raise UserError(f"--{name} {getattr(options, name)}: {found.run} was trained with {getattr(params, name)}")
        setattr(options, name, getattr(params, name))
        options.explicit = options.explicit | {name}
    return lambda network: _assign(network, found)


def _published(options):
    """FaceNet's TF1 checkpoint, for its two networks."""
    if options.recognizer not in FACENET:
        raise UserError(f"--pretrained_rec: {options.recognizer} starts from a run of train_recognizer, not from a TF1 "
                        "checkpoint")
    named = SimpleNamespace(**vars(options) | {"explicit": options.explicit - {"model_def"}})
    tf1_import.take_network(named)
    if named.model_def != f"models.{options.recognizer}":
        raise UserError(f"--recognizer {options.recognizer}: {options.pretrained_rec} holds another network; give "
                        f"--recognizer {named.model_def.removeprefix('models.')}")
    options.embedding_size, options.explicit = named.embedding_size, options.explicit | {"embedding_size"}
    return lambda network: tf1_import.load_identity_network(network, named)
