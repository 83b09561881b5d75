"""dlib's face-recognition weights, read from dlib's own serialization into our network.

The format, as dlib's serialize.h and dnn/core.h write it: an integer is a control byte (low four bits: how many bytes
follow; high bit: negative) and those bytes, least significant first; a string its length and its bytes; a boolean one
character, "1" or "0"; a floating point number two integers, mantissa and power of two; a tensor its version, its four
sizes and plain little-endian float32. A network is its layers' versions from the output down to the input, then their
contents from the input up.
"""

import math
from pathlib import Path

import numpy as np

from models.dlib_resnet import BLOCKS, EMBEDDING_SIZE, IMAGE_SIZE, MEAN_RGB, STEM
from utils.errors import UserError

FILE = "dlib_face_recognition_resnet_model_v1.dat"
LAYER, PLAIN, INPUT = 2, 1, 3  # versions: of a layer, of a tag or a skip, of the layer on the input


def load_dlib_resnet(network, path):
    """Read `path` into a models.dlib_resnet.DlibResnet, each affine layer folded into its convolution.

    Raises:
        UserError: the file is cut short, is none of dlib's, holds another network, or more than one.
    """
    path = Path(path)
    try:
        reader = _Reader(path.read_bytes())
        convolutions, embedding = _network(reader)
        reader.end()
    except OSError as error:
        raise UserError(f"cannot read dlib's face network {path}: {error.strerror or error}") from error
    except _WrongFormat as error:
        raise UserError(f"{path} is not dlib's face-recognition network: {error}") from error
    for layer, (kernel, bias) in zip(network.convolutions, convolutions, strict=True):
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)
    network.embedding.kernel.assign(embedding)


class _WrongFormat(Exception):
    """What was found where something else should be; one line."""


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, count):
        piece = self.data[self.at : self.at + count]
        if len(piece) < count:
            raise _WrongFormat(f"it ends at byte {len(self.data)}, in the middle of a value")
        self.at += count
        return piece

    def integer(self):
        (control,) = self.bytes(1)
        count = control & 0x0F
        if control & 0x70 or not 1 <= count <= 8:
            raise _WrongFormat(f"no integer at byte {self.at - 1}")
        value = int.from_bytes(self.bytes(count), "little")
        return -value if control & 0x80 else value

    def integers(self, *wanted, what):
        start = self.at
        found = tuple(self.integer() for _ in wanted)
        if found != wanted:
            raise _WrongFormat(f"{what} at byte {start} is {_listed(found)}, not {_listed(wanted)}")

    def number(self):
        mantissa, power = self.integer(), self.integer()
        if abs(power) > 1000:  # dlib's marks of infinity and of what is no number, or nonsense
            raise _WrongFormat(f"no finite number before byte {self.at}")
        return math.ldexp(mantissa, power)

    def numbers(self, *wanted, what):
        start = self.at
        for value in wanted:
            found = self.number()
            if not math.isclose(found, value, rel_tol=1e-6):
                raise _WrongFormat(f"{what} at byte {start} is {found:g}, not {value:g}")

    def name(self, wanted):
        start, length = self.at, self.integer()
        if length != len(wanted) or self.bytes(length) != wanted.encode():
            raise _WrongFormat(f"no layer {wanted!r} at byte {start}")

    def booleans(self, count):
        if set(self.bytes(count)) - set(b"01"):
            raise _WrongFormat(f"no truth value before byte {self.at}")

    def tensor(self, *shape):
        self.integers(2, what="a tensor's version")
        self.integers(*shape, what="a tensor's shape")
        values = np.frombuffer(self.bytes(4 * math.prod(shape)), "<f4")
        if not np.isfinite(values).all():
            raise _WrongFormat(f"a weight before byte {self.at} is not finite")
        return values

    def end(self):
        if self.at != len(self.data):
            raise _WrongFormat(f"{len(self.data) - self.at} bytes are left over behind its last layer")


