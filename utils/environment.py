"""What of a user's surroundings may not change or end a job: Keras' settings, and what becomes of the standard streams.

Processes that a job starts inherit the variables; `utils/processes.py` sets their streams up as these.
"""

import errno
import io
import os
import select
import sys


def pin_keras():
    """Make Keras what this project was written for, whatever the user's other work asks of it. Before its import.

    Keras reads its backend, number type and order of axes from KERAS_ variables and from a keras.json in KERAS_HOME or
    the home folder; this project's networks are TensorFlow's, with float32 and channels last.
    """
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["KERAS_HOME"] = os.devnull  # no folder: no keras.json is found, and none is written
    os.environ["TF_USE_LEGACY_KERAS"] = "0"  # tf.keras, for mtcnn, is Keras 3 too


def keep_streams():
    """Make stdout and stderr outlast their readers, and write any character.

    What cannot be written any more (`| head`, a closed terminal, a full disk) is lost; the job goes on. A stream that
    was closed before the start leads nowhere, so that no file of the job gets its number.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number, which is this one
    for number, name in ((1, "stdout"), (2, "stderr")):
        old = getattr(sys, name)
        if old is not None:
            old.flush()
        at_once, raw = getattr(old, "write_through", False), _Lasting(number, name)  # at_once: python -u
        setattr(sys, name, io.TextIOWrapper(
            raw if at_once else io.BufferedWriter(raw), getattr(old, "encoding", "utf-8"), "backslashreplace",
            line_buffering=getattr(old, "line_buffering", True), write_through=at_once))


class _Lasting(io.RawIOBase):
    """A standard stream's file descriptor; writing to it never fails."""

    def __init__(self, number, name):
        self.number, self.name, self.told = number, name, False

    def writable(self):
        return True

    def fileno(self):
        return self.number

    def isatty(self):
        return os.isatty(self.number)

    def write(self, data):
        left = memoryview(data).cast("B")
        while left:
            try:
                left = left[os.write(self.number, left):]
            except BlockingIOError:  # a pipe that does not wait, of whoever started this
                select.select([], [self.number], [])
            except OSError as error:
                self._lose(error)
                break
        return len(data)

    def _lose(self, error):
        if error.errno == errno.EPIPE:  # nobody reads it any more: what native code and other processes write goes too
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.number)
            os.close(nowhere)
        elif not self.told:
            self.told = True
            other = sys.stderr if self.name == "stdout" else sys.stdout
            print(f"warning: cannot write {self.name}: {error.strerror}; what does not fit is lost", file=other)
