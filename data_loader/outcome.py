"""What became of each photograph of a job: success.csv and failed.csv, which an interrupted run goes on from."""

from functools import partial
from pathlib import Path

from data_loader.crops import NoOutput, outputs
from data_loader.folders import UnreadableImage
from utils.claim import Claim
from utils.files import atomic_write, naming
from utils.processes import spread
from utils.progress import Progress
from utils.tables import TEXT, whole_rows, write_rows

SUCCESS, FAILED = "success.csv", "failed.csv"


class Outcome:
    """Two tables in an output folder, a line as soon as a photograph is done; use as a context manager.

    Args:
        folder: the output folder; made where missing.
        job: its name: the settings are kept in <job>.json.
        columns: names of success.csv, of which "file", the first, is the photograph's relative path, "path" that of the
            output.
        settings: {flag: value} that the outputs depend on.
        flag: the flag that names the folder, for messages.

    Attributes:
        succeeded: {file: row}, of outputs that are there; failed: {file: reason}. Both count as done: a failure would
            only fail again. To try again, delete failed.csv.

    Raises:
        UserError: the folder holds something else, or outputs of other settings.
    """

    def __init__(self, folder, job, columns, settings, flag):
        self.folder, self.job, self.columns = Path(folder), job, list(columns)
        self._claim = Claim(self.folder, f"{job}.json", settings, flag)
        self._claim.take(alone=True)
        self.succeeded = {row["file"]: row for row in _rows(self.folder / SUCCESS, self.columns)
                          if (self.folder / row["path"]).is_file()}
        self.failed = {row["file"]: row["reason"] for row in _rows(self.folder / FAILED, ["file", "reason"])}

    def __contains__(self, file):
        return file in self.succeeded or file in self.failed

    def __enter__(self):
        self._write()  # without a line that a kill cut short
        self._files = [open(self.folder / name, "a", **TEXT) for name in (SUCCESS, FAILED)]
        return self

    def __exit__(self, *_):
        for file in self._files:
            file.close()
        self._claim.release()

    def work_through(self, files, image_format, worker, processes=1):
        """Do every photograph that is not done yet, and note what became of it.

        Args:
            files: relative paths of all photographs, list.
            image_format: the outputs' ending.
            worker: (file, relative path of its output) -> values of the columns after "file". It writes the output, or
                raises NoOutput or UnreadableImage. Anything else that it raises ends the work.
            processes: how many work at once; for more than one the worker can be pickled.
        """
        with Progress(len(files), self.job, initial=sum(file in self for file in files)) as progress:
            work = [(file, output) for file, output in outputs(files, image_format) if file not in self]
            for file, values, reason in spread(partial(_attempt, worker), work, processes):
                if reason:
                    self.failure(file, reason)
                else:
                    self.success(file, values)
                progress.update(failed=len(self.failed))
        self.finish(files)

    def success(self, file, values):
        """Note an output: `values` are those of the columns after "file"."""
        row = dict(zip(self.columns, [file, *values], strict=True))
        self.succeeded[file] = row
        with naming(self.folder / SUCCESS):
            write_rows(self._files[0], [row.values()])
            self._files[0].flush()

    def failure(self, file, reason):
        self.failed[file] = reason
        with naming(self.folder / FAILED):
            write_rows(self._files[1], [[file, reason]])
            self._files[1].flush()

    def finish(self, files):
        """Put the tables in the order of `files`: one run and two halves then give the same bytes."""
        self.succeeded = {file: self.succeeded[file] for file in files if file in self.succeeded}
        self.failed = {file: self.failed[file] for file in files if file in self.failed}
        self._write()

    def _write(self):
        with atomic_write(self.folder / SUCCESS, "w", **TEXT) as file:
            write_rows(file, [self.columns, *(row.values() for row in self.succeeded.values())])
        with atomic_write(self.folder / FAILED, "w", **TEXT) as file:
            write_rows(file, [["file", "reason"], *self.failed.items()])


def _attempt(worker, work):
    """(file, values of the columns after "file", None), or (file, None, why there is no output)."""
    file, output = work
    try:
        if output is None:
            raise NoOutput("another photograph has the same name but for its ending")
        return file, worker(file, output), None
    except UnreadableImage as error:
        return file, None, error.reason
    except NoOutput as error:
        return file, None, str(error)


def _rows(path, columns):
    """The whole rows of a table; none where there is no table, or one with other columns."""
    table = whole_rows(path)
    header = next(table, [])
    return [dict(zip(columns, row, strict=True)) for row in table if header == columns and len(row) == len(columns)]
