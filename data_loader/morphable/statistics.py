"""What photographs are like: mean and covariance of fitted pose, expression, light, colour and texture.

A port of the sampling of `gen_syn_latent.m`: per picture a draw from the normal distribution of the fits, with their
covariance divided as there; per person the texture, with the whole covariance.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_loader.morphable import parameters
from data_loader.morphable.matlab import read_matlab
from utils.errors import UserError
from utils.tables import Table

# The script's divisors of covariances; framing is to it a part of the pose.
NARROWING = {"pose": 3, "framing": 3, "expression": 2, "light": 3, "colour": 3, "texture": 1}
LEAST_ZOOM = 0.3  # a draw far out must not turn the face over (ours)
ROLL_FACTOR = 1.5  # the script's pos(3)*1.5
# Of a 300W-3D or AFLW2000-3D file: group, field, numbers in it.
PARAMETERS = (("pose", "Pose_Para", 7), ("expression", "Exp_Para", 29), ("light", "Illum_Para", 10),
              ("colour", "Color_Para", 7), ("texture", "Tex_Para", 199))


@dataclass(frozen=True)
class Group:
    """The fits' values of one kind: mean float64 [k] and what each of n fits differs by, float64 [n, k]."""

    mean: np.ndarray
    differences: np.ndarray

    @classmethod
    def of(cls, values):
        mean = values.mean(axis=0)
        return cls(mean, values - mean)

    def draw(self, random, narrowing):
        """Normal numbers [k] with the fits' mean, and their covariance divided by `narrowing`.

        A normal weight for each fit gives the fits' covariance without a decomposition of it.
        """
        weights = random.standard_normal(len(self.differences))
        return self.mean + weights @ self.differences / np.sqrt((len(self.differences) - 1) * narrowing)


@dataclass(frozen=True)
class Statistics:
    """Distributions of fits.

    Attributes:
        groups: {name: Group}; "pose" always, the others where the fits hold them.
        published: whether pose is pitch, yaw, roll in radians, turned as in 300W-3D; else POSE in our degrees.
    """

    groups: dict
    published: bool

    def __contains__(self, name):
        return name in self.groups

    def draw(self, name, random):
        """Numbers of the group `name`, its covariance narrowed as in the published script."""
        return self.groups[name].draw(random, NARROWING[name])

    def pose(self, random, frontal=False):
        """(yaw, pitch, roll) in degrees as sampling.Image defines them; roll is 1.5 times what was drawn, as published.

        Args:
            frontal: set the second number, the yaw, to 0: the script's pos(2)=0.
        """
        pose = self.draw("pose", random)[:3]
        pitch, yaw, roll = pose if self.published else pose[[1, 0, 2]]
        yaw, roll = 0.0 if frontal else yaw, ROLL_FACTOR * roll
        return degrees(pitch, yaw, roll) if self.published else (float(yaw), float(pitch), float(roll))

    def framing(self, random):
        """(zoom, shift) as sampling.Image defines them; of fits of ours, which have them as parameters.FRAMING."""
        zoom, *shift = self.draw("framing", random).tolist()
        return max(zoom, LEAST_ZOOM), tuple(shift)


def read(folder, expression, light, colour=(), identity=()):
    """Read the fits of a folder: its metadata.csv, or else every .mat below it.

    Args:
        folder: --statistics_dir.
        expression, light, colour, identity: names of the columns of metadata.csv that make up these groups.

    Returns:
        Statistics.

    Raises:
        UserError: no fits, fewer than two, or one that lacks a field or column; names the file and what is missing.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise UserError(f"--statistics_dir {folder}: no such folder")
    table, files = folder / parameters.METADATA, sorted(folder.rglob("*.mat"))
    if table.is_file():
        groups = _read_table(table, {"pose": parameters.POSE, "framing": parameters.FRAMING, "expression": expression,
                                     "light": light, "colour": colour, "identity": identity})
    elif files:
        groups = _read_fits(files)
    else:
        raise UserError(f"--statistics_dir {folder}: holds neither {parameters.METADATA} nor .mat fits")
    if len(groups["pose"]) < 2:
        raise UserError(f"--statistics_dir {folder}: holds {len(groups['pose'])} fits; a covariance needs 2 or more")
    return Statistics({name: Group.of(values) for name, values in groups.items()}, not table.is_file())


def degrees(pitch, yaw, roll):
    """(yaw, pitch, roll) in degrees as sampling.Image defines them, of a 300W-3D pose in radians.

    There a point is turned by Rx(pitch) Ry(yaw) Rz(roll), yaw > 0 to the image's left; here by Rz Rx Ry.
    """
    (a, b, c), (d, e, f) = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
    turn = (np.array([[1, 0, 0], [0, a, d], [0, -d, a]]) @ np.array([[b, 0, -e], [0, 1, 0], [e, 0, b]])
            @ np.array([[c, f, 0], [-f, c, 0], [0, 0, 1]]))
    return tuple(np.degrees([np.arctan2(-turn[2, 0], turn[2, 2]), -np.arcsin(np.clip(turn[2, 1], -1, 1)),
                             np.arctan2(turn[0, 1], turn[1, 1])]).tolist())


def _read_fits(files):
    """{group: float64 [n, k]} of 300W-3D or AFLW2000-3D files."""
    rows = {group: [] for group, _, _ in PARAMETERS}
    for path in files:
        fields = read_matlab(path)
        for group, field, size in PARAMETERS:
            rows[group].append(fields.numbers(field, size))
    return {group: np.array(values) for group, values in rows.items()}


def _read_table(path, groups):
    """{group: float64 [n, k]} of a metadata.csv; a group without any of its columns is left out, but for the pose."""
    table, places = Table(path), {}
    for group, columns in groups.items():
        if group == "pose" or set(columns) & set(table.header):
            places[group] = table.places(columns)
    rows = {group: [] for group in places}
    for line, row in table:
        for group, values in rows.items():
            values.append([table.number(line, row, place) for place in places[group]])
            if not np.isfinite(values[-1]).all():
                place = places[group][int(np.argmin(np.isfinite(values[-1])))]
                raise UserError(f"{table.where(line)}: column {table.header[place]} is not finite")
    return {group: np.array(values).reshape(-1, len(places[group])) for group, values in rows.items()}
