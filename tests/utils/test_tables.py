"""Text and tables as people and programs save them, and tables that any file name fits."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.errors import UserError
from utils.tables import TEXT, Table, read_text, split_lines, whole_rows, write_rows

ROWS = [["path", "d_score"], ["1/a.png", "0.5"], ["2/b.png", "-1e-3"], ["3/c,;.png", ""]]


def excel(rows, delimiter, mark=True, end="\r\n", comma=False, trailing=0):
    """What Excel makes of a table."""
    lines = []
    for row in rows:
        row = [value.replace(".", ",") if comma and re.fullmatch(r"-?[\d.e-]+", value) else value for value in row]
        row = [f'"{value}"' if re.search('[,;\t"]', value) and delimiter in value else value for value in row]
        lines.append(delimiter.join([*row, *[""] * trailing]) + end)
    return ("\ufeff" if mark else "").encode() + "".join(lines).encode()


@pytest.mark.parametrize(("delimiter", "options"), [
    (",", {}), (",", {"mark": False, "end": "\n"}), (";", {}), (";", {"comma": True}), ("\t", {"comma": True}),
    ("\t", {"mark": False, "trailing": 2}), (";", {"trailing": 1}), (",", {"end": "\r"}),
])  # fmt: skip
def test_a_table_is_the_same_however_it_was_saved(tmp_path, delimiter, options):
    (tmp_path / "t.csv").write_bytes(excel(ROWS, delimiter, **options))
    table = Table(tmp_path / "t.csv", "--x")
    path, score = table.places(["path", "d_score"])
    found = [(row[path], table.number(line, row, score) if row[score] else None) for line, row in table]
    assert found == [("1/a.png", 0.5), ("2/b.png", -0.001), ("3/c,;.png", None)]


@pytest.mark.parametrize(("content", "message"), [
    (b"path;score\n1;2\n", "--x: {path} line 1: column d_score is missing; there are: path, score"),
    (b"", "--x: {path} line 1: column path, d_score is missing; there are: none"),
    (b"path,d_score\na,0.5\nb\n", "--x: {path} line 3: 1 values for 2 columns"),
    (b"path,d_score\na,0.5\nb,1,2\n", "--x: {path} line 3: 3 values for 2 columns"),
    (b"path,d_score\na,low\n", "--x: {path} line 2: column d_score is no number: 'low'"),
    (b'path,d_score\na,"1,234"\n', "--x: {path} line 2: column d_score is no number: '1,234'"),
    (b'path,d_score\n"a,0.5\n', "--x: {path} is no CSV file: unexpected end of data (after line 1)"),
    ("path,d_score\n".encode("utf-16"), "--x: {path} is not UTF-8 text but UTF-16; save the file as UTF-8"),
    (None, "--x: cannot read {path}: No such file or directory"),
])  # fmt: skip
def test_what_is_wrong_names_file_line_and_column(tmp_path, content, message):
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(message.format(path=path))}$"):
        table = Table(path, "--x")
        _, place = table.places(["path", "d_score"])
        for line, row in table:
            table.number(line, row, place)


NAME = st.binary(min_size=1, max_size=8).map(lambda name: name.decode("utf-8", "surrogateescape"))


@given(names=st.lists(NAME), sign=st.sampled_from("\n\r\x0b\x0c\x1c\x85\u2028\u2029;\t\",'"))
def test_any_name_comes_back_from_a_table(tmp_path_factory, names, sign):
    names = [*names, f"a{sign}b", f"{sign}.png"]
    path = tmp_path_factory.mktemp("names") / "t.csv"
    with open(path, "w", **TEXT) as file:
        write_rows(file, ([name, "1"] for name in ["path", *names]))
    assert [row for _, row in Table(path)] == [[name, "1"] for name in names]
    assert list(whole_rows(path))[1:] == [[name, "1"] for name in names]
    for cut in ("cut,o", '"cut\n', '"cut\nhere",1'):
        with open(path, "w", **TEXT) as file:
            write_rows(file, ([name, "1"] for name in ["path", *names]))
            file.write(cut)
        assert list(whole_rows(path))[1:] == [[name, "1"] for name in names]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_at_line_ends_alone(end):
    lines = ["a\x85b", "c\u2028d\x0c", "", "e"]
    assert split_lines(end.join(lines)) == split_lines(end.join([*lines, ""])) == lines
    assert split_lines("") == []


def test_text_is_utf_8_with_or_without_a_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffé\n".encode())
    assert read_text(path) == "é\n"
    path.write_bytes("a\nb\né\n".encode("latin-1"))
    with pytest.raises(UserError, match=f"^--y: {path} line 3: not UTF-8 text; save the file as UTF-8$"):
        read_text(path, "--y")
    with pytest.raises(UserError, match=f"^cannot read {tmp_path}: Is a directory$"):
        read_text(tmp_path)
