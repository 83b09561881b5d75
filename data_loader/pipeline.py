"""Folder -> batches (tf.data): seeded, and from any position on without replaying what came before."""

import atexit
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from zlib import crc32

import numpy as np
import tensorflow as tf

from data_loader.folders import UnreadableImage, unreadable_text
from data_loader.pixel_cache import decoded, open_readers
from data_loader.sample_weights import drawn
from utils.errors import UserError

_ENDLESS = np.iinfo(np.int64).max
_READERS = weakref.WeakSet()


def training_batches(sources, indexes, batch_size, size, seed, skipped, start_step=0, workers=2, annotations=None,
                     readers=None, part=(0, 1), weights=None):
    """Endless shuffled batches from `start_step` on; the same for any number of workers.

    The image at position p of a source is a pure function: shuffled_order(n, seed, source, weights)(p). An unreadable
    file is recorded in `skipped` and replaced by the next readable one of its folder; where `skipped` holds too many,
    the batches end (iterate through `checked`, which then raises).

    Args:
        sources: {name: training_sources.Source}.
        indexes: {name: index} of the same names: ImageIndex, PairIndex, joined.JoinedIndex or SubsetIndex.
        batch_size, size: images in a batch, pixels of a side.
        seed: int >= 0.
        skipped: SkippedFiles.
        start_step: batches that a resumed run has behind it.
        workers: batches read at once.
        annotations: {name: {key: array [n, …]}}, as Source.annotations gives them; None: none.
        part: (p, parts): only the p-th of so many equal parts of batches of parts * batch_size, for a worker.
        readers: of pixel_cache.open_readers, for the same indexes and size; None: every image is decoded every time.
        weights: {name: float64 [n]} of the sources whose images are not drawn equally often; None: none.

    Returns:
        tf.data.Dataset of {key of an image: float32 [b, s, s, 3] in [-1, 1], key of a label: int32 [b], key of an
        annotation: [b, …]}.

    Raises:
        ValueError: an index without a source.
    """
    unknown = sorted(set(indexes) - set(sources))
    if unknown:
        raise ValueError(f"unknown source {unknown[0]!r}; choose from {', '.join(sources)}")
    readers = readers or open_readers(indexes, size, "none", None)
    annotations, weights = annotations or {}, weights or {}
    orders = {name: shuffled_order(len(index), seed, name, weights.get(name)) for name, index in indexes.items()}
    partners = {name: _Partners(index.labels, seed, name) for name, index in indexes.items() if sources[name].same}
    spec = {}
    for name in indexes:
        source = sources[name]
        spec |= {key: tf.TensorSpec([size, size, 3], tf.uint8) for key in source.images}
        spec |= {source.label: tf.TensorSpec([], tf.int32)} if source.label else {}
        more = {key: tf.TensorSpec(v.shape[1:], v.dtype) for key, v in annotations.get(name, {}).items()}
        if source.same:
            more |= {f"{source.same}_{key}": value for key, value in more.items()}
            more[source.same] = tf.TensorSpec([size, size, 3], tf.uint8)
        spec |= more

    def read(position):
        step, place = divmod(position, batch_size)
        position, element = (step * part[1] + part[0]) * batch_size + place, {}
        for name, index in indexes.items():
            source = sources[name]
            i, images = _next_readable(index, orders[name](position), readers[name], skipped)
            element |= dict(zip(source.images, images, strict=True))
            element |= {source.label: np.int32(index.label(i))} if source.label else {}
            element |= {key: values[i] for key, values in annotations.get(name, {}).items()}
            if source.same:
                j, others = _next_readable(index, partners[name](position, i), readers[name], skipped)
                j, others = (j, others) if index.label(j) == index.label(i) else (i, images)
                element[source.same] = others[0]
                element |= {f"{source.same}_{key}": v[j] for key, v in annotations.get(name, {}).items()}
        return element

    firsts = range(start_step * batch_size, _ENDLESS, batch_size)
    return _batches(read, spec, firsts, _ENDLESS, batch_size, workers).map(_to_float).prefetch(2)


def ordered_batches(inputs, batch_size, skipped, firsts=None, workers=2):
    """Each of an Input once, in order; the last batch may be smaller.

    What cannot be read keeps its place, all zeros, with `readable` False, and is recorded in `skipped`; where that
    holds too many, the batches end (iterate through `checked`, which then raises).

    Args:
        inputs: data_loader.inputs.Input.
        firsts: a range of the first images' numbers of the batches that are wanted; None: of all.
        batch_size, skipped, workers: as in training_batches.

    Returns:
        tf.data.Dataset of {key of `inputs.spec`: [b, …], "position": int64 [b], "readable": bool [b]}; images are
        uint8.
    """
    spec = inputs.spec | {"position": tf.TensorSpec([], tf.int64), "readable": tf.TensorSpec([], tf.bool)}

    def read(position):
        try:
            element, readable = inputs.read(position), True
        except UnreadableImage as error:
            skipped.record(inputs, position, error)
            element = {key: np.zeros(value.shape, value.dtype.as_numpy_dtype) for key, value in inputs.spec.items()}
            readable = False
        return element | {"position": np.int64(position), "readable": readable}

    firsts = range(0, len(inputs), batch_size) if firsts is None else firsts
    return _batches(read, spec, firsts, len(inputs), batch_size, workers).prefetch(2)


def checked(batches, skipped):
    """Iterate over `batches`; raise `skipped.error` where too many unreadable files ended them.

    Also lets go of the batches before the interpreter ends: threads that still decode in Python would hang it.
    """
    reader = _checked(batches, skipped)
    _READERS.add(reader)
    return reader


