"""Colour and light of a photograph of which the shape and the pose are known, by least squares on what is visible.

The light's parts, its prior and the colours that are tried are ours.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from data_loader.morphable import lighting, looks, sampling
from data_loader.morphable.camera import rotation
from data_loader.morphable.texture import HAIR, SKIN, to_linear, tone

KEY_DIRECTIONS = 40  # tried for the key light, of a whole sphere; those from behind are left out
SKY, GROUND = np.array((1.1, 1.1, 1.1)), np.array((0.75, 0.68, 0.62))  # as in the middle of sampling's light
EXPOSURE = 1.0  # light on the average visible point, which tells how light the skin is
SAME_GROUND = 0.3  # weight of the ground being as bright under the sky as in sampling
TINT = (0.6, 1.6)
LUMINANCE = np.array((0.2126, 0.7152, 0.0722))
GREY = 3  # largest mean difference between the channels of a grey photograph, of 255
SHADES = ("black", "dark", "brown", "fair")  # of hair, found by how light it is
OUTLIER = 0.3  # of the mean level: skin that is off by more counts less and less
BLUR = 1.3  # brows are thin: in the picture they are this much less dark than they are
BARE = 0.75  # of the skin's albedo: over it a head is bald
# Of the skin's albedo: where chin and upper lip are both darker there is a full beard; one of them alone, which may be
# a shadow, has to be CLEARLY so.
BEARDED, CLEARLY = {"chin": 0.75, "moustache": 0.65}, {"chin": 0.52, "moustache": 0.6}


@dataclass(frozen=True)
class Appearance:
    """looks.Look and sampling.Light that resemble a photograph, and whether that is grey."""

    look: looks.Look
    light: sampling.Light
    grey: bool


class Colourist:
    """Finds the colours and the light of a photograph.

    Args:
        studio: camera.Studio of the pictures' size.
    """

    def __init__(self, studio):
        self.studio, model = studio, studio.model
        directions = lighting.sphere(KEY_DIRECTIONS)
        self._keys = directions[directions[:, 2] > 0]
        at = model.landmarks
        skin = np.zeros(len(model.mean), bool)
        skin[model.corners[model.parts["skin"]]] = True
        x, y, _ = model.mean.T
        unit = np.linalg.norm(model.mean[at[45]] - model.mean[at[36]])
        below_brows = y < model.mean[at[17:27], 1].min() - 0.1 * unit
        forehead = (y > model.mean[at[17:27], 1].max() + 0.08 * unit) & (y < model.mean[at[19], 1] + 0.3 * unit)
        eyes = _near(model.mean, at[36:48], 0.2 * unit)
        mouth = _near(model.mean, at[48:68], 0.12 * unit) | _near(model.mean, at[31:36], 0.08 * unit)
        beardless = y > model.mean[at[48], 1]  # above the corners of the mouth
        face = np.abs(x) < np.abs(x[at[[2, 14]]]).max()
        self._skin = np.flatnonzero(skin & face & beardless & (below_brows | forehead) & ~eyes & ~mouth)
        self._regions = {
            "hair": np.flatnonzero(skin & (y > model.mean[at[19], 1] + 0.48 * unit) & (np.abs(x) < 0.5 * unit)),
            "temples": np.flatnonzero(skin & (np.abs(x) > 0.7 * unit) & (y > model.mean[at[19], 1])
                                      & (model.mean[:, 2] < 0.8)),
            "brows": np.flatnonzero(skin & _near(model.mean, at[17:27], 0.05 * unit)),
            "chin": np.flatnonzero(skin & (y < model.mean[at[57], 1] - 0.05 * unit) & (y > model.mean[at[8], 1])
                                   & (np.abs(x) < 0.5 * unit)),
            "moustache": np.flatnonzero(skin & (y > model.mean[at[51], 1] + 0.03 * unit)
                                        & (y < model.mean[at[33], 1] - 0.03 * unit) & (np.abs(x) < 0.2 * unit))}

    def __call__(self, view, shot, pixels):
        """Appearance of a photograph.

        Args:
            view: camera.View of the fitted head, which wears nothing.
            shot: the sampling.Image of it; its light is not used.
            pixels: uint8 [size, size, 3], framed as `shot` says.
        """
        grey = bool(np.abs(pixels.astype(int) - pixels.mean(axis=2, keepdims=True)).mean() < GREY)
        screen, turn = view.screen[:, :2], rotation(shot.yaw, shot.pitch, shot.roll)
        seen = view.seen & ((screen > 1) & (screen < self.studio.size - 1)).all(axis=1)
        colour = _at(to_linear(pixels), screen)
        level = colour @ LUMINANCE
        skin = self._skin[seen[self._skin]]
        if len(skin) < 10:  # turned away, or out of the picture: whatever is there
            skin = self._skin
        light, shade = self._light(view.point_normals, self.studio.directions @ turn.T, skin, level)
        brows = self._regions["brows"]
        level[brows] = _at(to_linear(pixels) @ LUMINANCE, screen[brows], np.min)
        albedo = level / np.maximum(shade, 0.05)
        skin_albedo = max(float(np.median(albedo[skin])), 1e-3)
        value = _tone_of(skin_albedo)
        base = to_linear(tone(value))
        exposure = skin_albedo / float(base @ LUMINANCE)  # what no skin explains is light
        chroma = np.median(colour[skin], axis=0) / max(float(np.median(level[skin])), 1e-3)
        tint = np.ones(3) if grey else np.clip(chroma * (base @ LUMINANCE) / base, *TINT)
        light = sampling.Light(**{**vars(light), "key": light.key * exposure, "ambient": light.ambient * exposure})
        dark = {name: float(np.percentile(albedo[at], 30)) if len(at := points[seen[points]]) > 2 else None
                for name, points in self._regions.items()}
        return Appearance(_look(value, tint, skin_albedo, dark), light, grey)

    def _light(self, normals, world, skin, level):
        """(sampling.Light, the level [n] of points of albedo 1 in it), from the level of the skin."""
        reach = np.maximum(normals @ world.T, 0) * self.studio.reach * (4 / len(world))
        up = world[:, 1] * 0.5 + 0.5
        ambient = reach @ np.stack([up * (SKY @ LUMINANCE), (1 - up) * (GROUND @ LUMINANCE)], axis=1)
        lobes = np.exp(lighting.SHARPNESS * (world @ self._keys.T - 1))
        keys = reach @ (lobes / lobes.sum(axis=0) * len(world) / 4)
        target = level[skin] / max(float(level[skin].mean()), 1e-3)
        fits = [_robust(np.concatenate([ambient[skin], key[skin, None]], axis=1), target) for key in keys.T]
        number = int(np.argmin([loss for loss, _ in fits]))
        sky, ground, key = fits[number][1]
        shade = np.concatenate([ambient, keys[:, number, None]], axis=1) @ fits[number][1]
        unit = EXPOSURE / max(float(shade[skin].mean()), 1e-3)
        light = sampling.Light(
            direction=self._keys[number].astype(np.float32), key=float(key * unit), colour=(1.0, 1.0, 1.0),
            ambient=float(unit), sky=tuple((SKY * sky).tolist()), ground=tuple((GROUND * ground).tolist()),
            gloss=0.03, gloss_power=15.0)
        return light, shade * unit


def _robust(parts, target):
    """Amounts >= 0 of `parts` [k, 3] that make `target` [k]: (loss, amounts [3]). What is no skin is outvoted."""
    alike = SAME_GROUND * np.sqrt(len(target)) * np.array([[1.0, -1.0, 0.0]])
    weight = np.ones(len(target))
    for _ in range(3):
        rows = np.concatenate([parts * weight[:, None], alike])
        # normal equations: three unknowns, hundreds of rows
        amounts, _ = nnls(rows.T @ rows, rows[:-1].T @ (target * weight))
        away = (parts @ amounts - target) / OUTLIER
        weight = 1 / np.sqrt(1 + away ** 2)
    return float(np.log1p(away ** 2).mean()), amounts


def to_grey(pixels):
    """Pixels uint8 [h, w, 3] without colour: their luminance (Rec. 601 on sRGB, as Pillow's) three times."""
    grey = np.round(pixels @ np.array((0.299, 0.587, 0.114))).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _near(points, landmarks, distance):
    """Points closer than `distance` to any of the landmarks, seen from the front: bool [n]."""
    offset = points[:, None, :2] - points[landmarks][None, :, :2]
    return (np.hypot(offset[..., 0], offset[..., 1]) < distance).any(axis=1)


def _at(image, screen, of=np.mean):
    """Image [s, s, ...] at pixels [n, 2]: the mean, or what else `of` says, of 3 x 3 around each."""
    x, y = np.clip(screen, 1, len(image) - 2).astype(int).T
    x, y = np.clip(x, 1, len(image) - 2), np.clip(y, 1, len(image) - 2)
    return of([image[y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)


def _tone_of(level):
    """texture.tone's value of the skin that reflects `level` of the light."""
    values = np.linspace(0, 1, len(SKIN))
    levels = np.array([float(to_linear(tone(value)) @ LUMINANCE) for value in values])
    return float(np.interp(-level, -levels, values))


def _look(value, tint, skin, dark):
    """looks.Look of a skin, with the hair, brows and beard that the albedos `dark` of the regions (or None) say."""
    shown = {name: albedo for name, albedo in dark.items() if albedo is not None}
    if "brows" in shown:
        shown["brows"] = max(skin - BLUR * (skin - shown["brows"]), 0.02)
    bald = shown.get("hair", 0) > BARE * skin
    hairy = ("temples", "brows") if bald else ("hair", "temples", "brows")
    hair = min([shown[name] for name in hairy if name in shown], default=0.05)
    levels = np.log([to_linear(HAIR[name]) @ LUMINANCE for name in SHADES])
    shade = SHADES[int(np.argmin(np.abs(levels - np.log(max(hair, 1e-3)))))]
    level = {name: shown.get(name, skin) / skin for name in BEARDED}
    if all(level[name] < BEARDED[name] for name in BEARDED):
        beard = "full"
    else:
        alone = {"chin": "goatee", "moustache": "moustache"}
        beard = next((alone[name] for name in alone if level[name] < CLEARLY[name]), "none")
    brow = float(np.clip(1.5 * (1 - shown.get("brows", 0.5 * skin) / skin), 0.4, 0.95))
    return looks.Look(
        tone=value, tint=tuple(tint.tolist()), mottle=0.04, pattern=0, flush=0.25, under_eye=0.15, lid=0.2,
        lips=(0.86, 0.66, 0.66), hair=shade, hair_opacity=0.95, hair_style="bald" if bald else "cropped", hairline=7.93,
        brow=0.042,
        brow_lift=0.0, brow_opacity=brow, iris="brown", beard=beard, beard_opacity=0.8)
