"""licences.json: what is read from it, and how far it travels."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loader import licences
from data_loader.licences import KNOWN, Licence
from utils.errors import UserError

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)


@given(st.sets(st.builds(Licence, TEXT, TEXT, TEXT, TEXT), max_size=4))
def test_what_is_written_is_read(entries):
    assert licences.read(json.loads(json.dumps(licences.written(entries)))) == entries


def test_a_folder_rests_on_what_it_used_and_what_it_read(tmp_path):
    photographs, pairs = tmp_path / "photographs", tmp_path / "pairs"
    pairs.mkdir()
    photographs.mkdir()
    own = Licence("photographs", "me", "CC BY 4.0")
    (photographs / licences.FILE).write_text(json.dumps([{"what": "photographs", "by": "me", "licence": "CC BY 4.0"}]))
    licences.write(pairs, ["makehuman", "landmarks"], [photographs, ""])
    assert licences.of_folder(pairs) == {own, KNOWN["makehuman"], KNOWN["landmarks"]}
    before = (pairs / licences.FILE).read_bytes()
    licences.write(pairs, ["landmarks", "makehuman"], ["", photographs])
    assert (pairs / licences.FILE).read_bytes() == before


def test_a_folder_that_says_nothing_is_told_by_its_name(tmp_path):
    (entry,) = licences.of_folder(tmp_path / "faces")
    assert entry.what == "images of faces" and entry.licence == "not recorded" and entry.limit


def test_a_generated_folder_says_it_in_its_run(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"licences": licences.written({KNOWN["mtcnn"]})}))
    assert licences.of_folder(tmp_path) == {KNOWN["mtcnn"]}


@pytest.mark.parametrize("text", ["{}", "[1]", "[", "null", '[{"what": "x"}]', '[{"what": 1, "by": "", "licence": ""}]',
                                  '[{"what": "a", "by": "b", "licence": "c", "more": "d"}]', "\xff"])  # fmt: skip
def test_anything_else_is_one_line_with_the_path(tmp_path, text):
    (tmp_path / licences.FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="licences.json: must hold objects with what, by, licence"):
        licences.of_folder(tmp_path)
