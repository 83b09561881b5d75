import os

import pytest

from data_loader.crops import NoOutput
from data_loader.folders import UnreadableImage
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
    with pytest.raises(UserError, match="--out: .*--size 8 there, 9 here"):
        outcome(tmp_path / "out", size=9)
    (tmp_path / "out" / "job.json").write_text('{\n  "size": 10,\n  "image_format": "png"\n}')  # by an earlier version
    outcome(tmp_path / "out", size=10, image_format="png")
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "mine.jpg").touch()
    with pytest.raises(UserError, match=r"--out: .*holds mine\.jpg but no job\.json"):
        outcome(tmp_path / "photographs")
    with pytest.raises(UserError, match="--out"):
        outcome(tmp_path / "photographs" / "mine.jpg")


class Copier:
    """Writes the photograph's name and its own process; can be pickled."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, file, output):
        if file == "d/none.jpg":
            raise NoOutput("no face found")
        if file == "broken.png":
            raise UnreadableImage(file, "no image")
        (self.folder / output).parent.mkdir(exist_ok=True)
        (self.folder / output).write_text(f"{file} {os.getpid()}", errors="surrogateescape")
        return [output, len(file)]


FILES = ["a.bmp", "a.jpg", "broken.png", "d/a.jpg", "d/none.jpg"]


def work_through(folder, files=FILES, worker=None, processes=1):
    with outcome(folder) as done:
        done.work_through(files, "png", worker or Copier(folder), processes)
    return done


def test_every_photograph_is_done_or_has_a_reason(tmp_path):
    done = work_through(tmp_path)
    assert {file: row["path"] for file, row in done.succeeded.items()} == {"a.bmp": "a.png", "d/a.jpg": "d/a.png"}
    assert list(done.failed.items()) == [("a.jpg", "another photograph has the same name but for its ending"),
                                         ("broken.png", "no image"), ("d/none.jpg", "no face found")]  # fmt: skip
    assert (tmp_path / "a.png").read_text() == f"a.bmp {os.getpid()}"


def test_the_rest_in_two_processes_and_what_is_done_already(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.processes.processors", lambda: 2)
    work_through(tmp_path / "one")
    work_through(tmp_path / "two", processes=2)
    assert (tmp_path / "two" / "a.png").read_text() != f"a.bmp {os.getpid()}"
    (tmp_path / "two" / "a.png").unlink()
    again = []

    def worker(file, output):
        again.append(file)
        return Copier(tmp_path / "two")(file, output)

    work_through(tmp_path / "two", worker=worker)
    assert again == ["a.bmp"]
    for name in ("success.csv", "failed.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_mistake_of_the_user_ends_the_work_and_what_is_done_stays(tmp_path):
    def worker(file, output):
        if file == "d/a.jpg":
            raise UserError("pip install")
        return Copier(tmp_path)(file, output)

    with pytest.raises(UserError, match="pip install"):
        work_through(tmp_path, worker=worker)
    with outcome(tmp_path) as done:
        assert list(done.succeeded) == ["a.bmp"] and list(done.failed) == ["a.jpg", "broken.png"]


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    work_through(tmp_path)
    (tmp_path / "d" / ".facegan-x0.tmp").touch()
    outcome(tmp_path)
    assert not (tmp_path / "d" / ".facegan-x0.tmp").exists()


NAMES = [os.fsdecode(name) for name in (b"\xe9.jpg", b"a\rb.jpg", b"c\nd.jpg", b"\xc2\x85.jpg", b"\xe2\x80\xa8.jpg")]


@pytest.mark.parametrize("processes", [1, 2])
def test_photographs_of_any_name_are_done_once(tmp_path, processes):
    done = work_through(tmp_path, NAMES, processes=processes)
    assert list(done.succeeded) == NAMES and not done.failed
    with outcome(tmp_path) as again:
        assert list(again.succeeded) == NAMES
        again.failure("none\udcff\r\n.jpg", "no face found")
    before = (tmp_path / "success.csv").read_bytes()
    again = work_through(tmp_path, [*NAMES, "none\udcff\r\n.jpg"], worker=None, processes=processes)
    assert again.failed == {"none\udcff\r\n.jpg": "no face found"} and (tmp_path / "success.csv").read_bytes() == before
