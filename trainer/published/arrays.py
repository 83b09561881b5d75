"""Files of weights against networks: names, shapes, and arrays read without unpickling."""

import zipfile

import numpy as np

from utils.errors import UserError

LISTED = 40  # differences that an error lists before it counts the rest


def named_weights(name, network):
    """{name in a checkpoint: variable} of a network's weights.

    Keras' paths repeat in networks built of unnamed parts, so each name carries its place in the network too:
    "generator/003/block_1/conv_1/kernel".
    """
    return {f"{name}/{i:03d}/{v.path.partition('/')[2]}": v for i, v in enumerate(network.weights)}


def read_arrays(path):
    """{name: array} of a checkpoint file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read the checkpoint {path}: {error}") from error


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
