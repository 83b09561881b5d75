"""The cached list of a folder's images: walk, sort and write any number of files in constant memory."""

import errno
import os
import re
import stat
import struct
import tempfile
import zlib
from contextlib import suppress
from hashlib import blake2b
from heapq import merge
from itertools import islice
from pathlib import Path
from shutil import copyfileobj

import numpy as np

from data_loader.left_out import LeftOut
from utils.errors import UserError
from utils.files import atomic_write, keep_newest

ENDINGS = (b".jpg", b".jpeg", b".jpe", b".jfif", b".png", b".bmp", b".webp", b".gif", b".tif", b".tiff", b".avif",
           b".ppm", b".pgm", b".pnm")

_MAGIC = b"FACEIDX1"
_HEADER = struct.Struct("<8sQQI36x")  # magic, images, bytes of paths (padded to 8), CRC-32 of all that follows
_RECORD = struct.Struct("<HH")  # bytes of key, bytes of path
_KEPT = 32  # indexes in a cache folder
_ATTEMPTS = 5  # to write an index that another process removes at once (ours)
_SORTED_AT_ONCE = 50_000
_DIGITS = re.compile(rb"[0-9]+")


def read_or_build(tree, cache_dir):
    """The index of `tree`, from `cache_dir` if it holds one of just these files, else written there.

    Safe with several processes: a file is written whole, then renamed; the newest 32 (ours, about 50 bytes an image)
    stay, and one that is removed while another process reads it lives on there.

    Returns:
        digest (hex), then memory maps: relative paths (uint8 [bytes]), offsets (int64 [n + 1]), labels (int32 [n]).

    Raises:
        UserError: as Tree.files, or `cache_dir` cannot be written.
    """
    for _ in tree.files():
        pass
    try:
        Path(cache_dir).mkdir(parents=True, exist_ok=True)
        arrays = _read(tree, Path(cache_dir)) or _built(tree, Path(cache_dir))
    except OSError as error:
        reason = f"cannot keep the index of {tree.folder} in {cache_dir}: {error.strerror}"
        raise UserError(f"--asset_dir: {reason}") from error
    return tree.digest(), *arrays


class Tree:
    """The images below a folder, at any depth, one at a time.

    Hidden files and folders are left out, and a link to a folder that leads back to itself is not followed.

    Args:
        folder: absolute path.
        labelled: leave out images that lie directly in `folder`.
        exclude: names of folders directly in `folder` that are left out.
        flag: the flag that named the folder, for messages.

    Attributes:
        left_out: LeftOut of the latest walk.
    """

    def __init__(self, folder, labelled, exclude, flag):
        self.folder, self.labelled, self.exclude, self.flag = folder, labelled, tuple(sorted(exclude)), flag
        self._root, self._left_out = os.fsencode(folder), {os.fsencode(name) for name in exclude}
        self._sum, self.left_out = 0, LeftOut(labelled, ENDINGS)

    def files(self):
        """Yield the relative path (bytes) of every image, in the file system's order.

        Raises UserError where there is none, or where a folder cannot be read.
        """
        self._sum, self.left_out, empty = 0, LeftOut(self.labelled, ENDINGS), True
        for path, size, changed in self._below(b"", ()):
            self._sum += int.from_bytes(blake2b(b"%b\0%d\0%d" % (path, size, changed), digest_size=16).digest())
            empty = False
            yield path
        if empty:
            if self.left_out.count_beside:
                raise UserError(f"{self.flag}: images but no label folders (expected <label>/<file>) in {self.folder}")
            raise UserError(f"{self.flag}: no images in {self.folder} ({self.left_out.what_is_read()})")

    def digest(self):
        """Hash of the paths, sizes and times of change that `files` came by, in hex; the order plays no part."""
        seen = repr((_MAGIC, self.labelled, self.exclude, self._sum % 2**128))
        return blake2b(seen.encode(), digest_size=16).hexdigest()

    def _below(self, prefix, above):
        here = os.path.join(self._root, prefix)
        try:
            status = os.stat(here)
            entries = os.scandir(here)
        except OSError as error:
            raise UserError(f"{self.flag}: cannot read {os.fsdecode(here)}: {error.strerror}") from error
        above += ((status.st_dev, status.st_ino),)
        with entries:
            for entry in entries:
                if entry.name.startswith(b"."):
                    continue
                if _is_folder(entry):
                    if not (self._loops(entry, above) or (not prefix and entry.name in self._left_out)):
                        yield from self._below(prefix + entry.name + b"/", above)
                    continue
                path = prefix + entry.name
                if not path.lower().endswith(ENDINGS) or (self.labelled and not prefix):
                    self.left_out.not_read(path)
                    continue
                size, changed, regular = _status(entry)
                if regular:
                    self.left_out.read(path)
                    yield path, size, changed

    @staticmethod
    def _loops(entry, above):
        if not entry.is_symlink():
            return False
        status = entry.stat()
        return (status.st_dev, status.st_ino) in above


