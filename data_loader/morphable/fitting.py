"""The morphable face fitted to 68 landmarks: pose, who it is and expression, by regularised least squares.

Weights and tolerances are ours. Coordinates of a picture: fractions of its side, x to the right, y down.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares, nnls

from data_loader.morphable import sampling
from data_loader.morphable.camera import DISTANCE, FRAME, Head, rotation
from data_loader.morphable.landmarks import JAW, OUTER_EYES, eye_distance, jaw_lines
from data_loader.morphable.prior import Calibration, People, placed

ROUNDS = 6
NOISE = 0.015  # standard deviation of a landmark, in eye distances
# (What fits of photographs leave over / NOISE) squared: a mean distance of 2.3 % of the eyes' by 136 numbers of which
# a fit bends about 45, measured on 950 portraits (ours).
REAL_NOISE = 2.2
JAW_WEIGHT = 0.5  # the outline is where detected landmarks are least sure
# Standard deviation of a face unit's weight, by the beginning of its name; a unit that is not named has OTHER_SPREAD.
UNIT_SPREAD = {"jawOpen": 0.3, "mouthSmile": 0.4, "eyeBlink": 0.4, "mouthClose": 0.05, "mouthFunnel": 0.15,
               "mouthPucker": 0.2, "jaw": 0.1, "mouthLeft": 0.15, "mouthRight": 0.15, "brow": 0.3, "eyeSquint": 0.2,
               "eyeWide": 0.2, "cheekPuff": 0.1, "eyeLook": 0.0, "tongue": 0.0}
OTHER_SPREAD = 0.2
UNEVEN = 0.1  # standard deviation of the difference of a unit's two sides


@dataclass(frozen=True)
class Fit:
    """A head in a picture.

    Attributes:
        macro, shape, expression: weights of the model's bases.
        yaw, pitch, roll: degrees, as in sampling.Image.
        zoom, shift: framing, as in sampling.Image.
        landmarks: float64 [68, 2], where the fitted head has them, in fractions of the picture.
        error: mean distance of these to the ones fitted to, in per cent of the distance of the outer eye corners.
    """

    macro: np.ndarray
    shape: np.ndarray
    expression: np.ndarray
    yaw: float
    pitch: float
    roll: float
    zoom: float
    shift: tuple
    landmarks: np.ndarray
    error: float


class Fitter:
    """Fits a model to landmarks.

    Args:
        model: MorphableModel with landmarks and named face units.
        seed: of the sampled people.
    """

    def __init__(self, model, seed=0):
        self.model = model
        lines = jaw_lines(model)
        self._points = np.concatenate([model.landmarks, *(line[1:] for line in lines)]).astype(int)
        ends = len(model.landmarks) + np.cumsum([0, *(len(line) - 1 for line in lines)])
        self._lines = [np.concatenate([[landmark], np.arange(ends[landmark], ends[landmark + 1])]) for landmark in JAW]
        self.people = People(model, self._points, seed)
        self._mean, self._identity = self.people.mean, self.people.identity
        self.spread = np.array([_spread(name) for name in model.expression.names])
        moving = self.spread > 0
        self._units = np.flatnonzero(moving)
        self._prior = self._unit_prior([model.expression.names[unit] for unit in self._units])
        self._expression = model.expression.offsets[moving][:, self._points].astype(np.float64)
        self._weight = np.where(np.arange(68) < len(JAW), JAW_WEIGHT, 1.0)

    def __call__(self, landmarks):
        """Fit to landmarks [68, 2] in fractions of the picture: a Fit."""
        landmarks = np.asarray(landmarks, np.float64)
        unit = NOISE * eye_distance(landmarks)
        who, units, seen = np.zeros(len(self._identity)), np.zeros(len(self._units)), np.arange(68)
        pose = self._start(landmarks)
        for _ in range(ROUNDS):
            points = self._geometry(who, units)
            pose = self._fit_pose(pose, points[seen], landmarks)
            seen = self._outline(pose, points)
            who, units = self._fit_shape(pose, points[seen], seen, landmarks, unit)
        points = self._geometry(who, units)
        pose = self._fit_pose(pose, points[seen], landmarks)
        projected = project(pose, points[seen])
        error = 100 * np.linalg.norm(projected - landmarks, axis=1).mean() / eye_distance(landmarks)
        return self._result(who, units, pose, projected, float(error))

    def calibrate(self, weights):
        """prior.Calibration in `people`'s components from fits of this class: weights [n, k] of macro and shape."""
        return Calibration.of(self.people.components(weights), self._seen_of_identity(), REAL_NOISE)

    def _seen_of_identity(self):
        """What the landmarks of a face from the front tell of the components: float64 [c, c].

        It is the inverse covariance that is left when pose and face units, as unknown as they are, have been taken out.
        """
        pose, points = np.array([0, 0, 0, 0, 0.5, 0.5]), self._geometry(np.zeros(len(self._identity)),
                                                                         np.zeros(len(self._units)))
        pose[3] = -np.log(FRAME * points[-1, 1])
        unit, step = NOISE * eye_distance(project(pose, points[:68])), 1e-4
        weight = self._weight[:, None] / unit

        def told(points, pose=pose):
            return (project(pose, points[:68]) * weight).ravel()

        here = told(points)
        identity = np.array([told(points + step * offsets) - here for offsets in self._identity]) / step
        moves = np.pad(self._expression, ((0, 0), (0, 1), (0, 0)))
        units = np.array([told(points + step * offsets) - here for offsets in moves]) / step
        turns = np.array([told(points, pose + step * axis) - here for axis in np.eye(6)]) / step
        others = np.concatenate([turns, units])
        known = others @ others.T
        known[6:, 6:] += self._prior.T @ self._prior
        known[:6, :6] += 1e-6 * np.diag(np.diag(known[:6, :6]))
        cross = identity @ others.T
        return identity @ identity.T - cross @ np.linalg.solve(known, cross.T)

    def _unit_prior(self, names):
        """Rows [r, units] whose squares add up to the face units' penalty: how strong they are, how uneven."""
        rows = [np.diag(1 / self.spread[self._units])]
        for name in names:
            if name.endswith("Left") and name.removesuffix("Left") + "Right" in names and name not in sampling.SIDEWAYS:
                row = np.zeros((1, len(names)))
                row[0, [names.index(name), names.index(name.removesuffix("Left") + "Right")]] = 1 / UNEVEN, -1 / UNEVEN
                rows.append(row)
        return np.concatenate(rows)

    def _geometry(self, who, units):
        """Points float64 [p + 1, 3] of a head; the last row holds the scale that Studio divides by."""
        points = self._mean + np.tensordot(who, self._identity, 1)
        points[:-1] += np.tensordot(units, self._expression, 1)
        return points

    def _start(self, landmarks):
        """Facing the camera, as large and where the eyes and the mouth are."""
        eyes = landmarks[list(OUTER_EYES)]
        mean = self._mean[list(OUTER_EYES)]
        across = eyes[1] - eyes[0]
        zoom = np.linalg.norm(across) / (mean[1, 0] - mean[0, 0])
        middle = (landmarks[36:48].mean(axis=0) + landmarks[48:60].mean(axis=0)) / 2
        return np.array([0, 0, np.degrees(np.arctan2(across[1], across[0])), np.log(zoom), *middle])

    def _fit_pose(self, pose, points, landmarks):
        weight = self._weight[:, None]

        def residual(pose):
            return ((project(pose, points) - landmarks) * weight).ravel()

        # degrees beside logarithms and fractions: x_scale makes their steps alike
        return least_squares(residual, pose, x_scale=(10, 10, 10, 0.1, 0.05, 0.05), max_nfev=20).x

    def _outline(self, pose, points):
        """Point seen as each landmark [68]: of a jaw line, the one farthest out in the picture."""
        turned = points[:-1] @ rotation(*pose[:3]).T
        near = DISTANCE / (DISTANCE - turned[:, 2])
        x, seen = turned[:, 0] * near, np.arange(68)
        for landmark, line in enumerate(self._lines):
            seen[landmark] = line[np.argmax(x[line] * np.sign(landmark - 8))]
        return seen

    def _fit_shape(self, pose, points, seen, landmarks, unit):
        """Least squares for identity (a normal prior) and face units (which push one way only), pose known."""
        turn = rotation(*pose[:3])
        near = DISTANCE / (DISTANCE - (points @ turn.T)[:, 2:])
        scale = np.exp(pose[3]) * near * self._weight[:, None] / unit
        axes = turn[:2] * np.array([[1.0], [-1.0]])

        def seen_as(offsets):
            return ((offsets[..., seen, :] @ axes.T) * scale).reshape(*offsets.shape[:-2], -1)

        target = ((landmarks - pose[4:]) * self._weight[:, None] / unit).ravel() - seen_as(self._mean)
        identity, expression = seen_as(self._identity).T, seen_as(self._expression).T
        count, units, rows = identity.shape[1], expression.shape[1], len(self._prior)
        identity = np.concatenate([identity, np.eye(count), np.zeros((rows, count))])
        expression = np.concatenate([expression, np.zeros((count, units)), self._prior])
        target = np.concatenate([target, np.zeros(count + rows)])
        basis, _ = np.linalg.qr(identity)  # what identity can explain leaves the face units' equations
        rest = expression - basis @ (basis.T @ expression)
        weights = np.minimum(nnls(rest, target - basis @ (basis.T @ target))[0], 1)
        return np.linalg.lstsq(identity, target - expression @ weights, rcond=None)[0], weights

    def _result(self, who, units, pose, projected, error):
        weights = self.people.average + who @ self.people.to_weights
        macro = len(self.model.macro.names)
        scale = self._mean[-1, 1] + who @ self._identity[:, -1, 1]
        expression = np.zeros(len(self.model.expression.names))
        expression[self._units] = units
        yaw, pitch, roll = pose[:3].tolist()
        zoom, shift = float(np.exp(pose[3]) * FRAME * scale), tuple((pose[4:] - 0.5).tolist())
        return Fit(weights[:macro], weights[macro:], expression, yaw, pitch, roll, zoom, shift, projected, error)


def project(pose, points):
    """Points [p, 3] in fractions of the picture [p, 2]: pose = yaw, pitch, roll, log of the size of a unit, x, y."""
    turned = points @ rotation(*pose[:3]).T
    near = np.exp(pose[3]) * DISTANCE / (DISTANCE - turned[:, 2:])
    return pose[4:] + turned[:, :2] * near * (1, -1)


def head_of(model, macro, shape):
    """camera.Head of weights of the macro and shape bases, without a texture yet (albedo None)."""
    points = model.mean + model.macro(macro) + model.shape(shape)
    at = placed(points[None], model, np.arange(len(points)))[0].astype(np.float32)
    return Head(at[:-1], float(at[-1, 1]), None)


def _spread(name):
    return next((spread for start, spread in UNIT_SPREAD.items() if name.startswith(start)), OTHER_SPREAD)
