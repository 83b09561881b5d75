"""Who is drawn, and how: identity, expression, pose and light as pure functions of (seed, identity, image).

All ranges and mixtures here are ours; angles are in degrees.
"""

from dataclasses import dataclass

import numpy as np

from data_loader.morphable.looks import Look, look

ETHNICITIES = ("african", "asian", "caucasian")
OPPOSITES = {"decr": "incr", "down": "up", "in": "out", "backward": "forward", "concave": "convex",
             "compress": "uncompress"}
# Standard deviation of a feature's weight, by the first word of the target's name that is found here.
SPREAD = {"head-trans": 0.0, "head-angle": 0.05, "head-age": 0.1, "head-back": 0.15, "head-fat": 0.2, "head": 0.15,
          "ear-shape": 0.0, "ear": 0.3, "eye-trans": 0.25, "eye-scale": 0.3, "eye-push": 0.25, "eye": 0.3,
          "mouth-trans": 0.2, "mouth": 0.28, "nose-trans": 0.2, "nose": 0.3, "chin-jaw": 0.1, "chin": 0.25,
          "cheek": 0.3, "forehead": 0.25, "eyebrows": 0.3}
UNEVEN = 0.2  # how far the right side's feature is from the left's, in the feature's standard deviation
# Moods: face units (both sides of those that come as Left and Right) and their largest weight.
MOODS = {
    "neutral": {},
    "smile": {"mouthSmile": 0.8, "cheekSquint": 0.4, "eyeSquint": 0.3},
    "grin": {"mouthSmile": 0.9, "cheekSquint": 0.5, "eyeSquint": 0.3, "mouthUpperUp": 0.35, "mouthLowerDown": 0.3,
             "jawOpen": 0.08},
    "surprise": {"browInnerUp": 0.7, "browOuterUp": 0.6, "eyeWide": 0.5, "jawOpen": 0.25},
    "frown": {"browDown": 0.7, "mouthFrown": 0.4, "eyeSquint": 0.3, "mouthPress": 0.3},
    "sad": {"browInnerUp": 0.6, "mouthFrown": 0.6},
    "speech": {"jawOpen": 0.3, "mouthFunnel": 0.3, "mouthStretch": 0.2},
}
SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")  # units that have no mirror image to move with
STILL = ("eyeLook", "tongue", "eyeBlink", "jaw", "mouthClose", "mouthRoll", "mouthFunnel")  # never at random


@dataclass(frozen=True)
class Identity:
    """One person: weights of the macro basis [k] and of the shape basis [s], age in years, male 0..1, mix [3], look."""

    macro: np.ndarray
    shape: np.ndarray
    age: float
    male: float
    mix: np.ndarray
    look: Look


@dataclass(frozen=True)
class Light:
    """A soft key light from `direction` (unit, to the light) over sky and ground; `key` and `ambient` are strengths."""

    direction: np.ndarray
    key: float
    colour: tuple
    ambient: float
    sky: tuple
    ground: tuple
    gloss: float
    gloss_power: float


@dataclass(frozen=True)
class Image:
    """One picture of a person: weights of the expression basis [e], pose in degrees, framing, light.

    yaw > 0 turns the face to the image's right, pitch > 0 up, roll > 0 clockwise; zoom is a factor and shift a
    fraction of the frame.
    """

    mood: str
    expression: np.ndarray
    yaw: float
    pitch: float
    roll: float
    zoom: float
    shift: tuple
    light: Light


def identity(model, seed, number):
    """The person `number` of `seed`: the same whatever was sampled before."""
    random = np.random.default_rng([seed, number, 0])
    male = float(random.random() < 0.5)
    male = float(np.clip(male + random.normal(0, 0.12), 0, 1))
    age = 18 + 62 * float(random.beta(1.1, 1.7))
    mix = random.dirichlet([0.2, 0.2, 0.2])
    weight = float(np.clip(random.normal(0, 0.5), -1, 1))
    macro, shape = _macro(model.macro.names, male, age, mix, weight), _shape(model.shape.names, random)
    return Identity(macro, shape, age, male, mix, look(random, male, age, mix))


def framing(random, statistics=None):
    """(zoom, shift) of a picture: as the fits are framed, or about the face with a little play of our own."""
    if statistics is not None and "framing" in statistics:
        return statistics.framing(random)
    return float(np.exp(random.normal(0, 0.025))), tuple(random.normal(0, 0.012, 2).tolist())


