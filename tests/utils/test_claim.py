"""A folder and the note that says whose results it holds: alone, and with another process at the same time."""

import errno
import json
import multiprocessing
import os

import pytest

from utils.claim import LOCK, Claim
from utils.errors import UserError
from utils.files import remove_leftovers

ROUNDS = 40


def claim(folder, **settings):
    return Claim(folder, "job.json", {"size": 8, **settings}, "--save_aligned")


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.name != LOCK)


@pytest.fixture
def no_links(monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


def test_a_missing_or_empty_folder_is_taken_and_known_again(tmp_path):
    folder = tmp_path / "deep" / "out"
    assert claim(folder).earlier() is None and not folder.exists()
    claim(folder, places=("a", 1)).take()
    assert names(folder) == ["job.json"]
    assert json.loads((folder / "job.json").read_text()) == {"size": 8, "places": ["a", 1]}
    before = (folder / "job.json").stat()
    claim(folder, places=("a", 1)).take()
    assert claim(folder).earlier() == {"size": 8, "places": ["a", 1]}
    assert (folder / "job.json").stat() == before


def test_a_file_system_without_links_will_do(tmp_path, no_links):
    claim(tmp_path).take()
    assert names(tmp_path) == ["job.json"] and claim(tmp_path).earlier() == {"size": 8}


def test_every_other_setting_is_named_with_both_values(tmp_path):
    claim(tmp_path, image_format="png", border=0.5, same=1).take()
    before = (tmp_path / "job.json").read_bytes()
    other = claim(tmp_path, image_format="jpg", border=0.25, same=1, num_worker=3)
    for refusing in (other.earlier, other.take):
        with pytest.raises(UserError) as refused:
            refusing()
        assert str(refused.value) == (
            f"--save_aligned: {tmp_path} holds results of other settings (job.json): --image_format png there, jpg "
            "here; border 0.5 there, 0.25 here; --num_worker nothing there, 3 here. Give the same settings, or another "
            "folder")  # fmt: skip
    assert (tmp_path / "job.json").read_bytes() == before


def test_a_note_may_hold_more_than_settings(tmp_path):
    def of(content):
        return {"job": content["job"], "scores": "all", **content["settings"]}  # older notes say nothing of scores

    def described(**content):
        return Claim(tmp_path, "run.json", {"job": "fit", "settings": {}, **content}, "--save_fitting", of)

    first = described(done=False)
    first.take()
    first.rewrite({**first.content, "done": True})
    assert names(tmp_path) == ["run.json"]
    assert described(done=False, settings={"scores": "all"}).earlier() == {"job": "fit", "settings": {}, "done": True}
    with pytest.raises(UserError, match=r"--scores all there, none here"):
        described(settings={"scores": "none"}).take()
    with pytest.raises(UserError, match=r"\): job fit there, filter here"):
        described(job="filter").earlier()
    (tmp_path / "run.json").write_text('{"job": "fit"}')
    with pytest.raises(UserError, match=r"run\.json is not a run\.json of this program: KeyError\('settings'\)"):
        described().earlier()


@pytest.mark.parametrize("note", ["", "{", "[1, 2]", "7", b"\xff\xfe"])
def test_a_damaged_note_is_named_and_kept(tmp_path, note):
    note = note if isinstance(note, bytes) else note.encode()
    (tmp_path / "job.json").write_bytes(note)
    for refusing in (claim(tmp_path).earlier, claim(tmp_path).take):
        with pytest.raises(UserError, match="--save_aligned: .*is not a job.json of this program"):
            refusing()
    assert (tmp_path / "job.json").read_bytes() == note


def test_files_of_others_are_not_mixed_with_results(tmp_path):
    (tmp_path / "photographs").mkdir()
    for name in ("b.jpg", "a.jpg", ".hidden"):
        (tmp_path / "photographs" / name).write_bytes(b"mine")
    for refusing in (claim(tmp_path / "photographs").earlier, claim(tmp_path / "photographs").take):
        with pytest.raises(UserError, match=r"--save_aligned: .*photographs holds a\.jpg but no job\.json"):
            refusing()
    for place in ("a.jpg", "a.jpg/below"):
        for refusing in (claim(tmp_path / "photographs" / place).earlier, claim(tmp_path / "photographs" / place).take):
            with pytest.raises(UserError, match=r"--save_aligned: .*cannot be used as output folder \(Not a directory"):
                refusing()
    assert names(tmp_path) == [".hidden", "a.jpg", "b.jpg", "photographs"]
    (tmp_path / "desktop").mkdir()
    (tmp_path / "desktop" / ".DS_Store").touch()
    claim(tmp_path / "desktop").take()
    assert names(tmp_path / "desktop") == [".DS_Store", "job.json"]


def test_leftovers_of_killed_runs_go_where_nobody_else_writes(tmp_path):
    claim(tmp_path).take()
    left = tmp_path / "a" / ".facegan-k3_x.tmp"
    for path in (left, tmp_path / ".draft.tmp", tmp_path / "a" / "1.png", tmp_path / "a" / "my.tmp"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    claim(tmp_path).take()
    assert left.exists()
    with pytest.raises(UserError):
        claim(tmp_path, size=9).take(alone=True)
    assert left.exists()
    claim(tmp_path).take(alone=True)
    assert names(tmp_path) == [".draft.tmp", "1.png", "a", "job.json", "my.tmp"]
    left.touch()
    remove_leftovers(tmp_path)
    assert not left.exists()


class Slow(Claim):
    """Lets another process take the folder, and write a result, just before it writes the note itself."""

    def _write_first(self):
        claim(self.folder, size=self.theirs).take()
        (self.folder / "1.png").touch()
        super()._write_first()


@pytest.mark.parametrize("theirs", [8, 9])
def test_who_comes_second_reads_what_the_first_wrote(tmp_path, theirs):
    second = Slow(tmp_path, "job.json", {"size": 8}, "--save_aligned")
    second.theirs = theirs
    if theirs == 8:
        second.take()
    else:
        with pytest.raises(UserError, match="size 9 there, 8 here"):
            second.take()
    assert claim(tmp_path, size=theirs).earlier() == {"size": theirs} and names(tmp_path) == ["1.png", "job.json"]


def test_a_note_that_comes_while_the_folder_is_looked_at_counts(tmp_path, monkeypatch):
    listed = os.listdir

    def listdir(folder):
        claim(folder).path.write_text('{"size": 8}')
        (tmp_path / "1.png").touch()
        return listed(folder)

    monkeypatch.setattr(os, "listdir", listdir)
    assert claim(tmp_path).earlier() == {"size": 8}


def take_at_once(barrier, answers, folder, sizes):
    """In a process of its own: claim ROUNDS folders, each at the moment when the other process does."""
    for number, size in enumerate(sizes):
        barrier.wait(60)
        try:
            claim(folder / str(number), size=size).take()
            answers.put((number, size, None))
        except UserError as error:
            answers.put((number, size, str(error)))


def test_two_processes_at_once(tmp_path):
    """In even rounds with equal settings: both go on. In odd ones with other settings: one does."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    processes = [context.Process(target=take_at_once, args=(barrier, answers, tmp_path, sizes))
                 for sizes in ([8] * ROUNDS, [8, 9] * (ROUNDS // 2))]  # fmt: skip
    for process in processes:
        process.start()
    found = [answers.get(timeout=120) for _ in range(2 * ROUNDS)]
    for process in processes:
        process.join(60)
    for number in range(ROUNDS):
        told = {size: error for of, size, error in found if of == number}
        errors = [error for of, _, error in found if of == number and error]
        assert names(tmp_path / str(number)) == ["job.json"]
        noted = json.loads((tmp_path / str(number) / "job.json").read_text())["size"]
        if number % 2 == 0:
            assert noted == 8 and not errors
        else:
            assert told[noted] is None and len(errors) == 1
            assert f"size {noted} there, {17 - noted} here" in told[17 - noted]


def test_one_that_was_quicker_and_tidied_is_told_of_as_any_other(tmp_path, monkeypatch):
    link, quicker = os.link, claim(tmp_path)

    def overtaken(*paths):
        monkeypatch.setattr(os, "link", link)
        quicker.take(alone=True)  # removes what lies there half written
        link(*paths)

    monkeypatch.setattr(os, "link", overtaken)
    with pytest.raises(UserError, match="--save_aligned: another process writes into "):
        claim(tmp_path).take(alone=True)
    assert names(tmp_path) == ["job.json"]


def test_one_process_at_a_time_holds_a_folder_alone(tmp_path):
    with claim(tmp_path):
        for another in (claim(tmp_path), claim(tmp_path)):
            with pytest.raises(UserError, match="--save_aligned: another process writes into .*: wait for it, or name"):
                another.take(alone=True)
        claim(tmp_path).take()  # those that share it need not wait
    with claim(tmp_path):
        pass


def test_the_end_of_a_process_lets_go(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    with claim(tmp_path):
        pass


def _hold_and_die(folder):
    claim(folder).take(alone=True)
    os._exit(9)


def test_a_setting_that_older_notes_leave_out_held_what_held_then(tmp_path):
    (tmp_path / "cells.json").write_text(json.dumps({"recognizer": "nn4"}))
    now = {"recognizer": "nn4", "head": "softmax", "random_erasing": 0.0}
    assert Claim(tmp_path, "cells.json", now, "--report_dir").earlier() == {"recognizer": "nn4"}
    with pytest.raises(UserError, match="--head softmax there, arcface here"):
        Claim(tmp_path, "cells.json", now | {"head": "arcface"}, "--report_dir").earlier()
