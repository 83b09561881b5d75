"""--cache: the same batches from memory and from the disk, after a kill, beside another process, and no room."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_loader import folders, pixel_cache
from data_loader.folders import index_images, index_pairs
from data_loader.joined import JoinedIndex, SubsetIndex
from data_loader.pipeline import SkippedFiles, checked, training_batches
from tests.small import SOURCES, make_data
from utils.errors import UserError

SIZE = 12
ROOT = Path(pixel_cache.__file__).parents[1]


@pytest.fixture
def sources(tmp_path):
    data, cache = make_data(tmp_path / "data", photographs=120), tmp_path / "index"
    return {"real": index_images(data / "real", cache),
            "synthetic": index_images(data / "syn", cache, labelled=True),
            "pair": index_pairs(data / "paired", cache)}  # fmt: skip


def take(sources, readers=None, count=60):
    skipped = SkippedFiles()
    batches = checked(training_batches(SOURCES, sources, 4, SIZE, 3, skipped, workers=3, readers=readers), skipped)
    return [{key: v.numpy() for key, v in batch.items()} for batch in itertools.islice(batches, count)], skipped.rows


def same(batches, others):
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for key in batch:
            np.testing.assert_array_equal(batch[key], other[key])


def test_the_same_batches_and_the_same_skipped_files(sources, tmp_path):
    (tmp_path / "data" / "real" / "7.jpg").write_bytes(b"text")
    expected, unreadable = take(sources)
    assert len(unreadable) == 1
    for cache in ("none", "memory", "disk"):
        readers = pixel_cache.open_readers(sources, SIZE, cache, tmp_path / "pixels")
        for _ in range(2):
            batches, skipped = take(sources, readers)
            same(batches, expected)
            assert skipped == unreadable


def test_files_are_decoded_once(sources, tmp_path):
    """After one reading all files may go; from the disk also in the next run, from memory not."""
    expected, _ = take(sources)
    for cache in ("memory", "disk"):
        readers = pixel_cache.open_readers(sources, SIZE, cache, tmp_path / "pixels")
        take(sources, readers)
        if cache == "disk":
            readers = pixel_cache.open_readers(sources, SIZE, cache, tmp_path / "pixels")
        os.rename(tmp_path / "data", tmp_path / "away")
        same(take(sources, readers)[0], expected)
        os.rename(tmp_path / "away", tmp_path / "data")


def test_other_images_other_files(sources, tmp_path):
    """A file is named by what the folder held, by the size and by which images of it there are."""
    base = sources["synthetic"]
    indexes = [base, SubsetIndex(base, [0, 4]), SubsetIndex(base, [4, 0]), JoinedIndex([base, base]), sources["pair"]]
    Image.new("RGB", (9, 9)).save(tmp_path / "data" / "syn" / "00001" / "new.png")
    indexes.append(index_images(tmp_path / "data" / "syn", tmp_path / "index", labelled=True))
    pixels = tmp_path / "pixels"
    for number, index in enumerate(indexes):
        readers = pixel_cache.open_readers({"a": index}, SIZE, "disk", pixels)
        assert len(list(pixels.iterdir())) == number + 1
        for i in range(len(index)):
            expected = [folders.decode(path, SIZE) for path in index.files(i)]
            np.testing.assert_array_equal(readers["a"](i), expected)
    pixel_cache.open_readers({"a": base}, SIZE, "disk", pixels)
    assert len(list(pixels.iterdir())) == len(indexes)
    pixel_cache.open_readers({"a": base}, SIZE + 4, "disk", pixels)
    assert len(list(pixels.iterdir())) == len(indexes) + 1


@pytest.mark.parametrize("damage", ["pixels", "sums", "all", "end"])
def test_what_is_not_whole_is_decoded_again(sources, tmp_path, damage):
    expected, _ = take(sources)
    take(sources, pixel_cache.open_readers(sources, SIZE, "disk", tmp_path / "pixels"))
    for path in (tmp_path / "pixels").iterdir():
        data, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
        where = {"pixels": slice(len(data) // 2, None), "sums": slice(0, 12), "all": slice(0, None)}.get(damage)
        if where:
            data[where] = rng.bytes(len(data[where]))
        else:
            del data[-100:]
        path.write_bytes(data)
    same(take(sources, pixel_cache.open_readers(sources, SIZE, "disk", tmp_path / "pixels"))[0], expected)


READ_ALL = """
import sys, time
import numpy as np
from data_loader import folders, pixel_cache
index = folders.index_images(sys.argv[1], sys.argv[2])
read = pixel_cache.open_readers({"real": index}, 12, "disk", sys.argv[3])["real"]
images = []
for i in range(len(index)):
    images.append(read(i).copy())
    time.sleep(float(sys.argv[4]))
np.save(sys.argv[5], np.stack(images))
"""


def reading(tmp_path, name, pause=0.0):
    words = [tmp_path / "data" / "real", tmp_path / "index", tmp_path / "pixels", pause, tmp_path / name]
    return subprocess.Popen([sys.executable, "-c", READ_ALL, *map(str, words)], cwd=ROOT)


def test_a_kill_and_two_processes_at_once(sources, tmp_path):
    index = sources["real"]
    expected = np.stack([[folders.decode(index.path(i), SIZE)] for i in range(len(index))])
    killed = reading(tmp_path, "killed.npy", pause=0.02)
    end = time.monotonic() + 60
    while not (files := list(tmp_path.glob("pixels/*"))) or not any(files[0].read_bytes()[:40]):
        assert killed.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not all(np.frombuffer(files[0].read_bytes()[:4 * len(index)], np.uint32))
    pair = [reading(tmp_path, f"{number}.npy") for number in range(2)]
    assert [process.wait(60) for process in pair] == [0, 0]
    for number in range(2):
        np.testing.assert_array_equal(np.load(tmp_path / f"{number}.npy"), expected)


def test_no_room_is_one_line(sources, tmp_path):
    huge = {"real": sources["real"]}
    with pytest.raises(UserError, match=r"^--cache memory: the pixels take 36000000.0 GB, more than half of the .* GB"):
        pixel_cache.open_readers(huge, 10**7, "memory", tmp_path / "pixels")
    with pytest.raises(UserError, match=r"^--cache disk: the pixels of .*real take 36000000.0 GB, .*--asset_dir"):
        pixel_cache.open_readers(huge, 10**7, "disk", tmp_path / "pixels")
    assert not list((tmp_path / "pixels").iterdir())
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match="^--cache disk: cannot keep pixels in .*file"):
        pixel_cache.open_readers(huge, SIZE, "disk", tmp_path / "file")
    with pytest.raises(UserError, match="^--cache: 'tape' is none of none, memory, disk"):
        pixel_cache.open_readers(huge, SIZE, "tape", tmp_path / "pixels")
