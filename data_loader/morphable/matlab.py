"""MATLAB files, and arrays out of any file of named fields: what is missing or wrong is named."""

import struct
import zlib

import numpy as np
import scipy.io

from utils.errors import UserError

# What SciPy raises differs from one kind of damage to the next.
_ERRORS = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, MemoryError, NameError, OverflowError,
           struct.error, zlib.error, scipy.io.matlab.MatReadError)
# Types of data elements, as the MAT-file format's description numbers them: numbers, then the three below, then text.
_NUMBERS, _MATRIX, _COMPRESSED, _TEXT = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13}, 14, 15, {16, 17, 18}


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
        _check_elements(path)
        return read(path)
    except NotImplementedError as error:
        raise UserError(f"{path}: is a MATLAB 7.3 file; save it again with -v7") from error
    except _ERRORS as error:
        raise UserError(f"{path}: is no MATLAB file that can be read ({first_line(error)})") from error


def _check_elements(path):
    """Raise ValueError where an element's type or length cannot be: SciPy looks such a type up outside its table."""
    with open(path, "rb") as file:
        header, content = file.read(128), file.read()
    if len(header) == 128 and 0 not in header[:4] and header[126:] in (b"IM", b"MI"):  # version 4 has no such header
        _walk(content, "<" if header[126:] == b"IM" else ">", {_MATRIX, _COMPRESSED})


def _walk(content, order, kinds):
    content, place = memoryview(content), 0
    while place < len(content):
        kind, size = struct.unpack_from(f"{order}2I", content, place)
        start = place + 8
        if kind >> 16:  # the short form: length, type and up to four bytes of data in eight
            kind, size, start = kind & 0xffff, kind >> 16, place + 4
        if kind not in kinds or size > len(content) - start or (start == place + 4 and size > 4):
            raise ValueError(f"element of type {kind}, {size} bytes")
        if kind == _COMPRESSED:
            _walk(zlib.decompress(content[start:start + size]), order, {_MATRIX})
        elif kind == _MATRIX:
            _walk(content[start:start + size], order, _NUMBERS | _TEXT | {_MATRIX})
        place = start + size if kind == _COMPRESSED else place + 8 + (0 if start == place + 4 else -(-size // 8) * 8)


def first_line(error):
    """What an error says, its first line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
