"""The render of one photograph: of the MakeHuman face fitted to it, or of a published fit of a statistical model."""

from dataclasses import dataclass, replace

import numpy as np

from data_loader import assets
from data_loader.crops import NoOutput, resize
from data_loader.faces import crop_square, landmark_box
from data_loader.morphable import parameters, sampling, statistical_formats
from data_loader.morphable.appearance import Colourist, to_grey
from data_loader.morphable.camera import FRAME, Studio, from_pose_para
from data_loader.morphable.fitting import Fitter, head_of
from data_loader.morphable.landmarks import Detector, eye_distance
from data_loader.morphable.matlab import read_matlab
from data_loader.morphable.model import load_makehuman
from data_loader.morphable.sources import BEHIND, MAKEHUMAN, visible
from data_loader.morphable.statistical_sampling import StatisticalIdentity, StatisticalImage
from data_loader.morphable.statistical_studio import StatisticalStudio
from data_loader.morphable.statistics import degrees
from utils.errors import UserError

LEAST_FACE = 0.15  # distance of the outer eye corners in the crop: a smaller face is not what the crop is about (ours)
LONGEST = 1600  # pixels that a photograph's longer side is shrunk to before it is fitted (ours)
UNKNOWN_LIGHT = sampling.Light(np.array([0, 0, 1], np.float32), 1.0, (1, 1, 1), 1.0, (1, 1, 1), (1, 1, 1), 0.0, 1.0)


@dataclass(frozen=True)
class Portrait:
    """A photograph's crop and its render, uint8 [size, size, 3] each.

    Attributes:
        error: mean landmark error in per cent of the distance of the outer eye corners; nan where none is known.
        faces: in the photograph; -1 where nobody counted.
        numbers: values of the portraitist's columns.
    """

    photograph: np.ndarray
    render: np.ndarray
    error: float
    faces: int
    numbers: list


def fetch(options):
    """Folders of the assets that the portraits need, fetched where missing."""
    if options.morphable_model != MAKEHUMAN:
        return ()
    return tuple(assets.fetch(name, options.asset_dir) for name in ("morphable_face", "dlib_models"))


def open_portraitist(options, folders):
    """What makes a Portrait of (path, pixels), or raises NoOutput; has the names of its numbers in `columns`, and in
    `longest` how many pixels a photograph's longer side may have, None for any.

    Args:
        options: morphable_model, size, pair_crop, max_fit_error.
        folders: what `fetch` gave.

    Raises:
        UserError: dlib is not installed, or the model cannot be read.
    """
    return Fitted(options, *folders) if options.morphable_model == MAKEHUMAN else Published(options)


class _Portraitist:
    def __init__(self, options):
        self.options = options

    def _crop(self, landmarks, pixels):
        """(left, top, side) of the square that is cut out, and the photograph there."""
        height, width = pixels.shape[:2]
        if self.options.pair_crop == "face":
            left, top, side = crop_square(landmark_box(landmarks), width, height)
        else:
            side = min(width, height)
            left, top = (width - side) // 2, (height - side) // 2
        eyes = (landmarks[36:48].mean(axis=0) - (left, top)) / side
        if eye_distance(landmarks) < LEAST_FACE * side or not ((eyes > 0) & (eyes < 1)).all():
            raise NoOutput("the face is small, or not in the middle: use align first, or --pair_crop face")
        return (left, top, side), resize(pixels[top:top + side, left:left + side], self.options.size)

    def _check(self, error):
        if error > self.options.max_fit_error:
            raise NoOutput(f"landmark error {error:.1f} % of the eye distance, over --max_fit_error "
                           f"{self.options.max_fit_error:g}")


class FaceFitter(_Portraitist):
    """Fits the MakeHuman face to the landmarks that dlib finds in a photograph.

    Args:
        options: size, pair_crop, max_fit_error.
        face, dlib_models: folders that `fetch` gives.
    """

    def __init__(self, options, face, dlib_models):
        super().__init__(options)
        self.detect, self.model = Detector(dlib_models), load_makehuman(face)
        self.fitter = Fitter(self.model)

    def fit(self, pixels):
        """Of a photograph uint8 [h, w, 3]: (landmarks.Face, (left, top, side) of its crop, the crop uint8 [size, size,
        3], fitting.Fit in fractions of the crop). Raises NoOutput."""
        face = self.detect(pixels)
        if face is None:
            raise NoOutput("no face found")
        (left, top, side), photograph = self._crop(face.landmarks, pixels)
        try:
            fit = self.fitter((face.landmarks - (left, top)) / side)
        except (ValueError, np.linalg.LinAlgError, RuntimeError) as error:  # SciPy's, where nothing converges
            raise NoOutput(f"no fit: {error}") from error
        self._check(fit.error)
        return face, (left, top, side), photograph, fit


