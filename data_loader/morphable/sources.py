"""Where the faces of `render` come from: the MakeHuman face or a statistical model, behind one way of asking.

A source has `settings`, what its pictures depend on beside the other flags; `columns`, names of what it says about a
picture; `draw(person, index)`, the picture and that; `maps(names)` of the last one drawn; and `note`, what the user
should know, "" where there is nothing.
"""

import zlib
from pathlib import Path

import numpy as np

from data_loader import assets
from data_loader.morphable import parameters, sampling, statistical_formats, statistical_sampling, statistics
from data_loader.morphable.camera import Studio
from data_loader.morphable.fitting import Fitter
from data_loader.morphable.maps import MAPS
from data_loader.morphable.model import load_makehuman
from data_loader.morphable.prior import Widened
from data_loader.morphable.statistical_studio import StatisticalStudio
from utils.errors import UserError

MAKEHUMAN = "makehuman"
BEHIND = 0.08  # a landmark is hidden that lies so many eye-to-mouth heights behind what is seen there (ours)


def open_source(options, fits=None):
    """The source that --morphable_model names.

    Args:
        options: morphable_model ("makehuman" or a path that statistical_formats.load takes), asset_dir, random_seed,
            syn_scale_size, yaw_range, pitch_range, roll_range, published_pose, statistics_dir, identity_spread.
        fits: the statistics.Statistics of statistics_dir where they have been read before.

    Raises:
        UserError: a file of the model or of the statistics is missing or wrong.
    """
    if options.morphable_model == MAKEHUMAN:
        return MakehumanSource(options, fits)
    return StatisticalSource(options, fits)


class _Source:
    """What both kinds share; `model`, `studio`, `sampler` and `columns` are theirs."""

    note = ""

    def __init__(self, options, fits, expression, light, colour=(), identity=()):
        self.options, self._person, self._who, self._head = options, None, None, None
        if fits is None and options.statistics_dir:
            fits = statistics.read(options.statistics_dir, expression, light, colour, identity)
        self.fits = self._usable(fits)
        self.settings = {
            "morphable_model": _named(options.morphable_model, self._content()),
            "statistics_dir": _named(options.statistics_dir, [group.mean for group in self.fits.groups.values()]
                                     if self.fits else [])}

    def draw(self, person, index):
        """(picture uint8 [size, size, 3], values of `columns`) of picture `index` of `person`; both count from 1."""
        options = self.options
        if person != self._person:
            self._who = self._identity(person)
            self._head, self._person = self.studio.head(self._who), person
        shot = self.sampler.image(self.model, options.random_seed, person, index, options.yaw_range,
                                  options.pitch_range, options.roll_range, self.fits, options.published_pose)
        view = self._view = self.studio.view(self._head, shot)
        framing = [shot.yaw, shot.pitch, shot.roll, shot.zoom, *shot.shift]
        return (self.studio.develop(view, self._head, shot),
                framing + self._about(self._who, shot) + self._landmarks(view))

    def maps(self, names):
        """{name: array} of the picture that `draw` gave last; names of maps.MAPS."""
        return {name: MAPS[name](self._view, self._height()) for name in names}

    def _landmarks(self, view):
        if self.model.landmarks is None:
            return []
        return parameters.landmark_numbers(*visible(view, self.model.landmarks, BEHIND * self._height()))


