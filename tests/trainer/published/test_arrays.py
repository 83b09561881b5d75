"""Checkpoint files that are damaged, newer, or something else: one line each."""

import zipfile

import numpy as np
import pytest

from trainer.published.arrays import FORMAT, read_checkpoint
from utils.errors import UserError


def whole(path):
    np.savez(path, format=np.int64(FORMAT), weight=np.arange(300.0))
    return path


def test_reads_its_own_format_and_those_before(tmp_path):
    number, arrays = read_checkpoint(whole(tmp_path / "new.npz"))
    assert number == FORMAT and list(arrays) == ["weight"] and arrays["weight"][299] == 299
    np.savez(tmp_path / "old.npz", weight=np.arange(3))
    assert read_checkpoint(tmp_path / "old.npz")[0] == 1


def test_a_newer_format_is_told(tmp_path):
    np.savez(tmp_path / "x.npz", format=np.int64(FORMAT + 1))
    with pytest.raises(UserError, match=f"x.npz is of format {FORMAT + 1}, and this version reads up to {FORMAT}"):
        read_checkpoint(tmp_path / "x.npz")


def array(path):
    np.save(path, np.arange(3))
    (path.parent / "x.npz.npy").rename(path)


def other_zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weight", b"no array")


def pickled(path):
    np.savez(path, weight=np.array([{}], object))


def strange_header(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weight.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': 3, 1: 2}")


@pytest.mark.parametrize("make", [array, other_zip, pickled, strange_header])
def test_what_is_no_checkpoint_is_one_line(tmp_path, make):
    make(tmp_path / "x.npz")
    with pytest.raises(UserError, match=r"^cannot read the checkpoint .*x.npz: it is damaged or none of ours \(.*\)$"):
        read_checkpoint(tmp_path / "x.npz")


def test_a_cut_or_changed_file_is_one_line(tmp_path):
    data = whole(tmp_path / "whole.npz").read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for length in (0, 1, 30, len(data) // 2, len(data) - 1):
        (tmp_path / "x.npz").write_bytes(data[:length])
        with pytest.raises(UserError, match="^cannot read the checkpoint "):
            read_checkpoint(tmp_path / "x.npz")
    for _ in range(200):
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= int(rng.integers(1, 256))
        (tmp_path / "x.npz").write_bytes(changed)
        try:
            read_checkpoint(tmp_path / "x.npz")
        except UserError:
            refused += 1
    assert refused > 150
