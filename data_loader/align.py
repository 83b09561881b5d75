"""The face in a photograph: found, cut out, written into a file."""

from functools import cached_property

import numpy as np

from data_loader import five_points
from data_loader.crops import NoOutput, read_photograph, resize, save
from data_loader.detection import open_finder
from data_loader.faces import crop_square

# What is said of a crop: of the photograph, in its pixels. Of ArcFace's: its centre, its side, and by how many degrees
# it is turned, clockwise.
COLUMNS = {
    "square": ("faces", "confidence", "left", "top", "side"),
    "arcface": ("faces", "confidence", "x", "y", "side", "turn"),
}


class Aligner:
    """Writes the crop of one photograph's face: a call takes (file, output) and gives [output, *values of COLUMNS].

    Args:
        source: folder (Path) that `file` is relative to.  folder: that of `output`.
        options: crop, size, detector, asset_dir.
        known: {file: place of the face's ArcFace crop float [4], fractions of the image's side}: of these nobody looks
            for a face.

    Raises, in a call:
        UnreadableImage; NoOutput: too small, or no face; UserError: as open_finder.
    """

    def __init__(self, source, folder, options, known):
        self.source, self.folder, self.options, self.known = source, folder, options, known

    def __call__(self, file, output):
        pixels, size = read_photograph(self.source / file), self.options.size
        if file in self.known:
            crop, values = cut_arcface(pixels, self.known[file] * pixels.shape[1], size)
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
    """The crop of a face and where it was: (uint8 [size, size, 3], values of COLUMNS behind the confidence).

    Args:
        pixels: uint8 [h, w, 3].
        face: detection.Found.
        crop: "square": what is around the face, by faces.crop_square; "arcface": five_points' crop.

    Raises:
        ValueError: another crop.
    """
    if crop == "square":
        left, top, side = crop_square(face.box, pixels.shape[1], pixels.shape[0])
        return resize(pixels[top:top + side, left:left + side], size), [left, top, side]
    if crop == "arcface":
        return cut_arcface(pixels, five_points.place(face.points), size)
    raise ValueError(f"no crop {crop!r}; one of {', '.join(COLUMNS)}")


def cut_arcface(pixels, where, size):
    """As crop_face, of a place [4] in pixels."""
    x, y, *across = map(float, where)
    values = x, y, np.hypot(*across), np.degrees(np.arctan2(across[1], across[0]))
    return five_points.cut(pixels, where, size), [f"{value:.2f}" for value in values]
