"""Hair with volume: a shell over the skull that dives under the skin at the hairline, and what hangs from it."""

from dataclasses import dataclass

import numpy as np

from data_loader.morphable.worn import HAIR_ROWS, Mesh, blob, grid_triangles, joined, rise, two_sided

CENTRE = np.array((0.0, 7.55, 0.42))  # inside the skull, between the ears
COLUMNS, ROWS = 72, 34  # of the shell: about the vertical axis, from the crown down
LOWEST = 128.0  # degrees from the crown that the shell reaches down to
HANGS_FROM = 20  # row from which long hair leaves the skull
NEAR = 0.93  # cosine of the angle that a triangle's middle may be off a ray that meets it
UNDER = 0.05  # how deep the shell lies under the skin where no hair grows


@dataclass(frozen=True)
class Style:
    """How hair is worn. Thickness over the skin on top, at the sides and behind; `hangs` down to the height `length`,
    from `front` degrees off the middle of the face on; `fringe`: hangs over the forehead; `bun`: radius of one."""

    top: float
    side: float
    back: float
    hangs: bool = False
    front: float = 70.0
    fringe: bool = False
    bun: float = 0.0
    bald_top: bool = False


STYLES = {
    "short": Style(0.16, 0.07, 0.10), "side_part": Style(0.22, 0.08, 0.12), "quiff": Style(0.34, 0.06, 0.10),
    "curly": Style(0.30, 0.20, 0.25), "afro": Style(0.52, 0.46, 0.50), "fringe": Style(0.20, 0.14, 0.16, fringe=True),
    "tied": Style(0.08, 0.05, 0.08), "bun": Style(0.09, 0.05, 0.08, bun=0.36),
    "bob": Style(0.20, 0.16, 0.20, hangs=True, front=62), "long": Style(0.18, 0.13, 0.20, hangs=True, front=66),
    "long_fringe": Style(0.18, 0.13, 0.20, hangs=True, front=62, fringe=True),
    "bob_fringe": Style(0.20, 0.16, 0.20, hangs=True, front=58, fringe=True),
    "horseshoe": Style(0.0, 0.09, 0.10, bald_top=True),
}
PAINTED = ("bald", "cropped")  # without a shell
LENGTHS = {"bob": (5.9, 6.5), "bob_fringe": (5.9, 6.5), "long": (4.6, 5.6), "long_fringe": (4.6, 5.6)}


def hairline(look, x):
    """Height of the hairline over the forehead at `x`, the distance from the middle."""
    line = look.hairline - 0.55 * np.clip(x - 0.45, 0, 1) ** 1.2  # falls from the middle to the temples
    return line + look.receding * blob(x, 0.36, 0.15) - look.peak * blob(x, 0, 0.1)


def inside_hair(look, position):
    """How far points [n, 3] of the mean head lie inside the hairy skin, in decimetres; negative outside."""
    x, y, z = np.abs(position[:, 0]), position[:, 1], position[:, 2]
    over = y - hairline(look, x)
    nape = 6.72 + 0.45 * rise(z, -0.1, 0.25) + look.sideburn * rise(z, 0.4, 0.6)
    beside = np.minimum(0.84 - z, y - nape)
    bald_top = look.hair_style in STYLES and STYLES[look.hair_style].bald_top
    inside = np.minimum(beside, 1.2 * (7.98 - y) + 0.25 * (0.4 - z)) if bald_top else np.maximum(over, beside)
    ear = np.minimum(x - 0.765, 7.47 - y)
    inside = np.where(ear > -0.03, np.minimum(inside, -ear), inside)
    return inside


