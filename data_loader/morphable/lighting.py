"""What light leaves each point: a soft environment, Phong with 300W-3D's ten numbers, or spherical harmonics.

Each kind gives float32 [n, 6]: a factor on the albedo for red, green and blue, and what is added to each.
"""

from dataclasses import dataclass

import numpy as np

from data_loader.morphable.rasterizer import compiled, rasterize

DIRECTIONS = 96
# The mean head's mouth is shut, so nothing would reach what an open one shows: this much does (ours).
LEAST_REACH = {"inside": 0.1, "tongue": 0.25, "teeth": 0.35}
SHARPNESS = 14.0  # of the key light: a lobe of about 20 degrees, so that its shadows are soft
LUMA = (0.3, 0.59, 0.11)  # of 300W-3D's colour transform


@dataclass(frozen=True)
class Phong:
    """Ambient and one directed light, as the ten numbers of Illum_Para in 300W-3D and AFLW2000-3D say.

    albedo * (ambient + directed * max(n.l, 0)) + specular * directed * max(n.h, 0) ** shininess, with
    l = (cos theta sin phi, sin theta, cos theta cos phi) and h the unit vector between l and the viewer at (0, 0, 1)
    (the data sets' own example in Matlab; Blanz and Vetter, SIGGRAPH 1999). There the normals are those of the head
    before it is turned: the light turns with the head. That normals point outwards is ours; the example does not show.

    Attributes:
        ambient, directed: (red, green, blue).
        theta, phi: elevation and azimuth of the light in radians; phi > 0 is to the image's right, theta > 0 up.
        specular, shininess: strength (a factor on `directed`) and exponent of the highlight; for colours 0 to 1.
    """

    ambient: tuple
    directed: tuple
    theta: float
    phi: float
    specular: float
    shininess: float

    @classmethod
    def from_numbers(cls, numbers):
        """Phong of Illum_Para: ambient RGB, directed RGB, theta, phi, specular for colours 0 to 255, shininess.

        Raises:
            ValueError: they are not ten.
        """
        numbers = np.asarray(numbers, float).ravel().tolist()
        if len(numbers) != 10:
            raise ValueError(f"Illum_Para has {len(numbers)} numbers, not 10")
        return cls(tuple(numbers[:3]), tuple(numbers[3:6]), *numbers[6:8],
                   numbers[8] / 255, numbers[9])

    @property
    def direction(self):
        """Unit vector float64 [3] to the light."""
        return np.array([np.cos(self.theta) * np.sin(self.phi), np.sin(self.theta),
                         np.cos(self.theta) * np.cos(self.phi)])

    def __call__(self, normals):
        """float32 [n, 6] of unit normals float32 [n, 3]."""
        half = self.direction + (0, 0, 1)
        half /= max(np.linalg.norm(half), 1e-12)
        facing, shine = (np.maximum((normals * axis).sum(axis=1), 0)[:, None] for axis in (self.direction, half))
        factor = np.array(self.ambient) + np.array(self.directed) * facing
        highlight = self.specular * np.array(self.directed) * shine ** self.shininess
        return np.concatenate([factor, highlight], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Harmonics:
    """Diffuse light as nine spherical harmonics a colour channel: coefficients float [9, 3] on `harmonics`."""

    coefficients: np.ndarray

    def __call__(self, normals):
        """float32 [n, 6] of unit normals float32 [n, 3]; factors are not under 0, there is no highlight."""
        factor = np.maximum((harmonics(normals)[:, :, None] * self.coefficients).sum(axis=1), 0)
        return np.concatenate([factor, np.zeros_like(factor)], axis=1).astype(np.float32)


def harmonics(normals):
    """The nine real spherical harmonics up to degree 2 of unit normals [n, 3]: float64 [n, 9].

    Orthonormal over the sphere; order 1; y, z, x; xy, yz, 3z^2-1, xz, x^2-y^2 (Ramamoorthi and Hanrahan, SIGGRAPH
    2001, equation 3).
    """
    x, y, z = np.asarray(normals, np.float64).T
    return np.stack([np.full_like(x, 0.5 / np.sqrt(np.pi)),
                     *(np.sqrt(0.75 / np.pi) * axis for axis in (y, z, x)),
                     *(np.sqrt(3.75 / np.pi) * product for product in (x * y, y * z)),
                     np.sqrt(0.3125 / np.pi) * (3 * z * z - 1), np.sqrt(3.75 / np.pi) * x * z,
                     np.sqrt(0.9375 / np.pi) * (x * x - y * y)], axis=1)


def recolour(colours, numbers):
    """Colours float32 [..., 3], 0 to 1, after 300W-3D's Color_Para: gain RGB, offset RGB of 255, contrast.

    gain * (contrast * colour + (1 - contrast) * grey) + offset, where grey = 0.3 R + 0.59 G + 0.11 B (the data sets'
    own example in Matlab). The result may lie outside 0 to 1.

    Raises:
        ValueError: they are not seven.
    """
    numbers = np.asarray(numbers, float).ravel()
    if len(numbers) != 7:
        raise ValueError(f"Color_Para has {len(numbers)} numbers, not 7")
    gain, offset, contrast = numbers[:3], numbers[3:6] / 255, numbers[6]
    grey = (np.asarray(colours) * LUMA).sum(axis=-1, keepdims=True)
    return (gain * (contrast * colours + (1 - contrast) * grey) + offset).astype(np.float32)


def sphere(count=DIRECTIONS):
    """Evenly spread unit vectors float32 [count, 3] (a Fibonacci spiral)."""
    step = np.arange(count) + 0.5
    height, turn = 1 - 2 * step / count, np.pi * (1 + 5 ** 0.5) * step
    radius = np.sqrt(1 - height ** 2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], axis=1).astype(np.float32)


