"""A head in, an aligned face crop out: shape, pose, projection, shading and texture for one picture."""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from data_loader.morphable import lighting, rasterizer, sampling
from data_loader.morphable.beard import BeardMaker
from data_loader.morphable.glasses import glasses
from data_loader.morphable.hair import Barber
from data_loader.morphable.texture import Painter
from data_loader.morphable.worn import Mesh, joined

DISTANCE = 11.0  # decimetres from camera to face (ours)
FRAME = 2.85  # width of the frame in distances from the eyes to the teeth: forehead to chin (ours)
OVERSAMPLE = 2  # samples per pixel along each side, averaged in linear light
DARKEST = 4  # least grey level of the head, so that black means background and nothing else
PROJECTIONS = ("perspective", "weak")


@dataclass(frozen=True)
class Perspective:
    """A camera at (0, 0, distance) that looks along -z.

    Attributes:
        scale: pixels per unit of length at z = 0.
        centre: (x, y) in pixels of what lies on the z axis; the first pixel's centre is at 0.5, y goes down.
        distance: in the points' unit.
    """

    scale: float
    centre: tuple
    distance: float
    perspective = True

    def __call__(self, points):
        """Pixels and depth for the z-buffer float32 [n, 3] of points [n, 3]: x right, y up, z to the camera.

        Raises:
            ValueError: a point lies beside or behind the camera.
        """
        if len(points) and points[:, 2].max() >= self.distance:
            raise ValueError(f"points reach z = {points[:, 2].max():.4g}, the camera stands at {self.distance:.4g}")
        near = self.distance / (self.distance - points[:, 2])
        factor = self.scale * near
        return np.stack([self.centre[0] + points[:, 0] * factor, self.centre[1] - points[:, 1] * factor, -near],
                        axis=1).astype(np.float32)


@dataclass(frozen=True)
class WeakPerspective:
    """A camera far away that looks along -z: `scale` and `centre` as in Perspective."""

    scale: float
    centre: tuple
    perspective = False

    def __call__(self, points):
        """Pixels and depth for the z-buffer float32 [n, 3] of points [n, 3]: x right, y up, z to the camera."""
        return np.stack([self.centre[0] + points[:, 0] * self.scale, self.centre[1] - points[:, 1] * self.scale,
                         -points[:, 2]], axis=1).astype(np.float32)


class View:
    """What a camera sees of a mesh; every picture of it is made when it is asked for.

    Args:
        camera: Perspective or WeakPerspective, in pixels of the picture.
        points: float32 [n, 3], turned: x right, y up, z to the camera.
        triangles: int32 [t, 3], drawn vertices, counter-clockwise as seen from outside.
        width, height: of the picture in pixels.
        corners: int32 [m], the point of each drawn vertex; without, they are the points themselves.
        oversample: samples per pixel along each side.
        cull: leave out triangles that turn their back.

    Attributes:
        screen: float32 [n, 3], pixels of the points, and their depth as the camera gives it.
        triangle, weights: as rasterizer.scan gives them, at the samples.
    """

    def __init__(self, camera, points, triangles, width, height, corners=None, oversample=OVERSAMPLE, cull=True):
        self.camera, self.points, self.triangles, self.oversample = camera, points, triangles, oversample
        self.corners = np.arange(len(points)) if corners is None else corners
        self.screen = camera(points)
        samples = (self.screen * np.float32([oversample, oversample, 1]))[self.corners]
        self.triangle, self.weights, _ = rasterizer.scan(samples, triangles, width * oversample, height * oversample,
                                                         cull, camera.perspective)

    def average(self, values):
        """Values float32 [m, c] at the drawn vertices -> float32 [height, width, c], 0 where there is nothing."""
        return rasterizer.average(self.triangle, self.weights, self.triangles, values, self.oversample)

    def colour(self, light, texels, texture):
        """float32 [height, width, 4]: texture times light plus highlight, and the share that is covered.

        Args:
            light: float32 [m, 6], of the drawn vertices, as `lighting` gives it.
            texels: float32 [m, 2], x and y in the texture, in texels. texture: float32 [v, u, 3].
        """
        return rasterizer.average_textured(self.triangle, self.weights, self.triangles, light, texels, texture,
                                           self.oversample)

    @cached_property
    def mask(self):
        """float32 [height, width], the share of each pixel that is covered."""
        return self.average(np.ones((len(self.corners), 1), np.float32))[..., 0]

    @cached_property
    def depth(self):
        """float32 [height, width]: -z of what is seen in the points' unit, its mean over a pixel; inf for nothing."""
        depth = self.average(-self.points[self.corners, 2:])[..., 0]
        return np.divide(depth, self.mask, out=np.full_like(depth, np.inf), where=self.mask > 0)

    @cached_property
    def normals(self):
        """float32 [height, width, 3], smooth unit normals to the camera's axes; 0 where there is nothing."""
        normals = self.average(self.point_normals[self.corners])
        return normals / np.maximum(np.sqrt((normals * normals).sum(axis=2, keepdims=True)), 1e-12)

    @cached_property
    def point_normals(self):
        """float32 [n, 3], smooth unit normals of the points."""
        return rasterizer.vertex_normals(self.points, self.corners[self.triangles])

    @cached_property
    def seen(self):
        """bool [n], points with a triangle that is seen somewhere."""
        rows = np.zeros(len(self.triangles) + 1, bool)
        rows[self.triangle.ravel()] = True  # nothing is -1, the row too many
        seen = np.zeros(len(self.points), bool)
        seen[self.corners[self.triangles[rows[:-1]]]] = True
        return seen


