"""What an unpacked asset must hold: a list of SHA-256 beside its folder, as `sha256sum` writes it, looked at on use."""

import hashlib
import json
import os
from pathlib import Path

from utils.files import atomic_write, read_json, sha256_of

LARGE = 2**20  # bytes from which a file is read again only where its size or time has changed
NOT_OURS = ("Thumbs.db", "desktop.ini")  # what file managers leave, beside hidden files


class Manifest:
    """The files of a folder, and those it should have.

    Beside <folder> lie <folder>.sha256, the list, and <folder>.seen.json: sizes and times of large files when they were
    last read. Both are made again where they are missing.

    Args:
        folder: Path.
        pinned: SHA-256 of the list, known from elsewhere; "": any list is right.
    """

    def __init__(self, folder, pinned=""):
        self.folder, self.pinned = folder, pinned
        self.path, self.seen = (folder.with_name(f"{folder.name}{ending}") for ending in (".sha256", ".seen.json"))

    def look(self):
        """(what is wrong with its files, a line each; names of files that are none of its): ([], []) where all is well.
        """
        listed = self._read() or self._made_again()
        if listed is None:
            return ["its files are not those of the package"], []
        there, seen = set(self._files()), self._seen()
        lines = [f"{name} is missing" for name in sorted(set(listed) - there)]
        known = {name: self._known(name, digest, seen) for name, digest in listed.items() if name in there}
        lines += [f"{name} is damaged" for name, entry in known.items() if entry is None]
        large = {name: entry for name, entry in known.items() if entry and entry[0] >= LARGE}
        if large != seen and not lines:
            _write_where_possible(self.seen, json.dumps(large, indent=1))
        return lines, sorted(there - set(listed))

    def text(self):
        """The list of what is there now: `<SHA-256>  <path>`, a line for each file, in the order of the paths."""
        return "".join(f"{sha256_of(self.folder / name)}  {name}\n" for name in self._files())

    def write(self):
        """Write the list of what is there now, where the disk lets it."""
        _write_where_possible(self.path, self.text())

    def fits(self, text):
        """Whether a list is the pinned one."""
        return not self.pinned or hashlib.sha256(text.encode()).hexdigest() == self.pinned

    def _read(self):
        """{path: SHA-256} of the list; None where there is none, or it is not the pinned one."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return _parsed(text) if self.fits(text) else None

    def _made_again(self):
        """The same of a list made anew; None where that is not what is pinned."""
        try:
            text = self.text() if self.pinned else ""
        except OSError:  # a file cannot be read
            return None
        if not text or not self.fits(text):
            return None
        _write_where_possible(self.path, text)
        return _parsed(text)

    def _files(self):
        """Relative paths, with forward slashes, of the files that count, in order."""
        paths = (path.relative_to(self.folder) for path in self.folder.rglob("*") if not path.is_dir())
        return sorted(path.as_posix() for path in paths
                      if path.name not in NOT_OURS and not any(part.startswith(".") for part in path.parts))

    def _seen(self):
        try:
            return dict(read_json(self.seen))
        except (OSError, ValueError, TypeError):
            return {}

    def _known(self, name, digest, seen):
        """[size, time, SHA-256] of a file that is as listed; None for one that is not, or cannot be read."""
        try:
            status = os.stat(self.folder / name)
            entry = [status.st_size, status.st_mtime_ns, digest]
            right = (status.st_size >= LARGE and seen.get(name) == entry) or sha256_of(self.folder / name) == digest
        except OSError:
            return None
        return entry if right else None


def _parsed(text):
    return {line[66:]: line[:64] for line in text.splitlines()}


def _write_where_possible(path, text):
    """A list that cannot be kept is made again at the next use."""
    try:
        with atomic_write(Path(path), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError:
        pass