def check_readable(index, size=64, sample=2000, seed=0, limit=0.01, workers=2):
    """Decode up to `sample` images of an ImageIndex or PairIndex, drawn by `seed`, before anything is written.

    Returns:
        list of (path, reason) of those that cannot be read, in the index's order.

    Raises:
        UserError: more than `limit` (ours) of them cannot be read; names how many, the folder and the first.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(index))[:sample])
    with ThreadPoolExecutor(workers) as pool:
        errors = [error for error in pool.map(lambda i: _unreadable(index, i, size), chosen) if error]
    if len(errors) > limit * len(chosen):
        raise UserError(unreadable_text(index, len(errors), len(chosen), errors[0]))
    return [(error.path, error.reason) for error in errors]


class SkippedFiles:
    """Unreadable files that readers came by; safe to share between threads.

    Attributes:
        error: the UserError that ended the reading; None while few enough were skipped.
    """

    def __init__(self, limit_fraction=0.01):
        """limit_fraction: of a folder's images that may be unreadable (ours)."""
        self.limit_fraction, self.error = limit_fraction, None
        self._lock, self._reasons, self._positions = threading.Lock(), {}, {}  # {path: reason}, {folder: {i, ...}}

    @property
    def rows(self):
        """List of (path, reason), each file once."""
        with self._lock:
            return list(self._reasons.items())

    def record(self, index, i, error):
        """Note that image i of `index` raised `error`, an UnreadableImage.

        Raises:
            UserError: more than `limit_fraction` of the index's images are unreadable, or all of them.
        """
        with self._lock:
            positions = self._positions.setdefault((index.flag, index.folder), set())
            positions.add(int(i))
            self._reasons.setdefault(error.path, error.reason)
            if len(positions) > self.limit_fraction * len(index) or len(positions) == len(index):
                self.error = self.error or UserError(unreadable_text(index, len(positions), len(index), error))
                raise self.error


def permutation(n, seed, stream, epoch):
    """The order of n images in one epoch: int64 [n], a function of the arguments alone. stream: the source's name."""
    return np.random.default_rng([seed, crc32(stream.encode()), epoch]).permutation(n)


def shuffled_order(n, seed, stream, weights=None):
    """A function: position in the endless stream -> image. Keeps the epochs that are being read.

    An epoch of n positions shows each image once; with weights, float64 [n], as often as sample_weights.drawn says.
    """

    @lru_cache(maxsize=2)
    def epoch_order(epoch):
        order = permutation(n, seed, stream, epoch)
        return order if weights is None else drawn(weights, seed, stream, epoch)[order]

    return lambda position: int(epoch_order(position // n)[position % n])


class _Partners:
    """Another image of the same label: a function of the position in the endless stream, and of the image there.

    Args:
        labels: int [n], those of one label beside each other.
        seed, stream: as `permutation` takes them.
    """

    def __init__(self, labels, seed, stream):
        self.labels, self.seed, self.stream = np.asarray(labels), seed, crc32(stream.encode())

    def __call__(self, position, i):
        first, behind = (int(np.searchsorted(self.labels, self.labels[i], side)) for side in ("left", "right"))
        if behind - first < 2:
            return i
        ahead = np.random.default_rng([self.seed, self.stream, 1, position]).integers(1, behind - first)
        return int(first + (i - first + ahead) % (behind - first))


def _checked(batches, skipped):
    yield from batches
    if skipped.error:
        raise skipped.error


@atexit.register
def _close_readers():
    for reader in list(_READERS):
        reader.close()


def _next_readable(index, i, reader, skipped):
    """Image i, or the next one that can be read: its number and its files' pixels."""
    while True:
        try:
            return i, reader(i)
        except UnreadableImage as error:
            skipped.record(index, i, error)  # raises when all are unreadable, so that the search ends
            i = (i + 1) % len(index)


def _unreadable(index, i, size):
    try:
        decoded(index, size, i)
    except UnreadableImage as error:
        return error
    return None


def _batches(read, spec, firsts, last, batch_size, workers):
    """Batches of read(position), each from one of a range of positions on, up to last - 1; they end where it raises
    UserError.

    An exception would reach the caller as a page of TensorFlow's; a flag beside the values ends the batches quietly.
    """
    blank = [np.zeros((batch_size, *value.shape), value.dtype.as_numpy_dtype) for value in spec.values()]
    types = [value.dtype for value in spec.values()]
    count = batch_size if last == _ENDLESS else None

    def call(start):
        try:
            elements = [read(position) for position in range(start, min(start + batch_size, last))]
        except UserError:
            return *blank, False
        return *(np.stack([element[key] for element in elements]) for key in spec), True

    def batch(start):
        *values, fine = tf.numpy_function(call, [start], [*types, tf.bool])
        for value, expected in zip(values, spec.values(), strict=True):
            value.set_shape([count, *expected.shape])
        fine.set_shape([])
        return dict(zip(spec, values, strict=True)), fine

    starts = tf.data.Dataset.range(firsts.start, firsts.stop, firsts.step)
    batches = starts.map(batch, num_parallel_calls=workers, deterministic=True)
    return batches.take_while(lambda _, fine: fine).map(lambda batch, _: batch)


def _to_float(batch):
    return {key: tf.cast(value, tf.float32) / 127.5 - 1 if value.dtype == tf.uint8 else value
            for key, value in batch.items()}
