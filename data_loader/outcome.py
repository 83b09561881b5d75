"""What became of each photograph of a job: success.csv and failed.csv, which an interrupted run goes on from."""

import csv
import json
from pathlib import Path

from utils.errors import UserError
from utils.files import atomic_write

SUCCESS, FAILED = "success.csv", "failed.csv"


class NoOutput(Exception):
    """A photograph that gives no output: the message is the reason."""


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
        self.folder, self.columns = Path(folder), list(columns)
        claim(self.folder, f"{job}.json", settings, flag)
        self.succeeded = {row["file"]: row for row in _rows(self.folder / SUCCESS, self.columns)
                          if (self.folder / row["path"]).is_file()}
        self.failed = {row["file"]: row["reason"] for row in _rows(self.folder / FAILED, ["file", "reason"])}

    def __contains__(self, file):
        return file in self.succeeded or file in self.failed

    def __enter__(self):
        self._write(self.succeeded, self.failed)  # without a line that a kill cut short
        self._files = [open(self.folder / name, "a", encoding="utf-8", newline="") for name in (SUCCESS, FAILED)]
        return self

    def __exit__(self, *_):
        for file in self._files:
            file.close()

    def success(self, file, values):
        """Note an output: `values` are those of the columns after "file"."""
        row = dict(zip(self.columns, [file, *values], strict=True))
        self.succeeded[file] = row
        csv.DictWriter(self._files[0], self.columns, lineterminator="\n").writerow(row)
        self._files[0].flush()

    def failure(self, file, reason):
        self.failed[file] = reason
        csv.writer(self._files[1], lineterminator="\n").writerow([file, reason])
        self._files[1].flush()

    def finish(self, files):
        """Put the tables in the order of `files`: one run and two halves then give the same bytes."""
        self._write({file: self.succeeded[file] for file in files if file in self.succeeded},
                    {file: self.failed[file] for file in files if file in self.failed})

    def _write(self, succeeded, failed):
        with atomic_write(self.folder / SUCCESS, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(succeeded.values())
        with atomic_write(self.folder / FAILED, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "reason"])
            writer.writerows(failed.items())


def claim(folder, note, settings, flag):
    """Make `folder` the place of one job's results, or see that it is.

    Args:
        folder: Path.
        note: name of the file in it that holds the settings.
        settings: {name: value}, plain values of JSON, that the results depend on.
        flag: that names the folder, for messages.

    Raises:
        UserError: the folder holds something else, or results of other settings.
    """
    note = folder / note
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if note.is_file():
            earlier = json.loads(note.read_text(encoding="utf-8"))
            for name, value in settings.items():
                if earlier.get(name) != value:
                    raise UserError(f"{folder} was made with --{name} {earlier.get(name)}, not {value}: give another "
                                    f"{flag} or delete the folder")
        elif any(folder.iterdir()):
            raise UserError(f"{folder} is not empty and holds no {note.name}: give another {flag}")
        else:
            with atomic_write(note, "w", encoding="utf-8") as file:
                json.dump(settings, file, indent=2)
    except (OSError, ValueError) as error:
        raise UserError(f"{flag}: {folder} cannot be used ({error})") from error


def _rows(path, columns):
    """The whole rows of a table; none where there is no table, or one with other columns."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    table = csv.reader(text[:text.rfind("\n") + 1].splitlines(keepends=True))
    header = next(table, [])
    return [dict(zip(columns, row, strict=True)) for row in table if header == columns and len(row) == len(columns)]