class MakehumanSource(_Source):
    """The MakeHuman face, fetched where it is not there yet."""

    sampler = sampling

    def __init__(self, options, fits=None):
        self.model = load_makehuman(assets.fetch("morphable_face", options.asset_dir))
        self.studio = Studio(self.model, options.syn_scale_size)
        names = (*self.model.macro.names, *self.model.shape.names)
        super().__init__(options, fits, self.model.expression.names, parameters.LIGHT, identity=names)
        fitter, calibration = Fitter(self.model), None
        if self.fits is not None and "identity" in self.fits:
            group = self.fits.groups["identity"]
            calibration = fitter.calibrate(group.mean + group.differences)
        self._sample = Widened(self.model, fitter.people, calibration, options.identity_spread)
        self.columns = (*parameters.POSE, *parameters.FRAMING, *parameters.LIGHT, "age", "male", *sampling.ETHNICITIES,
                        "tone", "gender", "hair", "iris", "beard", "hair_style", "glasses", "mood",
                        *self.model.expression.names, *parameters.LANDMARKS)

    def _usable(self, fits):
        """Of 300W-3D fits the pose alone: their expression and light are those of another model."""
        if fits is not None and fits.published and len(fits.groups) > 1:
            print(f"--statistics_dir {self.options.statistics_dir}: of 300W-3D fits the MakeHuman face takes the pose")
            return statistics.Statistics({"pose": fits.groups["pose"]}, True)
        return fits

    def _content(self):
        return []

    def _identity(self, person):
        return self._sample(self.options.random_seed, person)

    def _height(self):
        return self._head.scale

    def _about(self, who, shot):
        look = who.look
        return [*parameters.light_numbers(shot.light), who.age, who.male, *map(float, who.mix), look.tone,
                "male" if who.male > 0.5 else "female", look.hair, look.iris, look.beard, look.hair_style, look.glasses,
                shot.mood, *map(float, shot.expression)]


class StatisticalSource(_Source):
    """A statistical model from a file."""

    sampler = statistical_sampling

    def __init__(self, options, fits=None):
        self.model = statistical_formats.load(options.morphable_model)
        self.studio = StatisticalStudio(self.model, options.syn_scale_size)
        expression = tuple(f"expression_{number}" for number in range(1, self.model.expression.count + 1))
        super().__init__(options, fits, expression, parameters.ILLUMINATION, parameters.COLOUR)
        if not expression:
            self.note = f"--morphable_model: {self.model.name} holds no expressions: all faces are drawn neutral"
        self.columns = (*parameters.POSE, *parameters.FRAMING, *parameters.ILLUMINATION, *parameters.COLOUR,
                        *expression, *(parameters.LANDMARKS if self.model.landmarks is not None else ()))

    def _usable(self, fits):
        """The fits, where their numbers are those of this model."""
        for group, part in (("expression", self.model.expression), ("texture", self.model.colour)):
            numbers = len(fits.groups[group].mean) if fits is not None and group in fits else 0
            if part.count and numbers > part.count:
                raise UserError(f"--statistics_dir {self.options.statistics_dir}: {numbers} numbers of {group}, "
                                f"{self.model.name} has {part.count}")
        return fits

    def _content(self):
        model = self.model
        return [model.shape.mean, *(part.deviation for part in (model.shape, model.expression, model.colour))]

    def _identity(self, person):
        return statistical_sampling.identity(self.model, self.options.random_seed, person, self.fits)

    def _height(self):
        return self.model.frame[1]

    def _about(self, who, shot):
        spare = np.zeros(self.model.expression.count - len(shot.expression))
        return [float(number) for number in (*shot.illumination, *shot.colour, *shot.expression, *spare)]


def _named(path, arrays):
    """The last part of a path, with a sum over the content: the same wherever the files lie."""
    content = zlib.crc32(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))
    return f"{Path(path).name} {content:08x}" if arrays else path


def visible(view, rows, behind):
    """Where points are in a picture, and whether they are seen there.

    Args:
        view: camera.View. rows: int [k], of its points.
        behind: how far behind what is seen a point may lie, in the points' unit.

    Returns:
        (pixels float32 [k, 2], seen bool [k]): seen are those inside the picture that nothing hides.
    """
    pixels = view.screen[rows, :2]
    height, width = view.depth.shape
    column, row = np.floor(pixels).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    padded = np.pad(view.depth, 1, constant_values=np.inf)
    around = np.max([np.where(np.isfinite(part), part, -np.inf) for part in
                     (padded[row + dy, column + dx] for dy in (0, 1, 2) for dx in (0, 1, 2))], axis=0)
    return pixels, inside & (-view.points[rows, 2] <= around + behind)