def _network(reader):
    """[(kernel [h, w, in, out], bias [out]) of each convolution], and the last layer's [256, 128]."""
    reader.integers(1, what="the loss's version")
    reader.name("loss_metric_2")
    reader.numbers(0.04, 0.6, what="the loss's margin or distance")
    reader.integers(*_versions(), what="the layers' versions")
    reader.name("input_rgb_image_sized")
    reader.numbers(*MEAN_RGB, what="the mean colour")
    reader.integers(IMAGE_SIZE, IMAGE_SIZE, what="the image's size")
    channels, window, stride = STEM
    convolutions = [_convolution(reader, 3, channels, window, stride, on_input=True)]
    _simple(reader, "relu_")
    _simple(reader, "max_pool_2", 3, 3, 2, 2, 0, 0)
    for filters, stride in BLOCKS:
        convolutions.append(_convolution(reader, channels, filters, 3, stride))
        _simple(reader, "relu_")
        convolutions.append(_convolution(reader, filters, filters, 3, 1))
        if stride == 2:
            _simple(reader, "avg_pool_2", 2, 2, 2, 2, 0, 0)
        _simple(reader, "add_prev_")
        _simple(reader, "relu_")
        channels = filters
    _simple(reader, "avg_pool_2", 0, 0, 1, 1, 0, 0)
    return convolutions, _dense(reader, channels)


def _versions():
    """The versions of all layers, from the output to the input."""
    versions = [LAYER, LAYER]  # dense, average
    for _, stride in reversed(BLOCKS):
        shortcut = [LAYER, PLAIN, PLAIN] if stride == 2 else []  # average, skip, tag
        versions += [LAYER, LAYER, *shortcut, *[LAYER] * 5, PLAIN]  # relu, sum; affine, conv, relu, affine, conv; tag
    return [*versions, LAYER, LAYER, LAYER, INPUT]  # pool, relu, affine, conv


def _convolution(reader, channels, filters, window, stride, on_input=False):
    """A con_ layer and its affine_ as one convolution: kernel [window, window, channels, filters], bias [filters]."""
    reader.name("con_4")
    weights = window * window * channels * filters
    values = reader.tensor(weights + filters, 1, 1, 1)
    padding = window // 2 if stride == 1 else 0
    reader.integers(filters, window, window, stride, stride, padding, padding, what="a convolution's settings")
    reader.integers(1, filters, channels, window, window, what="a convolution's kernel")
    reader.integers(1, 1, filters, 1, 1, what="a convolution's bias")
    _rates(reader)
    _state(reader)
    if on_input:
        reader.integers(1, what="the number of images a sample")
    reader.name("affine_")
    gamma, beta = np.split(reader.tensor(2 * filters, 1, 1, 1), 2)
    for what in ("gamma", "beta"):
        reader.integers(1, 1, filters, 1, 1, what=f"an affine layer's {what}")
    reader.integers(0, what="an affine layer's mode")
    _state(reader)
    kernel = values[:weights].reshape(filters, channels, window, window).transpose(2, 3, 1, 0)
    return kernel * gamma, values[weights:] * gamma + beta


def _dense(reader, channels):
    """The fc_ layer without bias: kernel [channels, 128]."""
    reader.name("fc_2")
    reader.integers(EMBEDDING_SIZE, channels, what="the last layer's sizes")
    kernel = reader.tensor(channels, EMBEDDING_SIZE, 1, 1)
    reader.integers(1, channels, EMBEDDING_SIZE, 1, 1, what="the last layer's kernel")
    reader.integers(1, 0, 0, 0, 0, what="the last layer's bias")
    reader.integers(1, what="the last layer's mode")  # 1: without bias
    _rates(reader)
    _state(reader)
    return kernel.reshape(channels, EMBEDDING_SIZE)


def _simple(reader, name, *settings):
    """A layer without weights."""
    reader.name(name)
    reader.integers(*settings, what=f"the settings of {name}")
    _state(reader)


def _rates(reader):
    reader.numbers(1.0, 1.0, 1.0, 0.0, what="a layer's learning rates")


def _state(reader):
    """What follows each layer: three truth values, and gradients and output, all empty in a file that is handed on."""
    reader.booleans(3)
    for _ in range(3):
        reader.tensor(0, 0, 0, 0)


def _listed(values):
    return ", ".join(map(str, values)) if len(values) < 20 else f"a row of {len(values)} other numbers"
