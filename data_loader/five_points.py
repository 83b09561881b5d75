"""ArcFace's crop: the square around a face that brings five points of it to where ArcFace's networks know them.

The square is shifted, turned and scaled, nothing else. Its place is told as that of dlib's chip (data_loader/chips.py).
"""

import numpy as np
from PIL import Image

SIZE = 112  # pixels of the published side
# Eyes, tip of the nose, corners of the mouth in it, the person's right before the left; the first pixel's centre at 0
# (insightface's face_align.py, `arcface_src`).
TEMPLATE = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655),
                     (70.7299, 92.2041)])


def of_landmarks(landmarks):
    """The five points of 68 landmarks: [68, 2] -> float64 [5, 2]. An eye's point is the mean of its six (ours)."""
    landmarks = np.asarray(landmarks, np.float64)
    return np.stack([landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0), *landmarks[[30, 48, 54]]])


def place(points):
    """Where the crop lies: float64 [4], pixels, as chips.place.

    The similarity is the one that takes the points nearest to the template, by least squares in the crop, as
    insightface's (Umeyama's).

    Args:
        points: float [5, 2] in pixels, the first pixel's centre at 0.5.

    Raises:
        ValueError: the points fall into one.
    """
    seen, wanted = (xy @ (1, 1j) for xy in (np.asarray(points, np.float64), (TEMPLATE + 0.5) / SIZE))
    middle, target = seen.mean(), wanted.mean()
    seen = seen - middle
    scale = (seen.conj() * (wanted - target)).sum() / max((abs(seen) ** 2).sum(), np.finfo(float).tiny)
    if not abs(scale) > 0 or not np.isfinite(1 / scale):
        raise ValueError("five points in one place")
    across = 1 / scale  # crop = scale * (photograph - middle) + target
    centre = middle + (0.5 + 0.5j - target) * across
    return np.array([centre.real, centre.imag, across.real, across.imag])


def cut(pixels, where, size=SIZE):
    """The crop: uint8 [h, w, 3] and a place [4] in pixels -> [size, size, 3]; what lies outside becomes black.

    Bilinear as insightface's; a large face is shrunk by a whole factor first, so that nothing of it is skipped (ours).
    """
    x, y, right, down = map(float, where)
    factor = max(1, int(np.hypot(right, down) / size))
    x, y, right, down = x / factor, y / factor, right / factor / size, down / factor / size  # of a pixel of the crop
    left, top = x - (right - down) * size / 2, y - (right + down) * size / 2
    image = Image.fromarray(pixels)
    image = image.reduce(factor) if factor > 1 else image
    transform = (right, -down, left, down, right, top)  # centres of pixels lie at 0.5, as here
    return np.asarray(image.transform((size, size), Image.Transform.AFFINE, transform, Image.Resampling.BILINEAR))
