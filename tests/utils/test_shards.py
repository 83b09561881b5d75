"""--shard: shares by hand and by a scheduler."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.errors import UserError
from utils.shards import ARRAYS, Shard, parse_shard


@pytest.fixture
def scheduler(monkeypatch):
    """A function that sets the environment of a task; before, there is none."""
    for name in {name for names in ARRAYS for name in names if name}:
        monkeypatch.delenv(name, raising=False)
    return lambda text: [monkeypatch.setenv(*pair.split("=")) for pair in text.split()]


@given(count=st.integers(0, 50), of=st.integers(1, 9))
def test_the_parts_are_everything_once(count, of):
    parts = [parse_shard(f"{number}/{of}").part(list(range(count))) for number in range(1, of + 1)]
    assert sorted(i for part in parts for i in part) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_nothing_is_the_whole():
    assert parse_shard("") == Shard(1, 1) and str(Shard(2, 8)) == "2/8"


@pytest.mark.parametrize(("environment", "expected"), [
    ("SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=2 SLURM_ARRAY_TASK_COUNT=8", Shard(3, 8)),
    ("SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2", Shard(1, 2)),
    ("SLURM_PROCID=1 SLURM_NTASKS=4", Shard(2, 4)),
    ("SGE_TASK_ID=undefined SGE_TASK_FIRST=undefined SGE_TASK_LAST=undefined SLURM_PROCID=0 SLURM_NTASKS=1", Shard()),
    ("SGE_TASK_ID=6 SGE_TASK_FIRST=5 SGE_TASK_LAST=10", Shard(2, 6)),
    ("SGE_TASK_ID=9 SGE_TASK_FIRST=1 SGE_TASK_LAST=10 SGE_TASK_STEPSIZE=2", Shard(5, 5)),
    ("SLURM_ARRAY_TASK_ID=6 SLURM_ARRAY_TASK_MIN=2 SLURM_ARRAY_TASK_STEP=4 SLURM_ARRAY_TASK_COUNT=2", Shard(2, 2)),
    ("LSB_JOBINDEX=2 LSB_JOBINDEX_END=3", Shard(2, 3)),
    ("LSB_JOBINDEX=0 SLURM_PROCID=1 SLURM_NTASKS=2", Shard(2, 2)),
])  # fmt: skip
def test_auto_is_what_the_scheduler_says(scheduler, environment, expected):
    scheduler(environment)
    assert parse_shard("auto") == expected


@pytest.mark.parametrize(("text", "environment", "message"), [
    ("3/2", "", "--shard 3/2: must be k/n with k from 1"),
    ("0/2", "", "--shard 0/2"),
    ("1", "", "--shard 1:"),
    ("1/5000", "", "n at most 4096"),
    ("1/" + 5000 * "9", "", "n at most 4096"),
    ("auto", "", "--shard auto: no scheduler says which"),
    ("auto", "SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=4", "without gaps"),
    ("auto", "SLURM_ARRAY_TASK_ID=3 SLURM_PROCID=0 SLURM_NTASKS=1", "SLURM_ARRAY_TASK_COUNT is not"),
    ("auto", "SGE_TASK_ID=2 SGE_TASK_FIRST=1 SGE_TASK_LAST=9 SGE_TASK_STEPSIZE=2", "without gaps"),
    ("auto", "SGE_TASK_ID=2 SGE_TASK_FIRST=1 SGE_TASK_LAST=x", "not all are numbers"),
])  # fmt: skip
def test_what_is_no_share_is_one_line(scheduler, text, environment, message):
    scheduler(environment)
    with pytest.raises(UserError, match=message):
        parse_shard(text)