@dataclass(frozen=True)
class Head:
    """One person ready to draw: neutral points float32 [n, 3], centred, their scale, the texture atlas as Painter gives
    it, and the worn.Mesh of hair, beard and glasses, None for nothing."""

    points: np.ndarray
    scale: float
    albedo: np.ndarray
    worn: Mesh | None = None


class Studio:
    """Draws pictures of sampled people.

    Args:
        model: MorphableModel.
        size: side of the pictures in pixels.
        projection: "perspective", from DISTANCE, or "weak".
    """

    def __init__(self, model, size, projection="perspective"):
        if projection not in PROJECTIONS:
            raise ValueError(f"projection {projection!r}: must be one of {', '.join(PROJECTIONS)}")
        self.model, self.size, self.projection, self.painter = model, size, projection, Painter(model)
        self.barber, self.beards = Barber(model), BeardMaker(model, self.painter.lips)
        self.directions = lighting.sphere()
        self.reach = lighting.visibility(model, self.directions)
        self.texels = np.minimum(model.texture * self.painter.side, self.painter.side - 1).astype(np.float32)

    def head(self, who):
        """Head of sampling.Identity `who`."""
        model = self.model
        points = model.mean + model.macro(who.macro) + model.shape(who.shape)
        eyes = np.mean([points[eye].mean(axis=0) for eye in model.eyes], axis=0)
        teeth = points[model.teeth].mean(axis=0)
        centre = ((eyes + teeth) / 2).astype(np.float32)
        worn = joined([mesh for mesh in (self.barber(points, who.look),
                                         self.beards(points, model.normals(points), who.look),
                                         glasses(points, model, who.look)) if mesh is not None])
        if worn is not None:
            worn = replace(worn, points=worn.points - centre)
        return Head((points - centre).astype(np.float32), float(eyes[1] - teeth[1]), self.painter(who.look), worn)

    def picture(self, head, shot):
        """The picture uint8 [size, size, 3] of `head` as sampling.Image `shot` says."""
        return self.develop(self.view(head, shot), head, shot)

    def view(self, head, shot):
        """View of `head` in the pose, expression and framing of `shot`: its depth, normals and mask."""
        camera = camera_of(self.size, head.scale, shot, self.projection)
        moved, model = self.model.expression(shot.expression), self.model
        points, triangles, corners = head.points + moved, model.triangles, model.corners
        if head.worn is not None:
            points = np.concatenate([points, head.worn.points + moved[head.worn.anchors]])
            triangles = np.concatenate([triangles, head.worn.triangles + np.int32(len(corners))])
            corners = np.concatenate([corners, np.arange(len(head.points), len(points), dtype=corners.dtype)])
        points = (points @ rotation(shot.yaw, shot.pitch, shot.roll).T).astype(np.float32)
        return View(camera, points, triangles, self.size, self.size, corners)

    def develop(self, view, head, shot):
        """The picture uint8 [size, size, 3] of a view that `view` gave: light and texture."""
        light = np.zeros((len(view.points), 6), np.float32)
        seen = np.flatnonzero(view.seen)
        reach, texels = self.reach, self.texels
        if head.worn is not None:
            beyond = np.broadcast_to(head.worn.reach[:, None], (len(head.worn.reach), reach.shape[1]))
            reach = np.concatenate([reach, beyond])
            side = self.painter.side
            texels = np.concatenate([texels, head.worn.texels * np.float32([side, 1]) + np.float32([0, side])])
        light[seen] = self._shade(view, seen, shot, reach)
        canvas = view.colour(light[view.corners], texels, head.albedo)
        grey = to_srgb(canvas[..., :3])
        return np.where(canvas[..., 3:] >= 0.5, np.maximum(grey, DARKEST), grey).astype(np.uint8)

    def _shade(self, view, points, shot, reach):
        """Light float32 [k, 6] that leaves some points; reach float32 [n, directions] of all."""
        normals, turn = view.point_normals[points], rotation(shot.yaw, shot.pitch, shot.roll)
        if not isinstance(shot.light, sampling.Light):
            return shot.light((normals @ turn).astype(np.float32))  # it turns with the head
        directions = (self.directions @ turn.T).astype(np.float32)
        to_camera = np.float32([0, 0, DISTANCE]) - view.points[points]
        to_camera /= np.sqrt((to_camera * to_camera).sum(axis=1, keepdims=True))
        radiance = lighting.environment(shot.light, directions)
        return lighting.shade(normals, to_camera, shot.light, radiance, directions, reach[points])


