"""File names as long as the file system allows: 255 bytes."""

import os

import pytest

from utils.claim import remove_leftovers
from utils.files import atomic_write

LONGEST = 255  # bytes of a name, on the file systems of Linux, macOS and Windows


@pytest.mark.parametrize("name", ["x" * (LONGEST - 4) + ".png", "é" * 125 + ".jpg", "7" * LONGEST])
def test_a_name_of_any_length_is_written(tmp_path, name):
    with atomic_write(tmp_path / name) as file:
        file.write(b"new")
    assert (tmp_path / name).read_bytes() == b"new" and os.listdir(tmp_path) == [name]


def test_what_a_kill_leaves_is_known_as_such(tmp_path):
    with atomic_write(tmp_path / "a.png") as file:
        file.write(b"half")
        (left,) = os.listdir(tmp_path)
        (tmp_path / "copy").mkdir()
        (tmp_path / "copy" / left).write_bytes(b"half")
        remove_leftovers(tmp_path / "copy")
    assert os.listdir(tmp_path / "copy") == [] and (tmp_path / "a.png").read_bytes() == b"half"
