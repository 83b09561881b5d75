"""Whom a generator serves badly: KID, pair AUC and leakage by group of a column of metadata.csv (ours)."""

import os
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from data_loader.face_places import described
from data_loader.image_names import rows_of
from data_loader.index_file import natural_key
from data_loader.morphable.parameters import LANDMARKS, METADATA
from trainer.evaluation import figures, image_quality, separability, verification
from trainer.evaluation.report import Section, shown
from utils.errors import UserError
from utils.files import several
from utils.tables import PATHS, Table

PARTS = 3  # a column of numbers is cut into so many; one of no more values than that is taken as it is
MOST_DRAWN = 16  # groups of a column in a figure
ALL, UNKNOWN = "all", "not known"
TOO_FEW = "too few"
HEADER = ["group", "images", "identities", "kid", "kid_sd", "auc", "nearest_real_distance", "leaked_share"]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Images of a folder by a column: names, list of str; members: int [n], each image's place in it."""

    column: str
    names: list
    members: np.ndarray


def read_groupings(columns, generated, renders=None):
    """The Groupings that --groups asks for.

    Args:
        columns: names with commas between.
        generated: ImageIndex.
        renders: ImageIndex of --syn_dataset, or None: the folder that run.json names.

    Returns:
        list of Grouping. An image that the table does not name, or has no value for, is in the group UNKNOWN.

    Raises:
        UserError: no metadata.csv, a column that it lacks, or one that says nothing of these images.
    """
    folder = described(Path(generated.folder)) or (renders and described(Path(renders.folder)))
    if not folder:
        raise UserError(f"--groups: neither {generated.folder} nor the folder of its renders has a {METADATA}")
    table = Table(folder / METADATA, "--groups")
    wanted = several(columns, lambda name: name in table.header)
    there = [name for name in table.header if name not in (*LANDMARKS, *PATHS)]
    for name in wanted:
        if name not in there or wanted.count(name) > 1:
            what = "is named twice" if name in there else f"is no column of {table.path}; there are: {', '.join(there)}"
            raise UserError(f"--groups: {name or 'an empty name'} {what}")
    values = _values(table, wanted, generated)
    return [_grouping(name, [row and row[place] for row in values]) for place, name in enumerate(wanted)]


def groups_section(generated, real, threshold, groupings, network, photographs, images, seed=0):
    """Each group of images beside all of them.

    Args:
        generated: LabelledSet.
        real: list of LabelledSet.
        threshold: Threshold.
        groupings: list of Grouping of the generated folder.
        network: name of the network that KID's features are of.
        photographs, images: features [n, d] and, in the order of the embeddings, [m, d].
        seed: of KID's subsets.
    """
    means = np.concatenate([labelled.identities.means for labelled in real])

    def row(name, chosen):
        kid = [TOO_FEW, None]
        if chosen.sum() >= image_quality.KID_LEAST:
            kid = image_quality.kernel_distance(photographs, images[chosen], seed)
        return [name, int(chosen.sum()), *_counted(generated, chosen, means, threshold.value, kid)]

    everything = row(ALL, np.ones(len(images), bool))
    tables, drawn = {}, []
    for grouping in groupings:
        members = grouping.members[generated.embeddings.positions]
        rows = [row(name, members == place) for place, name in enumerate(grouping.names) if (members == place).any()]
        tables[re.sub(r"\W", "_", grouping.column, flags=re.ASCII)] = (HEADER, [*rows, everything])
        drawn.append(_figure(grouping.column, rows, everything))
    return Section(
        "groups",
        "Groups of generated images",
        f"By columns of {METADATA}: {', '.join(grouping.column for grouping in groupings)}. Numbers are cut into three "
        "groups of about equal size, named by their ends; what lies on an end belongs to the lower one. KID is that of "
        f"the group's features ({network}) to all photographs: a group that is rare among these is far from them, "
        "however good its images. Leakage is that of the identities' means over the group's images. "
        f"{threshold.text} {TOO_FEW.capitalize()}: fewer than {image_quality.KID_LEAST} images, or pairs of one kind "
        "only. Small groups scatter: mind KID's standard deviation.",
        {},
        tables,
        drawn,
    )


def _counted(generated, chosen, means, threshold, kid):
    """The fields of HEADER from `identities` on, of the images that are chosen, bool [m]. means: of real identities."""
    embeddings, pairs = generated.embeddings, generated.pairs.among(chosen)
    auc = TOO_FEW
    if pairs.same.any() and not pairs.same.all():
        auc = verification.area_under_curve(pairs.distances, pairs.same, pairs.curve)
    features, labels = embeddings.features[chosen], embeddings.labels[chosen]
    identities = separability.mean_embeddings(features, labels, generated.unit_length)
    distances = separability.nearest_means(identities.means, means)[1]
    return [len(identities.labels), *kid, auc, float(distances.mean()), float(np.mean(distances <= threshold))]


def _values(table, columns, generated):
    """Of each image of an index its row's values of these columns, a list; None where the table does not name it."""
    places, values = table.places(columns), [None] * len(generated)
    for i, line, row in rows_of(table, generated):
        values[i] = [_value(table, line, row, place) for place in places]
    if not any(values):
        raise UserError(f"--groups: {table.path} names no image of {generated.folder}")
    return values


def _value(table, line, row, place):
    """A number as float, other text as it is, None where there is nothing or nan."""
    try:
        number = table.number(line, row, place)
    except UserError:
        return row[place].strip() or None
    return number if np.isfinite(number) else None


def _grouping(column, values):
    """Of an image's value each: float, str or None."""
    known = [value for value in values if value is not None]
    if not known:
        raise UserError(f"--groups: {column} is empty for all images")
    if any(isinstance(value, str) for value in known):
        kinds = sorted({shown(value) for value in known}, key=lambda name: natural_key(os.fsencode(name)))
        place = {value: kinds.index(shown(value)) for value in known}
    elif len(kinds := sorted(set(known))) <= PARTS:
        kinds, place = list(map(shown, kinds)), {value: number for number, value in enumerate(kinds)}
    else:
        ends = np.quantile(known, np.linspace(0, 1, PARTS + 1), method="inverted_cdf")  # of the values themselves
        place = {value: int(np.searchsorted(ends[1:-1], value)) for value in known}
        kinds = [f"{shown(low)} to {shown(high)}" for low, high in pairwise(ends)]
    members = np.array([place.get(value, len(kinds)) for value in values], np.int64)
    return Grouping(column, [*kinds, UNKNOWN], members)


def _figure(column, rows, everything):
    """Of the largest groups, in the table's order."""
    least = sorted((row[1] for row in rows), reverse=True)[:MOST_DRAWN][-1]
    rows = [row for row in rows if row[1] >= least][:MOST_DRAWN]
    values = dict(zip(HEADER, zip(*rows, everything, strict=True), strict=True))
    panels = {"KID": values["kid"], "pair AUC": values["auc"], "nearest real identity": values["nearest_real_distance"]}
    return figures.groups_figure(f"By {column}", values["group"], panels, {"KID": values["kid_sd"]})
