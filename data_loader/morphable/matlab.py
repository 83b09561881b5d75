"""MATLAB files, and arrays out of any file of named fields: what is missing or wrong is named."""

import math
import struct
import zlib

import numpy as np
import scipy.io

from utils.errors import UserError

# What SciPy raises differs from one kind of damage to the next.
_ERRORS = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, MemoryError, NameError, OverflowError,
           RecursionError, struct.error, zlib.error, scipy.io.matlab.MatReadError)
# Types of data elements, as the MAT-file format's description numbers them: numbers, then the three below, then text.
_NUMBERS, _MATRIX, _COMPRESSED, _TEXT = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13}, 14, 15, {16, 17, 18}
# Classes of matrices, likewise: after the flags, elements that describe it, elements of numbers or text (complex ones
# have one more), and matrices within it (None: as many as its dimensions, times its fields, say).
_STRUCT, _OBJECT, _CHAR, _OPAQUE = 2, 3, 4, 17
_LAYOUTS = {1: (2, 0, None), _STRUCT: (4, 0, None), _OBJECT: (5, 0, None), _CHAR: (2, 1, 0), 5: (2, 3, 0),
            **dict.fromkeys(range(6, 16), (2, 1, 0)), 16: (2, 0, 1), _OPAQUE: (3, 0, 1)}


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
    """Raise ValueError where SciPy's reader, which trusts a file, would look outside its tables or its memory."""
    with open(path, "rb") as file:
        header, content = file.read(128), file.read()
    if len(header) == 128 and 0 not in header[:4] and header[126:] in (b"IM", b"MI"):  # version 4 has no such header
        order = "<" if header[126:] == b"IM" else ">"
        for kind, data, _ in _elements(content, order, {_MATRIX, _COMPRESSED}):
            inner = _elements(zlib.decompress(data), order, {_MATRIX}) if kind == _COMPRESSED else [(kind, data, False)]
            for _, matrix, _ in inner:
                _check_matrix(matrix, order)


def _elements(content, order, kinds):
    """[(type, data, whether in the short form)] of the data elements that `content` is made of, of types in `kinds`."""
    content, place, found = memoryview(content), 0, []
    while place < len(content):
        kind, size = struct.unpack_from(f"{order}2I", content, place)
        start, short = place + 8, kind >> 16 > 0
        if short:  # length, type and up to four bytes of data in eight
            kind, size, start = kind & 0xffff, kind >> 16, place + 4
        if kind not in kinds or size > len(content) - start or (short and size > 4):
            raise ValueError(f"element of type {kind}, {size} bytes")
        found.append((kind, content[start:start + size], short))
        place = place + 8 if short else start + size if kind == _COMPRESSED else start + -(-size // 8) * 8
    return found


def _check_matrix(content, order):
    """A matrix must hold the elements that its class, its flags and its dimensions say, in SciPy's order of reading."""
    if not content:
        return
    (flags_kind, flags, short), *rest = _elements(content, order, _NUMBERS | _TEXT | {_MATRIX})
    if flags_kind != 6 or len(flags) != 8 or short:
        raise ValueError("a matrix without flags")
    flags = struct.unpack(f"{order}2I", flags)[0]
    kind, is_complex = flags & 0xff, flags >> 11 & 1
    if kind not in _LAYOUTS:
        raise ValueError(f"matrix of class {kind}")
    heads, leaves, matrices = _LAYOUTS[kind]
    dimensions = () if kind == _OPAQUE else _integers(rest[0], order)
    count = math.prod(dimensions)
    if kind in (_STRUCT, _OBJECT):
        (width,) = _integers(rest[heads - 2], order)
        if width < 1:
            raise ValueError(f"field names of {width} bytes")
        count *= len(rest[heads - 1][1]) // width
    leaves += is_complex if leaves and kind != _CHAR else 0
    kinds, expected = [kind for kind, _, _ in rest], count if matrices is None else matrices
    described, within = kinds[:heads + leaves], kinds[heads + leaves:]
    if len(described) < heads + leaves or _MATRIX in described or len(within) != expected or {*within} - {_MATRIX}:
        raise ValueError(f"matrix of class {kind} and dimensions {dimensions} with elements of types {kinds}")
    if kind == _CHAR and not rest[-1][1] and count > 2 ** 20:
        raise ValueError(f"a text of {count} spaces")
    for _, data, _ in rest[heads + leaves:]:
        if len(data) % 8:
            raise ValueError(f"matrix of {len(data)} bytes")
        _check_matrix(data, order)


def _integers(element, order):
    kind, data, _ = element
    if kind not in (5, 6) or len(data) % 4 or not data:
        raise ValueError(f"whole numbers of type {kind}, {len(data)} bytes")
    values = struct.unpack(f"{order}{len(data) // 4}i", data)
    if min(values) < 0:
        raise ValueError(f"dimensions {list(values)}")
    return values


def first_line(error):
    """What an error says, its first line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
