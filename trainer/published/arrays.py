"""Files of weights against networks: names, shapes, and arrays read without unpickling."""

import struct
import tokenize
import zipfile
import zlib

import numpy as np

from utils.errors import UserError

DAMAGED = (  # what NumPy's and Python's readers raise on files that are not whole, or not what they seem
    *(OSError, ValueError, EOFError, TypeError, AttributeError, KeyError, NotImplementedError),
    *(MemoryError, SyntaxError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
FORMAT = 2  # of checkpoints. 1, which had no number: an optimizer's variables by place, "optimizer/generator/0003"
AVERAGE = "state/average/"  # begins the name of an averaged weight in a checkpoint
LISTED = 4  # differences that an error lists before it counts the rest


def named_weights(name, network):
    """{name in a checkpoint: variable} of a network's weights.

    Keras' paths repeat in networks built of unnamed parts, so each name carries its place in the network too:
    "generator/003/block_1/conv_1/kernel".
    """
    return {f"{name}/{i:03d}/{v.path.partition('/')[2]}": v for i, v in enumerate(network.weights)}


def read_checkpoint(path):
    """A checkpoint file of this project: (number of its format, {name: array}).

    Raises:
        UserError: it cannot be read, is damaged or something else, or was written by a newer version.
    """
    arrays = _read(path)
    number = arrays.pop("format", np.int64(1))
    if number.ndim or not np.issubdtype(number.dtype, np.integer):
        raise UserError(f"cannot read the checkpoint {path}: it is damaged or none of ours (its format is no number)")
    if not 1 <= number <= FORMAT:
        raise UserError(f"{path} is of format {number}, and this version reads up to {FORMAT}: use a newer one")
    return int(number), arrays


def holds_optimizers(path):
    """Whether a training can go on from a checkpoint: not from exported weights. True of a file that cannot be read,
    of which `read_checkpoint` says more."""
    try:
        with zipfile.ZipFile(path) as file:
            return any(name.startswith("optimizer/") for name in file.namelist())
    except (OSError, zipfile.BadZipFile):
        return True


def check_names(variables, shapes, source, ignored=()):
    """Compare a system's variables with what a checkpoint holds.

    Args:
        variables: {name: variable} that are wanted.
        shapes: {name: shape} that are there.
        source: path, for the error.
        ignored: names that may be left over.

    Raises:
        UserError: lists the differences by name.
    """
    wrong = [f"missing {name} {list(v.shape)}" for name, v in variables.items() if name not in shapes]
    wrong += [f"left over {n} {list(s)}" for n, s in shapes.items() if n not in variables and n not in ignored]
    wrong += [
        f"{name} is {list(shapes[name])} there and {list(v.shape)} here"
        for name, v in variables.items()
        if name in shapes and tuple(shapes[name]) != tuple(v.shape)
    ]
    if wrong:
        more = f"; and {len(wrong) - LISTED} more" if len(wrong) > LISTED else ""
        raise UserError(f"{source} does not fit the networks: {'; '.join(wrong[:LISTED])}{more}")


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"cannot read the checkpoint {path}: it is damaged or none of ours ({reason})") from error
    if not arrays or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise UserError(f"cannot read the checkpoint {path}: it is damaged or none of ours (no arrays in it)")
    return arrays
