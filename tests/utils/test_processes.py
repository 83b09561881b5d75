import os

import pytest

from utils.errors import UserError
from utils.processes import spread


class Worker:
    """Slow to make: says who made it, and pickles as what it is made from."""

    def __init__(self, factor):
        self.factor, self.made_by = factor, os.getpid()

    def __reduce__(self):
        return Worker, (self.factor,)

    def __call__(self, number):
        if number == 13:
            raise ValueError("unlucky")
        return number * self.factor, os.getpid(), self.made_by


@pytest.fixture(autouse=True)
def two_processors(monkeypatch):
    monkeypatch.setattr("utils.processes.processors", lambda: 2)


def test_several_processes_make_a_worker_each():
    found = list(spread(Worker(3), list(range(8)), 2))
    assert sorted(product for product, _, _ in found) == list(range(0, 24, 3))
    assert all(here == made_by != os.getpid() for _, here, made_by in found)


@pytest.mark.parametrize(("work", "processes"), [([5, 2], 1), ([4], 2), ([], 2)])
def test_little_work_stays_here_and_in_order(work, processes):
    assert [found[:2] for found in spread(Worker(3), work, processes)] == [(3 * item, os.getpid()) for item in work]


def test_no_more_processes_than_processors(monkeypatch):
    assert len({here for _, here, _ in spread(Worker(3), list(range(12)), 8)} - {os.getpid()}) <= 2
    monkeypatch.setattr("utils.processes.processors", lambda: 1)
    assert {here for _, here, _ in spread(Worker(3), list(range(8)), 8)} == {os.getpid()}


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_worker_raises_ends_the_work(processes):
    with pytest.raises(ValueError, match="unlucky"):
        list(spread(Worker(3), [13, 1, 2], processes))


class Unmakeable(Worker):
    def __reduce__(self):
        return _raise, ("no such model",)


def _raise(message):
    raise UserError(message)


def test_a_worker_that_cannot_be_made_ends_the_work():
    with pytest.raises(UserError, match="no such model"):
        list(spread(Unmakeable(3), [1, 2], 2))
