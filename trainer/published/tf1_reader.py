"""TF1 checkpoints: reading one, and telling weights from what an optimizer kept beside them."""

import re

import tensorflow as tf

from utils.errors import UserError
from utils.runs import TF1_ENDING

AVERAGE = "/ExponentialMovingAverage"
SLOT = re.compile(r"/(Adam|RMSProp|Adagrad|Adadelta|Momentum)(_\d+)?$|^beta[12]_power(_\d+)?$")


def open_checkpoint(prefix, flag):
    """A reader of a TF1 checkpoint: get_variable_to_shape_map(), get_tensor(name).

    Args:
        prefix: the files' common name, or the name of one of them.
        flag: the flag that named it.

    Raises:
        UserError: none is there, or it cannot be read.
    """
    prefix = TF1_ENDING.sub("", str(prefix))
    try:
        return tf.train.load_checkpoint(str(prefix))
    except (ValueError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        if re.search(r"[][?*\\]", prefix):
            reason = "TensorFlow takes [ ] ? * and \\ in it for a pattern; rename the folder or the files"
        raise UserError(f"--{flag}: cannot read a TF1 checkpoint at {prefix}: {reason}") from error


def assign(variables, reader):
    """Read each of {name in the checkpoint: variable}."""
    for name, variable in variables.items():
        variable.assign(reader.get_tensor(name))


def without_average(name):
    """The name of a weight of which `name` is perhaps the average."""
    return name.removesuffix(AVERAGE)
