"""What a data set folder holds: which images, in which order, with which labels, and their pixels."""

import os
import struct
import sys
import zlib
from contextlib import contextmanager
from functools import cache

import numpy as np
from PIL import Image, UnidentifiedImageError

from data_loader.image_names import finder
from data_loader.index_file import Tree, read_or_build
from utils.errors import UserError

RENDERS = "3dmm"  # the folder of a paired set's renders, as in the published code

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "AVIF", "PPM")  # of files with several pictures the first
_UPRIGHT = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90}  # EXIF orientation -> what turns the image upright
_SIDEWAYS = (5, 6, 7, 8)  # those that swap width and height


class UnreadableImage(Exception):
    """A file that cannot be decoded: `path` and `reason`, one line."""

    def __init__(self, path, reason):
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = str(path), reason


def index_images(folder, cache_dir, labelled=False, exclude=(), min_per_label=1, flag="--dataset"):
    """List the images below `folder`, at any depth, in natural order ("2" before "10").

    Hidden files and folders are left out, and links to a folder that leads back to itself are not followed. Images of
    kinds that are not read, and label folders that hold folders only, are told of on stderr, a line each.
    The index is cached in `cache_dir` under a hash of every image's relative path, size and time of change, so that
    moved data keep theirs.

    Args:
        folder: a data set. Nothing is written into it.
        cache_dir: where indexes are kept; made if it is missing.
        labelled: the first folder level is the label: any name, mapped to 0...n-1 in natural order. Images beside the
            label folders have no label and are left out; a folder without images is no label.
        exclude: names of folders directly below `folder` that are left out.
        min_per_label: fewest images that a label may have.
        flag: the flag that named the folder, for messages.

    Returns:
        an ImageIndex.

    Raises:
        UserError: no such folder, no images, images but no label folders, a label with too few images, or
            `cache_dir` cannot be written.
    """
    folder = _existing_folder(folder, flag)
    tree = Tree(folder, labelled, exclude, flag)
    index = ImageIndex(folder, flag, *read_or_build(tree, cache_dir))
    for line in tree.left_out.warnings(flag, folder):
        _tell_once(line)
    counts = np.bincount(index.labels) if labelled else np.empty(0, int)
    if (counts < min_per_label).any():
        label = int(np.argmax(counts < min_per_label))
        raise UserError(f"{flag}: label folder {os.path.join(folder, index.label_names[label])} needs at least "
                        f"{min_per_label} images, has {counts[label]}")
    return index


def index_pairs(folder, cache_dir, flag="--dataset_3dmm"):
    """Photographs `<file>` anywhere below `folder`, each with its render `3dmm/<file>`.

    The render has the same relative path, but for its ending perhaps. Renders without a photograph are left out.

    Returns:
        a PairIndex.

    Raises:
        UserError: as index_images, and for photographs without a render: how many, and the first.
    """
    photographs = index_images(folder, cache_dir, exclude=(RENDERS,), flag=flag)
    renders = index_images(os.path.join(folder, RENDERS), cache_dir, flag=flag)
    found = map(finder(renders), map(photographs.relative_path, range(len(photographs))))
    matches = np.array([-1 if i is None else i for i in found], np.int32)
    missing = np.flatnonzero(matches < 0)
    if len(missing):
        raise UserError(f"{flag}: {len(missing)} of {len(matches)} photographs in {photographs.folder} have no render "
                        f"in {RENDERS}, the first: {photographs.relative_path(missing[0])}")
    return PairIndex(photographs, renders, matches)


class ImageIndex:
    """The images of one folder. Reading it is safe from several threads.

    Attributes:
        folder: absolute path.  roots: the folders of its parts, here itself.
        flag: the flag that named it, for messages.
        digest: hex name of what the folder held when it was indexed.
        labels: int32 [n], 0...number of labels - 1; -1 throughout where the folder is not labelled.
        label_names: the label folders' names, list of str; empty where the folder is not labelled.
    """

    def __init__(self, folder, flag, digest, paths, offsets, labels):
        self.folder, self.flag, self.digest, self.roots = folder, flag, digest, [folder]
        self._paths, self._offsets, self.labels = paths, offsets, labels  # uint8 [bytes], int64 [n + 1], int32 [n]
        starts = np.flatnonzero(np.diff(labels, prepend=np.int32(-1)))  # the images of a label are neighbours
        self.label_names = [self.relative_path(i).partition("/")[0] for i in starts]

    def __len__(self):
        return len(self.labels)

    def relative_path(self, i):
        """With "/" between its parts, on every system."""
        return os.fsdecode(self._paths[self._offsets[i]:self._offsets[i + 1]].tobytes())

    def path(self, i):
        return os.path.join(self.folder, self.relative_path(i))

    def files(self, i):
        """The files that make up image i, absolute: here one."""
        return (self.path(i),)

    def label(self, i):
        return int(self.labels[i])


