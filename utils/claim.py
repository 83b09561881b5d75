"""Output folders: each holds the results of one job with the same settings throughout, which a note in it says."""

import json
import os
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from utils.errors import UserError
from utils.files import MARK, TEMPORARY, atomic_write, read_json, remove_leftovers
from utils.flags import FLAGS

LOCK = ".claim.lock"  # stays in the folder, empty: to remove it would let two processes hold two files of that name
# What older notes leave out: it is not compared then.
UNSAID = ("input_content", "input_truth", "mixed_precision", "lfw_images")
BEFORE = {  # settings that older notes leave out, and what held then
    **{"detector": "mtcnn", "crop": "square", "head": "softmax", "margin": 0.0, "margin_scale": 64.0},
    **{"optimizer": "adam", "momentum": 0.9, "random_erasing": 0.0, "shared_people": False},
    **{"learning_rate_warm_up": 0, "learning_rate_power": 0.0, "renderer": 1, "identity_spread": 1.0},
    **{"most_frontal": 0},
}


class Claim:
    """A folder that is, or will be, the place of one job's results.

    The note, a JSON file, is written before the first result, whole or not at all. What a job is given and what the
    note says are compared by the settings that are given: a note may hold more.

    Args:
        folder: path; it need not exist.
        note: name of the note's file, e.g. "render.json".
        content: dict for JSON, what the note is to hold.
        flag: the flag that names the folder, for messages.
        settings: a function: content of a note -> {name: value}, what the results depend on. It raises KeyError,
            TypeError or ValueError where the content is not a note's. The default takes all of the content.
    """

    def __init__(self, folder, note, content, flag, settings=dict):
        self.folder, self.path = Path(folder), Path(folder) / note
        self.content, self.flag, self.settings = content, flag, settings
        self._locks = []

    def earlier(self):
        """What the note says where the folder holds results already; None where it is missing or empty.

        Writes nothing. Hidden files do not count.

        Raises:
            UserError: the folder holds files but no note, a note that is none, or results of other settings, each of
                which is named with both values; or it cannot be read.
        """
        with self._errors_named():
            return self._look()

    def take(self, alone=False):
        """Make the folder and write the note, or see that the folder is the job's.

        Several processes may do so at once: one of them writes the note, the others read it.

        Args:
            alone: this process is the only one that writes into the folder, until `release`. What killed runs left
                half written is removed.

        Raises:
            UserError: as `earlier`; another process holds the folder; or it cannot be made or written.
        """
        with self._errors_named():
            if self._look() is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # who holds the folder took what is written here for a leftover
                    self._write_first()
                self._look()
        if alone:
            self.hold()
            remove_leftovers(self.folder)

    def hold(self, name=LOCK, what="writes into", wait=False):
        """Keep other processes from holding the same, until `release`. Several may be held at once.

        Args:
            name: of a hidden file in the folder that stands for what is held, by default the folder.
            what: who holds it does with the folder, for the message.
            wait: until it is free, else that is an error.

        Raises:
            UserError: another process holds it; or it cannot be made.
        """
        lock = FileLock(self.folder / name)
        with self._errors_named():
            try:
                lock.acquire(timeout=-1 if wait else 0)
                self._locks.append(lock)
            except Timeout:
                raise UserError(f"{self.flag}: another process {what} {self.folder}: wait for it, or name another "
                                "folder") from None

    def __enter__(self):
        self.take(alone=True)
        return self

    def __exit__(self, *_):
        self.release()

    def release(self):
        """Let other processes hold all that this one held. The end of the process does it too."""
        while self._locks:
            self._locks.pop().release()

    def rewrite(self, content):
        """Give the note another content, of the same settings. Raises OSError."""
        self.content = content
        self._write(self.path)

    def _look(self):
        """As `earlier`, but for OSError."""
        foreign = self._visible_file()  # before the note is read: another process may write it, and then its results
        try:
            earlier = read_json(self.path)
            there = self.settings(earlier)
        except FileNotFoundError:
            if foreign is not None:
                raise UserError(f"{self.flag}: {self.folder} holds {foreign} but no {self.path.name}: name a new or an "
                                "empty folder") from None
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.flag}: {self.path} is not a {self.path.name} of this program: {error!r}") from error
        self._refuse_other(there)
        return earlier

    def _visible_file(self):
        """The name of something in the folder; None where it is missing or empty."""
        try:
            return min((name for name in os.listdir(self.folder) if not name.startswith(".")), default=None)
        except FileNotFoundError:
            return None

    def _refuse_other(self, there):
        here = self.settings(json.loads(json.dumps(self.content)))  # as JSON gives it back: a tuple is a list
        there = {name: here[name] for name in UNSAID if name in here} | BEFORE | there
        other = [f"{'--' if name in FLAGS else ''}{name} {there.get(name, 'nothing')} there, {value} here"
                 for name, value in here.items() if there.get(name) != value]
        if other:
            raise UserError(f"{self.flag}: {self.folder} holds results of other settings ({self.path.name}): "
                            f"{'; '.join(other)}. Give the same settings, or another folder")

    def _write_first(self):
        """Write the note where there is none yet; where another process was quicker, its note stays."""
        mine = self.folder / f"{MARK}{uuid.uuid4().hex}{TEMPORARY}"
        self._write(mine)
        try:
            os.link(mine, self.path)  # unlike a rename this fails where the name is taken
        except FileExistsError:
            pass
        except OSError:  # a file system without links: of two notes at once the later one stays
            os.replace(mine, self.path)
        mine.unlink(missing_ok=True)

    def _write(self, path):
        with atomic_write(path, "w", encoding="utf-8", newline="\n") as file:
            json.dump(self.content, file, indent=1)

    @contextmanager
    def _errors_named(self):
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"{self.flag}: {self.folder} cannot be used as output folder ({reason})") from error