def image(model, seed, number, index, yaw_range, pitch_range, roll_range, statistics=None, frontal=False):
    """Picture `index` of person `number`.

    Args:
        yaw_range, pitch_range, roll_range: half-widths in degrees, drawn evenly; without effect where `statistics` is.
        statistics: statistics.Statistics of fits of this model, for what it holds of pose, expression and light.
        frontal: as in statistics.Statistics.pose.
    """
    random = np.random.default_rng([seed, number, 1, index])
    zoom, shift = framing(random, statistics)
    if statistics is None:
        yaw, pitch, roll = (float(random.uniform(-half, half)) for half in (yaw_range, pitch_range, roll_range))
    else:
        yaw, pitch, roll = statistics.pose(random, frontal)
    if statistics is None or "expression" not in statistics:
        mood = str(random.choice(list(MOODS), p=[0.26, 0.2, 0.16, 0.08, 0.1, 0.06, 0.14]))
        expression = _expression(model.expression.names, mood, random)
    else:
        mood, expression = "fitted", np.clip(statistics.draw("expression", random), 0, 1)
    if statistics is None or "light" not in statistics:
        light = _light(random)
    else:
        light = light_from(statistics.draw("light", random))
    return Image(mood, expression, yaw, pitch, roll, zoom, shift, light)


def light_from(numbers):
    """The Light of 16 numbers in the order of parameters.LIGHT.

    A mean or a draw of lights is no light as it stands: the direction is made a unit, the rest kept from below 0.
    """
    numbers = np.asarray(numbers, np.float64)
    direction = numbers[:3] / max(np.linalg.norm(numbers[:3]), 1e-9)
    rest = np.maximum(numbers[3:], 0).tolist()
    return Light(direction.astype(np.float32), rest[0], tuple(rest[1:4]), rest[4], tuple(rest[5:8]), tuple(rest[8:11]),
                 rest[11], max(rest[12], 1.0))


def _macro(names, male, age, mix, weight):
    """Weights that add to 1 over the ethnicity targets and over the body targets, as MakeHuman combines them."""
    old = np.clip((age - 25) / 65, 0, 1)
    part = {"male": male, "female": 1 - male, "old": old, "young": 1 - old, **dict(zip(ETHNICITIES, mix, strict=True)),
            "universal": 1.0, "averagemuscle": 1.0, "averageweight": 1 - min(abs(weight), 1),
            "minweight": min(max(-weight, 0), 1), "maxweight": min(max(weight, 0), 1)}
    return np.array([np.prod([part[word] for word in name.split("-")]) for name in names])


def _shape(names, random):
    """A signed normal weight for each pair of opposite targets; the right side follows the left nearly."""
    weights, drawn = dict.fromkeys(names, 0.0), {}
    for name in names:
        stem, _, direction = name.rpartition("-")
        if direction not in OPPOSITES:
            continue
        feature = stem.removeprefix("l-").removeprefix("r-")
        spread = 0.8 * next(SPREAD[key] for key in SPREAD if feature.startswith(key))
        if feature not in drawn:
            drawn[feature] = random.normal(0, spread)
        value = drawn[feature] + (random.normal(0, UNEVEN * spread) if stem != feature else 0)
        value = float(np.clip(value, -0.9, 0.9))
        weights[name if value < 0 else f"{stem}-{OPPOSITES[direction]}"] = abs(value)
    form = random.choice(["oval", "round", "square", "rectangular", "triangular", "invertedtriangular", "diamond"])
    weights[f"head-{form}"] = float(random.uniform(0, 0.45))
    return np.array([weights[name] for name in names])


def _expression(names, mood, random):
    """The mood at a random strength, some of every other unit, gaze and blink."""
    strength = random.uniform(0.4, 1)
    weights, drawn = dict.fromkeys(names, 0.0), {}
    for name in names:
        unit = name if name in SIDEWAYS else name.removesuffix("Left").removesuffix("Right")
        if unit not in drawn:
            drawn[unit] = MOODS[mood].get(unit, 0.0) * strength
            if not unit.startswith(STILL):
                drawn[unit] += abs(random.normal(0, 0.06))
        weights[name] = drawn[unit] * random.uniform(0.9, 1.0)
    side, up = random.normal(0, 0.3, 2)
    blink = random.uniform(0.3, 0.95) if random.random() < 0.04 else abs(random.normal(0, 0.08))
    weights["eyeLookOutLeft" if side > 0 else "eyeLookInLeft"] = abs(side)
    weights["eyeLookInRight" if side > 0 else "eyeLookOutRight"] = abs(side)
    for eye in ("Left", "Right"):
        weights[f"eyeLookUp{eye}" if up > 0 else f"eyeLookDown{eye}"] = abs(up)
        weights[f"eyeBlink{eye}"] = blink
    return np.clip(np.array([weights[name] for name in names]), 0, 1)


def _light(random):
    azimuth, elevation = np.radians(random.normal(0, 45)), np.radians(random.uniform(-5, 65))
    direction = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    warmth, sky, balance = random.normal(0, 0.10), random.normal(0, 0.05), random.uniform(0.3, 0.7)
    return Light(
        direction=direction.astype(np.float32), key=float(1.9 * balance * np.exp(random.normal(0, 0.12))),
        colour=(1 + warmth, 1.0, 1 - warmth), ambient=float(0.95 * (1 - balance) * np.exp(random.normal(0, 0.12))),
        sky=(1.1 * (1 - sky), 1.1, 1.1 * (1 + sky)), ground=(0.75, 0.68, 0.62), gloss=float(random.uniform(0.02, 0.08)),
        gloss_power=float(random.uniform(10, 30)))
