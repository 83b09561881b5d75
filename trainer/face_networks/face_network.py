"""Face networks: which there are, what each is shown, and where its weights come from."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_loader import assets
from models import dlib_resnet
from trainer.published import dlib_import, tf1_import
from trainer.step import pixels
from utils import runs
from utils.errors import UserError
from utils.images import to_float

DLIB = "models.dlib_resnet"
AT_ONCE = 32  # images in a batch


@dataclass(frozen=True)
class Kind:
    """What is the same for every set of weights of a network.

    Attributes:
        title: for reports.
        network: name of its class in the module that --model_def names.
        size: pixels of a side of the images that it was trained on.
        alignment, unit_length: as in FaceNetwork.
    """

    title: str
    network: str
    size: int
    alignment: str
    unit_length: bool


KINDS = {  # --model_def -> Kind
    DLIB: Kind("dlib's ResNet", "DlibResnet", dlib_resnet.IMAGE_SIZE, "chip", False),
    "models.nn4": Kind("FaceNet NN4", "NN4", 96, "square", True),
    "models.inception_resnet_v1": Kind("FaceNet Inception-ResNet-v1", "InceptionResnetV1", 160, "square", True),
}


@dataclass(frozen=True, eq=False)
class FaceNetwork:
    """A face network with its weights.

    Attributes:
        name: for reports.
        network: keras.Model, prepared images -> embeddings [n, d].
        size: pixels of a side of the images that it is shown.
        alignment: how a face is cut for it. "chip": dlib's face chip; "square": the square that `align` cuts; "none":
            images as they lie.
        unit_length: whether embeddings are compared at length 1; dlib compares them raw.
        prepare: float32 [n, size, size, 3] in [-1, 1] -> what `network` takes. TensorFlow, with a gradient.
    """

    name: str
    network: keras.Model
    size: int
    alignment: str
    unit_length: bool
    prepare: Callable

    def embed(self, images):
        """Embeddings of images uint8 [n, size, size, 3]: float32 [n, d], of length 1 where `unit_length` says so."""
        parts = np.split(images, range(AT_ONCE, len(images), AT_ONCE))
        return np.concatenate([self._embed(to_float(part)).numpy() for part in parts])

    @tf.function(reduce_retracing=True)
    def _embed(self, images):
        codes = self.network(self.prepare(images))
        return tf.math.l2_normalize(codes, axis=1, epsilon=1e-10) if self.unit_length else codes


def open_face_network(options):
    """The face network that `--model_def` and `--pretrained_rec` name, with its weights; prints which.

    A run folder of train_recognizer, or one checkpoint in it, says itself what it holds, and so does a TF1 checkpoint
    of FaceNet that is named without --model_def.

    Args:
        options: model_def, pretrained_rec, facenet_scope, embedding_size, use_fixed_image_standardization, asset_dir,
            log_dir; `explicit`, the flags that the command line names.

    Returns:
        FaceNetwork.

    Raises:
        UserError: weights that are missing, or that are not the network's.
    """
    if holds_run(options):
        from trainer.jobs.train_recognizer import open_recognizer  # here: it builds on this module

        face_network = open_recognizer(options.pretrained_rec, options.log_dir)
    else:
        choose_network(options)
        kind = KINDS[options.model_def]
        network = build_network(options.model_def, options.embedding_size)
        load_weights(network, options)
        name = kind.title
        if options.model_def != DLIB:
            name += f" ({Path(options.pretrained_rec).name})"
        face_network = FaceNetwork(name, network, kind.size, kind.alignment, kind.unit_length,
                                   _from_floats(preparation(options)))
    print(f"face network: {face_network.name}")
    return face_network


def holds_run(options):
    """Whether `--pretrained_rec` names a run folder of train_recognizer, or a checkpoint in one."""
    if "pretrained_rec" not in options.explicit or Path(f"{options.pretrained_rec}.index").is_file():
        return False
    return runs.find_weights(options.pretrained_rec, options.log_dir, "pretrained_rec").run is not None


def choose_network(options):
    """Settle which network `options` mean, and the size of its embedding, before it is built.

    Weights of FaceNet that are named with --pretrained_rec, but not their network, choose it: model_def is set.

    Raises:
        UserError: no such weights, or weights of another network than the command line names.
    """
    if "pretrained_rec" in options.explicit or options.model_def != DLIB:
        tf1_import.take_network(options)
    elif options.embedding_size != dlib_resnet.EMBEDDING_SIZE:
        raise UserError(f"--embedding_size {options.embedding_size}: {DLIB} has {dlib_resnet.EMBEDDING_SIZE} numbers")


def build_network(model_def, embedding_size):
    """The face network that `--model_def` names, with fresh weights."""
    if model_def not in KINDS:
        raise UserError(f"--model_def: {model_def!r} is none of {', '.join(KINDS)}")
    network = getattr(importlib.import_module(model_def), KINDS[model_def].network)
    return network() if model_def == DLIB else network(embedding_size)


def load_weights(network, options):
    """Read the pretrained weights into a network that build_network made; dlib's are fetched where missing.

    Raises:
        UserError: they are missing, or another network's.
    """
    if options.model_def == DLIB:
        folder = assets.fetch("dlib_models", options.asset_dir)
        dlib_import.load_dlib_resnet(network, folder / dlib_import.FILE)
    else:
        tf1_import.load_identity_network(network, options)


def preparation(options):
    """A function: pixels 0...255, float32 [n, s, s, 3], of the side that the network is shown -> what it takes."""
    if options.model_def == DLIB:
        return dlib_resnet.prepared
    return lambda levels: pixels.standardized(levels, options.use_fixed_image_standardization)


def _from_floats(prepare):
    return lambda images: prepare(pixels.levels(images))
