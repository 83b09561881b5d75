"""generate in shards: in any order, by several processes, killed and run again, it ends in the bytes of one run."""

import csv
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from PIL import Image

import main
from data_loader.face_places import known_places
from data_loader.folders import index_images
from data_loader.generated_folder import is_generated
from tests.small import face, untraced
from trainer.output.resumable_folder import OutputFolder
from utils.errors import UserError
from utils.shards import Shard

POINTS = [f"{axis}_{point}" for point in range(1, 69) for axis in "xy"]


@pytest.fixture(scope="module")
def renders(tmp_path_factory):
    """Eleven renders of 32 pixels of two people, of ten of which yaw and landmarks are known."""
    folder = tmp_path_factory.mktemp("renders") / "renders"
    rng = np.random.default_rng(0)
    (folder).mkdir()
    with open(folder / "metadata.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "identity", "index", "yaw", *POINTS])
        for number in range(11):
            name = f"{number // 6}/{number}.png"
            (folder / name).parent.mkdir(exist_ok=True)
            Image.fromarray(face(number, 32)).save(folder / name)
            if number != 3:
                points = rng.uniform(4, 28, 136).round(1)
                writer.writerow([name, number // 6, number, f"{rng.uniform(-30, 30):.4f}", *points])
    return folder


def words(trained_run, renders, target, *more):
    return trained_run.words("generate", "--syn_dataset", renders, "--save_syn_dataset", target, "--batch_size", "2",
                             "--image_format", "png", *more)  # fmt: skip


def contents(folder):
    """{relative path: bytes} of all but hidden files, without the folder's own name and place in it."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
             if path.is_file() and not path.name.startswith(".")}  # fmt: skip
    run = json.loads(files["run.json"])
    del run["flags"]["save_syn_dataset"], run["inputs"]["folder"]
    named = folder.name.encode()
    card = files.get("README.md", b"").replace(b"pretty_name: " + named, b"").replace(b"# " + named, b"")
    return files | {"run.json": run, "README.md": card}


@pytest.fixture(scope="module")
def whole(trained_run, renders, tmp_path_factory):
    """What one process writes, untraced."""
    target = tmp_path_factory.mktemp("whole") / "whole"
    with untraced():
        assert main.main(words(trained_run, renders, target)) == 0
    return contents(target)


@pytest.mark.slow
@pytest.mark.usefixtures("untraced")
def test_three_shards_in_any_order_are_one_run(trained_run, renders, whole, tmp_path, capsys):
    target = tmp_path / "out"
    where = ["--data_dir", str(tmp_path), "--save_syn_dataset", "out"]
    for number in (3, 1):
        assert main.main(words(trained_run, renders, target, "--shard", f"{number}/3")) == 0
        assert f"shard {number}/3 of {target} is done; others are not" in capsys.readouterr().out
        again = words(trained_run, renders, target, "--shard", f"{number}/3")  # a job that is queued twice
        assert main.main(again) == 0
        with pytest.raises(UserError, match="is not finished"):
            is_generated(target, "--x")
    assert main.main(["merge", *where]) == 2
    assert "lacks shards 2/3 (0 of 4 images): run these" in capsys.readouterr().err
    assert main.main(["status", *where]) == 1
    assert "shard 2/3: 0 of 4 images" in capsys.readouterr().out
    for other, told in (([], "shards 3 there, 1 here"), (["--shard", "1/2"], "shards 3 there, 2 here"),
                        (["--shard", "2/3", "--scores", "none"], "scores d,s,c there, none here")):  # fmt: skip
        assert main.main(words(trained_run, renders, target, *other)) == 2
        assert told in capsys.readouterr().err
    assert main.main(words(trained_run, renders, target, "--shard", "2/3")) == 0
    assert f"11 images in {target}" in capsys.readouterr().out
    assert contents(target) == whole
    assert main.main(["status", *where]) == 0 and main.main(["merge", *where]) == 0
    for more in ([], ["--shard", "2/7"]):
        assert main.main(words(trained_run, renders, target, *more)) == 0
        assert "finished already" in capsys.readouterr().out
    assert not [path for path in target.glob(".shard*")] and contents(target) == whole


@pytest.mark.slow
@pytest.mark.usefixtures("untraced")
def test_a_merge_that_was_killed_is_done_by_hand(trained_run, renders, whole, tmp_path, monkeypatch):
    """All shards are done, and the last one dies before, in, or behind the lists."""
    for number, place in enumerate(("_write_lists", "_remove_working_files")):
        target = tmp_path / str(number) / "out"
        with monkeypatch.context() as patch:
            patch.setattr(OutputFolder, place, lambda *_: sys.exit(9))
            main.main(words(trained_run, renders, target, "--shard", "1/2"))
            with pytest.raises(SystemExit):
                main.main(words(trained_run, renders, target, "--shard", "2/2"))
        assert main.main(["merge", "--data_dir", str(target.parent), "--save_syn_dataset", "out"]) == 0
        assert contents(target) == whole and not list(target.glob(".shard*"))
        assert main.main(words(trained_run, renders, target)) == 0


def test_a_second_process_on_a_shard_is_refused_and_another_shard_is_not(tmp_path):
    run = {"job": "generate", "settings": {"batch_size": 1}, "inputs": {"images": 4}, "checkpoint": "x",
           "finished": False}  # fmt: skip
    first, second, other = (OutputFolder(tmp_path / "out", run, "--x", shard=Shard(n, 2)) for n in (1, 1, 2))
    with first, other:
        with pytest.raises(UserError, match="--x: another process does shard 1/2 of .*out: wait for it"):
            second.__enter__()
    with second:
        pass


@pytest.mark.usefixtures("untraced")
def test_the_truth_of_the_renders_travels_with_the_images(trained_run, renders, tmp_path):
    """Landmarks are those of the render in the pixels of the image; faces lie where the renders' tables say."""
    target = tmp_path / "out"
    assert main.main(words(trained_run, renders, target)) == 0
    tables = []
    for path in (target / "metadata.csv", renders / "metadata.csv"):
        with open(path, newline="") as file:
            tables.append(list(csv.DictReader(file)))
    made, known = tables
    assert list(made[0])[:6] == ["file_name", "identity", "d_score", "s_score", "c_score", "yaw"]
    assert list(made[0])[-10:] == [f"{axis}5_{point}" for point in range(1, 6) for axis in "xy"]
    assert [row["file_name"] for row in made] == [f"{number // 6}/{number}.png" for number in range(11)]
    assert made[3]["yaw"] == made[3]["x_1"] == made[3]["x5_1"] == ""
    for row, render in zip(made[:3] + made[4:], known, strict=True):
        assert row["yaw"] == render["yaw"] and row["identity"] == render["identity"]
        np.testing.assert_allclose([float(row[p]) for p in POINTS], [float(render[p]) / 2 for p in POINTS], atol=0.0051)
        assert float(row["x5_3"]) == pytest.approx(float(row["x_31"]), abs=0.01)
    indexes = [index_images(folder, tmp_path / "cache", labelled=True) for folder in (target, renders)]
    places = [known_places(index, "chip") for index in indexes]
    np.testing.assert_allclose(*places, atol=0.002)
    assert np.isnan(places[0][3]).all()
    where = ["--data_dir", str(tmp_path), "--save_syn_dataset", "out"]
    assert main.main(["filter", *where, "--score_percentiles", "d=50"]) == 0
    with open(tmp_path / "filtered" / "metadata.csv", newline="") as file:
        kept = list(csv.DictReader(file))
    assert kept == [row for row in made if row["file_name"] in {row["file_name"] for row in kept}] and len(kept) == 6


@pytest.mark.slow
def test_killed_processes_end_in_the_bytes_of_one_run(trained_run, renders, tmp_path):
    """Six shards by three processes, each killed at random moments."""
    random.seed(4)
    assert main.main(words(trained_run, renders, tmp_path / "whole")) == 0
    target, left, running, kills = tmp_path / "out", list(range(1, 7)), {}, 6
    while left or running:
        while left and len(running) < 3:
            number = left.pop(0)
            command = [sys.executable, main.__file__, *map(str, words(trained_run, renders, target))]
            process = subprocess.Popen([*command, "--shard", f"{number}/6"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True)  # fmt: skip
            running[number] = process, time.monotonic() + (random.uniform(3, 12) if kills > 0 else 1e9)
        time.sleep(0.05)
        for number, (process, end) in list(running.items()):
            if process.poll() is not None:
                del running[number]
                assert process.returncode in (0, -signal.SIGKILL), process.stderr.read()
                if process.returncode:
                    left.append(number)
            elif time.monotonic() > end:
                kills -= 1
                process.kill()
    assert contents(target) == contents(tmp_path / "whole")


@pytest.mark.slow
def test_ray_with_a_killed_worker_gives_the_bytes_of_one_run(trained_run, renders, tmp_path, capsys):
    """Two workers, of which one is killed once; a second run finds all done; a shard's mistake is one line."""
    assert main.main(words(trained_run, renders, tmp_path / "whole")) == 0
    target = tmp_path / "out"
    command = [*map(str, words(trained_run, renders, target)), "--engine", "ray", "--shards", "4"]
    killed = threading.Thread(target=_kill_a_worker)
    killed.start()
    assert main.main(command) == 0
    killed.join()
    assert KILLED
    assert contents(target) == contents(tmp_path / "whole")
    assert main.main([*command, "--shard", "1/2"]) == 2
    assert "--shard: --engine ray does all of them" in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other.txt").touch()
    command[command.index(str(target))] = str(tmp_path / "full")
    assert main.main(command) == 2
    assert "holds other.txt but no run.json" in capsys.readouterr().err


KILLED = []


def _kill_a_worker():
    """The first process that does a shard, three seconds after it has begun."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for process in psutil.process_iter(["cmdline"]):
            if "ray::_do_shard" in " ".join(process.info["cmdline"] or ()):
                time.sleep(3)
                process.kill()
                KILLED.append(process.pid)
                return
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.usefixtures("untraced")
def test_an_image_or_a_truth_that_changes_between_shards_is_told(trained_run, renders, whole, tmp_path, capsys):
    mine, target = tmp_path / "renders", tmp_path / "out"
    shutil.copytree(renders, mine)

    def shard(number):
        return main.main(words(trained_run, mine, target, "--shard", f"{number}/2"))

    assert shard(1) == 0
    (target / "0" / "0.png").unlink()
    assert shard(2) == 2 and "0.png is gone: run shard 1/2 again" in capsys.readouterr().err
    table = (mine / "metadata.csv").read_bytes()
    (mine / "metadata.csv").write_bytes(table.replace(b"yaw", b"pitch"))
    assert shard(1) == 2 and "input_truth" in capsys.readouterr().err
    (mine / "metadata.csv").write_bytes(table)
    assert shard(1) == 0
    assert contents(target) == whole


@pytest.mark.parametrize("change", [
    {"inputs": {"images": "x"}}, {"inputs": {"images": -5}}, {"inputs": {}}, {"settings": {"batch_size": 0}},
    {"settings": {}}, {"shards": 0}, {"shards": 10**9}, {"finished": True}, {"finished": "yes", "images": -1},
])  # fmt: skip
def test_a_damaged_note_is_one_line(tmp_path, change, capsys):
    run = {"job": "generate", "finished": False, "checkpoint": "x", "flags": {}, "scores": {}, "shards": 2,
           "inputs": {"images": 4}, "settings": {"batch_size": 2}} | change  # fmt: skip
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text(json.dumps(run))
    for job in ("status", "merge"):
        assert main.main([job, "--data_dir", str(tmp_path), "--save_syn_dataset", "out"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "run.json is damaged" in line


def test_what_is_no_such_folder_is_one_line(tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text("{}")
    for job in ("merge", "status"):
        for name in ("gone", "other"):
            assert main.main([job, "--data_dir", str(tmp_path), "--save_syn_dataset", name]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith("error: --save_syn_dataset: ") and name in line
