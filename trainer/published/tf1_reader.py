"""TF1 checkpoints: reading one, and telling weights from what an optimizer kept beside them."""

import re

import tensorflow as tf

from utils.errors import UserError
from utils.runs import TF1_ENDING

AVERAGE = "/ExponentialMovingAverage"
SLOT = re.compile(r"/(Adam|RMSProp|Adagrad|Adadelta|Momentum)(_\d+)?$|^beta[12]_power(_\d+)?$")


def open_checkpoint(prefix, flag):
    """A TF1 checkpoint.

    Args:
        prefix: the files' common name, or the name of one of them.
        flag: the flag that named it.

    Returns:
        Checkpoint.

    Raises:
        UserError: none is there, or it cannot be read.
    """
    return Checkpoint(TF1_ENDING.sub("", str(prefix)), flag)


class Checkpoint:
    """What a TF1 checkpoint holds: get_variable_to_shape_map(), get_tensor(name), as TensorFlow's own reader has them.

    Raises:
        UserError: a file of it is missing or damaged; checksums are looked at when a tensor is read.
    """

    def __init__(self, prefix, flag):
        self._prefix, self._flag = prefix, flag
        self._reader = self._told(tf.train.load_checkpoint, prefix)

    def get_variable_to_shape_map(self):
        return self._told(self._reader.get_variable_to_shape_map)

    def get_tensor(self, name):
        return self._told(self._reader.get_tensor, name)

    def _told(self, read, *arguments):
        try:
            return read(*arguments)
        except (ValueError, IndexError, RuntimeError, MemoryError, tf.errors.OpError) as error:
            reason = (str(error) or "too large a number in it").splitlines()[0]
            if re.search(r"[][?*\\]", self._prefix):
                reason = "TensorFlow takes [ ] ? * and \\ in it for a pattern; rename the folder or the files"
            raise UserError(f"--{self._flag}: cannot read a TF1 checkpoint at {self._prefix}: {reason}") from error


def assign(variables, reader):
    """Read each of {name in the checkpoint: variable}."""
    for name, variable in variables.items():
        variable.assign(reader.get_tensor(name))


def without_average(name):
    """The name of a weight of which `name` is perhaps the average."""
    return name.removesuffix(AVERAGE)
