"""Stopping in an orderly way on Ctrl-C or SIGTERM."""

import signal


class StopRequest:
    """Context manager: inside, the first SIGINT or SIGTERM only sets `name`; a second one acts as usual.

    Attributes:
        name: of the signal that came, e.g. "SIGINT"; None while none has.
    """

    def __init__(self):
        self.name = None

    def __enter__(self):
        self._previous = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number, _):
        if self.name is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.name = signal.Signals(number).name
