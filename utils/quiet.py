"""Keep TensorFlow's start-up chatter off the terminal."""

import os
import sys
import tempfile
from contextlib import contextmanager, suppress

QUIET = "3"  # nothing from TensorFlow's native code but fatal errors


@contextmanager
def quiet_start():
    """Hold back what native code writes to stderr; show it if an exception ends the block.

    TensorFlow's import logs before its own log level applies, so only the file descriptor can hold it back. Set
    TF_CPP_MIN_LOG_LEVEL=0 to see it all.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", QUIET) != QUIET:
        yield
        return
    try:
        held = tempfile.TemporaryFile()
    except OSError:  # no place for it: then the chatter is seen
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            with suppress(OSError):  # where stderr leads nowhere
                os.write(kept, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
