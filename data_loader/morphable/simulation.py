"""One photograph and its fit in, views of the head from any side out."""

from dataclasses import replace

import numpy as np
from PIL import Image

from data_loader.morphable import outline, surroundings
from data_loader.morphable.camera import OVERSAMPLE, Perspective, View, camera_of, rotation
from data_loader.morphable.fitting import head_of
from data_loader.morphable.outline import REACH, SOURCE
from data_loader.morphable.projection import BEHIND, Picture, Projector
from data_loader.morphable.rasterizer import Fragments
from data_loader.morphable.sources import visible

BACKGROUNDS = ("photograph", "plain")
FLAT = (0.2, 0.5)  # cosine of the turn from the photograph's yaw at which the sheet around the head is gone; is whole
PLAIN = 128  # grey level of a plain background
FINE = 2  # pixels of the photograph in a sample of a view: bilinear interpolation between them then blurs little


class Simulator:
    """Makes Subjects of photographs.

    Args:
        model: MorphableModel. size: of the views in pixels. background: one of BACKGROUNDS.
    """

    def __init__(self, model, size, background):
        self.model, self.size, self.background = model, size, background
        self.scalp = outline.scalp_of(model)
        self.projector = Projector(model, self.scalp)

    def __call__(self, pixels, square, fit):
        """Subject of a photograph uint8 [h, w, 3], whose `square` (left, top, side) fitting.Fit `fit` was made in."""
        picture = _cut(pixels, square, self.size)
        head, turn = head_of(self.model, fit.macro, fit.shape), rotation(fit.yaw, fit.pitch, fit.roll)
        points = head.points + self.model.expression(fit.expression)
        camera = camera_of(1, head.scale, fit)
        view, facing = self._look(points @ turn.T, camera)
        chin = float(camera(view.points[self.model.landmarks[[8]]])[0, 1])
        share = outline.person_in(view, self.scalp, picture, chin)
        points = points + self._hair(view, facing, share, camera) @ turn
        view, facing = self._look(points @ turn.T, camera)
        _, seen = visible(view, np.arange(len(points)), BEHIND * head.scale)
        places = camera(view.points)[:, :2]
        inner = outline.inner(share, picture)
        hair = outline.hair_colour(view, self.scalp, inner, picture)
        skin = self.projector(seen * outline.surely(inner, places), facing, places, picture, hair)
        sheet = surroundings.around(view, camera, share, picture)
        sheet = replace(sheet, points=sheet.points @ turn.astype(np.float32))
        if self.background == "photograph":
            behind = surroundings.background(view, picture, self.size * OVERSAMPLE, share, chin)
        else:
            behind = np.full((self.size * OVERSAMPLE,) * 2 + (3,), PLAIN, np.float32)
        return Subject(self, fit, head.scale, points.astype(np.float32), skin, sheet, behind)

    def _look(self, points, camera):
        """(View of turned points, its pixels those of outline.grid_places; cosines of their normals to the camera)."""
        points, side = points.astype(np.float32), outline.grid_side()
        middle = tuple((place + REACH) * SOURCE for place in camera.centre)
        camera = Perspective(camera.scale * SOURCE, middle, camera.distance)
        view = View(camera, points, self.projector.triangles, side, side, oversample=1)
        towards = np.float32([0, 0, camera.distance]) - points
        return view, (view.point_normals * towards).sum(axis=1) / np.linalg.norm(towards, axis=1)

    def _hair(self, view, facing, share, camera):
        """How far the scalp is raised to be the hair's surface: float64 [n, 3], turned as the view is."""
        rows, pixels = outline.thickness(view, share, facing)
        near = camera.distance / (camera.distance - view.points[rows, 2])
        thick, held = np.zeros((len(facing), 1)), (self.scalp == 0).astype(float)
        thick[rows, 0] = pixels / (SOURCE * camera.scale * near)
        held[rows] += self.scalp[rows] > 0.99
        return self.projector.smooth(thick * (self.scalp > 0)[:, None], held) * self.scalp[:, None] * view.point_normals


class Subject:
    """A head that can be turned: a call with a yaw in degrees gives (uint8 [size, size, 3], View, how much of the
    head's picture is the photograph's own, 0 to 1)."""

    def __init__(self, simulator, fit, height, points, skin, sheet, behind):
        self.simulator, self.fit, self.points, self.skin = simulator, fit, points, skin
        self.sheet, self.behind, self.height = sheet, behind, height
        self.camera = camera_of(simulator.size, height, fit)

    def __call__(self, yaw):
        size, turn = self.simulator.size, rotation(yaw, self.fit.pitch, self.fit.roll).T.astype(np.float32)
        triangles = self.simulator.projector.triangles
        view = View(self.camera, self.points @ turn, triangles, size, size)
        around = View(self.camera, self.sheet.points @ turn, self.sheet.triangles, size, size)
        canvas = self.behind.reshape(-1, 3).copy()
        sheet, head = _fragments(around), _fragments(view)
        values = sheet.interpolate(self.sheet.triangles, self.sheet.values)
        colour, solid = self.skin.picture(values[:, :2]), self._flatness(yaw) * self.sheet.solid(values)
        canvas[sheet.pixels] += solid * (colour - canvas[sheet.pixels])
        on_head = head.interpolate(triangles, self.skin.values)
        canvas[head.pixels] = self.skin(on_head)
        depth = np.full(len(canvas), -np.inf, np.float32)  # of nothing: there the sheet is drawn already
        depth[head.pixels] = -view.points[triangles[head.triangles], 2].mean(axis=1)
        ahead = -around.points[self.sheet.triangles[sheet.triangles], 2].mean(axis=1) < depth[sheet.pixels]
        rows = sheet.pixels[ahead]
        canvas[rows] += (solid * values[:, 3:])[ahead] * (colour[ahead] - canvas[rows])
        samples = np.clip(canvas + 0.5, 0, 255).astype(np.uint8).reshape(size * OVERSAMPLE, size * OVERSAMPLE, 3)
        picture = Image.fromarray(samples).resize((size, size), Image.Resampling.LANCZOS)  # as photographs are
        return np.asarray(picture), view, float(on_head[:, 4].mean())

    def _flatness(self, yaw):
        """How solid the sheet is: from 1 to 0 as it is turned edge-on."""
        turned = np.cos(np.radians(yaw - self.fit.yaw))
        return np.float32(np.clip((turned - FLAT[0]) / (FLAT[1] - FLAT[0]), 0, 1))


def _fragments(view):
    pixels = np.flatnonzero(view.triangle >= 0)
    return Fragments(pixels, view.triangle.ravel()[pixels], view.weights.reshape(-1, 3)[pixels], None)


def _cut(pixels, square, size):
    """The Picture around a square of a photograph, FINE times as fine as the coarser of itself and views' samples."""
    (left, top, side), (height, width) = square, pixels.shape[:2]
    reach = round(REACH * side)
    x0, y0 = max(0, left - reach), max(0, top - reach)
    x1, y1 = min(width, left + side + reach), min(height, top + side + reach)
    scale = FINE * min(1.0, OVERSAMPLE * size / side)
    shape = max(2, round((x1 - x0) * scale)), max(2, round((y1 - y0) * scale))
    small = Image.fromarray(pixels[y0:y1, x0:x1]).resize(shape, Image.Resampling.LANCZOS)
    return Picture(np.asarray(small, np.float32), ((x0 - left) / side, (y0 - top) / side),
                   (shape[0] / (x1 - x0) * side, shape[1] / (y1 - y0) * side))
