"""Whatever a folder holds and is not used is told, in a line of each kind."""

import numpy as np
import pytest
from PIL import Image

from data_loader.folders import decode, index_images


def index(folder, capsys, *files, labelled=True):
    """(names of the labels, lines on stderr)."""
    for name in files:
        (folder / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "set" / name).write_bytes(b"x")
    found = index_images(folder / "set", folder / "cache", labelled=labelled, flag="--x")
    return found.label_names, capsys.readouterr().err.splitlines()


def test_what_is_not_read_is_counted_and_named_and_so_are_people_who_have_nothing_else(tmp_path, capsys):
    files = ["a/1.jpg", "a/2.HEIC", "b/1.heic", "b/2.cr2", "c/1.png", "c/notes.txt", "d/only.jxl", ".e/1.heic"]
    names, (line,) = index(tmp_path, capsys, *files)
    assert names == ["a", "c"]
    told = f"warning: --x: left out of {tmp_path}/set: 4 images that cannot be read (1 .cr2, 2 .heic, 1 .jxl), for one "
    assert line == told + "a/2.HEIC; 2 label folders hold nothing else and are gone, for one b; convert them to be used"
    assert index(tmp_path, capsys)[1] == []  # once
    _, (line,) = index(tmp_path, capsys, labelled=False)
    assert line.endswith("for one a/2.HEIC; convert them to be used")


def test_images_beside_the_label_folders_are_told(tmp_path, capsys):
    _, (line,) = index(tmp_path, capsys, "a/1.jpg", "2.jpg", "1.png", "notes.txt")
    assert line == f"warning: --x: left out of {tmp_path}/set: 2 images beside the label folders, for one 1.png"


def test_a_root_one_level_too_high_is_told(tmp_path, capsys):
    names, (line,) = index(tmp_path, capsys, "part1/7/1.jpg", "part1/8/1.jpg", "part2/9/1.jpg")
    assert names == ["part1", "part2"]
    assert line == (f"warning: --x: every label folder of {tmp_path}/set holds folders only, for one part1/7: part1 is "
                    "taken for a person. If 7 is one, name a folder one level deeper")
    assert index(tmp_path, capsys, labelled=False)[1] == []


@pytest.mark.parametrize("files", [("a/1.jpg", "b/1/1.jpg"), ("a/1/1.jpg", "a/2.jpg"), ("a/1.jpg",)])
def test_folders_that_are_as_they_should_be_are_told_nothing_of(tmp_path, capsys, files):
    assert index(tmp_path, capsys, *files)[1] == []


@pytest.mark.parametrize("ending", ["gif", "tif", "avif", "webp"])
def test_of_several_pictures_the_first_is_read(tmp_path, ending):
    first, second = (Image.new("RGB", (16, 16), colour) for colour in ((250, 10, 10), (10, 10, 250)))
    first.save(tmp_path / f"1.{ending}", save_all=True, append_images=[second])
    assert np.abs(decode(tmp_path / f"1.{ending}", 16).astype(int) - (250, 10, 10)).max() < 16
