import pytest

from data_loader.outcome import Outcome
from utils.errors import UserError

COLUMNS = ("file", "path", "error")


def outcome(folder, **settings):
    return Outcome(folder, "job", COLUMNS, {"size": 8, **settings}, "--out")


def note(done, file):
    (done.folder / f"{file}.png").touch()
    done.success(file, [f"{file}.png", "1.5"])


def test_halves_in_any_order_equal_one_run(tmp_path):
    with outcome(tmp_path / "whole") as whole:
        for file in ("a", "b, with a comma"):
            note(whole, file)
        whole.failure("c", 'no "face"')
        whole.finish(["a", "b, with a comma", "c"])
    with outcome(tmp_path / "halves") as first:
        first.failure("c", 'no "face"')
        note(first, "b, with a comma")
    with outcome(tmp_path / "halves") as second:
        assert "c" in second and "b, with a comma" in second and "a" not in second
        note(second, "a")
        second.finish(["a", "b, with a comma", "c"])
    for name in ("success.csv", "failed.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "halves" / name).read_bytes()
    assert (tmp_path / "whole" / "success.csv").read_text().splitlines()[1] == "a,a.png,1.5"


def test_a_line_cut_short_and_an_output_gone_are_done_again(tmp_path):
    with outcome(tmp_path) as done:
        note(done, "a")
        note(done, "b")
        note(done, "c")
    (tmp_path / "a.png").unlink()
    table = tmp_path / "success.csv"
    table.write_bytes(table.read_bytes()[:-2])
    with outcome(tmp_path) as again:
        assert list(again.succeeded) == ["b"]
        note(again, "c")
    assert table.read_text().splitlines() == ["file,path,error", "b,b.png,1.5", "c,c.png,1.5"]


def test_other_settings_and_other_folders_are_refused(tmp_path):
    outcome(tmp_path / "out")
    with pytest.raises(UserError, match="--size 8, not 9.*--out"):
        outcome(tmp_path / "out", size=9)
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "mine.jpg").touch()
    with pytest.raises(UserError, match=r"not empty.*job\.json"):
        outcome(tmp_path / "photographs")
    with pytest.raises(UserError, match="--out"):
        outcome(tmp_path / "photographs" / "mine.jpg")