class PairIndex:
    """Photographs and their renders.

    Attributes: `folder`, `roots`, `flag`, `digest` as of an ImageIndex; `photographs` and `renders`, ImageIndexes.
    """

    def __init__(self, photographs, renders, matches):
        self.folder, self.roots, self.flag = photographs.folder, photographs.roots, photographs.flag
        self.photographs, self.renders = photographs, renders
        self.digest = f"{photographs.digest}+{renders.digest}"
        self._matches = matches  # int32 [n], the render of each photograph

    def __len__(self):
        return len(self.photographs)

    def relative_path(self, i):
        return self.photographs.relative_path(i)

    def path(self, i):
        return self.photographs.path(i)

    def render_path(self, i):
        return self.renders.path(int(self._matches[i]))

    def files(self, i):
        """The files that make up pair i, absolute: photograph, render."""
        return self.path(i), self.render_path(i)


def decode(path, size):
    """Read a JPEG, PNG, BMP, WebP, GIF, TIFF, AVIF or PNM image as a square of `size` pixels; the first of several.

    EXIF orientation is applied; grey, palette, CMYK and 16 bit become RGB; what is transparent lies on black, as
    renders do (ours). An image that is not square is cropped in the centre to its shorter side; then it is resized with
    antialiasing (Lanczos, ours). One that has the size already keeps its pixels.

    Returns:
        uint8 [size, size, 3].

    Raises:
        UnreadableImage: no such file, none of these formats, truncated, or more pixels than Pillow deems safe.
    """
    return _read(path, 2 * size, lambda image: _square(image, size))


def readable_batches(index, positions, size, at_once=32):
    """Images of an index by `decode`, without those that cannot be read, of which it tells on stderr at the end.

    Args:
        positions: int64 [n], which images.
        at_once: files that are read before a batch is given.

    Yields:
        (int64 [m], uint8 [m, size, size, 3]): positions and their pixels, 0 < m <= at_once.

    Raises:
        UserError: none of the images can be read.
    """
    failed, count = [], len(positions)
    for first in range(0, count, at_once):
        batch = {}
        for i in positions[first : first + at_once]:
            try:
                batch[int(i)] = decode(index.path(int(i)), size)
            except UnreadableImage as error:
                failed.append(error)
        if batch:
            yield np.array(list(batch)), np.stack(list(batch.values()))
    if not failed:
        return
    text = unreadable_text(index, len(failed), count, failed[0])
    if len(failed) == count:
        raise UserError(text)
    print(f"warning: {text}", file=sys.stderr)


def unreadable_text(index, count, of, error):
    """What is said of an index where `count` of `of` images cannot be read, one of them by an UnreadableImage."""
    return (f"{index.flag}: {count} of {of} images in {index.folder} cannot be read, for one "
            f"{os.path.relpath(error.path, index.folder)}: {error.reason}")  # fmt: skip


def decode_whole(path, longest=None):
    """Read an image as `decode` does, but whole: uint8 [h, w, 3], shrunk to `longest` pixels where a side is longer."""
    return _read(path, longest, lambda image: _shrunk(image, longest) if longest else image)


def upright_size(path):
    """(width, height) of the pixels that decode_whole gives, from the file's head alone. Raises UnreadableImage."""
    with _opened(path) as image:
        sideways = _orientation(image) in _SIDEWAYS
        return image.size[::-1] if sideways else image.size


def _read(path, draft, finish):
    """The pixels of finish(image, upright RGB); a large JPEG may be decoded smaller, its sides no less than `draft`."""
    with _opened(path) as image:
        if draft:
            image.draft(None, (draft, draft))  # decode a large JPEG at 1/2, 1/4 or 1/8
        return np.array(finish(_rgb(_turned(image))))


@contextmanager
def _opened(path):
    """Pillow's image of a file, not decoded yet; what goes wrong inside is an UnreadableImage."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise UnreadableImage(path, f"too large: {image.width}x{image.height} pixels")
            yield image
    except UnidentifiedImageError as error:
        raise UnreadableImage(path, "not a JPEG, PNG, BMP, WebP, GIF, TIFF, AVIF or PNM image") from error
    except (OSError, SyntaxError, ValueError, TypeError, IndexError, EOFError, OverflowError, MemoryError, RuntimeError,
            struct.error, zlib.error, Image.DecompressionBombError) as error:  # Pillow's readers, on broken files
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableImage(path, " ".join(reason.split())) from error


def _orientation(image):
    """The number of EXIF. Photographs with broken EXIF data are common: they stay as they are stored, None."""
    if image.format == "TIFF":
        image.load()  # Pillow itself turns these, when they are decoded
    try:
        return image.getexif().get(0x0112)
    except (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, struct.error):
        return None


def _turned(image):
    """The image upright."""
    orientation = _orientation(image)
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _rgb(image):
    if image.mode == "F":
        raise ValueError("floating point pixels have no known range")
    if image.mode.startswith("I"):  # 16 bit: Pillow's own conversion would clip at 255
        values = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    return image.convert("RGB")


def _square(image, size):
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    return image if side == size else image.resize((size, size), Image.Resampling.LANCZOS)


def _shrunk(image, longest):
    scale = longest / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS) if scale < 1 else image


@cache
def _tell_once(line):
    """On stderr; a folder may be indexed several times in one job."""
    print(line, file=sys.stderr)


def _existing_folder(folder, flag):
    if not os.path.isdir(folder):
        kind = "not a folder" if os.path.lexists(folder) else "no such folder"
        raise UserError(f"{flag}: {kind}: {folder}")
    return os.path.abspath(folder)
