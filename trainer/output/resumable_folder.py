"""A folder of generated images that is written batch by batch, by one process or several.

It can be gone on with after any interruption.
"""

import errno
import os
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from data_loader.generated_folder import ROWS, RUN, TABLE
from data_loader.morphable.parameters import METADATA
from data_loader.training_sources import INPUTS, named_folders
from trainer.output.scores import told_scores
from utils.claim import LOCK, Claim
from utils.errors import UserError
from utils.files import (
    SUMS,
    allow_more_open_files,
    atomic_write,
    read_sum_line,
    refuse_in_inputs,
    remove_leftovers,
    sum_line,
)
from utils.shards import Shard
from utils.tables import PATHS, TEXT, whole_rows, write_rows

WHOLE = Shard()
_LOCKS = ".shard-*.lock"


class OutputFolder:
    """What one job has written into a folder so far.

    Beside the images lie run.json from the start, and, until the end, a table for each shard: a row for each of its
    input images, in order: path, identity, the scores, what is known of what it was made of, SHA-256 of the file,
    reason why it was skipped. The rows of a batch are appended when all its images are in place, so the rows tell what
    is done. The process that does the last batch merges the tables.

    Use it as a context manager around all that writes; nothing is written before.

    Args:
        folder: Path.
        run: dict of trainer.output.provenance.describe.
        flag: that names the folder, for messages.
        scores: names of the score columns; () for a job that has none.
        skipped: name of the list of what was left out.
        columns: of metadata.csv, behind path, identity and scores.
        shard: this process does each `shard.of`-th batch, from the `shard.number`-th on.

    Attributes:
        finished: the folder is complete.

    Raises:
        UserError: the folder holds something else, or results of other settings.
    """

    def __init__(self, folder, run, flag, scores=(), skipped="skipped_files.csv", columns=(), shard=WHOLE):
        self.folder, self.flag, self.scores, self.skipped = folder, flag, scores, skipped
        self.columns, self.shard = tuple(columns), shard
        self.width = 2 + len(scores) + len(self.columns) + 2  # columns of a row
        self._claim = Claim(folder, RUN, run | self._shards(), flag, self._settings)
        self._new = self._claim.content
        self._look()

    def tell_finished(self):
        """Whether the folder is complete; says so, and removes what a kill left between the last steps of finish.

        Raises:
            UserError: some of its images are gone.
        """
        if self.finished:
            self.refuse_gone()
            self._remove_working_files()
            print(f"{self.folder} is finished already: {self.run['images']} images; nothing to do")
        return self.finished

    def refuse_gone(self):
        """Raise UserError where images of the finished folder are gone: without their rows the job cannot tell them."""
        sums = self.folder / SUMS
        if not sums.is_file():  # earlier versions wrote none
            return
        with open(sums, **TEXT) as file:
            gone = [name for _, name in map(read_sum_line, file) if not (self.folder / name).is_file()]
        if gone:
            raise UserError(f"{self.flag}: {self.folder} was finished, but {len(gone)} of its {self.run['images']} "
                            f"images are gone, {gone[0]!r} first: to make all again, remove the folder")  # fmt: skip

    def __enter__(self):
        """Make the folder, and keep other processes from writing its shard until the end of the `with` block."""
        if self.shard.of == 1:
            self._claim.take(alone=True)
        else:
            self._claim.take()
            self._claim.hold(_lock_name(self.shard), f"does shard {self.shard} of")
        self._look()  # another process may have finished it just now
        return self

    def __exit__(self, *_):
        self._claim.release()

    def begin(self, batch_size, total=None):
        """See how far it came. Returns the rows of the shard's whole batches that are done.

        Args:
            total: images that the shard has, where its last batch is a smaller one.
        """
        rows, path = [], self.folder / rows_name(self.shard)
        for row in whole_rows(path):
            if len(row) != self.width or not (row[-1] or (self.folder / row[0]).is_file()):
                break
            rows.append(row)
        if len(rows) != total:
            del rows[len(rows) // batch_size * batch_size :]
        with atomic_write(path, "w", **TEXT) as file:
            write_rows(file, rows)
        return rows

    def open_rows(self):
        """The rows' file, to append to with `append`."""
        return open(self.folder / rows_name(self.shard), "a", **TEXT)

    def append(self, file, rows):
        """Add the rows of one batch; they are on the disk when this returns."""
        write_rows(file, rows)
        file.flush()
        os.fsync(file.fileno())

    def finish(self, card=None):
        """Write the lists, and last of all that the folder is finished; of several shards the last one does.

        confidence_scores.csv (where there are scores), metadata.csv (where more is known), SHA256SUMS for `sha256sum
        -c`, the list of skipped files (where there are any), README.md.

        Args:
            card: a function: number of images -> text of README.md; None for none.

        Returns:
            Numbers of images written and skipped; None where other shards are not done.
        """
        if not self.finished and not (self.folder / rows_name(self.shard)).is_file():
            raise FileNotFoundError(errno.ENOENT, f"{rows_name(self.shard)} is gone")
        if self.shard.of == 1:
            return self._merge(card)
        self._claim.release()
        if next(self.missing(), None):
            return None
        with self._merging():
            self._look()
            if not self.finished:
                return self._merge(card)
        skipped = self.folder / self.skipped
        return self.run["images"], sum(1 for _ in whole_rows(skipped)) - 1 if skipped.is_file() else 0

    def missing(self):
        """Yield (Shard, images done, images of it) of the shards that are not done."""
        for shard in self.shards:
            done = sum(1 for _ in whole_rows(self.folder / rows_name(shard)))
            if done < (of := images_of(shard, *self._sizes())):
                yield shard, done, of

    @property
    def shards(self):
        """All Shards of the folder."""
        return [Shard(number, self.shard.of) for number in range(1, self.shard.of + 1)]

    @contextmanager
    def _merging(self):
        """No other process merges, or writes a shard: each lets go of its own before it asks for this."""
        try:
            allow_more_open_files(2 * self.shard.of)  # a lock and a table of each
            for name in (LOCK, *map(_lock_name, self.shards)):
                self._claim.hold(name, wait=True)
            remove_leftovers(self.folder)
            yield
        finally:
            self._claim.release()
        self._remove_working_files()

    def _merge(self, card):
        written, skipped = self._write_lists()
        if not skipped:
            (self.folder / self.skipped).unlink()
        if card:
            with atomic_write(self.folder / "README.md", "w", encoding="utf-8") as file:
                file.write(card(written))
        self.run["finished"] = self.finished = True
        self.run["images"] = written
        self.run.pop("shards", None)
        self._claim.rewrite(self.run)
        if self.shard.of == 1:
            self._remove_working_files()
        return written, skipped

    def _remove_working_files(self):
        """Tables and locks of all shards: of a finished folder nobody holds one again."""
        for pattern in (ROWS.replace(".partial", "*.partial"), _LOCKS):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def _look(self):
        stored = self._claim.earlier()
        self.finished = bool(stored and stored["finished"])
        self.run = stored or self._new

    def _rows_in_order(self):
        """The rows of all shards as one process would have written them."""
        tables = [self._rows_of(shard) for shard in self.shards]
        if len(tables) == 1:
            yield from tables[0]
            return
        total, batch_size = self._sizes()
        for batch in range(-(-total // batch_size)):
            yield from islice(tables[batch % len(tables)], min(batch_size, total - batch * batch_size))

    def _rows_of(self, shard):
        """Yield the rows of a shard.

        Raises:
            UserError: one is none that it wrote, or its image is gone; the job of that shard mends both.
        """
        path = self.folder / rows_name(shard)
        for number, row in enumerate(whole_rows(path), 1):
            fault = f"{path} row {number} is damaged" if len(row) != self.width else ""
            if not fault and not row[-1] and not (self.folder / row[0]).is_file():
                fault = f"{self.folder / row[0]} is gone"
            if fault:
                raise UserError(f"{self.flag}: {fault}: run {f'shard {shard}' if shard.of > 1 else 'the job'} again")
            yield row

    def _write_lists(self):
        written = skipped = 0
        with ExitStack() as stack:
            sums, bad = (stack.enter_context(atomic_write(self.folder / name, "w", **TEXT))
                         for name in (SUMS, self.skipped))  # fmt: skip
            write_rows(bad, [["path", "reason"]])
            scores = metadata = None
            if self.scores:
                scores = stack.enter_context(atomic_write(self.folder / TABLE, "w", **TEXT))
                write_rows(scores, [["path", "identity", *self.scores]])
            if self.scores or self.columns:
                metadata = stack.enter_context(atomic_write(self.folder / METADATA, "w", **TEXT))
                write_rows(metadata, [[PATHS[0], "identity", *self.scores, *self.columns]])
            for *values, digest, reason in self._rows_in_order():
                if reason:
                    write_rows(bad, [[values[0], reason]])
                    skipped += 1
                    continue
                written += 1
                sums.write(sum_line(digest, values[0]))
                if scores:
                    write_rows(scores, [values[: 2 + len(self.scores)]])
                if metadata:
                    write_rows(metadata, [values])
        return written, skipped

    def _sizes(self):
        """(images in all, images of a batch), as run.json says."""
        return self.run["inputs"]["images"], self.run["settings"]["batch_size"]

    def _shards(self):
        return {"shards": self.shard.of} if self.shard.of > 1 else {}

    def _settings(self, run):
        """What all images share, of the content of a run.json; KeyError or TypeError where it is none."""
        run["finished"], run["checkpoint"]  # what a file of that name by another program lacks
        shards = self.shard.of if run["finished"] else run.get("shards", 1)  # a finished folder is that of any number
        # Folders of earlier versions have all scores, and do not say so.
        return {"job": run["job"], "scores": told_scores(self.scores), "shards": shards, **run["settings"]}


def rows_name(shard):
    """Name of the table of a shard that is not merged yet."""
    return ROWS if shard.of == 1 else ROWS.replace(".partial", f".{shard.number}-of-{shard.of}.partial")


def images_of(shard, total, batch_size):
    """How many of `total` images are in a shard's batches."""
    batches = shard.part(range(0, total, batch_size))
    return len(batches) * batch_size - max(0, batches[-1] + batch_size - total) if batches else 0


def _lock_name(shard):
    return _LOCKS.replace("*", f"{shard.number}-of-{shard.of}")


def target_folder(flag, options, inputs=INPUTS):
    """The folder that `flag` names, which must not be, or lie in, one of the input folders.

    Args:
        flag: "save_syn_dataset", "save_fitting" or "save_filtered".
        options: data_dir and the flags named.
        inputs: the flags that name input folders.
    """
    target = Path(options.data_dir).expanduser() / getattr(options, flag)
    refuse_in_inputs(flag, target, named_folders(options, inputs))
    return target
