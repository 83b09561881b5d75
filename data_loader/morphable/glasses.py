"""Glasses: two rims, a bridge and two temples, fitted to the face that wears them."""

import numpy as np

from data_loader.morphable.worn import GLASSES_ROWS, Mesh, joined

# Half width and half height of a lens, the exponent of its superellipse (2 is an ellipse), how much wider it is above
# than below, thickness of the rim, how far its outer upper corner is pulled up.
FRAMES = {
    "round": (0.225, 0.205, 2.0, 0.0, 0.010, 0.0), "oval": (0.25, 0.165, 2.2, 0.0, 0.010, 0.0),
    "rectangular": (0.26, 0.155, 4.5, 0.0, 0.013, 0.0), "square": (0.25, 0.205, 4.0, 0.03, 0.022, 0.0),
    "wayfarer": (0.26, 0.195, 3.4, 0.12, 0.028, 0.03), "cat_eye": (0.26, 0.185, 2.7, 0.10, 0.020, 0.09),
    "aviator": (0.275, 0.22, 2.6, 0.16, 0.010, 0.0), "half_rim": (0.26, 0.15, 4.0, 0.03, 0.013, 0.0),
}
COLOURS = {"black": (16, 16, 18), "brown": (62, 36, 22), "tortoise": (96, 56, 26), "silver": (150, 152, 156),
           "gold": (140, 108, 60), "blue": (34, 46, 92), "red": (112, 24, 28), "clear": (190, 180, 168)}
SEGMENTS = 28
CLEARANCE = 0.045  # between the lens and what of the face is nearest to it
WRAP = 0.16  # how fast the frame leaves its plane, towards the ears


def glasses(points, model, look):
    """Mesh of the glasses that looks.Look `look` names; None for "none".

    Args:
        points: float32 [n, 3], the person's, without an expression. model: MorphableModel.

    Raises:
        ValueError: no such frame.
    """
    if look.glasses == "none":
        return None
    if look.glasses not in FRAMES:
        raise ValueError(f"glasses {look.glasses!r}: must be none or one of {', '.join(FRAMES)}")
    half_width, half_height, power, taper, thick, wing = FRAMES[look.glasses]
    wide, high, thick = half_width * look.frame_size, half_height * look.frame_size, thick * look.frame_weight
    left, right = (points[eye].mean(axis=0) for eye in model.eyes)
    middle = (left + right) / 2
    apart = (left[0] - right[0]) / 2 + 0.035
    apart = max(apart, wide + thick + 0.055)  # room for the nose
    down = 0.03 + look.frame_drop
    turn = np.linspace(0, 2 * np.pi, SEGMENTS, endpoint=False)
    side, up = _curve(np.cos(turn), power) * wide, _curve(np.sin(turn), power) * high
    side *= 1 + taper * up / high
    up += wing * np.clip(side / wide, 0, 1) ** 2 * (up > 0)
    if look.glasses == "half_rim":
        turn_weight = np.where(up < -0.35 * high, 0.25, 1.0)
    else:
        turn_weight = np.ones(SEGMENTS)
    plane = _plane(points, model, middle, apart, wide, high, down)
    meshes, anchor = [], int(np.argmax(model.mean[:, 1]))  # the crown keeps still
    for sign in (1, -1):
        path = np.stack([middle[0] + sign * (apart + side), middle[1] - down + up, np.zeros(SEGMENTS)], axis=1)
        path[:, 2] = plane - WRAP * (path[:, 0] - middle[0]) ** 2
        meshes.append(_tube(path, turn_weight * thick, 0.5 * thick + 0.012, True, anchor))
        meshes.append(_temple(points, model, path, sign, thick, anchor))
    inner, height = apart - wide * (1 + 0.4 * taper), middle[1] - down + 0.42 * high
    across = np.linspace(-inner, inner, 9)
    arch = np.stack([middle[0] + across, height + 0.03 * (1 - (across / inner) ** 2), plane - WRAP * across ** 2], 1)
    meshes.append(_tube(arch, np.full(9, 0.8 * thick), 0.5 * thick + 0.012, False, anchor))
    if look.glasses == "aviator":
        meshes.append(_tube(arch + np.float32([0, 0.09 * look.frame_size, 0]), np.full(9, thick), thick, False, anchor))
    return joined(meshes)