class Barber:
    """Puts hair on heads. Where each ray from the skull's centre leaves the mean head is found once.

    Args:
        model: MorphableModel.
    """

    def __init__(self, model):
        self.model = model
        azimuth = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)  # 0 is the face, positive to the person's left
        polar = np.radians(np.linspace(0.5, LOWEST, ROWS))
        self.azimuth = np.degrees(azimuth)
        sine = np.sin(polar)[:, None]
        self.rays = np.stack([sine * np.sin(azimuth), np.broadcast_to(np.cos(polar)[:, None], (ROWS, COLUMNS)),
                              sine * np.cos(azimuth)], axis=-1).reshape(-1, 3)
        skin = np.isin(model.triangles, np.flatnonzero(model.parts["skin"] | model.parts["neck"])).all(axis=1)
        triangles = model.corners[model.triangles[skin]]
        self.corners, self.weights = _leave(model.mean.astype(np.float64), triangles, CENTRE, self.rays)
        self.mean = (model.mean[self.corners] * self.weights[..., None]).sum(axis=1)
        self.nearest = self.corners[np.arange(len(self.corners)), self.weights.argmax(axis=1)]
        self.still = int(np.argmax(model.mean[:, 1]))
        self.triangles = grid_triangles(ROWS, COLUMNS)
        ears = model.mean
        self.ears = np.flatnonzero((np.abs(ears[:, 0]) > 0.8) & (ears[:, 1] > 6.8) & (ears[:, 1] < 7.6))

    def __call__(self, points, look):
        """Mesh of the hair of looks.Look `look` on a person's points [n, 3]; None where none has volume.

        Raises:
            ValueError: no such style.
        """
        if look.hair_style in PAINTED:
            return None
        if look.hair_style not in STYLES:
            raise ValueError(f"hair style {look.hair_style!r}: must be one of {', '.join((*PAINTED, *STYLES))}")
        style = STYLES[look.hair_style]
        skull = (points[self.corners] * self.weights[..., None]).sum(axis=1)
        thick, grown = self._thickness(look, style)
        shell = skull + self.rays * thick[:, None]
        on = grown | (thick > -UNDER)
        shell = shell.reshape(ROWS, COLUMNS, 3)
        if style.hangs:
            shell, on = self._hang(shell, on.reshape(ROWS, COLUMNS), points, look, style)
        meshes = [self._mesh(shell.reshape(-1, 3), on.ravel())]
        if style.hangs or style.fringe:
            meshes = [two_sided(meshes[0], 0.35)]
        if style.bun:
            meshes.append(self._bun(skull, style.bun * look.hair_volume))
        return joined(meshes)

    def _thickness(self, look, style):
        """(height of the hair over the skin [rows * columns], where hair grows bool)."""
        x, y, z = self.mean.T
        random = np.random.default_rng([look.pattern, 7])
        inside = inside_hair(look, self.mean)
        top = rise(y, 7.7, 8.2)
        behind = rise(-z, -0.2, 0.2)
        full = style.top * top + (1 - top) * (style.side * (1 - behind) + style.back * behind)
        full *= look.hair_volume
        full *= 1 + 0.35 * look.part_side * np.clip(x / 0.5, -1, 1) * top  # the parting's far side is fuller
        if look.hair_style in ("side_part", "long", "bob"):
            groove = blob(x, -0.28 * look.part_side, 0.07) * rise(z, 0.2, 0.6) * rise(y, 7.9, 8.1)
            full *= 1 - 0.75 * groove
        if look.hair_style == "quiff":
            full *= 1 + 0.9 * blob(y, 8.15, 0.25) * rise(z, 0.6, 1.1)
        full *= np.clip(1 + (0.10 + 0.22 * look.curl) * _bumps(random, look.curl), 0.4, 1.6)
        ramp = 0.12 + 0.5 * full
        thick = full * rise(inside, 0.0, ramp) - UNDER * rise(-inside, -0.02, 0.04)
        grown = inside > 0
        if style.fringe:
            front = rise(-np.abs(x), -0.62, -0.5) * rise(z, 0.7, 0.9)
            low = look.fringe + 0.04 * _bumps(random, 0.0)
            over = (front > 0.3) & (y > low) & (y < look.hairline + 0.25)
            thick = np.where(over, np.maximum(thick, 0.05 + 0.5 * full * rise(y, low, low + 0.5)), thick)
            grown |= over
        return thick, grown

    def _hang(self, shell, on, points, look, style):
        """The shell whose lower rows hang down at the sides and behind, and which of its points are drawn."""
        centre = CENTRE[[0, 2]]
        flat = shell[..., [0, 2]] - centre
        radius = np.linalg.norm(flat, axis=-1)
        aside = np.abs(self.azimuth)
        front = style.front + look.hair_front
        hanging = aside >= front
        ear = np.linalg.norm(points[self.ears][:, [0, 2]] - centre, axis=1).max() + 0.05  # the shell covers the ears
        least = ear * blob(np.maximum(np.abs(aside - 98) - 14, 0), 0, 18)
        down = np.arange(ROWS) - HANGS_FROM
        rows = np.flatnonzero(down >= 0)
        start = HANGS_FROM - 1
        widest = np.maximum(radius[12:HANGS_FROM].max(axis=0), least)
        random = np.random.default_rng([look.pattern, 8])
        tip = look.hair_length + 0.10 * random.standard_normal(COLUMNS) * (0.3 + look.curl)
        edge = rise(aside, front - 1, front + 16)
        wave = look.curl * 0.10
        phase = random.uniform(0, 6.28, COLUMNS // 6).repeat(6)
        for row in rows:
            share = (row - start) / (ROWS - 1 - start)
            y = shell[start, :, 1] + (tip - shell[start, :, 1]) * share
            out = widest + look.flare * share * (0.4 + 0.6 * edge) - 0.06 * rise(share, 0.85, 1.0)
            out = out * (0.90 + 0.10 * edge) + wave * np.sin(9 * share + phase)
            blend = rise(share, 0.0, 0.25)
            rho = radius[start] + (out - radius[start]) * blend
            angle = np.radians(self.azimuth)
            new = np.stack([centre[0] + rho * np.sin(angle), y, centre[1] + rho * np.cos(angle)], axis=-1)
            shell[row, hanging] = new[hanging]
            on[row] = hanging
        for row in range(10, HANGS_FROM):  # over the ears: wider from the temples down
            blend = rise(row, 9, HANGS_FROM - 3)
            wider = 1 + blend * (np.maximum(widest / np.maximum(radius[row], 1e-6), 1) - 1) * edge
            shell[row][:, [0, 2]] = np.where(hanging[:, None], centre + flat[row] * wider[:, None],
                                             shell[row][:, [0, 2]])
            on[row] |= hanging
        return shell, on

    def _mesh(self, points, on):
        triangles = self.triangles[on[self.triangles].all(axis=1)]
        column, row = np.tile(np.arange(COLUMNS), ROWS), np.repeat(np.arange(ROWS), COLUMNS)
        u = np.abs(column / COLUMNS * 2 - 1)  # mirrored, so that no seam shows
        v = HAIR_ROWS[0] + 0.5 + row / (ROWS - 1) * (HAIR_ROWS[1] - HAIR_ROWS[0] - 1)
        return Mesh(points.astype(np.float32), np.full(len(points), self.still), triangles,
                    np.stack([u, v], axis=1).astype(np.float32), np.full(len(points), 0.9, np.float32))

    def _bun(self, skull, radius):
        """A ball of hair on top of the back of the head."""
        rows, columns = 10, 18
        polar, turn = np.meshgrid(np.linspace(0.02, np.pi - 0.02, rows), np.linspace(-np.pi, np.pi, columns, False),
                                  indexing="ij")
        ball = np.stack([np.sin(polar) * np.sin(turn), 0.8 * np.cos(polar), np.sin(polar) * np.cos(turn)], axis=-1)
        crown = skull[0] + (0, 0.55 * radius, -0.15)
        points = (crown + radius * ball.reshape(-1, 3)).astype(np.float32)
        texels = np.stack([np.tile(np.arange(columns) / columns, rows), np.repeat(np.arange(rows) * 6 + 20, columns)],
                          axis=1)
        return Mesh(points, np.full(len(points), self.still), grid_triangles(rows, columns),
                    texels.astype(np.float32), np.full(len(points), 0.9, np.float32))


def paint(rows, colour, grey, look):
    """Colour the rows float32 [96, side, 3] of the texture: strands from the crown down, some of them grey.

    Args:
        colour, grey: linear albedo [3] of the hair and of its grey strands.
    """
    high, side, _ = rows.shape
    random = np.random.default_rng([look.pattern, 5])
    fine = random.standard_normal((1, side)) * 0.6 + np.repeat(random.standard_normal((1, side // 8)), 8, axis=1)
    curls = np.repeat(np.repeat(random.standard_normal((high // 4, side // 8)), 4, axis=0), 8, axis=1)
    strands = fine * (1 - min(look.curl, 1)) + curls * min(look.curl, 1)
    white = np.clip(look.grey + 0.45 * look.grey * (1 - look.grey) * fine, 0, 1)[..., None]
    base = colour + white * (grey - colour)
    along = np.linspace(-1, 1, high)[:, None]
    rows[:] = base * np.clip(1 + 0.16 * strands + 0.10 * along, 0.3, 1.9)[..., None]


def _bumps(random, curl):
    """Smooth random numbers [rows * columns] of about unit size: locks along the hair, or lumps of curls."""
    lumps = random.standard_normal((ROWS, COLUMNS))
    locks = np.repeat(random.standard_normal((1, COLUMNS)), ROWS, axis=0)
    mixed = locks * (1 - min(curl, 1)) + lumps * min(curl, 1)
    smooth = (mixed + np.roll(mixed, 1, 1) + np.roll(mixed, -1, 1)) / 1.8
    smooth[1:-1] = (smooth[:-2] + smooth[1:-1] + smooth[2:]) / (3 - 1.2 * min(curl, 1))
    smooth[0] = smooth[0].mean()
    return smooth.ravel()


def _leave(points, triangles, centre, rays):
    """Where rays [r, 3] from `centre` first meet the surface: corners int [r, 3] and their weights float64 [r, 3].

    Moeller and Trumbore's test of every ray with every triangle. A ray that meets none takes the nearest point to it.
    """
    middles = points[triangles].mean(axis=1) - centre
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    corners, weights = np.zeros((len(rays), 3), np.int64), np.zeros((len(rays), 3))
    every = triangles
    for row, ray in enumerate(rays):
        triangles = every[middles @ ray > NEAR]
        a, b, c = (points[triangles[:, corner]] for corner in range(3))
        first, second, start = b - a, c - a, centre - a
        across, side = np.cross(start, first), np.cross(ray, second)
        scale = (first * side).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = (start * side).sum(axis=1) / scale, across @ ray / scale
            distance = (second * across).sum(axis=1) / scale
        hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (distance > 0.2)
        if hit.any():
            best = np.flatnonzero(hit)[np.argmin(distance[hit])]
            corners[row], weights[row] = triangles[best], (1 - u[best] - v[best], u[best], v[best])
        else:
            corners[row], weights[row] = every[np.argmax(middles @ ray)], (1 / 3, 1 / 3, 1 / 3)
    return corners, weights
