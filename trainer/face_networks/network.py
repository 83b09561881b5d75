"""Face networks with weights: dlib's, FaceNet's, or of a run of train_recognizer; built, filled, ready to embed."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf

from data_loader import assets, chips
from data_loader.face_places import FIXED
from trainer.face_networks.preparation import FaceInput, preparation
from trainer.face_networks.table import DLIB, FACENET, RUNS, kind_of, of_run
from trainer.published import dlib_import, facenet, keras_facenet
from trainer.published.arrays import AVERAGE, check_names, named_weights, read_checkpoint
from trainer.step import pixels
from utils import runs
from utils.errors import UserError
from utils.flags import FLAGS
from utils.images import to_float

EMBEDDED_AT_ONCE = 32  # images in a batch
RECOGNIZER = "recognizer"  # the system of the runs that hold a face network


@dataclass(frozen=True, eq=False)
class FaceNetwork:
    """A face network with its weights.

    Attributes:
        name: for reports.
        network: keras.Model, prepared images -> embeddings [n, d].
        size: pixels of a side of the images that it is shown.
        alignment: how a face is cut for it. "chip": dlib's face chip; "square": the square that `align` cuts;
            "arcface": by ArcFace's five points; "none": images as they lie.
        unit_length: whether embeddings are compared at length 1; dlib compares them raw.
        prepare: float32 [n, size, size, 3] in [-1, 1] -> what `network` takes. TensorFlow, with a gradient.
        model_def: the flag's value that means this network; "" for one that was trained here.
    """

    name: str
    network: keras.Model
    size: int
    alignment: str
    unit_length: bool
    prepare: Callable
    model_def: str = ""

    def embed(self, images):
        """Embeddings of images uint8 [n, size, size, 3]: float32 [n, d], of length 1 where `unit_length` says so."""
        parts = np.split(images, range(EMBEDDED_AT_ONCE, len(images), EMBEDDED_AT_ONCE))
        return np.concatenate([self._embed(to_float(part)).numpy() for part in parts])

    def embed_at(self, images, places):
        """Embeddings of the faces in small images, such as a training's batch.

        Args:
            images: [n, s, s, 3], uint8, or float32 in [-1, 1].
            places: float32 [n, 4], where the faces are cut, as face_places.known_places gives them for `alignment`; of
                a row of nan the place is face_places.FIXED.

        Returns:
            float32 [n, d], as `embed` gives them.
        """
        images, places = np.asarray(images), np.asarray(places, np.float32)
        images = to_float(images) if images.dtype == np.uint8 else images
        if self.alignment != "none":
            places = np.where(np.isfinite(places), places, np.float32(FIXED[self.alignment]))
        parts = [slice(i, i + EMBEDDED_AT_ONCE) for i in range(0, len(images), EMBEDDED_AT_ONCE)]
        return np.concatenate([self._embed_at(images[part], places[part]).numpy() for part in parts])

    @tf.function(reduce_retracing=True)
    def _embed_at(self, images, places):
        if self.alignment == "none":
            return self._embed(tf.image.resize(images, [self.size] * 2, antialias=True))
        faces = chips.cut_differentiably(pixels.levels(images), places, self.size)  # black outside
        return self._embed(faces / 127.5 - 1.0)

    @tf.function(reduce_retracing=True)
    def _embed(self, images):
        codes = self.network(self.prepare(images))
        return tf.math.l2_normalize(codes, axis=1, epsilon=1e-10) if self.unit_length else codes


def open_face_network(options):
    """The face network that `--model_def` and `--pretrained_rec` name, with its weights; prints which.

    A run folder of train_recognizer, or one checkpoint in it, says itself what it holds, and so does a TF1 checkpoint
    or a Keras file of FaceNet that is named without --model_def.

    Args:
        options: model_def, pretrained_rec, facenet_scope, embedding_size, use_fixed_image_standardization, asset_dir,
            log_dir; `explicit`, the flags that the command line names.

    Returns:
        FaceNetwork.

    Raises:
        UserError: weights that are missing, or that are not the network's.
    """
    if _names_run(options):
        face_network = open_recognizer(options.pretrained_rec, options.log_dir)
    else:
        options = chosen_network(options)
        kind = kind_of(options.model_def, "model_def")
        network = build_network(options)
        load_weights(network, options)
        name = kind.title
        if options.model_def != DLIB:
            name += f" ({_named_weights(options) or keras_facenet.FILE})"
        prepare = preparation(kind.look, options.use_fixed_image_standardization)
        face_network = FaceNetwork(name, network, kind.size, kind.alignment, kind.unit_length,
                                   lambda images: prepare(pixels.levels(images)), options.model_def)  # fmt: skip
    print(f"face network: {face_network.name}")
    return face_network


def chosen_network(options):
    """The flags with the network that they mean and the size of its embedding, before it is built.

    A run of train_recognizer, or weights of FaceNet, that are named with --pretrained_rec, but not their network,
    choose it.

    Raises:
        UserError: no such weights, or weights of another network than the command line names.
    """
    if _names_run(options):
        return _chosen_run(options)
    if options.model_def == FACENET or keras_facenet.is_keras_file(options.pretrained_rec):
        return _chosen_facenet(options)
    if "pretrained_rec" in options.explicit or options.model_def != DLIB:
        return options.changed(**facenet.network_of(options))
    size = kind_of(DLIB, "model_def").embedding
    if options.embedding_size != size:
        raise UserError(f"--embedding_size {options.embedding_size}: {DLIB} has {size} numbers")
    return options


def _chosen_run(options):
    """The flags with the network of a run of train_recognizer, as of_run names it."""
    found = runs.find_weights(options.pretrained_rec, options.log_dir, "pretrained_rec")
    params = recognizer_params(found, "pretrained_rec")
    if "model_def" in options.explicit:
        raise UserError(f"--model_def: {options.pretrained_rec} says itself which network it is")
    if getattr(params, "alignment", "none") != "none":
        raise UserError(f"--pretrained_rec: {options.pretrained_rec} was shown faces that `align --crop` had turned; "
                        "whole images are looked at here")  # fmt: skip
    own = {name: getattr(params, name) for name in ("embedding_size", "use_fixed_image_standardization")}
    return options.changed(model_def=of_run(params), **own)


def _chosen_facenet(options):
    """The flags with the network and the embedding of a Keras file; without --pretrained_rec of the one that is
    fetched."""
    file = _named_weights(options)
    if options.model_def != FACENET and "model_def" in options.explicit:
        raise UserError(f"--model_def: {file} holds another network; give --model_def {FACENET}")
    size = kind_of(FACENET, "model_def").embedding
    if file:
        size = keras_facenet.embedding_size(options.pretrained_rec)
    if "embedding_size" in options.explicit and options.embedding_size != size:
        raise UserError(f"--embedding_size {options.embedding_size}: {file or FACENET} has {size} numbers")
    return options.changed(model_def=FACENET, embedding_size=size)


def _named_weights(options):
    """Name of the file or run that --pretrained_rec names, on the command line or when a run was begun; else ""."""
    return "" if options.pretrained_rec == FLAGS["pretrained_rec"].default else Path(options.pretrained_rec).name


def build_network(options):
    """The face network of model_def and embedding_size, batch norms as constants, with fresh weights."""
    kind = kind_of(options.model_def, "model_def")
    return _built(kind, options.embedding_size, kind.size, frozen=True)


def build_recognizer(options):
    """The network of recognizer, image_size and embedding_size, with fresh weights; batch norms that can train."""
    return _built(kind_of(options.recognizer), options.embedding_size, options.image_size, frozen=False)


def load_weights(network, options):
    """Read the pretrained weights into a network that build_network made; dlib's are fetched where missing, and so is
    FaceNet's Keras file where --pretrained_rec names none.

    Raises:
        UserError: they are missing, or another network's.
    """
    if options.model_def == DLIB:
        load_dlib(network, options.asset_dir)
    elif options.model_def.startswith(RUNS):
        assign_recognizer(network, runs.find_weights(options.pretrained_rec, options.log_dir, "pretrained_rec"))
    elif options.model_def == FACENET:
        fetched = not _named_weights(options)
        file = assets.fetch("facenet", options.asset_dir) / keras_facenet.FILE if fetched else options.pretrained_rec
        keras_facenet.load_keras_facenet(network, file)
    else:
        facenet.load_facenet(network, options)


def load_dlib(network, asset_dir):
    """Read dlib's own weights into a DlibResnet; they are fetched where missing."""
    dlib_import.load_dlib_resnet(network, assets.fetch("dlib_models", asset_dir) / dlib_import.FILE)


