"""Photographs drawn in proportion to weights: the file, the order, and that it goes on from any position."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loader.folders import index_images
from data_loader.pipeline import permutation, shuffled_order
from data_loader.sample_weights import GOLDEN, drawn, read_weights
from tests.data_loader.test_pipeline import numbers, same, sources, take, write  # noqa: F401 (a fixture)
from utils.errors import UserError

FLAG = "--sample_weights"
WEIGHTS = st.lists(st.floats(0.05, 20), min_size=1, max_size=12).map(np.array)
SEEDS, STREAMS = st.integers(0, 2**31 - 1), st.sampled_from(["real", "synthetic"])


@pytest.fixture
def index(tmp_path):
    """Three photographs: a/1.jpg, a/2.png, b/Jose (with an accent as macOS writes it).png."""
    for number, name in enumerate(("a/1.jpg", "a/2.png", "b/Jose\u0301.png")):
        write(tmp_path / "photographs", name, number)
    return index_images(tmp_path / "photographs", tmp_path / "cache")


def weights_of(index, text, encoding="utf-8"):
    path = index.folder + ".csv"
    with open(path, "w", encoding=encoding, newline="") as file:
        file.write(text)
    return read_weights(path, index, FLAG)


@settings(max_examples=30)
@given(WEIGHTS, SEEDS, STREAMS)
def test_long_run_frequencies_follow_the_weights(weights, seed, stream):
    n, epochs = len(weights), 400
    order = shuffled_order(n, seed, stream, weights)
    counts = np.bincount([order(position) for position in range(n * epochs)], minlength=n)
    shares = n * weights / weights.sum()
    # Kuipers and Niederreiter 1974, chapter 2, theorem 3.4, of the golden ratio's multiples; at both ends of a share.
    assert np.abs(counts - epochs * shares).max() <= 2 * (3 + (1 / np.log(1 + GOLDEN) + 1 / np.log(2)) * np.log(epochs))
    assert counts.sum() == n * epochs


@given(WEIGHTS, SEEDS, STREAMS, st.integers(0, 10**6))
def test_every_image_comes_and_none_too_often(weights, seed, stream, epoch):
    shares = len(weights) * weights / weights.sum()
    needed = int(np.ceil(2 / shares.min()))
    counts = np.stack([np.bincount(drawn(weights, seed, stream, epoch + k), minlength=len(weights))
                       for k in range(needed)])  # fmt: skip
    assert (counts.sum(axis=0) > 0).all()
    assert (np.abs(counts - shares) < 1 + 1e-9).all()  # as often as the share says, rounded up or down
    assert (counts.sum(axis=1) == len(weights)).all()


@given(st.integers(1, 300), st.floats(0.01, 100), SEEDS, STREAMS, st.integers(0, 2**40))
def test_equal_weights_are_todays_order(n, weight, seed, stream, epoch):
    order = shuffled_order(n, seed, stream, np.full(n, weight))
    np.testing.assert_array_equal([order(epoch * n + k) for k in range(n)], permutation(n, seed, stream, epoch))


def test_seeds_draw_differently():
    weights = np.linspace(0.1, 2, 50)
    assert len({drawn(weights, seed, "real", 0).tobytes() for seed in range(5)}) > 1


def test_a_resumed_run_equals_the_straight_run_and_only_the_weighted_source_changes(sources):  # noqa: F811
    weights = {"real": np.array([50.0] + 12 * [1.0])}
    straight = take(sources, 15, weights=weights)
    same(straight[7:], take(sources, 8, weights=weights, start_step=7, workers=5))
    plain = take(sources, 15)
    assert [numbers(batch["synthetic"]) for batch in straight] == [numbers(batch["synthetic"]) for batch in plain]
    seen = np.concatenate([numbers(batch["real"]) for batch in straight[:13]])  # four epochs
    assert abs(np.sum(seen == 0) - 4 * 13 * 50 / 62) < 4


@pytest.mark.parametrize("text", [
    "file_name,weight\na/1.jpg,2.5\nb/Jose\u0301.png,4\n",
    "\ufeffweight;file_name\r\n2,5;a\\1.jpg\r\n4;b\\Jos\u00e9.png\r\n",
    "weight\tperson\tfile_name\n2.5\tx\ta/1.png\n4\ty\tb/Jos\u00e9.tif\n",
    "path,person,weight\na/1.jpg,x,2.5\nb/Jos\u00e9.png,,4\n",
])  # fmt: skip
def test_a_file_as_editors_save_it(index, capsys, text):
    np.testing.assert_array_equal(weights_of(index, text), [2.5, 1, 4])
    said = capsys.readouterr()
    told = f"gives 2 of 3 images of {index.folder} a weight, from 2.5 to 4; the other 1 weigh 1"
    assert said.out == f"{FLAG}: {index.folder}.csv {told}\n"
    assert not said.err


def test_a_name_goes_to_just_that_image_where_there_is_one(index, tmp_path):
    write(tmp_path / "photographs", "a/1.png", 7)
    index = index_images(tmp_path / "photographs", tmp_path / "cache")
    paths = [index.relative_path(i) for i in range(4)]
    weights = weights_of(index, "file_name,weight\na/1.png,3\na/1.jpg,2\n")
    assert dict(zip(paths, weights, strict=True)) == {"a/1.jpg": 2, "a/1.png": 3, "a/2.png": 1, "b/Jose\u0301.png": 1}


def test_names_of_no_photograph_are_counted(index, capsys):
    np.testing.assert_array_equal(weights_of(index, "file_name,weight\ngone.jpg,9\na/2.png,2\nc/3.jpg,1\n"), [1, 2, 1])
    (line,) = capsys.readouterr().err.splitlines()
    told = f"2 names are no images of {index.folder}, the first: gone.jpg"
    assert line == f"warning: {FLAG}: {index.folder}.csv: {told}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: column weight is missing; there are: none"),
        ("file_name,wait\na/1.jpg,2\n", "line 1: column weight is missing; there are: file_name, wait"),
        ("weight,size\n2,3\n", "line 1: no column of file names: call it file_name, or put it first"),
        ("file_name,weight\na/1.jpg,heavy\n", "line 2: column weight is no number: 'heavy'"),
        ("file_name,weight\na/1.jpg,2\na/2.png,0\n", "line 3: a weight must be above 0, is 0"),
        ("file_name,weight\na/1.jpg,-1\n", "line 2: a weight must be above 0, is -1"),
        ("file_name,weight\na/1.jpg,nan\n", "line 2: a weight must be above 0, is nan"),
        ("file_name,weight\na/1.jpg,inf\n", "line 2: a weight must be above 0, is inf"),
        ("file_name,weight\na/1.jpg,2\na\\1.jpg,2\n", r"line 3: a\\1.jpg has a weight already, in line 2"),
        ("file_name,weight\n../1.jpg,2\n", "line 2: '../1.jpg' leads out of its folder"),
        ("file_name,weight\na/1.jpg\n", "line 2: 1 values for 2 columns"),
        ("file_name,weight\ngone.jpg,2\n", " names no image of .*photographs, the first: gone.jpg"),
    ],
)
def test_a_bad_file_is_one_line(index, text, message):
    with pytest.raises(UserError, match=f"{FLAG}: {index.folder}.csv ?{message}"):
        weights_of(index, text)


def test_no_such_file(index):
    with pytest.raises(UserError, match=f"{FLAG}: cannot read gone.csv: No such file"):
        read_weights("gone.csv", index, FLAG)