class Fitted(FaceFitter):
    """Fits the MakeHuman face to the landmarks that dlib finds, and its colours and light to the pixels."""

    longest = LONGEST

    def __init__(self, options, face, dlib_models):
        super().__init__(options, face, dlib_models)
        self.studio = Studio(self.model, options.size)
        self.colourist = Colourist(self.studio)
        self.columns = (*parameters.POSE, *parameters.FRAMING, *parameters.LIGHT, *self.model.expression.names,
                        *parameters.LANDMARKS, *parameters.COLOURS, *self.model.macro.names, *self.model.shape.names)

    def __call__(self, path, pixels):
        face, _, photograph, fit = self.fit(pixels)
        render, found, landmarks = self._draw(fit, photograph)
        numbers = [fit.yaw, fit.pitch, fit.roll, fit.zoom, *fit.shift, *parameters.light_numbers(found.light),
                   *map(float, fit.expression), *landmarks, *parameters.colours(found.look),
                   *map(float, (*fit.macro, *fit.shape))]
        return Portrait(photograph, render, fit.error, face.faces, numbers)

    def _draw(self, fit, photograph):
        """Of a Fit: the render in the photograph's colours, their Appearance and the fields of LANDMARKS."""
        shot = sampling.Image("", fit.expression, fit.yaw, fit.pitch, fit.roll, fit.zoom, fit.shift, UNKNOWN_LIGHT)
        head = head_of(self.model, fit.macro, fit.shape)
        view = self.studio.view(head, shot)
        found = self.colourist(view, shot, photograph)
        render = self.studio.develop(view, replace(head, albedo=self.studio.painter(found.look)),
                                     replace(shot, light=found.light))
        landmarks = parameters.landmark_numbers(*visible(view, self.model.landmarks, BEHIND * head.scale))
        return (to_grey(render) if found.grey else render), found, landmarks


class Published(_Portraitist):
    """Draws the fits of 300W-3D and AFLW2000-3D, a .mat beside each photograph, with the model they were made with."""

    longest = None  # the fits are in the photograph's own pixels

    def __init__(self, options):
        super().__init__(options)
        self.model = statistical_formats.load(options.morphable_model)
        if self.model.landmarks is None:
            raise UserError(f"--morphable_model {options.morphable_model}: names no landmarks, which pair needs")
        self.studio = StatisticalStudio(self.model, options.size)
        self.columns = (*parameters.POSE, *parameters.FRAMING, *parameters.ILLUMINATION, *parameters.COLOUR,
                        *(f"expression_{number}" for number in range(1, self.model.expression.count + 1)),
                        *parameters.LANDMARKS)

    def __call__(self, path, pixels):
        fields = self._fields(path.with_suffix(".mat"))
        pose, expression = fields.numbers("Pose_Para", 7), fields.numbers("Exp_Para", self.model.expression.count)
        shape = fields.numbers("Shape_Para", self.model.shape.count)
        turn, camera = from_pose_para(pose, len(pixels))
        points = self.model.points(shape, expression)[self.model.landmarks]
        landmarks = camera(points @ turn.T)[:, :2].astype(np.float64)
        error = self._error(landmarks, fields)
        self._check(error)
        (left, top, side), photograph = self._crop(landmarks, pixels)
        middle, height = self.model.frame
        x, y = camera((turn @ middle)[None])[0, :2]
        shot = StatisticalImage(
            expression, *degrees(*pose[:3]), float(camera.scale / side * FRAME * height),
            (float((x - left) / side - 0.5), float((y - top) / side - 0.5)), fields.numbers("Illum_Para", 10),
            fields.numbers("Color_Para", 7))
        head = self.studio.head(StatisticalIdentity(shape, fields.numbers("Tex_Para")))
        view = self.studio.view(head, shot)
        seen = visible(view, self.model.landmarks, BEHIND * height)
        numbers = [shot.yaw, shot.pitch, shot.roll, shot.zoom, *shot.shift, *shot.illumination.tolist(),
                   *shot.colour.tolist(), *expression.tolist(), *parameters.landmark_numbers(*seen)]
        return Portrait(photograph, self.studio.develop(view, head, shot), error, -1, numbers)

    @staticmethod
    def _fields(path):
        if not path.is_file():
            raise NoOutput(f"no fit {path.name} beside it, which a statistical model needs")
        return read_matlab(path)

    @staticmethod
    def _error(landmarks, fields):
        """Distance of the fit's landmarks to those that the file holds, nan where it holds no 68."""
        for name in ("pt3d_68", "pt2d"):
            if name in fields.arrays and fields.array(name).shape in ((2, 68), (3, 68)):
                truth = fields.array(name)[:2].T
                return 100 * float(np.linalg.norm(landmarks - truth, axis=1).mean()) / eye_distance(truth)
        return float("nan")
