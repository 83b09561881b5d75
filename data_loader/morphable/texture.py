"""Skin, lips, brows, hair and eyes painted on the texture atlas: all positions and colours here are ours."""

from functools import cached_property

import numpy as np
from PIL import Image

from data_loader.morphable.beard import paint as paint_beard
from data_loader.morphable.beard import regions as beard_regions
from data_loader.morphable.glasses import paint as paint_glasses
from data_loader.morphable.hair import inside_hair
from data_loader.morphable.hair import paint as paint_hair
from data_loader.morphable.rasterizer import rasterize
from data_loader.morphable.worn import BEARD_ROWS, GLASSES_ROWS, HAIR_ROWS, ROWS
from data_loader.morphable.worn import blob as _blob
from data_loader.morphable.worn import rise as _rise

SIDE = 512  # texels of the atlas
# Skin from light to dark, eight tones, sRGB 0..255.
SKIN = np.array([(243, 208, 188), (234, 190, 164), (222, 171, 138), (203, 148, 112), (176, 120, 86), (142, 92, 64),
                 (108, 68, 47), (80, 50, 36)])
HAIR = {"black": (22, 18, 17), "dark": (44, 30, 22), "brown": (74, 50, 34), "fair": (140, 106, 66),
        "blond": (196, 160, 104), "red": (116, 58, 30), "grey": (138, 134, 130)}
WHITE_HAIR = (196, 194, 190)
IRIS = {"dark": (44, 26, 16), "brown": (84, 52, 28), "hazel": (110, 84, 44), "green": (94, 106, 72),
        "blue": (92, 124, 150), "grey": (120, 130, 136)}
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
FRECKLES = ((150, 1.0),)  # grain of freckles and hair: cells along the atlas, weight
# Lines of age on one half of the face: (x, y) from the middle outwards, of the mean head in decimetres.
LINES = (((-0.1, 7.63), (0.3, 7.65), (0.46, 7.62)), ((-0.1, 7.72), (0.3, 7.745), (0.48, 7.71)),
         ((-0.1, 7.81), (0.25, 7.83), (0.42, 7.80)),
         ((0.17, 6.90), (0.24, 6.80), (0.31, 6.63)), ((0.20, 7.175), (0.31, 7.13), (0.43, 7.17)),
         ((0.50, 7.31), (0.62, 7.36)), ((0.50, 7.27), (0.63, 7.265)), ((0.49, 7.23), (0.60, 7.17)))


