"""Image folders put together or taken apart: several as one, some of one. Each looks like a folders.ImageIndex."""

import copy
import os
from hashlib import blake2b

import numpy as np

from data_loader.index_file import natural_key


class JoinedIndex:
    """Several labelled indexes one after another, each with labels of its own behind those of the ones before.

    Attributes:
        parts: the indexes.
        folder: the deepest folder above all of theirs; relative paths are from there.  roots: theirs.
        flag: of the first.
        digest: name of what the parts held when they were indexed.
        labels: int32 [n], 0...number of labels - 1.
        label_names: "<folder's path from `folder`>/<label>", so that a name in two folders is two names.

    Raises:
        ValueError: no parts.
    """

    def __init__(self, parts):
        if not parts:
            raise ValueError("no index to join")
        self.parts, self.flag = list(parts), parts[0].flag
        self.digest = "+".join(part.digest for part in parts)
        self.roots = [root for part in parts for root in part.roots]
        self.folder, self._above = _common_folder([part.folder for part in parts])
        self._starts = np.cumsum([0, *map(len, parts)])
        first_labels = np.cumsum([0, *(len(part.label_names) for part in parts)])[:-1]
        self.labels = np.concatenate(
            [part.labels + np.int32(first) for part, first in zip(parts, first_labels, strict=True)]
        )
        self.label_names = [f"{above}{name}" for part, above in zip(parts, self._above, strict=True)
                            for name in part.label_names]  # fmt: skip

    def __len__(self):
        return int(self._starts[-1])

    def path(self, i):
        part, inside = self._place(i)
        return part.path(inside)

    def files(self, i):
        part, inside = self._place(i)
        return part.files(inside)

    def relative_path(self, i):
        """With "/" between its parts, on every system."""
        number, inside = self._number(i)
        return self._above[number] + self.parts[number].relative_path(inside)

    def label(self, i):
        return int(self.labels[i])

    def _place(self, i):
        number, inside = self._number(i)
        return self.parts[number], inside

    def _number(self, i):
        number = int(np.searchsorted(self._starts, i, side="right")) - 1
        return number, int(i - self._starts[number])


def _common_folder(folders):
    """The deepest folder above all of them, and the way from there to each: "" or parts that end with "/".

    Folders on two drives (Windows) have none above them: the first one stands for it, each way is the whole path.
    """
    try:
        above = os.path.commonpath(folders)
    except ValueError:
        return folders[0], [f"{folder}/".replace(os.sep, "/") for folder in folders]
    ways = [os.path.relpath(folder, above).replace(os.sep, "/") for folder in folders]
    return above, ["" if way == os.curdir else f"{way}/" for way in ways]


class SubsetIndex:
    """Some images of a labelled index, in the order given. The labels that are left are numbered anew, in their order.

    Args:
        base: the index.
        positions: int [n], of the images in `base`.

    Attributes:
        folder, roots, flag: of `base`.  digest: name of these images of it.
        labels: int32 [n], 0...number of labels - 1.  label_names: theirs.

    Raises:
        ValueError: no positions.
    """

    def __init__(self, base, positions):
        self.base, self.positions = base, np.asarray(positions, np.int64)
        if not len(self.positions):
            raise ValueError("no image is left")
        self.folder, self.roots, self.flag = base.folder, base.roots, base.flag
        self.digest = f"{base.digest}:{blake2b(self.positions.tobytes(), digest_size=16).hexdigest()}"
        kept, labels = np.unique(np.asarray(base.labels)[self.positions], return_inverse=True)
        self.labels = labels.astype(np.int32)
        self.label_names = [base.label_names[label] for label in kept]

    def __len__(self):
        return len(self.positions)

    def path(self, i):
        return self.base.path(self.positions[i])

    def files(self, i):
        return self.base.files(self.positions[i])

    def relative_path(self, i):
        return self.base.relative_path(self.positions[i])

    def label(self, i):
        return int(self.labels[i])


def with_shared_people(indexes):
    """{name: labelled index} with labels that are places in one list of all their people, each name once."""
    everybody = {name for index in indexes.values() for name in index.label_names}
    names = sorted(everybody, key=lambda name: natural_key(os.fsencode(name)))
    shared = {key: copy.copy(index) for key, index in indexes.items()}
    for index in shared.values():
        index.labels, index.label_names = labels_among(index, names), names
    return shared


def labels_among(index, names):
    """int32 [n]: the labels of a labelled index as places in a list of names, which holds all of its own."""
    places = {name: place for place, name in enumerate(names)}
    return np.array([places[name] for name in index.label_names], np.int32)[index.labels]


def people_of(index, names):
    """SubsetIndex of the images of those people who are in a list of names; None: of nobody."""
    known = set(names)
    wanted = [label for label, name in enumerate(index.label_names) if name in known]
    return identities_of(index, wanted) if wanted else None


def identities_of(index, labels):
    """SubsetIndex of the images of some labels, ints."""
    return SubsetIndex(index, np.flatnonzero(np.isin(index.labels, labels)))
