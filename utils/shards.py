"""One process' share of a job that several do, on one machine or many: `--shard k/n`."""

import os
import re
from dataclasses import dataclass

from utils.errors import UserError

# What schedulers call a task's number, the first number, and how many there are or the last number.
ARRAYS = (
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT", ""),
    ("SLURM_PROCID", "", "SLURM_NTASKS", ""),
    ("SGE_TASK_ID", "SGE_TASK_FIRST", "", "SGE_TASK_LAST"),
    ("LSB_JOBINDEX", "", "", "LSB_JOBINDEX_END"),
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
    match = re.fullmatch(r"(\d+)/(\d+)", text, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"--shard {text}: must be k/n with k from 1 to n, e.g. 2/8, or auto")
    return Shard(int(match[1]), int(match[2]))


def _of_scheduler(environment):
    for own, first, count, last in ARRAYS:
        if own not in environment or not (count in environment or last in environment):
            continue
        try:
            least = int(environment.get(first, "0" if own == "SLURM_PROCID" else "1"))
            number = int(environment[own]) - least + 1
            of = int(environment[count]) if count in environment else int(environment[last]) - least + 1
        except ValueError:
            continue  # "undefined", as SGE says outside an array
        if not 1 <= number <= of:
            raise UserError(f"--shard auto: {own} is {environment[own]} of {of} tasks from {least} on; number them "
                            f"without gaps, or give k/n")  # fmt: skip
        return Shard(number, of)
    raise UserError(f"--shard auto: no scheduler says which: none of {', '.join(names[0] for names in ARRAYS)} is set")
