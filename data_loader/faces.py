"""Which face of a photograph is meant, and how much around it is kept."""

import numpy as np

MARGIN = 44 / 182  # FaceNet's --margin 44 at its --image_size 182: the part of the crop that is margin


def choose_face(boxes, width, height):
    """The row of the largest face near the centre: FaceNet's rule, area - 2 x squared distance to the centre.

    Args:
        boxes: [n, 4], n >= 1: left, top, right, bottom in pixels.
        width, height: of the photograph.
    """
    boxes = np.asarray(boxes, np.float64)
    size = boxes[:, 2:] - boxes[:, :2]
    offset = (boxes[:, :2] + boxes[:, 2:]) / 2 - (width / 2, height / 2)
    return int(np.argmax(size.prod(axis=1) - 2 * (offset ** 2).sum(axis=1)))


def landmark_box(landmarks):
    """The box (left, top, right, bottom) that MTCNN would find around 68 landmarks [68, 2].

    Ours: as wide as the landmarks, from 0.34 of their height above them to 0.05 above the chin: the mean of MTCNN's
    boxes on 67 photographs, whose edges vary by 0.03 to 0.06 of that height.
    """
    (left, top), (right, bottom) = np.min(landmarks, axis=0), np.max(landmarks, axis=0)
    height = bottom - top
    return left, top - 0.34 * height, right, bottom - 0.05 * height


def crop_square(box, width, height):
    """The square around a face that is cut out: its box, with a margin.

    FaceNet adds 44 pixels to the width and to the height of the box, whatever its size, and stretches the result to
    182 x 182. Here (ours) the square's side is the box's longer side / (1 - 44 / 182), so that the margin is the same
    part of every crop and no face is stretched; the square is moved into the photograph where it sticks out, and is no
    larger than the photograph's shorter side.

    Returns:
        (left, top, side), whole pixels, within the photograph.
    """
    left, top, right, bottom = box
    side = int(round(min(max(right - left, bottom - top) / (1 - MARGIN), width, height)))
    start = [int(np.clip(round((low + high - side) / 2), 0, most - side))
             for low, high, most in ((left, right, width), (top, bottom, height))]
    return start[0], start[1], max(side, 1)
