"""The same work on many things, in several processes."""

import multiprocessing
import os
import pickle

from utils.environment import keep_streams
from utils.progress import Progress
from utils.quiet import quiet_start


def spread(worker, work, processes):
    """Yield worker(item) for each item of the list `work`: in its order in one process, in any order in several.

    Args:
        worker: a function that can be pickled. Each process gets it once, however many items there are: one that is
            slow to make, or large, gives pickle what it is made from (`__reduce__`).
        processes: how many at most, and no more than processors; 1 calls the worker here.

    Raises:
        what the worker raises, for the first item that it raises it for.
    """
    processes = _useful(processes, work)
    if processes == 1:
        yield from map(worker, work)
        return
    context = multiprocessing.get_context("spawn")  # forking after TensorFlow has threads can hang
    with context.Pool(processes, _start, (pickle.dumps(worker),)) as pool:
        yield from pool.imap_unordered(_call, work)


def work_through(worker, missing, total, label, processes):
    """Do what is missing of each person, with a bar that counts single things.

    Args:
        worker: as spread takes it; called as worker((person, things)) it returns how many it did, and with a function
            as second argument, in one process, it calls that after each thing.
        missing: list of (person, list of things).  total: things, those done before among them.
        label: of the bar.  processes: as spread takes it.
    """
    with Progress(total, label, initial=total - sum(len(things) for _, things in missing)) as progress:
        if _useful(processes, missing) == 1:
            for work in missing:
                worker(work, progress.update)
        else:
            for done in spread(worker, missing, processes):
                progress.update(done)


def processors():
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _useful(processes, work):
    """How many of the processes have something to do and a processor to do it on; 1 at least."""
    return max(1, min(processes, len(work), processors()))


_pickled = _worker = None


def _start(pickled):
    global _pickled
    keep_streams()
    _pickled = pickled


def _call(item):
    """Make the worker at the first item: what it raises then reaches `spread`; quietly: it may need TensorFlow."""
    global _worker
    if _worker is None:
        with quiet_start():
            _worker = pickle.loads(_pickled)
    return _worker(item)
