"""A head in, an aligned face crop out: shape, pose, perspective, shading and texture for one picture."""

from dataclasses import dataclass

import numpy as np

from data_loader.morphable import lighting, sampling
from data_loader.morphable.rasterizer import rasterize
from data_loader.morphable.texture import Painter

DISTANCE = 11.0  # decimetres from camera to face (ours)
FRAME = 2.85  # width of the frame in distances from the eyes to the teeth: forehead to chin (ours)
OVERSAMPLE = 2  # samples per pixel along each side, averaged in linear light
DARKEST = 4  # least grey level of the head, so that black means background and nothing else


@dataclass(frozen=True)
class Head:
    """One person ready to draw: neutral points float32 [n, 3], centred and scaled, and the texture atlas."""

    points: np.ndarray
    scale: float
    albedo: np.ndarray


class Studio:
    """Draws pictures of sampled people.

    Args:
        model: MorphableModel.
        size: side of the pictures in pixels.
    """

    def __init__(self, model, size):
        self.model, self.size, self.painter = model, size, Painter(model)
        self.directions = lighting.sphere()
        self.reach = lighting.visibility(model, self.directions)
        texels = np.minimum(model.texture * self.painter.side, self.painter.side - 1).astype(np.float32)
        self.texels = texels
        self.encode = _encoding()

    def head(self, who):
        """Head of sampling.Identity `who`."""
        model = self.model
        points = model.mean + model.macro(who.macro) + model.shape(who.shape)
        eyes = np.mean([points[eye].mean(axis=0) for eye in model.eyes], axis=0)
        teeth = points[model.teeth].mean(axis=0)
        return Head((points - (eyes + teeth) / 2).astype(np.float32), float(eyes[1] - teeth[1]), self.painter(who.look))

    def picture(self, head, shot):
        """The picture uint8 [size, size, 3] of `head` as sampling.Image `shot` says."""
        model, side = self.model, self.size * OVERSAMPLE
        turn = rotation(shot.yaw, shot.pitch, shot.roll)
        points = head.points + model.expression(shot.expression)
        normals = model.normals(points)
        turned = points @ turn.T
        screen = self._project(turned, head.scale, shot, side)[model.corners]
        light = self._shade(turned, normals, turn, shot.light)[model.corners]
        fragments = rasterize(screen, model.triangles, side, side)
        values = fragments.interpolate(model.triangles, np.concatenate([light, self.texels], axis=1))
        texel = values[:, 5].astype(np.int32) * self.painter.side + values[:, 4].astype(np.int32)
        colour = head.albedo[texel] * values[:, :3] + values[:, 3:4]
        canvas = np.zeros((side * side, 4), np.float32)
        canvas[fragments.pixels, :3] = colour
        canvas[fragments.pixels, 3] = 1
        canvas = canvas.reshape(side, side, 4)
        canvas = (canvas[0::2, 0::2] + canvas[1::2, 0::2] + canvas[0::2, 1::2] + canvas[1::2, 1::2]) / 4
        grey = self.encode[np.clip(canvas[..., :3] * (len(self.encode) - 1), 0, len(self.encode) - 1).astype(np.int32)]
        return np.where(canvas[..., 3:] >= 0.5, np.maximum(grey, DARKEST), grey).astype(np.uint8)

    def _project(self, turned, scale, shot, side):
        """Pixels and depth float32 [n, 3] of turned points, in perspective."""
        near = DISTANCE / (DISTANCE - turned[:, 2])
        factor = side * shot.zoom / (FRAME * scale) * near
        return np.stack([side * (0.5 + shot.shift[0]) + turned[:, 0] * factor,
                         side * (0.5 + shot.shift[1]) - turned[:, 1] * factor, -near], axis=1).astype(np.float32)

    def _shade(self, turned, normals, turn, light):
        """Shade in the head's own frame, where the reach of each direction is known."""
        view = (0, 0, DISTANCE) - turned
        view = (view / np.linalg.norm(view, axis=1, keepdims=True)) @ turn
        at_head = sampling.Light(**{**vars(light), "direction": (light.direction @ turn).astype(np.float32)})
        radiance = lighting.environment(light, self.directions @ turn.T.astype(np.float32))
        return lighting.shade(normals, view.astype(np.float32), at_head, radiance, self.directions, self.reach)


def rotation(yaw, pitch, roll):
    """Rotation float64 [3, 3] of points as columns, from degrees as sampling.Image defines them."""
    a, b, c = np.radians([yaw, -pitch, -roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def _encoding(levels=4096):
    """Linear light in `levels` steps -> sRGB grey levels 0..255."""
    value = np.linspace(0, 1, levels)
    return 255 * np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055) + 0.5
