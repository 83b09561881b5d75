"""What images are made of: a numbered, named, labelled list, whatever stands behind it."""

import os
from functools import cached_property

import numpy as np
import tensorflow as tf

from data_loader import pipeline
from data_loader.folders import decode
from data_loader.truth import Truth


class Input:
    """A numbered, named, labelled list; a system makes an image of each.

    Subclasses fill the attributes, and say how one of the list is read.

    Attributes:
        spec: {key: tf.TensorSpec} of one input; images are uint8 [s, s, 3].
        labels: int32 [n], 0 … labels - 1, those of one label beside each other; -1 where there are none.
        label_names: list of str.
        flag: the flag that named it.  folder: of its files, for messages.
        digest: hex name of its content.
        each: images of each label, where all have as many; 0: they differ.
        columns: of metadata.csv, what `row` gives: where each image comes from.
        truth: hex name of the table that `row` reads; "" where it reads none.
        sources: {column: folder} of those that name files.
    """

    spec: dict[str, tf.TensorSpec]
    labels: np.ndarray
    label_names: list
    flag: str
    folder: str
    digest: str
    each: int = 0
    columns: tuple[str, ...] = ()
    truth: str = ""
    sources: dict[str, str] = {}

    def __len__(self):
        return len(self.labels)

    def read(self, i):
        """{key: array} of input i, as `spec` says. Safe from several threads.

        Raises:
            UnreadableImage: it cannot be read.
        """
        raise NotImplementedError

    def name(self, i):
        """Relative path of the image that is made of input i, with forward slashes, without an ending."""
        return f"{self.label_name(i)}/{(i % self.each if self.each else i) + 1:05d}"

    def row(self, i):
        """Values of `columns`, for the image that is made of input i."""
        return []

    def source(self, i):
        """What input i is, in the list of what was skipped: a relative path with forward slashes, say."""
        return self.name(i)

    def path(self, i):
        """The same for messages: the path of its file, say."""
        return os.path.join(self.folder, self.source(i))

    def check(self, workers):
        """Look at a sample before anything is written.

        Raises:
            UserError: too much of it cannot be read.
        """

    def label_name(self, i):
        """Name of the label of input i; "" where there is none."""
        label = self.labels[i]
        return self.label_names[label] if label >= 0 else ""


class FolderInput(Input):
    """The images of a folder.

    Args:
        index: data_loader.folders.ImageIndex.
        size: pixels of a side that they are read at.
        key: of the images in a batch.
        more: {key: array [n, …]}: what else a batch brings for each.
    """

    def __init__(self, index, size, key, more=None):
        self.index, self.size, self.key, self.more = index, size, key, more or {}
        self.labels, self.label_names = index.labels, index.label_names
        self.flag, self.folder, self.digest = index.flag, index.folder, index.digest
        self.spec = {key: tf.TensorSpec([size, size, 3], tf.uint8)}
        self.spec |= {name: tf.TensorSpec(values.shape[1:], values.dtype) for name, values in self.more.items()}

    @cached_property
    def _known(self):
        return Truth(self.index, self.size)  # read when it is first asked for

    @property
    def columns(self):
        """Those of the folder's metadata.csv."""
        return self._known.columns

    @property
    def truth(self):
        return self._known.digest

    def row(self, i):
        return self._known.row(i) if self.columns else []

    def read(self, i):
        return {self.key: decode(self.index.path(i), self.size)} | {name: v[i] for name, v in self.more.items()}

    def name(self, i):
        return os.path.splitext(self.source(i))[0]

    def source(self, i):
        return self.index.relative_path(i)

    def path(self, i):
        return self.index.path(i)

    def check(self, workers):
        pipeline.check_readable(self.index, workers=workers)
