"""Writing files so that a kill or a full disk never leaves half of one."""

import hashlib
import json
import os
import re
import stat
import tempfile
import unicodedata
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath, PureWindowsPath

from utils.errors import UserError


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


SUMS = "SHA256SUMS"  # a list of files' checksums, for `sha256sum -c`
MARK, TEMPORARY = ".facegan-", ".tmp"  # a file that is being written begins and ends so: it is nobody else's
UMASK = _umask()  # read once: it can only be read by setting it, which threads would do in each other's way


def keep_newest(folder, pattern, count):
    """Remove all files of a cache folder that match, but for the `count` changed last. Safe between processes.

    One that may not be removed stays: Windows keeps what another process has open.
    """

    def age(path):
        try:
            return -path.stat().st_mtime
        except FileNotFoundError:  # another process was quicker
            return 0.0

    for old in sorted(Path(folder).glob(pattern), key=age)[count:]:
        with suppress(PermissionError):
            old.unlink(missing_ok=True)


def several(value, exists):
    """The names in "A,B", list of str; a name that holds commas itself is one where it exists.

    Args:
        value: of a flag.
        exists: a function: name -> whether there is a file or folder of that name.
    """
    if "," in value and exists(value):
        return [value]
    return [name.strip() for name in value.split(",")]


def spellings(name):
    """How a relative path that a table or list names may be spelt where the files lie: as it is; with "/", where it
    comes from Windows; with letters and accents composed or not, as macOS and others copy them. List of str, each once.
    """
    plain = name.replace("\\", "/")
    return list(dict.fromkeys([name, plain, *(unicodedata.normalize(form, plain) for form in ("NFC", "NFD"))]))


def last_part(path):
    """The last part of a path that was written on this system or on another one."""
    there = PureWindowsPath(path)
    return there.name if there.drive else PurePath(path).name


def refuse_outside(name, where):
    """Raise UserError, which begins with `where`, unless a relative path that a file names stays below its folder.

    Both separators count, since a table may come from another system.
    """
    if "\0" in name:
        raise UserError(f"{where}: {name!r} is no file's name")
    if ".." in re.split(r"[\\/]", name) or name.startswith(("/", "\\")) or PurePath(name).drive:
        raise UserError(f"{where}: {name!r} leads out of its folder")


def refuse_link_outside(path, folder, where):
    """Raise UserError, which begins with `where`, where a link on the way from a folder to `path` leads out of it."""
    if not lies_in(path, folder):
        raise UserError(f"{where}: {path} is a link that leads out of its folder")


def lies_in(path, folder):
    """Whether a path is a folder or something below it, links followed."""
    return Path(path).resolve().is_relative_to(Path(folder).resolve())


def refuse_in_inputs(flag, target, inputs):
    """Raise UserError where what `flag` names would be written into one of the user's folders.

    Args:
        flag: without dashes.  target: path.
        inputs: iterable of (flag without dashes, path of a folder that is only read).
    """
    for name, folder in inputs:
        if lies_in(target, Path(folder).expanduser()):
            raise UserError(f"--{flag}: {target} is in the input folder of --{name}, where nothing may be written")


def read_inside(folder, name, where):
    """The bytes of a file below a folder. Raises OSError too.

    Raises:
        UserError: a link leads out of the folder, or it is no file but a device, say; begins with `where`.
    """
    path = Path(folder) / name
    refuse_link_outside(path, folder, where)
    if not stat.S_ISREG(path.stat().st_mode):
        raise UserError(f"{where}: {path} is no file")
    return path.read_bytes()


def read_json(path, encoding="utf-8-sig"):
    """What a JSON file says. Raises OSError, and ValueError where it is no JSON, or nested deeper than any of ours."""
    try:
        return json.loads(Path(path).read_text(encoding=encoding))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


@contextmanager
def atomic_write(path, mode="wb", durable=True, **open_options):
    """Open a temporary file beside `path`; on leaving, flush it to disk and rename it to `path`. Safe between threads.

    Args:
        path: where the file ends up. Its folder must exist.
        mode: "wb" or "w".
        durable: wait until the disk has it. Without, a kill still leaves all or nothing, but a loss of power may not; a
            small file is written ten times faster.
        open_options: passed to open(), e.g. newline="" for CSV.

    Raises:
        OSError: as the write or the rename raised it; `path` is then what it was before.
    """
    path = Path(path)
    with naming(path):
        # Not after `path`: a name that is as long as names may be has no room for more.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=MARK, suffix=TEMPORARY)
        try:
            with os.fdopen(handle, mode, **open_options) as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~UMASK)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def atomic_path(path):
    """The path of a file to be written by others, which becomes `path` at the end of the block, or is gone.

    Args:
        path: its folder exists.
    """
    path = Path(path)
    with naming(path):
        temporary = path.parent / f"{MARK}{uuid.uuid4().hex}{TEMPORARY}"
        try:
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def remove_leftovers(folder):
    """Remove what killed runs left half written in a folder, at any depth, in which nobody writes just now."""
    for leftover in Path(folder).rglob(f"{MARK}*{TEMPORARY}"):
        leftover.unlink(missing_ok=True)


def allow_more_open_files(count):
    """Let this process open so many files more at once than it may, as far as the system lets it decide that."""
    try:
        import resource  # here: Windows has none
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        allowed = soft + count if hard == resource.RLIM_INFINITY else min(soft + count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def sum_line(digest, name):
    """A line of SHA256SUMS; a name with a line end in it is written as sha256sum itself writes it."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"


def read_sum_line(line):
    """(digest, name) of a line that sum_line wrote."""
    digest, _, name = line.rstrip("\n").partition("  ")
    if not digest.startswith("\\"):
        return digest, name
    return digest[1:], re.sub(r"\\([\\nr])", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), name)


def sha256_of(path):
    """SHA-256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def naming(path):
    """Give an OSError of writing `path` its name: a full disk's has none, others that of the temporary file."""
    try:
        yield
    except OSError as error:
        if error.filename is None or str(error.filename).endswith(TEMPORARY):
            error.filename = str(path)
        raise


def check_writable(folder, flag):
    """Find out before the work whether files can be written into a folder that need not exist yet. Leaves nothing.

    Args:
        folder: path.  flag: the flag that names it, for messages.

    Raises:
        UserError: it is a file or below one, or nothing can be written there.
    """
    folder = Path(folder)
    try:
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not existing.is_dir():
            raise UserError(f"{flag}: {existing} is not a folder")
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"x")
    except OSError as error:
        raise UserError(f"{flag}: cannot write in {folder}: {error.strerror or error}") from error
