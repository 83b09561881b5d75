"""The columns of metadata.csv: the one contract between the jobs that write a face's parameters and those that read.

`render` writes all of them for every picture, `pair` those it has fitted; --statistics_dir reads POSE, LIGHT and the
expression's columns back. A reader ignores columns that it does not know.
"""

from functools import partial
from itertools import chain

import numpy as np

from utils import tables

METADATA = "metadata.csv"
RENDERED = "render.json"  # the settings of renders, in their folder and in that of their maps
PICTURE = ("path", "identity", "index")
POSE = ("yaw", "pitch", "roll")  # degrees, signs as in sampling.Image
FRAMING = ("zoom", "shift_x", "shift_y")  # a factor, and fractions of the frame
# The MakeHuman face's light, in the order of `light_numbers`. Its expression's columns are its face units' names.
LIGHT = ("light_x", "light_y", "light_z", "light_key", "light_red", "light_green", "light_blue", "light_ambient",
         "sky_red", "sky_green", "sky_blue", "ground_red", "ground_green", "ground_blue", "gloss", "gloss_power")
# Of looks.Look: skin from 0 (light) to 1 (dark), names of hair colour and beard, how dark the brows are.
COLOURS = ("tone", "hair", "beard", "brow_opacity")
# The 300W-3D names of light and colour, which pictures of statistical models have instead, in the order of its files.
ILLUMINATION = ("ambient_red", "ambient_green", "ambient_blue", "direct_red", "direct_green", "direct_blue",
                "light_elevation", "light_azimuth", "specular", "shininess")
COLOUR = ("gain_red", "gain_green", "gain_blue", "offset_red", "offset_green", "offset_blue", "contrast")
# Pixels, the first pixel's centre at 0.5, y down, in the order of the 68-point mark-up; visible is 1 or 0.
LANDMARKS = tuple(chain.from_iterable((f"x_{point}", f"y_{point}", f"visible_{point}") for point in range(1, 69)))


def light_numbers(light):
    """sampling.Light -> list of 16 numbers in the order of LIGHT; sampling.light_from is the way back."""
    return [*map(float, light.direction), light.key, *light.colour, light.ambient, *light.sky, *light.ground,
            light.gloss, light.gloss_power]


def colours(look):
    """The fields of COLOURS of a looks.Look."""
    return [float(look.tone), look.hair, look.beard, float(look.brow_opacity)]


def landmark_numbers(points, visible):
    """The fields of LANDMARKS from points [68, 2] in pixels and visible bool [68]."""
    return list(chain.from_iterable((f"{x:.1f}", f"{y:.1f}", int(seen))
                                    for (x, y), seen in zip(points.tolist(), visible, strict=True)))


def csv_line(fields):
    """One line of CSV, floats with four decimals."""
    return tables.csv_line([short(field) if isinstance(field, float) else field for field in fields])


short = partial(np.format_float_positional, precision=4, unique=False, trim="-")
