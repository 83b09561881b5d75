"""TF1 checkpoints: reading one, and telling weights from what an optimizer kept beside them."""

import re

import tensorflow as tf

from utils.errors import UserError

AVERAGE = "/ExponentialMovingAverage"
SLOT = re.compile(r"/(Adam|RMSProp|Adagrad|Adadelta|Momentum)(_\d+)?$|^beta[12]_power(_\d+)?$")


def open_checkpoint(prefix, flag):
    """A reader of a TF1 checkpoint: get_variable_to_shape_map(), get_tensor(name).

    Raises:
        UserError: none is there, or it cannot be read; `flag` named it.
    """
    try:
        return tf.train.load_checkpoint(str(prefix))
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(f"--{flag}: cannot read a TF1 checkpoint at {prefix}: {str(error).splitlines()[0]}") from error


def assign(variables, reader):
    """Read each of {name in the checkpoint: variable}."""
    for name, variable in variables.items():
        variable.assign(reader.get_tensor(name))


def without_average(name):
    """The name of a weight of which `name` is perhaps the average."""
    return name.removesuffix(AVERAGE)
