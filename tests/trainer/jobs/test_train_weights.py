"""`train --sample_weights` through main.py: bit by bit the same when resumed, and part of the run's settings."""

import json
import os

import numpy as np
import pytest

import main
from tests.small import make_data, only_run, train_words
from utils import runs

pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture
def data(tmp_path):
    return make_data(tmp_path / "data")


def arrays(run):
    with np.load(runs.newest_checkpoint(run)) as file:
        return {name: file[name] for name in file.files}


def differing(run, other):
    first, second = arrays(run), arrays(other)
    return [name for name in first if first[name].tobytes() != second[name].tobytes()]


def train(data, logs, *more):
    assert main.main(train_words(data, logs, *more)) == 0
    return only_run(logs)


def resume(run, logs, *more):
    words = ["train", "--load_path", run, "--log_dir", logs, "--max_step", 5, *more]
    assert main.main(list(map(str, words))) == 0
    return only_run(logs)


@pytest.mark.slow
def test_weights_change_the_order_resume_bit_by_bit_and_are_told_where_they_change(data, tmp_path, capsys):
    file = tmp_path / "weights.csv"
    file.write_text("file_name,weight\n3.jpg,30\n5.jpg,2\n")
    weights = ["--sample_weights", file]
    plain = train(data, tmp_path / "plain", "--max_step", 5)
    whole = train(data, tmp_path / "whole", "--max_step", 5, "--keep_step", 2, *weights)
    said = capsys.readouterr().out
    assert f"--sample_weights: {file} gives 2 of 6 images of {data / 'real'} a weight, from 2 to 30" in said
    assert differing(plain, whole)
    params = [json.loads((run / "params.json").read_text()) for run in (plain, whole)]
    assert [bool(each["image_weights"]) for each in params] == [False, True]
    assert [each["sample_weights"] for each in params] == ["", str(file)]

    middle = whole / "checkpoints" / "step-000000002.npz"
    assert not differing(whole, resume(middle, tmp_path / "resumed"))
    assert "drew images by other weights" not in capsys.readouterr().out

    file.write_text("file_name,weight\n3.jpg,1\n")
    assert differing(whole, resume(middle, tmp_path / "others"))
    told = f"{whole} drew images by other weights than now: it goes on, not as it would have there, bit by bit"
    assert told in capsys.readouterr().out
    resume(middle, tmp_path / "without", "--sample_weights", "")
    assert told in capsys.readouterr().out


@pytest.mark.slow
def test_equal_weights_train_what_no_weights_train(data, tmp_path):
    file = tmp_path / "weights.csv"
    file.write_text("file_name;weight\r\n" + "".join(f"{i}.jpg;0,5\r\n" for i in range(6)))
    runs = [train(data, tmp_path / name, "--max_step", 4, *more)
            for name, more in (("plain", []), ("equal", ["--sample_weights", file]))]  # fmt: skip
    assert not differing(*runs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--sample_weights: cannot read {file}: No such file or directory"),
        ("file_name,weight\n0.jpg,0\n", "--sample_weights: {file} line 2: a weight must be above 0, is 0"),
        ("file_name,weight\nx.jpg,1\n", "--sample_weights: {file} names no image of {data}/real, the first: x.jpg"),
    ],
)
def test_a_bad_file_is_one_line_and_leaves_no_run(data, tmp_path, capsys, text, message):
    file = tmp_path / "weights.csv"
    if text is not None:
        file.write_text(text)
    assert main.main(train_words(data, tmp_path / "logs", "--max_step", 1, "--sample_weights", file)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert line == f"error: {message.format(file=file, data=data)}"
    assert not os.path.exists(tmp_path / "logs")
