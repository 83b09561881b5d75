"""Writing files so that a kill or a full disk never leaves half of one."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path, mode="wb", **open_options):
    """Open a temporary file beside `path`; on leaving, flush it to disk and rename it to `path`.

    Args:
        path: where the file ends up. Its folder must exist.
        mode: "wb" or "w".
        open_options: passed to open(), e.g. newline="" for CSV.

    Raises:
        OSError: as the write or the rename raised it; `path` is then what it was before.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, mode, **open_options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