def to_linear(colour):
    """sRGB 0..255 -> linear light 0..1."""
    value = np.asarray(colour, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


class Painter:
    """Paints a head's texture: where each texel lies on the mean head, and the regions found from that.

    Args:
        model: MorphableModel.
        side: texels of the atlas, a square.
    """

    def __init__(self, model, side=SIDE):
        self.model, self.side = model, side
        atlas = np.concatenate([model.texture, np.zeros((len(model.texture), 1))], axis=1) * (side, side, 0)
        fragments = rasterize(atlas.astype(np.float32), model.triangles, side, side, cull=False)
        values = np.concatenate([model.mean[model.corners], model.source_texture], axis=1)
        values = fragments.interpolate(model.triangles, values)
        part = np.zeros((len(model.corners), len(model.parts)), np.float32)
        for column, vertices in enumerate(model.parts.values()):
            part[vertices, column] = 1
        part = fragments.interpolate(model.triangles, part).argmax(axis=1)
        self.texels = {name: fragments.pixels[part == number] for number, name in enumerate(model.parts)}
        self.position = {name: values[part == number, :3] for number, name in enumerate(model.parts)}
        self.source = {name: values[part == number, 3:] for number, name in enumerate(model.parts)}

    def __call__(self, look):
        """The atlas float32 [side + worn.ROWS, side, 3] of linear albedo for looks.Look `look`: the head's, then the
        rows of what it wears."""
        skin = to_linear(tone(look.tone)) * np.array(look.tint, np.float32)
        colour, white, regions = to_linear(HAIR[look.hair]) * look.shade, to_linear(WHITE_HAIR), self.regions
        hair = colour + look.grey * (white - colour)
        albedo = np.empty((len(self.texels["skin"]), 3), np.float32)
        albedo[:] = skin
        albedo *= np.clip(1 + look.mottle * self.noise(look.pattern), 0.3, 1.7)[:, None]
        _blend(albedo, regions["socket"] * look.socket, skin * (0.58, 0.50, 0.52))
        _blend(albedo, regions["full"] * look.shadow, 0.45 * skin + 0.35 * np.minimum(colour, skin))
        _blend(albedo, regions["flush"] * look.flush, skin * (1.0, 0.72, 0.70))
        _blend(albedo, self._marks(look), skin * (0.52, 0.38, 0.32))
        _blend(albedo, regions["lines"] * look.lines, skin * (0.55, 0.44, 0.42))
        _blend(albedo, regions["under_eye"] * look.under_eye, skin * (0.62, 0.50, 0.52))
        _blend(albedo, regions["lips"] * 0.9, skin * np.array(look.lips, np.float32))
        _blend(albedo, regions["lid"] * look.lid, skin * 0.45)
        _blend(albedo, self._beard(look), 0.35 * skin + 0.5 * hair)
        _blend(albedo, self._brow(look), np.minimum(colour + 0.6 * look.grey * (white - colour), 0.25) * 0.9)
        _blend(albedo, self._hair(look), hair)
        whole = np.empty((self.side + ROWS, self.side, 3), np.float32)
        atlas = whole[:self.side].reshape(-1, 3)
        atlas[:] = skin  # texels between the charts: seams blend into skin
        atlas[self.texels["skin"]] = albedo
        # the neck lies in the file's body chart: plain skin, which the gaps between the charts hold already
        atlas[self.texels["inside"]] = skin * (0.45, 0.22, 0.20)
        atlas[self.texels["tongue"]] = (0.42, 0.14, 0.13)
        atlas[self.texels["teeth"]] = (0.60, 0.50, 0.38)
        atlas[self.texels["lashes"]] = skin * 0.7 + look.lashes * (np.minimum(hair, skin) * 0.25 - skin * 0.7)
        for side, points in zip(("left_eye", "right_eye"), self.model.eyes, strict=True):
            atlas[self.texels[side]] = self._eye(side, points, look)
        below = whole[self.side:]
        paint_hair(below[slice(*HAIR_ROWS)], colour, white, look)
        paint_beard(below[slice(*BEARD_ROWS)], colour, white, look)
        paint_glasses(below[slice(*GLASSES_ROWS)], look, to_linear)
        return whole

    @cached_property
    def regions(self):
        """{name: float32 [texels of the skin], 0 outside to 1 inside}."""
        x, y, z = self.position["skin"].T
        x = np.abs(x)
        front = _rise(z, 0.7, 1.1)
        cheek = _blob(x, 0.50, 0.26) * _blob(y, 6.95, 0.26) * front
        nose = _blob(x, 0.0, 0.13) * _blob(y, 6.93, 0.12) * _rise(z, 1.35, 1.55)
        ears = _rise(x, 0.74, 0.82) * _blob(y, 7.2, 0.4) * _rise(-z, -0.9, -0.4)
        eye = np.hypot((x - 0.31) / 1.25, (y - 7.285) / 0.9)
        beard, moustache = beard_regions(self.position["skin"], self._mask("lips", self.source["skin"]))
        return {
            "beard": beard, "moustache": moustache, "goatee": np.maximum(beard * _rise(-x, -0.24, -0.14), moustache),
            "full": np.maximum(beard, moustache), "lines": self._lines * front,
            "face": front * _rise(y, 6.25, 6.45) * _rise(-y, -7.85, -7.7) * _rise(eye, 0.17, 0.22),
            "lips": self._mask("lips", self.source["skin"]), "flush": np.clip(cheek * 0.8 + nose + ears * 0.7, 0, 1),
            "socket": _blob(x, 0.30, 0.24) * _blob(y, 7.32, 0.16) * front,
            "under_eye": _blob(x, 0.28, 0.16) * _blob(y, 7.15, 0.09) * front,
            "lid": _rise(-eye, -0.21, -0.13) * front,
        }

    def noise(self, seed, octaves=((10, 0.5), (40, 0.35), (150, 0.35))):
        """Smooth random texture over the skin, float32 [texels], about -1 to 1: blotches and pores.

        Args:
            octaves: (cells along a side, weight) of each grid of random numbers that is added.
        """
        generator = np.random.default_rng(seed)
        total = np.zeros((self.side, self.side), np.float32)
        for cells, weight in octaves:
            grid = generator.standard_normal((cells, cells)).astype(np.float32)
            total += weight * np.asarray(Image.fromarray(grid).resize((self.side, self.side), Image.BILINEAR))
        return total.ravel()[self.texels["skin"]]

    def _mask(self, name, source):
        """A region mask of the model at texture coordinates [n, 2] of its file, softened by a few texels."""
        with Image.open(self.model.masks[name]) as image:
            grey = np.asarray(image.convert("L").resize((1024, 1024), Image.BOX), np.float32) / 255
        u, v = source.T
        return grey[np.clip((1 - v) * 1024, 0, 1023).astype(int), np.clip(u * 1024, 0, 1023).astype(int)]

    @cached_property
    def lips(self):
        """float32 [m], 1 at the drawn vertices of the lips."""
        return self._mask("lips", self.model.source_texture)

    @cached_property
    def _lines(self):
        """Lines of age: across the forehead, from nose to mouth, beside and under the eyes; 0 to 1."""
        x, y, _ = self.position["skin"].T
        x, total = np.abs(x), np.zeros(len(x))
        for points in LINES:
            along = np.interp(x, *zip(*points, strict=True))
            ends = _rise(x, points[0][0] - 0.03, points[0][0] + 0.04) * _rise(-x, -points[-1][0], 0.06 - points[-1][0])
            slope = max(abs(np.diff([height for _, height in points])) / np.diff([place for place, _ in points]))
            total = np.maximum(total, _blob(y, along, 0.016 * np.hypot(1, slope)) * ends)
        return total

    def _marks(self, look):
        """Freckles about nose and cheeks, moles anywhere on the face: how dark each texel of the skin is, 0 to 1."""
        x, y, _ = self.position["skin"].T
        amount = np.zeros(len(x))
        if look.freckles:
            middle = _blob(y, 7.0, 0.22) * _rise(-np.abs(x), -0.75, -0.35)
            amount += 0.4 * look.freckles * middle * _rise(self.noise(look.pattern + 1, FRECKLES), 0.35, 1.1)
        generator = np.random.default_rng([look.pattern, 1])
        face = np.flatnonzero(self.regions["face"] > 0.9)
        for place in face[(generator.random(look.moles) * len(face)).astype(int)]:
            offset = np.linalg.norm(self.position["skin"] - self.position["skin"][place], axis=1)
            size = generator.uniform(0.012, 0.026)
            amount = np.maximum(amount, generator.uniform(0.6, 0.95) * _rise(-offset, -1.3 * size, -0.7 * size))
        return np.clip(amount, 0, 1) * self.regions["face"]

    def _beard(self, look):
        if look.beard not in BEARDS:
            raise ValueError(f"beard {look.beard!r}: must be one of {', '.join(BEARDS)}")
        if look.beard == "none":
            return np.zeros(len(self.texels["skin"]))
        grain = 1 + 0.2 * self.noise(look.pattern + 2, FRECKLES)
        region = self.regions["full" if look.beard == "stubble" else look.beard]
        return np.clip(region * look.beard_opacity * grain, 0, 1)

    def _brow(self, look):
        x, y, z = self.position["skin"].T
        along = (np.abs(x) - 0.12) / (0.44 * look.brow_length)  # 0 at the nose, 1 at the temple
        inside = np.clip(along, 0, 1)
        middle = (7.50 + look.brow_lift + (0.045 + look.brow_arch) * np.sin(inside * 2.9) - 0.035 * along
                  + look.brow_slant * (inside - 0.4))
        thickness = np.maximum(look.brow * (1.15 - 0.75 * inside) * _rise(along, -0.3, 0.1), 1e-6)
        strip = _rise(-np.abs(y - middle), -thickness, -0.4 * thickness)
        return strip * _rise(along, -0.14, 0.22) * _rise(-along, -1.05, -0.8) * _rise(z, 0.6, 0.8) * look.brow_opacity

    def _hair(self, look):
        """Hairy skin: under the shell that hair.Barber makes, or all there is of cropped hair."""
        if look.hair_style == "bald":
            return np.zeros(len(self.texels["skin"]))
        inside = inside_hair(look, self.position["skin"]) - 0.03 * self.noise(look.pattern + 3, ((14, 1.0),))
        strands = 1 + 0.08 * self.noise(look.pattern + 4, FRECKLES)
        return np.clip(_rise(inside, -0.03, 0.09) * look.hair_opacity * strands, 0, 1)

    def _eye(self, side, points, look):
        centre = (self.model.mean[points].min(axis=0) + self.model.mean[points].max(axis=0)) / 2
        offset = self.position[side] - centre
        angle = np.arctan2(np.hypot(offset[:, 0], offset[:, 1]), offset[:, 2])  # from straight ahead
        colour = np.empty((len(angle), 3), np.float32)
        colour[:] = to_linear((206, 198, 192)) * look.sclera
        angle = angle / look.iris_size
        iris = to_linear(IRIS[look.iris])
        _blend(colour, _rise(-angle, -0.50, -0.44), iris * 0.45)  # the dark ring around the iris
        _blend(colour, _rise(-angle, -0.43, -0.36), iris)
        _blend(colour, _rise(-angle, -0.21, -0.17), np.full(3, 0.006, np.float32))
        return colour


def tone(value):
    """Skin colour sRGB 0..255 [3] for `value` from 0 (light) to 1 (dark)."""
    place = np.clip(value, 0, 1) * (len(SKIN) - 1)
    return np.array([np.interp(place, np.arange(len(SKIN)), SKIN[:, channel]) for channel in range(3)])


def _blend(colours, amount, colour):
    colours += amount.astype(np.float32)[:, None] * (np.asarray(colour, np.float32) - colours)