def visibility(model, directions, side=96):
    """How much of each direction reaches each point past the rest of the mean head: float32 [n, directions], 0..1."""
    points, normals = model.mean, model.normals(model.mean)
    solid = ~np.isin(model.triangles, np.flatnonzero(model.parts["lashes"])).any(axis=1)
    result = np.empty((len(points), len(directions)), np.float32)
    for column, direction in enumerate(directions):
        across = np.cross(direction, (0.0, 1.0, 0.1))
        across /= np.linalg.norm(across)
        frame = np.stack([across, np.cross(across, direction), -direction], axis=1)
        seen = (points - points.mean(axis=0)) @ frame
        scale = (side - 4) / 2 / np.abs(seen[:, :2]).max()
        screen = np.concatenate([seen[:, :2] * scale + side / 2, seen[:, 2:]], axis=1).astype(np.float32)
        fragments = rasterize(screen[model.corners], model.triangles[solid], side, side, cull=False)
        depth = np.full((side, side), np.inf, np.float32)
        depth.ravel()[fragments.pixels] = fragments.depth
        x, y = np.clip(screen[:, :2].astype(int), 1, side - 2).T
        slope = np.clip(normals @ direction, 0.15, 1)
        free = sum((screen[:, 2] - depth[y + dy, x + dx] < 0.05 / slope) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
        result[:, column] = free / 9
    for part, least in LEAST_REACH.items():
        inside = model.corners[model.parts[part]]
        result[inside] = np.maximum(result[inside], least)
    return result


def environment(light, directions):
    """Radiance float32 [directions, 3] of sampling.Light: sky, ground and one soft key light."""
    up = directions[:, 1:2] * 0.5 + 0.5
    ambient = light.ambient * (up * np.array(light.sky) + (1 - up) * np.array(light.ground))
    key = _lobe(light, directions)[:, None]
    return (ambient + light.key * key * (len(directions) / 4) * np.array(light.colour)).astype(np.float32)


def shade(normals, view, light, radiance, directions, reach):
    """float32 [n, 6] of a soft environment and its key light's highlight.

    Args:
        normals: float32 [n, 3], unit. view: float32 [n, 3], unit vectors to the camera.
        light: sampling.Light, whose key gives the highlight.
        radiance, directions: float32 [k, 3]. reach: float32 [n, k], from `visibility`.
    """
    result = np.empty((len(normals), 6), np.float32)
    key_reach = np.empty(len(normals), np.float32)
    radiance = radiance * np.float32(4 / len(directions))
    _gather(normals, directions, reach, radiance, _lobe(light, directions).astype(np.float32), result, key_reach)
    half = light.direction + view
    half /= np.sqrt((half * half).sum(axis=1, keepdims=True))
    gloss = np.maximum((normals * half).sum(axis=1), 0) ** light.gloss_power
    result[:, 3:] = (gloss * key_reach * (light.gloss * light.key))[:, None]
    return result


def _lobe(light, directions):
    """Share of the key light that comes from each direction: [k], adds to 1."""
    lobe = np.exp(SHARPNESS * ((directions * light.direction).sum(axis=1) - 1))
    return lobe / lobe.sum()


@compiled
def _gather(normals, directions, reach, radiance, lobe, result, key_reach):
    """Add up what reaches each point: by the cosine into result[:, :3], of the key light into key_reach."""
    for point in range(len(normals)):
        red = green = blue = key = np.float32(0)
        x, y, z = normals[point]
        for row in range(len(directions)):
            free = reach[point, row]
            key += free * lobe[row]
            cosine = x * directions[row, 0] + y * directions[row, 1] + z * directions[row, 2]
            if cosine > 0:
                cosine *= free
                red += cosine * radiance[row, 0]
                green += cosine * radiance[row, 1]
                blue += cosine * radiance[row, 2]
        result[point, 0], result[point, 1], result[point, 2], key_reach[point] = red, green, blue, key