def natural_key(path):
    """Bytes that order paths folder by folder, with numbers as numbers; two paths never share a key."""
    return _DIGITS.sub(_number_key, path).replace(b"/", b"\0")


def _number_key(match):
    digits = match[0].lstrip(b"0")
    return b"0%c%b%c" % (len(digits), digits, len(match[0]) - len(digits))


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _status(entry):
    try:
        status = entry.stat()
    except OSError:  # a broken link, or gone meanwhile: listed, so that decoding reports it
        return -1, -1, True
    return status.st_size, status.st_mtime_ns, stat.S_ISREG(status.st_mode)


def _built(tree, cache_dir):
    """Write the index of `tree`; return its arrays.

    They are those of the file under its own name: Windows renames no file that is mapped, and replaces none. So between
    the writing and the reading another process may remove it, or have it open: then it is written again, or read.
    """
    for _ in range(_ATTEMPTS):
        try:
            _write_index(tree, cache_dir)
        except PermissionError:
            if (arrays := _read(tree, cache_dir)) is None:
                raise
            return arrays
        if (arrays := _read(tree, cache_dir)) is not None:
            return arrays
    raise OSError(errno.ENOENT, "it is removed as soon as it is there")


def _write_index(tree, cache_dir):
    files, runs = tree.files(), []
    while run := sorted((natural_key(path), path) for path in islice(files, _SORTED_AT_ONCE)):
        runs.append(tempfile.TemporaryFile(dir=cache_dir))
        for key, path in run:
            runs[-1].write(_RECORD.pack(len(key), len(path)) + key + path)
    del run
    with atomic_write(cache_dir / f"{tree.digest()}.index", "w+b") as file:
        _write(file, merge(*map(_read_run, runs)), tree.labelled, cache_dir)
    for run in runs:
        run.close()
    keep_newest(cache_dir, "*.index", _KEPT)


def _read_run(file):
    file.seek(0)
    while head := file.read(_RECORD.size):
        key_bytes, path_bytes = _RECORD.unpack(head)
        yield file.read(key_bytes), file.read(path_bytes)


def _write(file, keys_and_paths, labelled, cache_dir):
    """Header, paths, offsets, labels: the last two grow beside the first and are appended."""
    file.write(bytes(_HEADER.size))
    count, end, label, last = 0, 0, -1, None
    with tempfile.TemporaryFile(dir=cache_dir) as offsets, tempfile.TemporaryFile(dir=cache_dir) as labels:
        for _, path in keys_and_paths:
            if labelled and (name := path.partition(b"/")[0]) != last:
                label, last = label + 1, name
            file.write(path)
            offsets.write(struct.pack("<q", end))
            labels.write(struct.pack("<i", label))
            count, end = count + 1, end + len(path)
        offsets.write(struct.pack("<q", end))
        file.write(bytes(-end % 8))
        for part in (offsets, labels):
            part.seek(0)
            copyfileobj(part, file)
    checksum = _checksum(file)
    file.seek(0)
    file.write(_HEADER.pack(_MAGIC, count, end + -end % 8, checksum))
    file.flush()


def _read(tree, cache_dir):
    """The arrays of the index file of `tree`; None where there is none, or not a whole one."""
    path = cache_dir / f"{tree.digest()}.index"
    try:
        with open(path, "rb") as file:
            with suppress(OSError):  # a read-only cache serves as well, its order of age is not needed
                os.utime(path)
            return _arrays(file)
    except FileNotFoundError:
        return None


def _arrays(file):
    file.seek(0)
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return None
    magic, count, path_bytes, checksum = _HEADER.unpack(head)
    labels_at = _HEADER.size + path_bytes + 8 * (count + 1)
    if magic != _MAGIC or os.fstat(file.fileno()).st_size != labels_at + 4 * count or _checksum(file) != checksum:
        return None
    paths = np.memmap(file, np.uint8, "r", _HEADER.size, (path_bytes,))
    offsets = np.memmap(file, "<i8", "r", _HEADER.size + path_bytes, (count + 1,))
    return paths, offsets, np.memmap(file, "<i4", "r", labels_at, (count,))


def _checksum(file):
    file.seek(_HEADER.size)
    checksum = 0
    while part := file.read(1 << 20):
        checksum = zlib.crc32(part, checksum)
    return checksum
