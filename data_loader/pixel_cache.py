"""The pixels of a source's images: decoded each time, or kept after the first time, in memory or on the disk."""

import os
import shutil
from functools import partial
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

import numpy as np
import PIL

from data_loader.folders import decode
from utils.errors import UserError
from utils.files import keep_newest
from utils.memory import available

SHARE = 0.5  # of the memory that is available, which --cache memory may take (ours)
KEPT = 12  # files of pixels in a cache folder: four trainings with three sources (ours)
GB = 1e9


def decoded(index, size, i):
    """The files of image i of an index, from the disk: list of uint8 [size, size, 3]. Raises UnreadableImage."""
    return [decode(path, size) for path in index.files(i)]


def open_readers(indexes, size, cache, folder):
    """What reads the images of each index.

    The same pixels whatever the cache. A file that cannot be read is never kept: it raises UnreadableImage each time.

    Args:
        indexes: {name: index}, as pipeline.training_batches.
        size: pixels of a side.
        cache: "none"; "memory"; or "disk", a file for each index in `folder`, which the next run and other processes
            share.
        folder: where "disk" keeps its files, never a data set's; made if it is missing.

    Returns:
        {name: function: i -> sequence of uint8 [size, size, 3]}, safe between threads.

    Raises:
        UserError: not enough memory, or room on the disk.
    """
    if cache == "none":
        return {name: partial(decoded, index, size) for name, index in indexes.items()}
    shapes = {name: (len(index), len(index.files(0)), size, size, 3) for name, index in indexes.items()}
    if cache == "memory":
        _check_memory(sum(map(_bytes, shapes.values())))
        return {name: _Kept(index, size, np.zeros(shapes[name], np.uint8)) for name, index in indexes.items()}
    if cache == "disk":
        return {name: _Kept(index, size, *_open_file(index, shapes[name], Path(folder)))
                for name, index in indexes.items()}  # fmt: skip
    raise UserError(f"--cache: {cache!r} is none of none, memory, disk")


class _Kept:
    """Reads image i from its files once, from `pixels` afterwards.

    Args:
        pixels: uint8 [n, files of an image, s, s, 3].
        sums: uint32 [n], CRC-32 of the pixels of each image that the file holds, else anything; None: nothing is held.
            So an image that a kill, a full disk or a loss of power cut short is decoded again, and two processes may
            write at once: they write the same.
    """

    def __init__(self, index, size, pixels, sums=None):
        self.index, self.size, self.pixels, self.sums = index, size, pixels, sums
        self.known = np.zeros(len(index), bool)

    def __call__(self, i):
        if not self.known[i]:
            if self.sums is None or crc32(self.pixels[i]) != self.sums[i]:
                self.pixels[i] = decoded(self.index, self.size, i)
                if self.sums is not None:
                    self.sums[i] = crc32(self.pixels[i])
            self.known[i] = True
        return self.pixels[i]


def _open_file(index, shape, folder):
    """(pixels, sums) of _Kept in a file named after what it holds, of its full size from the start."""
    key = blake2b(repr((index.digest, shape, PIL.__version__)).encode(), digest_size=16).hexdigest()
    path, start = folder / f"{key}.pixels", 4 * shape[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(path, start + _bytes(shape), index)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)  # the last: Windows would write other line ends
        with os.fdopen(os.open(path, flags, 0o666), "r+b") as file:
            _take_room(file, start + _bytes(shape))
            os.utime(path)
            pixels = np.memmap(file, np.uint8, "r+", start, shape)
            sums = np.memmap(file, np.uint32, "r+", 0, (shape[0],))
    except OSError as error:
        raise UserError(f"--cache disk: cannot keep pixels in {folder}: {error.strerror or error}") from error
    keep_newest(folder, "*.pixels", KEPT)
    return pixels, sums


def _check_room(path, size, index):
    free = shutil.disk_usage(path.parent).free
    if not path.exists() and size > free:
        raise UserError(f"--cache disk: the pixels of {index.folder} take {size / GB:.1f} GB, {free / GB:.1f} are free "
                        f"in {path.parent} (--asset_dir)")  # fmt: skip


def _take_room(file, size):
    """Give the file its size and the disk's room for it: a memory map that meets a full disk would end the process."""
    if os.fstat(file.fileno()).st_size != size:  # Windows sets no size where another process has mapped the file
        file.truncate(size)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)


def _check_memory(needed):
    free = available()
    if needed > SHARE * free:
        raise UserError(f"--cache memory: the pixels take {needed / GB:.1f} GB, more than half of the "
                        f"{free / GB:.1f} GB of memory that are available; --cache disk or none")  # fmt: skip


def _bytes(shape):
    return int(np.prod(shape, dtype=np.int64))
