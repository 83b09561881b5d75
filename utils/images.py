"""Grids of images, and pixels in bytes."""

import numpy as np
from PIL import Image

from utils.files import atomic_write

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601
GAP = 2  # pixels between the images of a grid, as in the published code


def to_uint8(images):
    """float32 in [-1, 1] -> uint8: (x + 1) * 127.5 to the nearest level (the published code rounds down)."""
    return np.rint(np.clip((images + 1.0) * 127.5, 0, 255)).astype(np.uint8)


def to_float(images):
    """uint8 -> float32 in [-1, 1]: x / 127.5 - 1."""
    return images.astype(np.float32) / 127.5 - 1.0


def save_grid(images, path, columns):
    """Write images as a PNG grid, row by row.

    Args:
        images: uint8 or float32 in [-1, 1], [n, s, s, 3].
        path: of the PNG.
        columns: images in a row.
    """
    with atomic_write(path) as file:
        Image.fromarray(grid(images, columns)).save(file, format="PNG")


def grid(images, columns):
    """Lay images out: [n, s, s, 3] -> uint8 [h, w, 3], 2 black pixels apart."""
    images = images if images.dtype == np.uint8 else to_uint8(images)
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    canvas = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), np.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + GAP), (index % columns) * (width + GAP)
        canvas[top : top + height, left : left + width] = image
    return canvas
