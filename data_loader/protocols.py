"""Verification sets: LFW's pairs.txt and insightface's .bin files, read strictly."""

import io
import os
import pickle
import pickletools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_loader.folders import UnreadableImage, decode_whole
from utils.errors import UserError
from utils.files import refuse_outside, spellings
from utils.tables import Table, read_text, split_lines, trimmed


@dataclass(frozen=True)
class PairList:
    """Pairs of images.

    Attributes:
        images: list, each image once: paths (LFW), or the bytes of JPEG or PNG files (.bin).
        first, second: int64 [n], places in `images`.
        same: bool [n], one person?
    """

    images: list
    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


def read_lfw_pairs(path, folder, extension="jpg"):
    """Read a pairs.txt: a line `folds<TAB>pairs`, then for each fold so many lines `name n1 n2` (one person), as many
    `name1 n1 name2 n2` (two people). A first line of one number means one fold, as in LFW's development sets.

    Args:
        path: --lfw_pairs.
        folder: --lfw_dir; image n of a person is <folder>/<name>/<name>_%04d.<extension>.
        extension: --lfw_file_ext.

    Returns:
        a PairList of paths.

    Raises:
        UserError: no such file or folder; a malformed line, one that names a missing person or image, lines missing or
            too many. Names the line, the first one being 1.
    """
    if not str(folder):
        raise UserError("--lfw_dir names the images of --lfw_pairs")
    folder, lines = Path(folder).expanduser(), split_lines(read_text(path, "--lfw_pairs").rstrip())
    if not folder.is_dir():
        raise UserError(f"--lfw_dir: no such folder: {folder}")
    header = _words(lines[0]) if lines else []
    if len(header) not in (1, 2) or not all(_is_count(word) for word in header):
        raise UserError(f"--lfw_pairs: {path} line 1: not `folds<TAB>pairs of each kind in a fold`")
    expected = 2 * int(np.prod([int(word) for word in header]))
    if len(lines) - 1 != expected:
        raise UserError(f"--lfw_pairs: {path} line 1 announces {expected} pairs, {len(lines) - 1} follow")
    images, pairs = {}, []
    for number, line in enumerate(lines[1:], 2):
        where = f"--lfw_pairs: {path} line {number}"
        faces, same = _lfw_line(line, where)
        pairs.append([*(_place(images, _lfw_image(folder, *face, extension, where)) for face in faces), same])
    first, second, same = np.array(pairs).T
    return PairList(list(images), first, second, same.astype(bool))


def read_yaws(path, folder, images, flag="--lfw_poses"):
    """By how much faces are turned, after a table with columns path (or file_name) and yaw.

    Args:
        path: of the table. Its paths are relative to `folder`; what they end with (.jpg, .png) does not count.
        folder: of the images.
        images: paths in it.
        flag: that names the table, for messages.

    Returns:
        float64 [images], degrees; nan where the table has no row or no number.

    Raises:
        UserError: as utils.tables.Table; no row is one of an image.
    """
    table = Table(path, flag)
    name, (yaw,) = table.path_place(), table.places(("yaw",))
    yaws = {str(Path(row[name]).with_suffix("")): table.number(line, row, yaw) for line, row in table}
    folder = Path(folder).expanduser()
    names = [str(Path(image).relative_to(folder).with_suffix("")) for image in images]
    if not yaws.keys() & set(names):
        raise UserError(f"{flag}: {path} names none of the images of {folder} that are wanted, such as {names[0]}")
    return np.array([yaws.get(name, np.nan) for name in names])


def read_bin_set(path, flag="--bin_sets"):
    """Read an insightface .bin set (lfw, cfp_fp, agedb_30, calfw, cplfw): a pickle of two lists, the bytes of JPEG or
    PNG files, two for each pair, and the flags, True where a pair shows one person.

    The unpickler admits only what pickle writes without naming code: lists, tuples, bytes, strings, numbers, booleans
    and None; and one call, `_codecs.encode(text, "latin1")`, by which Python 3 writes bytes for Python 2. Files of
    Python 2, whose strings are bytes, are read too; NumPy arrays are not: they need code.

    Returns:
        a PairList of bytes; nothing is decoded yet.

    Raises:
        UserError: no such file, cut short, no pickle, one that names a class or a function (nothing is then called), or
            one with another content.
    """
    try:
        with open(path, "rb") as file:
            _check_memo(file)
            file.seek(0)
            content = _PlainUnpickler(file, encoding="bytes").load()
    except FileNotFoundError:
        raise UserError(f"{flag}: no such file: {path}") from None
    except OSError as error:
        raise UserError(f"{flag}: cannot read {path}: {error.strerror}") from error
    except _NamesCode as error:
        raise UserError(f"{flag}: {path} is refused: it asks for {error}, and only lists, bytes, strings and numbers "
                        "are read") from None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError,
            MemoryError) as error:  # what pickle's documentation and broken files name
        reason = " ".join(str(error).split()) or "it ends too early"
        raise UserError(f"{flag}: {path} is cut short or no pickle: {reason}") from error
    images, flags = _bin_content(content, f"{flag}: {path}")
    places = np.arange(len(images))
    return PairList([bytes(image) for image in images], places[::2], places[1::2], np.array(flags, bool))


