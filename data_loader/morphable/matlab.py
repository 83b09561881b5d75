"""MATLAB files, and arrays out of any file of named fields: what is missing or wrong is named."""

import struct
import zlib

import numpy as np
import scipy.io

from utils.errors import UserError

# What SciPy raises differs from one kind of damage to the next.
_ERRORS = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, MemoryError, struct.error, zlib.error,
           scipy.io.matlab.MatReadError)


class Fields:
    """The arrays of one file by name.

    Args:
        path: of the file, for messages.
        arrays: {name: array}.
    """

    def __init__(self, path, arrays):
        self.path, self.arrays = path, arrays

    def first(self, *names):
        """The first of `names` that is there; the first of all where none is."""
        return next((name for name in names if name in self.arrays), names[0])

    def array(self, name):
        """float32, not empty, all finite.

        Raises:
            UserError: names file and field, as the other readers here do.
        """
        if name not in self.arrays:
            raise UserError(f"{self.path}: field {name} is missing")
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # found below
                value = np.asarray(self.arrays[name], np.float32)
        except (TypeError, ValueError) as error:
            raise UserError(f"{self.path}: field {name} is no array of numbers") from error
        if value.size == 0 or not np.isfinite(value).all():
            raise UserError(f"{self.path}: field {name} is empty or holds what is not finite")
        return value

    def numbers(self, name, size=None):
        """float64 [size], however the file lays them out."""
        value = self.array(name).ravel().astype(np.float64)
        if size is not None and len(value) != size:
            raise UserError(f"{self.path}: field {name} holds {len(value)} numbers, not {size}")
        return value

    def spreads(self, name):
        """float64 [k]: standard deviations or variances."""
        value = self.numbers(name)
        if value.min() < 0:
            raise UserError(f"{self.path}: field {name} holds {value.min():g}, less than 0")
        return value

    def indices(self, name, width, start=None):
        """int32 [k, width], from 0; the file's [width, k] is turned.

        Args:
            start: what the file counts from; found from its least where None.
        """
        value = np.atleast_2d(self.array(name))
        if width == 1:
            value = value.reshape(-1, 1)
        elif value.shape[1] != width:
            value = value.T
        if value.shape[1] != width or (value != np.round(value)).any() or np.abs(value).max() >= 2 ** 31:
            raise UserError(f"{self.path}: field {name} has shape {value.shape}, not rows of {width} whole numbers")
        return value.astype(np.int32) - (int(value.min() > 0) if start is None else start)


def read_matlab(path):
    """Fields of a MATLAB file.

    Raises:
        UserError: it cannot be read, or is of the 7.3 format, which SciPy does not read.
    """
    return Fields(path, _call(scipy.io.loadmat, path))


def names_in(path):
    """The names of a MATLAB file's fields, a set; as read_matlab, but without their content."""
    return {name for name, _, _ in _call(scipy.io.whosmat, path)}


def _call(read, path):
    try:
        return read(path)
    except NotImplementedError as error:
        raise UserError(f"{path}: is a MATLAB 7.3 file; save it again with -v7") from error
    except _ERRORS as error:
        raise UserError(f"{path}: is no MATLAB file that can be read ({first_line(error)})") from error


def first_line(error):
    """What an error says, its first line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
