"""An image for each input of an Input, into a folder: reading, computing and writing at the same time, resumable."""

import errno
import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from data_loader import pipeline
from data_loader.folders import UnreadableImage
from data_loader.inputs import Input
from trainer.output.resumable_folder import OutputFolder, images_of
from trainer.training.grid import as_tensors
from utils.errors import UserError
from utils.files import atomic_write, refuse_link_outside
from utils.images import to_uint8
from utils.processes import processors
from utils.progress import Progress
from utils.signals import StopRequest

AHEAD = 2  # batches whose files may still be written while the next is computed


@dataclass(frozen=True)
class Task:
    """What goes where, and through what.

    Attributes:
        inputs: what images are made of.
        output: where they go. A score of `output.scores` that `make` does not return stays empty.
        make: {key of inputs.spec: [n, …]}, images float32 in [-1, 1] -> {"image": [n, s, s, 3], score: [n], …}.
        card: number of images -> text of README.md; None for none.
    """

    inputs: Input
    output: OutputFolder
    make: Callable
    card: Callable | None = None


def write_images(task, options):
    """Write an image for each input; go on where an earlier run stopped.

    The batches are fixed pieces of the input's order, so that a resumed run makes what an uninterrupted one makes,
    scores that depend on the batch included.

    Args:
        task: Task.
        options: batch_size, num_worker, image_format, image_quality.

    Returns:
        Exit status: 0; 1 where a signal stopped it.

    Raises:
        UserError: unreadable images (over 1 %), two images that would become the same file, a full disk.
    """
    output, inputs = task.output, task.inputs
    if output.tell_finished():
        return 0
    _refuse_collisions(inputs)
    inputs.check(options.num_worker)
    try:
        with output, StopRequest() as stop:
            if output.tell_finished():  # by another process, just now
                return 0
            writer = _Writer(task, options)
            done = writer.run(stop)
            if done < writer.total:
                print(f"stopped by {stop.name} after {done} of {writer.total} images; the same command goes on there")
                return 1
            counts = output.finish(task.card)
    except OSError as error:
        reason = error.strerror or error
        if error.errno == errno.ENAMETOOLONG:  # that of the input, with another ending: trying again helps nobody
            raise UserError(f"cannot write in {error.filename2 or error.filename}: {reason}") from error
        raise UserError(f"cannot write in {output.folder}: {reason}; the same command goes on there") from error
    tell_counts(output, counts)
    return 0


def tell_counts(output, counts):
    """Say what `output.finish` has made of a folder."""
    if counts is None:
        print(f"shard {output.shard} of {output.folder} is done; others are not: the last one completes the folder")
        return
    written, skipped = counts
    print(f"{written} images in {output.folder}" + (f", {skipped} unreadable: skipped_files.csv" if skipped else ""))