def load_recognizer(value, log_dir="logs", flag="pretrained_rec"):
    """The averaged weights of a run of train_recognizer.

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
    params = recognizer_params(found, flag)
    network = build_recognizer(params)
    assign_recognizer(network, found)
    return network, params


def open_recognizer(value, log_dir="logs", flag="pretrained_rec"):
    """A run of train_recognizer as a FaceNetwork that looks at images as it was trained: cut by ArcFace's five points
    where its images were, else as they lie. Else as load_recognizer."""
    network, params = load_recognizer(value, log_dir, flag)
    face_input = FaceInput(params)
    name = f"{params.recognizer} ({value})"
    alignment = getattr(params, "alignment", "none")  # older runs do not say it
    return FaceNetwork(name, network, face_input.shown, alignment, True, face_input.prepare)


def recognizer_params(found, flag):
    """SimpleNamespace of the params.json of a run of train_recognizer.

    Args:
        found: runs.Weights.

    Raises:
        UserError: it is no such run.
    """
    params = runs.read_params(found.run) if found.run else {}
    if params.get("system") != RECOGNIZER:
        raise UserError(f"--{flag}: {found.run or found.checkpoint} is no run of train_recognizer")
    return SimpleNamespace(**params)


def assign_recognizer(network, found):
    """Read the averaged weights of a run of train_recognizer (runs.Weights) into its network."""
    _, arrays = read_checkpoint(found.checkpoint)
    averages = named_weights(f"{AVERAGE}{RECOGNIZER}", network)
    shapes = {name: array.shape for name, array in arrays.items()}
    check_names(averages, shapes, found.checkpoint, ignored=set(arrays) - set(averages))
    for name, variable in averages.items():
        variable.assign(arrays[name])


def _names_run(options):
    """Whether `--pretrained_rec` names a run folder of train_recognizer, or a checkpoint in one."""
    value = options.pretrained_rec
    if "pretrained_rec" not in options.explicit or Path(f"{value}.index").is_file() or options.model_def == FACENET:
        return False
    if keras_facenet.is_keras_file(value):
        return False
    return runs.find_weights(options.pretrained_rec, options.log_dir, "pretrained_rec").run is not None


def _built(kind, embedding_size, image_size=None, frozen=False):
    module, _, name = kind.target.partition(":")
    arguments = dict(kind.arguments)
    if kind.sized:
        arguments["size"] = image_size
    if kind.freezes:
        arguments["frozen"] = frozen
    if not kind.fixed_embedding:
        arguments["embedding_size"] = embedding_size
    return getattr(importlib.import_module(module), name)(**arguments)
