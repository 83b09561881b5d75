"""dlib's face chip: the upright square around a face that its face network was trained on, in any size.

A chip's place is four numbers: x and y of its centre, and x and y of the way across it, from the middle of its left
edge to that of its right one. They are pixels, the first pixel's centre at 0.5, or the same as fractions of the side of
a square image. A chip is
shifted, turned and scaled, nothing else, so that they say all.
"""

import numpy as np
import tensorflow as tf

from utils.errors import UserError

SIZE = 150  # pixels of the side that dlib's network takes
PADDING = 0.25  # of the mean face's box, on every side: dlib's default for its face network
# Of the 68 landmarks those that a chip is placed by (nose, eyes, upper lip), and where they lie on dlib's mean face,
# as fractions of its box. Measured on dlib-bin: the chip is linear in the landmarks, so get_face_chip_details of 68
# points of which one at a time is off the origin gives each point's weight, and the weights give the mean face, to
# 3e-8. tests/data_loader/test_chips.py measures them again.
USED = np.array([*range(27, 55), *range(60, 65)])
MEAN_FACE = np.array([
    (0.490127, 0.203352), (0.490127, 0.307009), (0.490127, 0.409805), (0.490127, 0.515625), (0.36688, 0.587326),
    (0.426036, 0.609345), (0.490127, 0.628106), (0.554217, 0.609345), (0.613373, 0.587326), (0.121737, 0.216423),
    (0.187122, 0.178758), (0.265825, 0.179852), (0.334606, 0.231733), (0.260918, 0.245099), (0.182743, 0.244077),
    (0.645647, 0.231733), (0.714428, 0.179852), (0.793132, 0.178758), (0.858516, 0.216423), (0.79751, 0.244077),
    (0.719335, 0.245099), (0.254149, 0.780233), (0.340985, 0.745405), (0.428858, 0.727388), (0.490127, 0.742578),
    (0.551395, 0.727388), (0.639268, 0.745405), (0.726104, 0.780233), (0.290379, 0.784792), (0.428096, 0.778746),
    (0.490127, 0.785343), (0.552157, 0.778746), (0.689874, 0.784792)])

# Where a chip is cut from a square image whose landmarks nobody knows. Ours: the mean place over renders that are
# framed as `render` does by itself (60 renders of 20 people: 0.504, 0.510, 0.916, 0.003).
FIXED = (0.5, 0.51, 0.92, 0.0)


def place(landmarks):
    """Where the chip of a face lies: the similarity that takes the mean face nearest to its landmarks (least squares).

    Args:
        landmarks: float [..., 68, 2] in pixels.

    Returns:
        float64 [..., 4], pixels.
    """
    on_chip = (MEAN_FACE + PADDING) / (1 + 2 * PADDING)  # fractions of the chip
    middle = on_chip.mean(axis=0)
    x, y = (on_chip - middle).T
    points = np.asarray(landmarks, np.float64)[..., USED, :]
    target = points.mean(axis=-2)
    right, down = np.moveaxis(points, -1, 0)
    spread = (x ** 2 + y ** 2).sum()
    across = np.stack([right @ x + down @ y, down @ x - right @ y], axis=-1) / spread
    return np.concatenate([target + _turned(0.5 - middle, across), across], axis=-1)


def fractions(places, side):
    """Places in pixels of a square image of `side` pixels -> the same as fractions of it."""
    return np.asarray(places) / np.asarray(side)


def cut(pixels, where, size=SIZE):
    """A chip as dlib itself cuts it, from an image pyramid where the face is large: uint8 [size, size, 3].

    Args:
        pixels: uint8 [h, w, 3]. What lies outside becomes black.
        where: a place [4], pixels.

    Raises:
        UserError: dlib is not installed.
    """
    try:
        import dlib  # here: only what looks at photographs needs it
    except ImportError as error:
        raise UserError("cutting face chips needs dlib: pip install -r requirements.txt") from error
    x, y, *across = map(float, where)
    half = (np.hypot(*across) - 1) / 2  # dlib's squares end at the centres of their outer pixels
    x, y = x - 0.5, y - 0.5  # dlib's first pixel has its centre at 0
    square = dlib.drectangle(x - half, y - half, x + half, y + half)
    details = dlib.chip_details(square, dlib.chip_dims(size, size), float(np.arctan2(across[1], across[0])))
    return dlib.extract_image_chip(np.ascontiguousarray(pixels), details)


def cut_differentiably(images, places, size=SIZE):
    """Chips with a gradient to the images: float32 [n, s, s, 3] -> [n, size, size, 3].

    The bilinear cut that dlib makes of faces up to twice a chip's size; larger ones it shrinks first, which is not done
    here. Outside an image lies 0: black where its values are pixels. Not TensorFlow's ImageProjectiveTransformV3: what
    that calls its gradient is the inverse cut, too small by the factor that the chip enlarges the face's area by.

    Args:
        places: float32 [n, 4], fractions of the image's side.
    """
    count, side = tf.shape(images)[0], tf.shape(images)[1]
    x, y, across, down = (value[:, None, None] for value in tf.unstack(places * tf.cast(side, tf.float32), axis=1))
    length = tf.sqrt(across ** 2 + down ** 2)
    step = (length - 1) / (size - 1) / length  # as dlib: the centres of outer pixels lie on those of the chip's
    across, down = across * step, down * step  # from one of the chip's pixels to the next
    right = tf.range(size, dtype=tf.float32) - (size - 1) / 2
    below = right[:, None]
    columns, column_share = _between(x - 0.5 + across * right - down * below, side)  # [n, size, size]
    rows, row_share = _between(y - 0.5 + down * right + across * below, side)
    framed = tf.pad(images, [[0, 0], [1, 2], [1, 2], [0, 0]])
    squares = [framed[:, :-1, :-1], framed[:, :-1, 1:], framed[:, 1:, :-1], framed[:, 1:, 1:]]
    squares = tf.reshape(tf.concat(squares, axis=3), [-1, 12])  # each pixel with those on its right and below
    width = side + 2
    chosen = tf.gather(squares, (tf.range(count)[:, None, None] * width + rows) * width + columns)
    here, on_right, under, across_corner = tf.split(chosen, 4, axis=3)
    upper, lower = here + (on_right - here) * column_share, under + (across_corner - under) * column_share
    return upper + (lower - upper) * row_share


def _between(positions, side):
    """Positions float32 [n, c, c] in pixels -> the pixel before each and its share of the next, [n, c, c, 1].

    Pixels are counted in an image with a border of one pixel around it; what lies beyond is on the border.
    """
    positions = tf.clip_by_value(positions + 1.0, 0.0, tf.cast(side, tf.float32) + 1.0)
    before = tf.floor(positions)
    return tf.cast(before, tf.int32), (positions - before)[..., None]


def _turned(vector, across):
    """`vector` [2] in chip fractions -> pixels, for the way across a chip [..., 2]."""
    x, y = np.moveaxis(across, -1, 0)
    return np.stack([vector[0] * x - vector[1] * y, vector[0] * y + vector[1] * x], axis=-1)
