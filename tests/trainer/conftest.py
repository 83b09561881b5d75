"""A small trained run that several test files use: made once."""

from dataclasses import dataclass
from pathlib import Path

import pytest

import main
from tests.small import make_data, only_run, train_words, untraced


@dataclass(frozen=True)
class TrainedRun:
    """data: the folder of data sets.  logs: the folder of runs.  run: the run folder, two steps old."""

    data: Path
    logs: Path
    run: Path

    def words(self, job, *more):
        """A command line that uses the run."""
        return [job, "--log_dir", str(self.logs), "--pretrained_gen", str(self.run), *map(str, more)]


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    data, logs = make_data(folder / "data", identities=4), folder / "logs"
    with untraced():
        assert main.main(train_words(data, logs, "--max_step", "2", "--batch_size", "4")) == 0
    return TrainedRun(data, logs, only_run(logs))
