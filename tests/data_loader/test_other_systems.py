"""What Windows does otherwise, tried here: its separator, its drives, and files that are open elsewhere."""

import ntpath
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data_loader import index_file, joined, pixel_cache
from data_loader.folders import index_images, index_pairs
from utils import files
from utils.errors import UserError

MAPS = Path("/proc/self/maps")  # what this process has mapped (Linux)
FILES = ("a/1.jpg", "a/deep/2.jpg", "b/1.jpg")


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


@pytest.fixture
def windows(monkeypatch):
    """Only the separator, where code asks for it; the paths stay those of this system."""
    monkeypatch.setattr(os, "sep", "\\")


def test_labels_and_pairs_do_not_hang_on_the_separator(tmp_path, windows):
    touch(tmp_path / "set", *FILES)
    index = index_images(tmp_path / "set", tmp_path / "cache", labelled=True)
    assert index.label_names == ["a", "b"] and index.labels.tolist() == [0, 0, 1]
    assert [index.relative_path(i) for i in range(3)] == list(FILES)
    touch(tmp_path / "pairs", "a/1.jpg", "3dmm/a/1.png")
    assert index_pairs(tmp_path / "pairs", tmp_path / "cache").render_path(0).endswith("3dmm/a/1.png")


@pytest.mark.parametrize(("folders", "above", "ways"), [
    (["C:\\data\\a", "C:\\data\\b\\c"], "C:\\data", ["a/", "b/c/"]),
    (["C:\\data", "c:\\data\\b"], "C:\\data", ["", "b/"]), (["C:\\data"], "C:\\data", [""]),
    (["C:\\a", "D:\\b"], "C:\\a", ["C:/a/", "D:/b/"]),
])  # fmt: skip
def test_folders_are_joined_over_drives(monkeypatch, folders, above, ways):
    monkeypatch.setattr(joined, "os", SimpleNamespace(path=ntpath, sep="\\", curdir="."))
    assert joined._common_folder(folders) == (above, ways)


def test_joined_names_have_one_separator(tmp_path, windows):
    touch(tmp_path, *(f"{root}/{name}" for root in ("x", "y/z") for name in FILES))
    parts = [index_images(tmp_path / root, tmp_path / "cache", labelled=True) for root in ("x", "y/z")]
    index = joined.JoinedIndex(parts)
    assert index.label_names == ["x/a", "x/b", "y/z/a", "y/z/b"] and index.relative_path(4) == "y/z/a/deep/2.jpg"


@pytest.mark.skipif(not MAPS.is_file(), reason="asks Linux what is mapped")
def test_no_file_is_renamed_that_is_mapped(tmp_path, monkeypatch):
    replace = os.replace

    def refuse_mapped(source, target):
        if any(str(path) in MAPS.read_text() for path in (source, target)):
            raise PermissionError(13, "mapped", str(source))
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", refuse_mapped)
    touch(tmp_path / "set", *FILES)
    assert len(index_images(tmp_path / "set", tmp_path / "cache")) == 3


def test_another_process_has_the_index_open(tmp_path, monkeypatch):
    def opened_elsewhere(source, target):
        shutil.copy(source, target)
        raise PermissionError(13, "in use", str(target))

    monkeypatch.setattr(files.os, "replace", opened_elsewhere)
    touch(tmp_path / "set", *FILES)
    assert len(index_images(tmp_path / "set", tmp_path / "cache")) == 3


def test_an_index_that_is_removed_at_once_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "replace", lambda source, target: os.unlink(source))
    touch(tmp_path / "set", *FILES)
    with pytest.raises(UserError, match="cannot keep the index of .*: it is removed as soon as it is there$"):
        index_images(tmp_path / "set", tmp_path / "cache")


def test_times_are_set_by_path(tmp_path, monkeypatch):
    utime = os.utime

    def by_path(path, *args, **more):
        if isinstance(path, int):
            raise TypeError("utime: path should be string, bytes or os.PathLike, not int")
        utime(path, *args, **more)

    monkeypatch.setattr(index_file.os, "utime", by_path)
    touch(tmp_path / "set", *FILES)
    for _ in range(2):
        assert len(index_images(tmp_path / "set", tmp_path / "cache")) == 3


def test_old_files_that_are_open_elsewhere_stay(tmp_path, monkeypatch):
    touch(tmp_path, "1.x", "2.x")

    def unlink(path, missing_ok=False):
        raise PermissionError(13, "in use", str(path))

    monkeypatch.setattr(Path, "unlink", unlink)
    files.keep_newest(tmp_path, "*.x", 1)


def test_pixels_that_another_process_has_mapped_keep_their_size(tmp_path):
    with open(tmp_path / "p", "w+b") as file:
        pixel_cache._take_room(file, 4096)
        first = np.memmap(file, np.uint8, "r+", 0, (4096,))

        def truncate(size):
            raise OSError(1224, "mapped")

        pixel_cache._take_room(SimpleNamespace(fileno=file.fileno, truncate=truncate), 4096)
    assert len(first) == 4096
