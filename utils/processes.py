"""The same work on many things, in several processes."""

import multiprocessing


def spread(worker, work, processes):
    """Yield worker(item) for each item of the list `work`: in its order in one process, in any order in several.

    Args:
        worker: a function that can be pickled. Each process gets it once, however many items there are: one that is
            slow to make, or large, gives pickle what it is made from (`__reduce__`).
        processes: how many at most; 1 calls the worker here.

    Raises:
        what the worker raises, for the first item that it raises it for.
    """
    if processes == 1 or len(work) < 2:
        yield from map(worker, work)
        return
    context = multiprocessing.get_context("spawn")  # forking after TensorFlow has threads can hang
    with context.Pool(min(processes, len(work)), _start, (worker,)) as pool:
        yield from pool.imap_unordered(_call, work)


_worker = None


def _start(worker):
    global _worker
    _worker = worker


def _call(item):
    return _worker(item)
