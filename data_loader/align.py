"""The face in a photograph: found with MTCNN, cut out square, written into a file."""

import importlib.util
from functools import cached_property

import numpy as np
from PIL import Image

from data_loader.crops import SMALLEST, NoOutput, read_photograph, resize, save
from data_loader.faces import choose_face, crop_square
from utils.errors import UserError
from utils.quiet import quiet_start

COLUMNS = ("faces", "confidence", "left", "top", "side")  # what is said of a crop: of the photograph, in its pixels
DETECTED_AT = 1000  # pixels of the longer side that faces are looked for at (ours)
LAST_THRESHOLD = 0.7  # FaceNet's for the third network; the package's own is 0.8


class Aligner:
    """Writes the crop of one photograph's face: a call takes (file, output) and gives [output, *values of COLUMNS].

    Args:
        source: folder (Path) that `file` is relative to.  folder: that of `output`.
        size: pixels of a crop's side.

    Raises, in a call:
        UnreadableImage; NoOutput: too small, or no face; UserError: mtcnn is not installed.
    """

    def __init__(self, source, folder, size):
        self.source, self.folder, self.size = source, folder, size

    def __call__(self, file, output):
        crop, values = crop_face(read_photograph(self.source / file), self._detect, self.size)
        save(crop, self.folder / output)
        return [output, *values]

    @cached_property
    def _detect(self):  # not before there is a photograph to look at
        return open_detector()


def crop_face(pixels, detect, size):
    """The face that is meant, by faces.choose_face, and what is around it, by faces.crop_square.

    Args:
        pixels: uint8 [h, w, 3].
        detect: of open_detector.
        size: pixels of the crop's side.

    Returns:
        (crop uint8 [size, size, 3], values of COLUMNS).

    Raises:
        NoOutput: no face.
    """
    height, width = pixels.shape[:2]
    scale = max(1.0, max(height, width) / DETECTED_AT)
    small = pixels
    if scale > 1:
        shape = max(SMALLEST, round(width / scale)), max(SMALLEST, round(height / scale))
        small = np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.BILINEAR))
    found = detect(small)
    if not found:
        raise NoOutput("no face found")
    enlarge = np.array([width / small.shape[1], height / small.shape[0]])
    boxes = np.array([face["box"] for face in found], np.float64) * np.tile(enlarge, 2)
    best = choose_face(boxes, width, height)
    left, top, side = crop_square(boxes[best], width, height)
    crop = resize(pixels[top:top + side, left:left + side], size)
    return crop, [len(found), f"{float(found[best]['confidence']):.4f}", left, top, side]


def open_detector():
    """A function: pixels uint8 [h, w, 3] -> list of {"box": left, top, right, bottom; "confidence"}.

    Raises:
        UserError: mtcnn is not installed.
    """
    if not importlib.util.find_spec("mtcnn"):  # an extra that only this job needs
        raise UserError("align needs mtcnn: pip install -r requirements-faces.txt")
    with quiet_start():
        import tensorflow as tf
        from mtcnn import MTCNN
    network = MTCNN(device="GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0")
    return lambda pixels: network.detect_faces(pixels, fit_to_image=False, box_format="xyxy",
                                               min_face_size=SMALLEST, threshold_onet=LAST_THRESHOLD)
