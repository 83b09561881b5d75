"""Who is drawn with a statistical model, and how: a port of `gen_syn_latent.m`, pure in (seed, identity, image).

As published: shape from the model's prior; texture from the fits' normal distribution; expression, light, pose and
colour of each picture from the fits', their covariance divided as statistics.NARROWING says, the roll times 1.5. Where
no fits are given, or fits without one of these, our own: the texture from the model's prior and the ranges below.
"""

from dataclasses import dataclass

import numpy as np

from data_loader.morphable.sampling import framing

EXPRESSION = 0.7  # standard deviation of our expressions in those of the model


@dataclass(frozen=True)
class StatisticalIdentity:
    """One person: raw coefficients of the model's shape and colour, float64 [k] each."""

    shape: np.ndarray
    texture: np.ndarray


@dataclass(frozen=True)
class StatisticalImage:
    """One picture of a person.

    Attributes:
        expression: raw coefficients [e].
        yaw, pitch, roll: degrees, signs as in sampling.Image.
        zoom, shift: framing, as in sampling.Image.
        illumination, colour: the ten numbers of Illum_Para and the seven of Color_Para.
    """

    expression: np.ndarray
    yaw: float
    pitch: float
    roll: float
    zoom: float
    shift: tuple
    illumination: np.ndarray
    colour: np.ndarray


def identity(model, seed, number, statistics=None):
    """The person `number` of `seed` in a statistical.StatisticalModel."""
    random = np.random.default_rng([seed, number, 0])
    shape = random.standard_normal(model.shape.count) * model.shape.deviation
    if statistics is not None and "texture" in statistics and model.colour.count:
        return StatisticalIdentity(shape, statistics.draw("texture", random))
    return StatisticalIdentity(shape, random.standard_normal(model.colour.count) * model.colour.deviation)


def image(model, seed, number, index, yaw_range, pitch_range, roll_range, statistics=None, frontal=False):
    """Picture `index` of person `number`; arguments as in sampling.image.

    The place and scale of 300W-3D's fits in their photographs are not drawn: a picture is framed about the face, as
    the published renders were after their alignment.
    """
    random = np.random.default_rng([seed, number, 1, index])
    zoom, shift = framing(random, statistics)
    if statistics is None:
        yaw, pitch, roll = (float(random.uniform(-half, half)) for half in (yaw_range, pitch_range, roll_range))
    else:
        yaw, pitch, roll = statistics.pose(random, frontal)
    draws = {}
    for group, own in (("expression", _expression), ("light", _illumination), ("colour", _colour)):
        fitted = statistics is not None and group in statistics
        draws[group] = statistics.draw(group, random) if fitted else own(model, random)
    return StatisticalImage(draws["expression"] if model.expression.count else np.zeros(0), yaw, pitch, roll, zoom,
                            shift, draws["light"], draws["colour"])


def _expression(model, random):
    return random.standard_normal(model.expression.count) * model.expression.deviation * EXPRESSION


def _illumination(_, random):
    """Ambient and directed light that add to about 1, from the front half above; a faint highlight."""
    ambient = random.uniform(0.45, 0.75)
    tint = 1 + random.normal(0, 0.04, 3)
    return np.concatenate([
        ambient * tint, (1.05 - ambient) * (1 + random.normal(0, 0.04, 3)),
        [np.radians(random.uniform(-5, 50)), np.radians(np.clip(random.normal(0, 40), -90, 90)),
         random.uniform(5, 30), random.uniform(8, 20)]])


def _colour(_, random):
    return np.concatenate([1 + random.normal(0, 0.04, 3), random.normal(0, 2, 3), [random.uniform(0.9, 1.05)]])
