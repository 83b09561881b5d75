"""Photographs in, crops and renders out: names, formats, sizes, and where they may be written."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from data_loader.folders import decode_whole
from utils.errors import UserError
from utils.files import atomic_write, lies_in

FORMATS = {"jpg": "JPEG", "png": "PNG"}
SMALLEST = 20  # pixels of a photograph's shorter side; FaceNet's minsize, the smallest face that it looks for


class NoOutput(Exception):
    """A photograph that gives no output: the message is the reason."""


def check_folders(source, folder, flag, options):
    """Raise UserError where the output would fall into the input, or its size or format cannot be written."""
    if lies_in(folder, source):
        raise UserError(f"{flag}: {folder} lies in --dataset, into which nothing is written")
    if not 16 <= options.size <= 2048:
        raise UserError(f"--size {options.size}: must be 16 to 2048 pixels")
    check_format(options.image_format)


def check_format(image_format):
    """Raise UserError where files of this ending cannot be written."""
    if image_format not in FORMATS:
        raise UserError(f"--image_format {image_format}: must be one of {', '.join(FORMATS)}")


def outputs(files, image_format):
    """Yield (file, relative path of its output); None for one whose output an earlier file has."""
    taken = set()
    for file in files:
        output = Path(file).with_suffix(f".{image_format}").as_posix()
        yield file, None if output in taken else output
        taken.add(output)


def read_photograph(path, longest=None):
    """A photograph's pixels, as folders.decode_whole.

    Raises:
        UnreadableImage; NoOutput where it is too small to show a face.
    """
    pixels = decode_whole(path, longest)
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        raise NoOutput(f"{width}x{height} pixels: smaller than {SMALLEST} pixels")
    return pixels


def save(pixels, path):
    """Write uint8 [h, w, 3] as JPEG of quality 100, or PNG, by the path's ending; its folder is made.

    As PNG grey levels too, uint8 or uint16 [h, w].
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = {"quality": 100, "subsampling": 0} if path.suffix == ".jpg" else {}
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, FORMATS[path.suffix[1:]], **quality)
    with atomic_write(path, durable=False) as file:
        file.write(encoded.getbuffer())


def resize(pixels, size):
    """uint8 [s, s, 3] -> [size, size, 3], antialiased, as folders.decode."""
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS))