def camera_of(size, height, shot, projection="perspective"):
    """The camera of a picture of `size` pixels.

    Args:
        height: the head's scale, as in Head.
        shot: has zoom and shift, as sampling.Image and fitting.Fit.
    """
    scale = size * shot.zoom / (FRAME * height)
    centre = tuple(size * (0.5 + shift) for shift in shot.shift)
    return Perspective(scale, centre, DISTANCE) if projection == "perspective" else WeakPerspective(scale, centre)


def rotation(yaw, pitch, roll):
    """Rotation float64 [3, 3] of points as columns, from degrees as sampling.Image defines them."""
    a, b, c = np.radians([yaw, -pitch, -roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def from_pose_para(numbers, height):
    """Rotation and camera of the seven numbers of Pose_Para in 300W-3D and AFLW2000-3D.

    They are pitch, yaw, roll in radians, x, y, z in pixels and the scale; the image's y counts from the bottom and its
    pixels from 1 (the data sets' own example in Matlab). Pitch and roll turn as in sampling.Image, a positive yaw turns
    the face to the image's left, and the turns are applied in another order: roll, yaw, pitch.

    Args:
        numbers: float [7]. height: of the image in pixels.

    Returns:
        (rotation float64 [3, 3] of points as columns, WeakPerspective); points in the unit of the model, x right, y
        up, z to the camera.

    Raises:
        ValueError: they are not seven.
    """
    numbers = np.asarray(numbers, float).ravel()
    if len(numbers) != 7:
        raise ValueError(f"Pose_Para has {len(numbers)} numbers, not 7")
    pitch, yaw, roll = np.degrees(numbers[:3])
    turn = rotation(0, pitch, 0) @ rotation(-yaw, 0, 0) @ rotation(0, 0, roll)
    return turn, WeakPerspective(float(numbers[6]), (float(numbers[3]) - 0.5, height + 0.5 - float(numbers[4])))


def to_srgb(light, levels=4096):
    """Linear light, 0 to 1 -> sRGB grey levels, float 0.5 to 255.5: truncation rounds them."""
    return _encoding(levels)[np.clip(light * (levels - 1), 0, levels - 1).astype(np.int32)]


@cache
def _encoding(levels):
    value = np.linspace(0, 1, levels)
    return 255 * np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055) + 0.5
