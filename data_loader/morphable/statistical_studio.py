"""Pictures of people of a statistical model: vertex colours, 300W-3D's light and colours, a crop about the face."""

from dataclasses import dataclass

import numpy as np

from data_loader.morphable.camera import DARKEST, FRAME, View, WeakPerspective, rotation
from data_loader.morphable.lighting import Phong, recolour


@dataclass(frozen=True)
class StatisticalHead:
    """One person ready to draw: neutral points float32 [n, 3], centred, and sRGB colours float32 [n, 3], 0 to 1."""

    points: np.ndarray
    colours: np.ndarray


class StatisticalStudio:
    """Draws sampled people, in weak perspective as the models were fitted.

    Args:
        model: statistical.StatisticalModel.
        size: side of the pictures in pixels.
    """

    def __init__(self, model, size):
        self.model, self.size = model, size

    def head(self, who):
        """StatisticalHead of statistical_sampling.StatisticalIdentity `who`."""
        return StatisticalHead(self.model.shape(who.shape) - self.model.frame[0],
                               np.clip(self.model.colour(who.texture), 0, 1))

    def picture(self, head, shot):
        """The picture uint8 [size, size, 3] of `head` as StatisticalImage `shot` says."""
        return self.develop(self.view(head, shot), head, shot)

    def view(self, head, shot):
        """camera.View of `head` in the pose, expression and framing of `shot`."""
        scale = self.size * shot.zoom / (FRAME * self.model.frame[1])
        camera = WeakPerspective(scale, tuple(self.size * (0.5 + shift) for shift in shot.shift))
        points = self._points(head, shot) @ rotation(shot.yaw, shot.pitch, shot.roll).T
        return View(camera, points.astype(np.float32), self.model.triangles, self.size, self.size)

    def develop(self, view, head, shot):
        """The picture of a view. Light and colours act on sRGB values, as in the published fits."""
        normals = (view.point_normals @ rotation(shot.yaw, shot.pitch, shot.roll)).astype(np.float32)
        light = Phong.from_numbers(shot.illumination)(normals)  # it turns with the head
        colours = np.clip(recolour(head.colours * light[:, :3] + light[:, 3:], shot.colour), 0, 1)
        canvas = 255 * view.average(colours) + 0.5
        return np.where(view.mask[..., None] >= 0.5, np.maximum(canvas, DARKEST), canvas).astype(np.uint8)

    def _points(self, head, shot):
        return head.points + self.model.expression(shot.expression)
