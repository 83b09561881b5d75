"""A folder of generated images that is written batch by batch and can be gone on with after any interruption."""

import errno
import os
from contextlib import ExitStack
from pathlib import Path

from data_loader.generated_folder import ROWS, RUN, TABLE
from trainer.output.scores import told_scores
from utils.claim import Claim
from utils.errors import UserError
from utils.files import atomic_write
from utils.tables import TEXT, whole_rows, write_rows


class OutputFolder:
    """What one job has written into a folder so far.

    Beside the images lie run.json from the start, and, until the end, confidence_scores.partial.csv: a row for each
    input image, in order: path, identity, the scores, SHA-256 of the file, reason why it was skipped. The rows of a
    batch are appended when all its images are in place, so the rows tell what is done.

    Use it as a context manager around all that writes; nothing is written before.

    Args:
        folder: Path.
        run: dict of trainer.output.provenance.describe.
        flag: that names the folder, for messages.
        scores: names of the score columns; () for a job that has none.
        skipped: name of the list of what was left out.

    Attributes:
        finished: the folder is complete.

    Raises:
        UserError: the folder holds something else, or results of other settings.
    """

    def __init__(self, folder, run, flag, scores=(), skipped="skipped_files.csv"):
        self.folder, self.scores, self.skipped = folder, scores, skipped
        self.width = 2 + len(scores) + 2  # columns of a row
        self._claim = Claim(folder, RUN, run, flag, self._settings)
        self._new = run
        self._look()

    def tell_finished(self):
        """Whether the folder is complete; says so."""
        if self.finished:
            print(f"{self.folder} is finished already: {self.run['images']} images; nothing to do")
        return self.finished

    def __enter__(self):
        """Make the folder, and keep other processes from writing into it until the end of the `with` block."""
        self._claim.take(alone=True)
        self._look()  # another process may have finished it just now
        return self

    def __exit__(self, *_):
        self._claim.release()

    def begin(self, batch_size):
        """See how far it came. Returns the rows of the whole batches that are done."""
        rows = []
        for row in whole_rows(self.folder / ROWS):
            if len(row) != self.width or not (row[-1] or (self.folder / row[0]).is_file()):
                break
            rows.append(row)
        del rows[len(rows) // batch_size * batch_size :]
        with atomic_write(self.folder / ROWS, "w", **TEXT) as file:
            write_rows(file, rows)
        return rows

    def open_rows(self):
        """The rows' file, to append to with `append`."""
        return open(self.folder / ROWS, "a", **TEXT)

    def append(self, file, rows):
        """Add the rows of one batch; they are on the disk when this returns."""
        write_rows(file, rows)
        file.flush()
        os.fsync(file.fileno())

    def finish(self, card=None):
        """Write the lists, and last of all that the folder is finished.

        confidence_scores.csv (where there are scores), SHA256SUMS for `sha256sum -c`, the list of skipped files (where
        there are any), README.md.

        Args:
            card: a function: number of images -> text of README.md; None for none.

        Returns:
            Numbers of images written and skipped.
        """
        if not (self.folder / ROWS).is_file():
            raise FileNotFoundError(errno.ENOENT, f"{ROWS} is gone")
        written, skipped = self._write_lists()
        if not skipped:
            (self.folder / self.skipped).unlink()
        if card:
            with atomic_write(self.folder / "README.md", "w", encoding="utf-8") as file:
                file.write(card(written))
        self.run["finished"] = True
        self.run["images"] = written
        self._claim.rewrite(self.run)
        (self.folder / ROWS).unlink()
        return written, skipped

    def _look(self):
        stored = self._claim.earlier()
        self.finished = bool(stored and stored["finished"])
        self.run = stored or self._new

    def _write_lists(self):
        written = skipped = 0
        with ExitStack() as stack:
            sums, bad = (stack.enter_context(atomic_write(self.folder / name, "w", **TEXT))
                         for name in ("SHA256SUMS", self.skipped))  # fmt: skip
            write_rows(bad, [["path", "reason"]])
            scores = None
            if self.scores:
                scores = stack.enter_context(atomic_write(self.folder / TABLE, "w", **TEXT))
                write_rows(scores, [["path", "identity", *self.scores]])
            for *values, digest, reason in whole_rows(self.folder / ROWS):
                if reason:
                    write_rows(bad, [[values[0], reason]])
                    skipped += 1
                    continue
                written += 1
                sums.write(_sum_line(digest, values[0]))
                if scores:
                    write_rows(scores, [values])
        return written, skipped

    def _settings(self, run):
        """What all images share, of the content of a run.json; KeyError or TypeError where it is none."""
        run["finished"], run["checkpoint"]  # what a file of that name by another program lacks
        # Folders of earlier versions have all scores, and do not say so.
        return {"job": run["job"], "scores": told_scores(self.scores), **run["settings"]}


def _sum_line(digest, name):
    """A line of SHA256SUMS; a name with a line end in it is written as sha256sum itself writes it."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"


def target_folder(flag, options, inputs=("dataset", "syn_dataset", "dataset_3dmm")):
    """The folder that `flag` names, which must not be, or lie in, one of the input folders.

    Args:
        flag: "save_syn_dataset", "save_fitting" or "save_filtered".
        options: data_dir and the flags named.
        inputs: the flags that name input folders.
    """
    data = Path(options.data_dir).expanduser()
    target = data / getattr(options, flag)
    for name in inputs:
        value = getattr(options, name)
        if value and (data / value).resolve() in (target.resolve(), *target.resolve().parents):
            raise UserError(f"--{flag}: {target} is in the input folder of --{name}, where nothing may be written")
    return target
