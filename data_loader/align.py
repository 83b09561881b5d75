"""The face in a photograph: found, cut out, written into a file."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from data_loader import chips, five_points
from data_loader.crops import NoOutput, read_photograph, resize, save
from data_loader.detection import open_finder
from data_loader.faces import crop_square
from data_loader.generated_folder import ALIGNMENTS


@dataclass(frozen=True)
class Crop:
    """What `--crop` names, where that is turned: the side in pixels where no --size is given, and what cuts: (pixels,
    place [4], side) -> uint8 [side, side, 3]. How face networks know it says generated_folder.ALIGNMENTS."""

    size: int
    cut: Callable


CROPS = {
    "arcface": Crop(five_points.SIZE, five_points.cut),
    "facenet": Crop(160, chips.cut),  # dlib's chip in FaceNet's size, which MTCNN's box is cut in (ours)
    "dlib": Crop(chips.SIZE, chips.cut),
}
SQUARE = ("faces", "confidence", "left", "top", "side")  # what is said of a crop, in pixels of the photograph
TURNED = ("faces", "confidence", "x", "y", "side", "turn")  # centre, side, degrees clockwise


def columns(crop):
    """What is said of the crops that --crop names."""
    return SQUARE if crop == "square" else TURNED


class Aligner:
    """Writes the crop of one photograph's face: a call takes (file, output) and gives [output, *values of `columns`].

    Args:
        source: folder (Path) that `file` is relative to.  folder: that of `output`.
        options: crop, size, detector, asset_dir.
        known: {file: place of the crop float [4], fractions of the image's side}: of these nobody looks for a face.
        refused: {file: reason} of those whose known landmarks are no face: they give no crop.

    Raises, in a call:
        UnreadableImage; NoOutput: too small, refused, or no face; UserError: as open_finder.
    """

    def __init__(self, source, folder, options, known, refused):
        self.source, self.folder, self.options, self.known, self.refused = source, folder, options, known, refused

    def __call__(self, file, output):
        pixels, size = read_photograph(self.source / file), self.options.size
        if file in self.refused:
            raise NoOutput(self.refused[file])
        if file in self.known:
            crop, values = cut_turned(pixels, self.known[file] * pixels.shape[1], self.options.crop, size)
            found = ["", ""]
        else:
            face = self._find(pixels)
            if face is None:
                raise NoOutput("no face found")
            crop, values = crop_face(pixels, face, self.options.crop, size)
            found = [face.faces, f"{face.confidence:.4f}"]
        save(crop, self.folder / output)
        return [output, *found, *values]

    @cached_property
    def _find(self):  # not before there is a photograph to look at
        return open_finder(self.options.detector, self.options.asset_dir)


def crop_face(pixels, face, crop, size):
    """The crop of a face and where it was: (uint8 [size, size, 3], values of `columns` behind the confidence).

    Args:
        pixels: uint8 [h, w, 3].
        face: detection.Found; of a chip with its 68 landmarks.
        crop: "square", or a key of CROPS.
    """
    if crop == "square":
        left, top, side = crop_square(face.box, pixels.shape[1], pixels.shape[0])
        return resize(pixels[top:top + side, left:left + side], size), [left, top, side]
    chip = ALIGNMENTS[crop] == "chip"
    return cut_turned(pixels, chips.place(face.landmarks) if chip else five_points.place(face.points), crop, size)


def cut_turned(pixels, where, crop, size):
    """As crop_face, of a place [4] in pixels."""
    x, y, *across = map(float, where)
    values = x, y, np.hypot(*across), np.degrees(np.arctan2(across[1], across[0]))
    return CROPS[crop].cut(pixels, where, size), [f"{value:.2f}" for value in values]
