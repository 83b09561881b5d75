"""FaceNet's Inception-ResNet-v1 as a Keras 2 file: its weights, read into our network; none of its code is run.

The file names its layers in a JSON text, the attribute `model_config`, which also says what each of them does; what
Keras marshalled of Python functions beside that is not looked at, since all of them multiply by a factor that stands
there as an argument. Weights are plain arrays, float32, below `model_weights`.
"""

import json
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

from models.facenet_names import keras_layers
from models.inception_resnet_v1 import BATCH_NORM_EPSILON, ConvNorm, DenseNorm, Residual
from trainer.published.arrays import DAMAGED
from utils.errors import UserError

FILE = "facenet_keras_2024.h5"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
OUTPUT = "Bottleneck_BatchNorm"
# How many layers of each class the network has. Dropout does nothing but in training.
CLASSES = {
    "InputLayer": 1, "Conv2D": 132, "BatchNormalization": 112, "Activation": 131, "MaxPooling2D": 3, "Concatenate": 23,
    "Lambda": 21, "Add": 21, "GlobalAveragePooling2D": 1, "Dropout": 1, "Dense": 1,
}  # fmt: skip


class _Wrong(Exception):
    """What was found where something else should be; one line."""


def is_keras_file(path):
    """Whether a path names an HDF5 file, by its ending or by its first bytes."""
    path = Path(path).expanduser()
    if path.suffix == ".h5" or not path.is_file():
        return path.suffix == ".h5"
    try:
        return _begins_as_hdf5(path)
    except OSError:
        return False


def embedding_size(path):
    """Length of the embedding of the network in a file.

    Raises:
        UserError: it is not this network, damaged, or cannot be read.
    """
    return _opened(path, lambda file: _setting(_layers(file), "Bottleneck", "units"))


def load_keras_facenet(network, path):
    """Read `path` into a models.inception_resnet_v1.InceptionResnetV1.

    Raises:
        UserError: it is not this network, damaged, of other shapes, or cannot be read; the network is left as it was.
    """
    for variable, array in _opened(path, lambda file: _weights(file, network)):
        variable.assign(array)


def _opened(path, read):
    """read(h5py.File of `path`), whatever is wrong with it told in one line."""
    try:
        begins_so = _begins_as_hdf5(path)
    except OSError as error:
        raise UserError(f"cannot read FaceNet's Keras file {path}: {error.strerror or error}") from error
    try:
        if not begins_so:
            raise ValueError("it does not begin as one")
        with h5py.File(Path(path).expanduser(), "r") as file:
            return read(file)
    except _Wrong as error:
        raise UserError(f"{path} is not FaceNet's Inception-ResNet-v1 as Keras 2 saves it: {error}") from error
    except (*DAMAGED, RuntimeError) as error:  # h5py has no error of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"cannot read FaceNet's Keras file {path}: it is damaged or no HDF5 file ({reason})") from error


def _begins_as_hdf5(path):
    with Path(path).expanduser().open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def _layers(file):
    """{name: layer of the JSON}, checked to be as many of each class as the network has, in one chain to its output."""
    text = file.attrs.get("model_config")
    if text is None:
        raise _Wrong("it has no model_config (weights alone, or no file of Keras)")
    model = json.loads(text)["config"]
    layers = {layer["name"]: layer for layer in model["layers"]}
    found = Counter(layer["class_name"] for layer in layers.values())
    wrong = [f"{found[name]} {name} layers, not {CLASSES.get(name, 0)}"
             for name in sorted(found.keys() | CLASSES) if found[name] != CLASSES.get(name, 0)]  # fmt: skip
    if wrong:
        raise _Wrong("; ".join(wrong))
    output = model["output_layers"]
    if output != [[OUTPUT, 0, 0]]:
        raise _Wrong(f"its output is {json.dumps(output)}, not {OUTPUT}")
    return layers


def _weights(file, network):
    """[(variable, array)] of all weights of the network, every layer checked against it."""
    layers, pairs = _layers(file), []
    for name, layer in keras_layers(network).items():
        normed = isinstance(layer, (ConvNorm, DenseNorm))
        expected = {"use_bias": not normed, "activation": "linear"}
        if isinstance(layer, ConvNorm):
            expected |= {"strides": [layer.stride] * 2, "dilation_rate": [1, 1]}
            if tuple(layer.kernel.shape[:2]) != (1, 1):  # nothing is padded for a single pixel
                expected["padding"] = layer.padding.lower()
        _check(layers, name, expected)
        pairs.append((layer.kernel, _array(file, name, "kernel", layer.kernel.shape)))
        if not normed:
            pairs.append((layer.bias, _array(file, name, "bias", layer.bias.shape)))
            continue
        norm = f"{name}_BatchNorm"
        _check(layers, norm, {"epsilon": BATCH_NORM_EPSILON, "center": True, "scale": False})
        for weight in ("beta", "moving_mean", "moving_variance"):
            variable = getattr(layer, weight)
            pairs.append((variable, _array(file, norm, weight, variable.shape)))
    _check_scales(layers, network)
    return pairs


def _check_scales(layers, network):
    """Each residual block's factor is the argument of the Lambda layer behind its last convolution."""
    factors = {_source(layer): layer["config"].get("arguments") for layer in layers.values()
               if layer["class_name"] == "Lambda"}  # fmt: skip
    names = {id(layer): name for name, layer in keras_layers(network).items()}
    for block in network.body:
        if isinstance(block, Residual):
            name = names[id(block.up)]
            if factors.get(name) != {"scale": block.scale}:
                raise _Wrong(f"behind {name} stands {json.dumps(factors.get(name))}, not a factor of {block.scale}")


def _source(layer):
    """Name of the one layer before a layer."""
    return layer["inbound_nodes"][0][0][0]


def _setting(layers, name, setting):
    if name not in layers:
        raise _Wrong(f"it has no layer {name}")
    return layers[name]["config"].get(setting)


def _check(layers, name, expected):
    for setting, value in expected.items():
        found = _setting(layers, name, setting)
        if found != value:
            raise _Wrong(f"{setting} of {name} is {json.dumps(found)}, not {json.dumps(value)}")


def _array(file, layer, weight, shape):
    path = f"model_weights/{layer}/{layer}/{weight}:0"
    dataset = file.get(path)
    if not isinstance(dataset, h5py.Dataset):
        raise _Wrong(f"it has no {weight} of {layer}")
    if dataset.shape != tuple(shape) or dataset.dtype != np.float32:
        raise _Wrong(f"{weight} of {layer} is {dataset.dtype} {list(dataset.shape)}, not float32 {list(shape)}")
    values = dataset[()]
    if not np.isfinite(values).all():
        raise _Wrong(f"{weight} of {layer} is not finite")
    return values
