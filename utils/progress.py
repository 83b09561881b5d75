"""A bar on a terminal, plain lines everywhere else."""

import sys
import time

from tqdm import tqdm


class Progress:
    """Count `total` things done; use as a context manager and call `update`.

    Args:
        total: how many there are.
        label: what is counted, e.g. "render".
        initial: how many were done before.
        seconds: at most one plain line in so many seconds, where stderr is no terminal.
    """

    def __init__(self, total, label, initial=0, seconds=10.0):
        self.total, self.label, self.done = total, label, initial
        self.seconds, self.last = seconds, time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.bar = tqdm(total=total, initial=initial, desc=label, dynamic_ncols=True, disable=not self.terminal)

    def update(self, count=1, **values):
        """Count `count` more; `values` are shown beside the bar."""
        self.done += count
        if values:
            self.bar.set_postfix(values, refresh=False)
        self.bar.update(count)
        now = time.monotonic()
        if not self.terminal and (now - self.last >= self.seconds or self.done == self.total):
            self.last = now
            print(f"[{self.done}/{self.total}] {self.label}", file=sys.stderr, flush=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()
