"""Photographs that are shown more often than others: a weight for each, and which an epoch then shows (ours)."""

import sys
from hashlib import blake2b
from zlib import crc32

import numpy as np

from data_loader.image_names import finder
from utils.errors import UserError
from utils.files import refuse_outside
from utils.tables import Table

NAME, WEIGHT = "file_name", "weight"  # columns; without the first one a table's first column names the images
GOLDEN = (5**0.5 - 1) / 2  # steps of this part of a whole leave no gap for long, whatever their number


def read_weights(path, index, flag):
    """The weight of each image of a folder: float64 [n], above 0; 1 where the file names none, which a line tells.

    Args:
        path: CSV with a column `weight` and one of file names, relative to the folder.
        index: data_loader.folders.ImageIndex.
        flag: that names the file, for messages.

    Raises:
        UserError: no such table, a weight that is no number above 0, an image that is named twice, or no name that is
            an image of the folder.
    """
    table, find = Table(path, flag), finder(index)
    (weight_at,) = table.places([WEIGHT])
    name_at = table.header.index(NAME) if NAME in table.header else 0
    if name_at == weight_at:
        raise UserError(f"{table.where(1)}: no column of file names: call it {NAME}, or put it first")
    weights, lines, strangers = np.ones(len(index)), {}, []
    for line, row in table:
        refuse_outside(row[name_at], table.where(line))
        weight = table.number(line, row, weight_at)
        if not 0 < weight < np.inf:
            raise UserError(f"{table.where(line)}: a weight must be above 0, is {row[weight_at]}")
        i = find(row[name_at])
        if i is None:
            strangers.append(row[name_at])
        elif i in lines:
            raise UserError(f"{table.where(line)}: {row[name_at]} has a weight already, in line {lines[i]}")
        else:
            weights[i], lines[i] = weight, line
    _tell(table, index, weights[list(lines)], strangers)
    return weights


def drawn(weights, seed, stream, epoch):
    """Which images an epoch of n shows: int [n], rising; images come several times, or not at all.

    Systematic sampling: the images lie one after another on a line of length n, each as long as its share
    n w / sum(w), and are hit by n points one apart. So an image comes as often as its share says, rounded up or down.
    Where the points begin moves on by the golden ratio from epoch to epoch: a share s below 1 comes once in 2 / s
    epochs at the latest. Of equal weights every image comes once: the order is then that without weights.

    Args:
        weights: float64 [n], above 0.
        seed, stream, epoch: as pipeline.permutation.
    """
    n, ends = len(weights), np.cumsum(weights)
    first = np.random.default_rng([seed, crc32(f"{stream} weights".encode())]).random()
    points = (first + epoch * GOLDEN) % 1 + np.arange(n)
    return np.minimum(np.searchsorted(ends * (n / ends[-1]), points, side="right"), n - 1)


def digests(weights):
    """{source: hex name of its weights}, to tell others from them."""
    return {name: blake2b(values.tobytes(), digest_size=16).hexdigest() for name, values in weights.items()}


def _tell(table, index, named, strangers):
    """Say how many images have which weights; an error where the table names none of them."""
    where = f"{table.flag}: {table.path}"
    if strangers and not len(named):
        raise UserError(f"{where} names no image of {index.folder}, the first: {strangers[0]}")
    if strangers:
        print(f"warning: {where}: {len(strangers)} names are no images of {index.folder}, the first: {strangers[0]}",
              file=sys.stderr)  # fmt: skip
    span = f", from {named.min():g} to {named.max():g}" if len(named) else ""
    print(f"{where} gives {len(named)} of {len(index)} images of {index.folder} a weight{span}; the other "
          f"{len(index) - len(named)} weigh 1")  # fmt: skip