def decode_bytes(data, where):
    """The bytes of a JPEG or PNG file -> uint8 [h, w, 3]. UserError, beginning with `where`, where they are not one."""
    try:
        return decode_whole(io.BytesIO(data))
    except UnreadableImage as error:
        raise UserError(f"{where}: {error.reason}") from error


class _NamesCode(Exception):
    """A pickle names a class or a function."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes by the protocols of Python 2
            return _latin1_bytes
        raise _NamesCode(f"{module}.{name}")


def _latin1_bytes(text, encoding):
    if encoding != "latin1":
        raise _NamesCode(f"the encoding {encoding!r}")
    return text.encode("latin1")


def _check_memo(file):
    """Refuse a pickle whose memo has gaps: the unpickler takes and fills as much memory as its places name."""
    for count, (name, argument) in enumerate(_operations(file)):
        if name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > count:
            raise pickle.UnpicklingError(f"place {argument} in its memo")


def _operations(file):
    """Yield (name, argument) as pickletools.genops does, which takes no string of Python 2 but ASCII."""
    while code := file.read(1):
        operation = pickletools.code2op.get(code.decode("latin-1"))
        if operation is None:
            raise pickle.UnpicklingError(f"operation {code!r}")
        argument = None
        if operation.name == "STRING":
            file.readline()
        elif operation.arg is not None:
            argument = operation.arg.reader(file)
        yield operation.name, argument
        if operation.name == "STOP":
            return
    raise pickle.UnpicklingError("it ends too early")


def _bin_content(content, where):
    lists = isinstance(content, (list, tuple)) and len(content) == 2 and all(
        isinstance(part, (list, tuple)) for part in content)
    if not lists:
        raise UserError(f"{where}: not a pair of lists (images, flags)")
    images, flags = content
    if not flags or len(images) != 2 * len(flags):
        raise UserError(f"{where}: {len(images)} images for {len(flags)} pairs, not two for each")
    if not all(isinstance(image, (bytes, bytearray)) for image in images):
        raise UserError(f"{where}: its images are not bytes of image files")
    if not all(isinstance(flag, (bool, int)) and flag in (0, 1) for flag in flags):
        raise UserError(f"{where}: its flags are not booleans")
    return images, flags


def _is_count(word):
    return word.isdecimal() and int(word) > 0


def _words(line):
    """What a tab, or Excel's semicolon, divides, else a space; without what Excel leaves empty at a line's end."""
    delimiter = next((sign for sign in "\t;" if sign in line), None)
    return trimmed([word.strip() for word in line.split(delimiter)], 0)


def _lfw_line(line, where):
    """([(name, number), (name, number)], same) of one pair; names hold no tab, and no space where no tab divides."""
    words = _words(line)
    if len(words) not in (3, 4) or not all(words):
        raise UserError(f"{where}: not `name n1 n2` or `name1 n1 name2 n2`: {line.strip()[:80]!r}")
    same = len(words) == 3
    name, first, *other, second = words
    if not _is_count(first) or not _is_count(second):
        raise UserError(f"{where}: image numbers count from 1: {line.strip()[:80]!r}")
    if other == [name]:
        raise UserError(f"{where}: a pair of two people names {name!r} twice")
    return [(name, int(first)), (*(other or [name]), int(second))], same


def _lfw_image(folder, name, number, extension, where):
    refuse_outside(name, where)
    paths = [folder / way / f"{way}_{number:04d}.{extension}" for way in spellings(name)]
    path = next(filter(os.path.isfile, paths), None)  # unlike Path's it takes names that are too long
    if path is None:
        path = paths[0]
        what = "image" if os.path.isdir(path.parent) else "person"
        raise UserError(f"{where}: no such {what}: {path if what == 'image' else path.parent}")
    return path


def _place(places, key):
    """The place of `key` in the order in which keys first came."""
    return places.setdefault(key, len(places))
