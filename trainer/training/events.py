"""What TensorBoard shows of a run: scalars and images in an events file, for as long as it can be written."""

import sys
from contextlib import contextmanager

import tensorflow as tf


class Events:
    """Writes the events of a run. Where that fails, this is told once and nothing more is written: training goes on.

    Args:
        folder: run folder; None: nothing is written.
    """

    def __init__(self, folder):
        self.folder, self.writer = folder, tf.summary.create_noop_writer()
        if folder:
            with self._kept():
                self.writer = tf.summary.create_file_writer(str(folder))

    def scalars(self, values, step):
        """Write {tag: float}, to the disk at once."""
        with self._kept(), self.writer.as_default():
            for tag, value in values.items():
                tf.summary.scalar(tag, value, step)
            self.writer.flush()

    def images(self, shown, step):
        """Write the first three of {tag: float32 [n, s, s, 3] in [-1, 1]}."""
        with self._kept(), self.writer.as_default():
            for tag, images in shown.items():
                tf.summary.image(tag, tf.clip_by_value((images + 1.0) / 2.0, 0.0, 1.0), step, max_outputs=3)

    def close(self):
        with self._kept():
            self.writer.close()

    @contextmanager
    def _kept(self):
        try:
            yield
        except tf.errors.OpError as error:
            self.writer = tf.summary.create_noop_writer()
            warn_lost("TensorBoard's events", self.folder, error.message)


def warn_lost(what, where, reason):
    """Say that something beside the training is lost."""
    print(f"warning: {what} cannot be written in {where}: {' '.join(str(reason).split())}; training goes on without",
          file=sys.stderr, flush=True)  # fmt: skip
