"""One process' share of a job that several do, on one machine or many: `--shard k/n`."""

import os
import re
from dataclasses import dataclass

from utils.errors import UserError

MOST = 4096  # shards of a folder: who merges opens a table for each, and systems let a process open so many files
# What schedulers call a task's number, the first number, the step between two, and how many there are or the last one.
ARRAYS = (
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP", "SLURM_ARRAY_TASK_COUNT", ""),
    ("SLURM_PROCID", "", "", "SLURM_NTASKS", ""),
    ("SGE_TASK_ID", "SGE_TASK_FIRST", "SGE_TASK_STEPSIZE", "", "SGE_TASK_LAST"),
    ("LSB_JOBINDEX", "", "LSB_JOBINDEX_STEP", "", "LSB_JOBINDEX_END"),
)


@dataclass(frozen=True)
class Shard:
    """Share `number` of `of` equal ones, from 1 on: items number, number + of, number + 2 of …"""

    number: int = 1
    of: int = 1

    def __str__(self):
        return f"{self.number}/{self.of}"

    def part(self, items):
        """Its items of anything that can be sliced."""
        return items[self.number - 1 :: self.of]


def parse_shard(text):
    """The Shard of "k/n"; of "" the whole; of "auto" that of the scheduler's task.

    Raises:
        UserError: --shard is no such share, or no scheduler says which.
    """
    if not text:
        return Shard()
    if text == "auto":
        return _of_scheduler(os.environ)
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]) <= MOST:
        raise UserError(f"--shard {text[:40]}: must be k/n with k from 1 to n, n at most {MOST}, e.g. 2/8, or auto")
    return Shard(int(match[1]), int(match[2]))


def _of_scheduler(environment):
    for own, first, step, count, last in ARRAYS:
        task = environment.get(own, "")
        if not task.isdecimal() or (own, task) == ("LSB_JOBINDEX", "0"):  # outside an array; SGE says "undefined"
            continue
        if not (count in environment or last in environment):
            raise UserError(f"--shard auto: {own} is set, {count or last} is not: give k/n")
        try:
            least = int(environment.get(first, "0" if own == "SLURM_PROCID" else "1"))
            each = int(environment.get(step, "1"))
            place, rest = divmod(int(task) - least, each)
            of = int(environment[count]) if count in environment else (int(environment[last]) - least) // each + 1
        except (ValueError, ZeroDivisionError):
            raise UserError(f"--shard auto: {first}, {step}, {count or last}: not all are numbers: give k/n") from None
        if rest or not 0 <= place < of <= MOST:
            raise UserError(f"--shard auto: {own} is {task} of {of} tasks from {least} on, at most {MOST}; "
                            "number them without gaps, or give k/n")  # fmt: skip
        return Shard(place + 1, of)
    raise UserError(f"--shard auto: no scheduler says which: none of {', '.join(names[0] for names in ARRAYS)} is set")
