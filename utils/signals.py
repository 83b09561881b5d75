"""Stopping in an orderly way on Ctrl-C, SIGTERM or a terminal that is closed."""

import signal


class StopRequest:
    """Context manager: inside, the first SIGINT, SIGTERM or SIGHUP only sets `name`; a second one acts as usual.

    A SIGHUP that is ignored, as under nohup, stays so.

    Attributes:
        name: of the signal that came, e.g. "SIGINT"; None while none has.
    """

    def __init__(self):
        self.name = None

    def __enter__(self):
        self._previous = {number: signal.signal(number, self._note) for number in _numbers()}
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number, _):
        if self.name is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.name = signal.Signals(number).name


def _numbers():
    closed = getattr(signal, "SIGHUP", None)  # Windows has none
    heard = closed is not None and signal.getsignal(closed) != signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *((closed,) if heard else ()))
