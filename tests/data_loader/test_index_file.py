"""The cached list: order, keys, corruption, several processes, links."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loader import index_file
from data_loader.folders import index_images
from data_loader.index_file import natural_key
from utils.errors import UserError

NAMES = st.text("aA019.-_ é", min_size=1, max_size=8)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def touch(folder, *files):
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def listed(index):
    return [index.relative_path(i) for i in range(len(index))]


def test_numbers_sort_as_numbers_and_folders_stay_together():
    paths = ["a/10.jpg", "a/9.jpg", "a-b/1.jpg", "10/x", "9/x", "009/x", "a/b/1.jpg", "a/09.jpg"]
    ordered = sorted(paths, key=lambda path: natural_key(path.encode()))
    assert ordered == ["9/x", "009/x", "10/x", "a/9.jpg", "a/09.jpg", "a/10.jpg", "a/b/1.jpg", "a-b/1.jpg"]


@settings(deadline=None)
@given(st.lists(PATHS, unique=True, min_size=2, max_size=20))
def test_natural_order_is_total_and_keeps_folders_together(paths):
    ordered = sorted(paths, key=lambda path: natural_key(path.encode()))
    assert len({natural_key(path.encode()) for path in paths}) == len(paths)
    tops = [path.partition("/")[0] for path in ordered]
    assert sum(a != b for a, b in zip(tops, tops[1:], strict=False)) == len(set(tops)) - 1


@settings(deadline=None)
@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_natural_order_of_numbers(a, b):
    assert (natural_key(b"im%d.png" % a) < natural_key(b"im%d.png" % b)) == (a < b)


def test_several_sorted_runs_merge(tmp_path, monkeypatch):
    monkeypatch.setattr(index_file, "_SORTED_AT_ONCE", 7)
    touch(tmp_path / "set", *(f"{k % 3}/{k}.jpg" for k in range(50)))
    index = index_images(tmp_path / "set", tmp_path / "cache", labelled=True)
    assert listed(index) == [f"{label}/{k}.jpg" for label in range(3) for k in range(50) if k % 3 == label]
    np.testing.assert_array_equal(index.labels, [int(path[0]) for path in listed(index)])


def test_hidden_files_other_files_and_loops_are_left_out(tmp_path):
    touch(tmp_path / "set", "a/1.JPG", "a/.2.jpg", ".b/3.jpg", "a/notes.txt", "4.webp", "5.PGM")
    (tmp_path / "set/a/back").symlink_to(tmp_path / "set")
    (tmp_path / "set/self").symlink_to("self")
    os.mkfifo(tmp_path / "set/pipe.jpg")
    assert listed(index_images(tmp_path / "set", tmp_path / "cache")) == ["4.webp", "5.PGM", "a/1.JPG"]


def test_linked_root_file_and_folder_are_followed_and_a_broken_link_is_listed(tmp_path):
    touch(tmp_path / "real", "a/1.jpg")
    touch(tmp_path / "set", "2.jpg")
    (tmp_path / "set/a").symlink_to(tmp_path / "real/a")
    (tmp_path / "set/3.jpg").symlink_to(tmp_path / "real/a/1.jpg")
    (tmp_path / "set/4.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "root").symlink_to(tmp_path / "set")
    assert listed(index_images(tmp_path / "root", tmp_path / "cache")) == ["2.jpg", "3.jpg", "4.jpg", "a/1.jpg"]


def test_names_that_are_not_utf8(tmp_path):
    (tmp_path / "set").mkdir()
    name = b"\xff\n1.jpg"
    Path(os.fsdecode(os.fsencode(tmp_path / "set") + b"/" + name)).write_bytes(b"x")
    assert os.path.exists(index_images(tmp_path / "set", tmp_path / "cache").path(0))


def test_unchanged_and_moved_data_reuse_the_index(tmp_path):
    touch(tmp_path / "set", "a/1.jpg", "b/2.jpg")
    first = index_images(tmp_path / "set", tmp_path / "cache")
    (written,) = (tmp_path / "cache").iterdir()
    inode = written.stat().st_ino
    (tmp_path / "set").rename(tmp_path / "moved")
    second = index_images(tmp_path / "moved", tmp_path / "cache")
    assert [path.stat().st_ino for path in (tmp_path / "cache").iterdir()] == [inode]
    assert first.digest == second.digest and second.path(0) == str(tmp_path / "moved/a/1.jpg")


@pytest.mark.parametrize("change", ["add", "remove", "replace", "rewrite", "rename"])
def test_a_change_makes_a_new_index(tmp_path, change):
    touch(tmp_path / "set", "1.jpg", "2.jpg", "3.jpg")
    before = index_images(tmp_path / "set", tmp_path / "cache")
    file = tmp_path / "set/2.jpg"
    if change == "add":
        touch(tmp_path / "set", "4.jpg")
    elif change == "remove":
        file.unlink()
    elif change == "replace":
        file.write_bytes(b"longer than before")
    elif change == "rewrite":
        os.utime(file, ns=(1, 1))
    else:
        file.rename(tmp_path / "set/20.jpg")
    after = index_images(tmp_path / "set", tmp_path / "cache")
    assert after.digest != before.digest
    assert listed(after) == sorted(listed(after), key=lambda name: int(name[:-4]))
    assert set(listed(after)) == {path.name for path in (tmp_path / "set").iterdir()}


@pytest.mark.parametrize("damage", ["cut", "empty", "bit", "magic"])
def test_a_damaged_index_is_rebuilt(tmp_path, damage):
    touch(tmp_path / "set", "a/1.jpg", "b/2.jpg")
    index_images(tmp_path / "set", tmp_path / "cache")
    (written,) = (tmp_path / "cache").iterdir()
    whole = written.read_bytes()
    flipped = bytes([whole[64] ^ 1])
    written.write_bytes({"cut": whole[:-3], "empty": b"", "bit": whole[:64] + flipped + whole[65:],
                         "magic": b"x" + whole[1:]}[damage])
    assert listed(index_images(tmp_path / "set", tmp_path / "cache")) == ["a/1.jpg", "b/2.jpg"]
    assert written.read_bytes() == whole


def test_old_indexes_do_not_pile_up(tmp_path):
    for k in range(40):
        touch(tmp_path / "set", f"{k}.jpg")
        index = index_images(tmp_path / "set", tmp_path / "cache")
    kept = [path.stem for path in (tmp_path / "cache").iterdir()]
    assert len(kept) == 32 and index.digest in kept


def test_an_index_outlives_its_file(tmp_path):
    touch(tmp_path / "set", "1.jpg")
    index = index_images(tmp_path / "set", tmp_path / "cache")
    (tmp_path / "cache" / f"{index.digest}.index").unlink()
    assert listed(index) == ["1.jpg"]


def test_processes_may_index_at_once(tmp_path):
    touch(tmp_path / "set", *(f"{k % 10}/{k}.jpg" for k in range(500)))
    code = ("import sys; from data_loader.folders import index_images\n"
            "for _ in range(20):\n"
            "    index = index_images(sys.argv[1], sys.argv[2], labelled=True)\n"
            "    assert len(index) == 500 and len(index.label_names) == 10\n"
            "    __import__('pathlib').Path(sys.argv[2], index.digest + '.index').unlink(missing_ok=True)\n")
    root = Path(index_file.__file__).parents[1]
    running = [subprocess.Popen([sys.executable, "-c", code, tmp_path / "set", tmp_path / "cache"], cwd=root)
               for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert not list((tmp_path / "cache").iterdir())


def test_a_cache_that_cannot_be_written_is_a_user_error(tmp_path):
    touch(tmp_path / "set", "1.jpg")
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match="cannot keep the index of .*set in .*cache"):
        index_images(tmp_path / "set", tmp_path / "cache")