class _Writer:
    """Decoding, computing and writing at the same time: tf.data reads ahead, threads write AHEAD batches behind."""

    def __init__(self, task, options):
        self.task, self.options = task, options
        self.inputs, self.output = task.inputs, task.output
        self.skipped, self._made = pipeline.SkippedFiles(), set()
        size = options.batch_size
        self.firsts = self.output.shard.part(range(0, len(self.inputs), size))  # of each batch the first image's number
        self.total = images_of(self.output.shard, len(self.inputs), size)

    def run(self, stop):
        """Go on until the end or until `stop.name`; returns the number of images done."""
        rows = self.output.begin(self.options.batch_size, self.total)
        for place, row in enumerate(rows):
            if row[-1]:
                position = self.firsts[place // self.options.batch_size] + place % self.options.batch_size
                self.skipped.record(self.inputs, position, UnreadableImage(self.inputs.path(position), row[-1]))
        writers = min(self.options.num_worker, processors())  # Pillow lets go of Python's lock
        waiting = deque()
        with (
            self.output.open_rows() as file,
            Progress(self.total, "images", initial=len(rows)) as progress,
            ThreadPoolExecutor(writers) as pool,
        ):
            for batch in self._batches(len(rows)):
                entries = self._start_writing(batch, pool)
                waiting.append(entries)
                if len(waiting) > AHEAD:
                    self._finish_batch(waiting.popleft(), file, progress)
                if stop.name:
                    break
            while waiting:
                self._finish_batch(waiting.popleft(), file, progress)
        return progress.done

    def _batches(self, done):
        options = self.options
        batches = pipeline.ordered_batches(
            self.inputs,
            options.batch_size,
            self.skipped,
            firsts=self.firsts[-(-done // options.batch_size) :],
            workers=options.num_worker,
        )
        return pipeline.checked(batches.as_numpy_iterator(), self.skipped)

    def _start_writing(self, batch, pool):
        """Compute a batch and hand its images to the writers: for each image a future, or a row where it is skipped."""
        readable = batch["readable"]
        results, reasons = {}, {}
        if readable.any():
            results = self.task.make({key: as_tensors(batch[key][readable]) for key in self.inputs.spec})
            results = {name: value.numpy() for name, value in results.items()}
        if not readable.all():
            reasons = dict(self.skipped.rows)
        scores = [results.get(name) for name in self.output.scores]
        entries, number = [], 0
        for position, fine in zip(batch["position"].tolist(), readable, strict=True):
            identity = self.inputs.label_name(position)
            if fine:
                values = ["" if score is None else f"{score[number]:.9g}" for score in scores]
                values = [identity, *values, *self.inputs.row(position)]
                entries.append(pool.submit(self._write, position, results["image"][number], values))
                number += 1
            else:
                name, reason = self.inputs.source(position), reasons[self.inputs.path(position)]
                entries.append([name, identity, *[""] * (self.output.width - 4), "", reason])
        return entries

    def _write(self, position, image, values):
        """Write one image; returns its row."""
        name = f"{self.inputs.name(position)}.{self.options.image_format}"
        path = self.output.folder / name
        data = encode(to_uint8(image), self.options)
        self._make_folder(path.parent)
        with atomic_write(path, durable=False) as file:
            file.write(data)
        return [name, *values, hashlib.sha256(data).hexdigest(), ""]

    def _make_folder(self, folder):
        """Make a folder below the output folder. Raises UserError where a link leads out of it."""
        if folder in self._made:
            return
        folder.mkdir(parents=True, exist_ok=True)
        refuse_link_outside(folder, self.output.folder, self.output.flag)
        self._made.add(folder)

    def _finish_batch(self, entries, file, progress):
        """Wait for a batch's images, then write its rows."""
        rows = [entry if isinstance(entry, list) else entry.result() for entry in entries]
        self.output.append(file, rows)
        progress.update(len(rows))


def encode(image, options):
    """uint8 [s, s, 3] -> the bytes of a PNG, or of a JPEG at `image_quality` with full colour resolution."""
    buffer = BytesIO()
    if options.image_format == "png":
        Image.fromarray(image).save(buffer, format="PNG")
    elif options.image_format == "jpg":
        Image.fromarray(image).save(buffer, format="JPEG", quality=options.image_quality, subsampling="4:4:4")
    else:
        raise UserError(f"--image_format: {options.image_format!r} is none of jpg, png")
    return buffer.getvalue()


def _refuse_collisions(inputs):
    """Two files that differ only in their ending would become one. Compares hashes: half a million names take 4 MB."""
    hashes = np.fromiter((hash(inputs.name(i)) for i in range(len(inputs))), np.int64, len(inputs))
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(np.diff(hashes[order]) == 0)
    for first, second in zip(order[same].tolist(), order[same + 1].tolist(), strict=True):
        if inputs.name(first) == inputs.name(second):
            raise UserError(f"{inputs.flag}: {inputs.path(first)} and {inputs.path(second)} would become the same file")
