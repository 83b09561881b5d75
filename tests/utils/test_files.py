import errno
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

import main
from utils.errors import UserError
from utils.files import (
    atomic_write,
    check_writable,
    last_part,
    read_sum_line,
    refuse_outside,
    several,
    spellings,
    sum_line,
)


def test_file_appears_whole_and_with_the_usual_rights(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_write(path, "w") as file:
        file.write("new")
        assert not path.exists()
    assert path.read_text() == "new"
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path, "w") as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "mkstemp"])
def test_an_error_names_the_file_that_was_meant(call, tmp_path, monkeypatch):
    def full(*arguments, **_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *(arguments[:1] if call == "replace" else ()))

    if call in ("fsync", "replace"):
        monkeypatch.setattr(os, call, full)
    path = tmp_path / ("gone/a" if call == "mkstemp" else "a")
    with pytest.raises(OSError) as error, atomic_write(path, "w") as file:
        full() if call == "write" else file.write("x")
    assert error.value.filename == str(path)
    assert ".tmp" not in str(error.value) and os.listdir(tmp_path) == []


def test_what_can_be_written_is_found_out_without_a_trace(tmp_path):
    check_writable(tmp_path / "new" / "er", "--x")
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="--x: .*file is not a folder"):
            check_writable(folder, "--x")
    with pytest.raises(UserError, match="--x: cannot write in .*: File name too long"):
        check_writable(tmp_path / ("n" * 256), "--x")


def test_a_folder_that_takes_no_file_is_found_out(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(UserError, match=f"--x: cannot write in {tmp_path}: Read-only file system"):
        check_writable(tmp_path, "--x")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--task", "a/b"], "--task a/b: begins a folder's name, 1 to 200 bytes"),
        (["train", "--task", "é" * 125], f"--task {'é' * 40}...: begins a folder's name"),
        (["train", "--task", ".hidden"], "--task .hidden: begins a folder's name"),
        (["train", "--task", "two\nlines"], r"--task two\nlines: begins a folder's name"),
        (["train_recognizer", "--task", ""], "--task : begins a folder's name"),
        (["train", "--log_dir", "{file}"], "--log_dir: {file} is not a folder"),
        (["train_recognizer", "--log_dir", "{file}/x"], "--log_dir: {file} is not a folder"),
        (["export", "--export_dir", "{file}"], "--export_dir: {file} is not a folder"),
        (["demo", "--demo_dir", "{file}"], "--demo_dir: {file} is not a folder"),
        (["demo", "--demo_dir", "{long}"], "--demo_dir: cannot write in {long}: File name too long"),
        (["render", "--asset_dir", "{file}"], "--asset_dir {file}: cannot hold morphable_face"),
        (["render", "--data_dir", "{file}"], "{file}"),
        (["align", "--data_dir", "{file}"], "--dataset: no such folder"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_line(words, message, tmp_path, capsys):
    places = {"file": tmp_path / "file", "long": tmp_path / ("n" * 256)}
    places["file"].touch()
    assert main.main([word.format(**places) for word in words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line]
    assert line.startswith("error: ") and message.format(**places) in line
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_several_names_and_one_that_holds_commas(tmp_path):
    def exists(name):
        return (tmp_path / name).is_dir()

    assert several("a, b,c", exists) == ["a", "b", "c"] and several("Smith, John", exists) == ["Smith", "John"]
    (tmp_path / "Smith, John").mkdir()
    assert several("Smith, John", exists) == ["Smith, John"] and several("", exists) == [""]


@pytest.mark.parametrize(("path", "last"), [
    ("/data/syn", "syn"), ("/data/syn/", "syn"), ("C:\\data\\syn", "syn"), ("C:/data/syn", "syn"), ("a\\b", "a\\b"),
    ("\\\\server\\share\\syn", "syn"),
])  # fmt: skip
def test_the_last_part_of_a_path_of_any_system(path, last):
    assert last_part(path) == last


@pytest.mark.parametrize("name", ["../a", "a/../../b", "a/..", "..\\a", "a\\..\\b", "/a", "\\a"])
def test_a_path_that_leaves_its_folder_is_refused(name):
    with pytest.raises(UserError, match="^here: .* leads out of its folder$"):
        refuse_outside(name, "here")


@pytest.mark.parametrize("name", ["a", "a/b.png", "..a/b..", "...", "a\\b", "a:b"])
def test_a_path_that_stays_is_not(name):
    refuse_outside(name, "here")


def test_spellings_of_a_name():
    assert spellings("a/b.png") == ["a/b.png"] and spellings("a\\b") == ["a\\b", "a/b"]
    composed, apart = "Jos\u00e9", "Jose\u0301"
    assert spellings(composed) == [composed, apart] and spellings(apart) == [apart, composed]
    assert spellings("x\udce9") == ["x\udce9"]


@given(st.text(st.sampled_from("a \\\n\rnr/é"), min_size=1))
def test_a_name_comes_back_from_its_line_of_checksums(name):
    line = sum_line("0" * 64, name)
    assert line.count("\n") == 1 and read_sum_line(line) == ("0" * 64, name)
