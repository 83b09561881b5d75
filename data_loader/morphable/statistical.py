"""A statistical face model: mean and principal components of shape, expression and colour at each vertex."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Plain skin, for models without colour, sRGB (ours).
SKIN = (0.80, 0.62, 0.52)


@dataclass(frozen=True)
class Components:
    """Linear directions at n vertices: values = mean + offsets @ coefficients.

    Attributes:
        mean: float32 [n, 3].
        offsets: float32 [k, n, 3]; k may be 0.
        deviation: float32 [k], the standard deviation of each coefficient, in the coefficients' own unit.
    """

    mean: np.ndarray
    offsets: np.ndarray
    deviation: np.ndarray

    def __call__(self, coefficients):
        """Values float32 [n, 3] of `coefficients` [at most k]; those left out are 0."""
        count = len(coefficients)
        flat = self.offsets[:count].reshape(count, self.mean.size)
        return self.mean + (np.asarray(coefficients, np.float32) @ flat).reshape(self.mean.shape)

    @property
    def count(self):
        return len(self.deviation)


@dataclass(frozen=True)
class StatisticalModel:
    """A face as the published models hold it; x to the image's right when seen from the front, y up, z forward.

    Attributes:
        name: of the file, for messages.
        shape: Components in the file's unit; its mean holds the expression's mean too.
        expression: Components with mean 0.
        colour: Components of sRGB, 0 to 1.
        triangles: int32 [t, 3], counter-clockwise as seen from outside.
        landmarks: int32 [68], vertices of the 68-point mark-up, or None where the file names none.
    """

    name: str
    shape: Components
    expression: Components
    colour: Components
    triangles: np.ndarray
    landmarks: np.ndarray | None

    def points(self, shape, expression):
        """Points float32 [n, 3] of raw coefficients, e.g. a fit's Shape_Para and Exp_Para."""
        return self.shape(shape) + self.expression(expression)

    @cached_property
    def frame(self):
        """(centre float32 [3], scale): between eyes and mouth of the mean, and the height from mouth to eyes.

        Without landmarks the tip of the nose stands for the centre, and 0.45 of the face's width for the height (ours).
        """
        mean = self.shape.mean
        if self.landmarks is None:
            return mean[np.argmax(mean[:, 2])], 0.45 * float(np.ptp(mean[:, 0]))
        eyes, mouth = (mean[self.landmarks[part]].mean(axis=0) for part in (slice(36, 48), slice(48, 68)))
        return (eyes + mouth) / 2, float(eyes[1] - mouth[1])


def outward(points, triangles):
    """`triangles`, turned around where the face would show its back to +z: files differ in their winding.

    A face is open behind, so that its triangles' normals add up to one that points out of the front.
    """
    a, b, c = (points[triangles[:, corner], :2].astype(np.float64) for corner in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return triangles if area.sum() >= 0 else np.ascontiguousarray(triangles[:, ::-1])