def paint(rows, look, linear):
    """Colour the rows float32 [16, side, 3] of the texture in the frame's colour, spotted where it is tortoiseshell."""
    rows[:] = linear(COLOURS[look.frame_colour])
    if look.frame_colour == "tortoise":
        spots = np.random.default_rng([look.pattern, 9]).random((rows.shape[0] // 4, rows.shape[1] // 8))
        rows *= np.kron(spots > 0.45, np.ones((4, 8)))[..., None] * 0.85 + 0.15


def _curve(value, power):
    return np.sign(value) * np.abs(value) ** (2 / power)


def _plane(points, model, middle, apart, wide, high, down):
    """z that the frame stands at: just in front of brows, eyes and cheeks, on the nose."""
    skin = np.unique(model.corners[model.parts["skin"] | model.parts["left_eye"] | model.parts["right_eye"]])
    x, y, z = (points[skin] - (middle - (0, down, 0))).T
    behind = (np.abs(np.abs(x) - apart) < wide) & (np.abs(y) < high) & (np.abs(x) > 0.14)
    return float((z[behind] + WRAP * x[behind] ** 2).max() + middle[2] + CLEARANCE)


def _temple(points, model, rim, sign, thick, anchor):
    """The bar from the rim's outer end to over the ear."""
    outer = rim[np.argmax(sign * rim[:, 0])] + (0, 0.35 * np.ptp(rim[:, 1]) / 2, 0)
    x, y, z = points.T
    head = (y > outer[1] - 0.15) & (y < outer[1] + 0.12) & (np.abs(model.mean[:, 0]) < 0.77)  # without the ears
    ends = []
    for depth in (0.85, 0.6, 0.35):
        near = head & (np.abs(z - depth) < 0.12) & (sign * x > 0)
        width = (sign * x[near]).max() if near.any() else sign * outer[0]
        ends.append((sign * (width + 0.02), outer[1] - 0.05 * (0.85 - depth), depth))
    widest = max(sign * outer[0], max(sign * end[0] for end in ends[:2]))
    path = np.array([outer, (sign * widest, outer[1], outer[2] - 0.06), *ends], np.float32)
    return _tube(path, np.full(len(path), 0.9 * thick + 0.006), 0.5 * thick + 0.01, False, anchor, upright=True)


def _tube(path, half_height, half_depth, closed, anchor, upright=False):
    """A tube of four sides along points [k, 3]: `half_height` [k] across it, `half_depth` towards the viewer.

    upright: the path goes backwards, so that "across" is up and "depth" is to the side.
    """
    if upright:
        across, depth = np.float32([0, 1, 0]) * half_height[:, None], np.float32([half_depth, 0, 0])[None]
    else:
        ahead = (np.roll(path, -1, 0) - np.roll(path, 1, 0)) if closed else np.gradient(path, axis=0)
        normal = np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        across = np.concatenate([normal, np.zeros((len(path), 1))], axis=1) * half_height[:, None]
        depth = np.float32([0, 0, half_depth])[None]
    rings = [path + across + depth, path - across + depth, path - across - depth, path + across - depth]
    count = len(path)
    # corners are drawn twice, so that the sides are flat and their edges sharp
    points = np.stack([rings[0], rings[1], rings[1], rings[2], rings[2], rings[3], rings[3], rings[0]], axis=1)
    along = np.arange(count if closed else count - 1)
    quads = [(along * 8 + k, along * 8 + k + 1, (along + 1) % count * 8 + k + 1, (along + 1) % count * 8 + k)
             for k in (0, 2, 4, 6)]
    triangles = np.concatenate([np.stack([a, b, c], 1) for a, b, c, _ in quads]
                               + [np.stack([a, c, d], 1) for a, _, c, d in quads])
    return _outward(points.reshape(-1, 3).astype(np.float32), triangles, np.repeat(path, 8, 0), anchor)


def _outward(points, triangles, axis, anchor):
    """Mesh with each triangle turned so that it shows its front away from the tube's axis [points]."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    out = (a + b + c) / 3 - axis[triangles].mean(axis=1)
    wrong = (np.cross(b - a, c - a) * out).sum(axis=1) < 0
    triangles = np.where(wrong[:, None], triangles[:, ::-1], triangles).astype(np.int32)
    middle = np.float32((GLASSES_ROWS[0] + GLASSES_ROWS[1]) / 2)
    texels = np.stack([np.arange(len(points)) * 7 % 500 / 500, np.full(len(points), middle)], axis=1).astype(np.float32)
    return Mesh(points, np.full(len(points), anchor), triangles, texels, np.full(len(points), 0.9, np.float32))
