"""The job on photographs of the AT&T set, by its command line."""

import csv
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import main
from data_loader import assets, portraits, simulate
from data_loader.face_places import known_places
from data_loader.folders import index_images
from tests.once import once

PHOTOGRAPHS = ("s1/1.pgm", "s1/5.pgm", "s22/5.pgm")
YAWS = "-60,0,30"


@pytest.fixture(scope="module", autouse=True)
def opened_once(face_read_once):
    """Fitter, detector and simulator are opened once for all tests: it takes longer than what they do here."""
    with pytest.MonkeyPatch.context() as patch:
        for part in ("Fitter", "Detector"):
            patch.setattr(portraits, part, once(getattr(portraits, part)))
        patch.setattr(simulate, "Simulator", once(simulate.Simulator))
        yield


def run(folder, *words):
    """The job's exit status; later words count."""
    return main.main(["simulate", "--data_dir", str(folder), "--dataset", "people", "--save_simulated", "out", "--size",
                      "32", "--image_format", "png", "--yaws", YAWS, "--num_worker", "1", *words])


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fitted(path):
    """(Pixels of a photograph, the square that its face was fitted in)."""
    options = SimpleNamespace(size=32, pair_crop="face", max_fit_error=6.0, morphable_model="makehuman",
                              asset_dir="~/.cache/facegan")
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return pixels, portraits.FaceFitter(options, *portraits.fetch(options)).fit(pixels)[1]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder with people/, whose photographs keep their times wherever they are copied."""
    folder = tmp_path_factory.mktemp("photographs")
    att = assets.fetch("att_faces", "~/.cache/facegan")
    for name in PHOTOGRAPHS:
        (folder / "people" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(att / name, folder / "people" / name)
    Image.new("RGB", (100, 100), (90, 120, 60)).save(folder / "people" / "s22" / "none.png")
    (folder / "people" / "s22" / "broken.jpg").write_bytes(b"\xff\xd8no")
    return folder


def copied(photographs, folder):
    shutil.copytree(photographs / "people", folder / "people")
    return folder


@pytest.fixture(scope="module")
def first(photographs, tmp_path_factory):
    folder = copied(photographs, tmp_path_factory.mktemp("first"))
    before = content(folder / "people")
    assert run(folder) == 0
    assert content(folder / "people") == before
    return folder / "out"


def test_views_their_rows_and_the_reasons(first):
    views = [f"{name}_{yaw}.png" for name in ("s1/1", "s1/5", "s22/5") for yaw in ("-60", "+00", "+30")]
    found = rows(first / "metadata.csv")
    assert [row["path"] for row in found] == views
    assert {row["path"] for person in ("s1", "s22") for row in rows(first / person / "metadata.csv")} == set(views)
    assert [float(row["yaw"]) for row in found] == [-60, 0, 30] * 3
    assert [(row["identity"], row["index"]) for row in found[:6]] == [("s1", str(i)) for i in range(1, 7)]
    shown = {row["path"]: float(row["shown"]) for row in found}
    assert 0.3 < shown["s1/1_-60.png"] < shown["s1/1_+00.png"] - 0.1 < 0.9
    assert shown["s1/5_+30.png"] > shown["s1/5_+00.png"]  # he looks to the image's right
    for row in found:  # the ear on the side that is turned away is hidden, the tip of the nose never
        assert row["visible_31"] == "1" and (float(row["yaw"]) != -60 or row["visible_1"] == "0"), row["path"]
    reasons = {row["file"]: row["reason"] for row in rows(first / "failed.csv")}
    assert set(reasons) == {"s22/none.png", "s22/broken.jpg"} and reasons["s22/none.png"] == "no face found"


def test_the_face_looks_where_it_is_told_and_is_the_persons(first, photographs):
    found = {row["path"]: row for row in rows(first / "metadata.csv")}
    nose = [float(found[f"s1/1_{yaw}.png"]["x_31"]) for yaw in ("-60", "+00", "+30")]
    assert nose[0] + 5 < nose[1] < nose[2] - 2  # pixels: yaw > 0 looks to the right of the image
    faces = {}
    for name in ("s1/1_+00.png", "s22/5_+00.png"):
        with Image.open(first / name) as image:
            assert image.size == (32, 32)
            faces[name] = np.asarray(image.convert("L"), float)[8:24, 8:24].ravel()
    pixels, (left, top, side) = fitted(photographs / "people" / "s1" / "1.pgm")
    crop = Image.fromarray(pixels[top:top + side, left:left + side]).convert("L").resize((32, 32), Image.LANCZOS)
    own = np.asarray(crop, float)[8:24, 8:24].ravel()
    alike = {name: np.corrcoef(own, face)[0, 1] for name, face in faces.items()}
    assert alike["s1/1_+00.png"] > 0.9 > alike["s22/5_+00.png"]


def test_other_jobs_read_the_folder(first, tmp_path):
    index = index_images(first, tmp_path, labelled=True)
    assert index.label_names == ["s1", "s22"] and np.bincount(index.labels).tolist() == [6, 3]
    assert np.isfinite(known_places(index, "chip")).all()


def test_shards_and_a_kill_give_the_same_bytes(first, photographs, tmp_path, monkeypatch, capsys):
    folder = copied(photographs, tmp_path)
    whole, draw = content(first), simulate.SimulatedFolder._views
    drawn = []

    def killed(self, person, number, file, stem):
        if len(drawn) == 1:
            raise KeyboardInterrupt
        drawn.append(file)
        return draw(self, person, number, file, stem)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(simulate.SimulatedFolder, "_views", killed)
        run(folder, "--shard", "1/2")
    assert drawn == ["s1/1.pgm"] and len(rows(folder / "out" / "s1" / "metadata.csv")) == 3
    kept = (folder / "out" / "s1" / "1_+00.png").stat().st_mtime_ns
    assert run(folder, "--shard", "1/2") == 0
    assert "metadata.csv" not in content(folder / "out") and "other shards" in capsys.readouterr().out
    assert run(folder, "--shard", "2/2") == 0
    assert content(folder / "out") == whole
    (folder / "out" / "s22" / "5_+30.png").unlink()
    (folder / "out" / "metadata.csv").unlink()
    assert run(folder) == 0
    assert content(folder / "out") == whole
    assert (folder / "out" / "s1" / "1_+00.png").stat().st_mtime_ns == kept


@pytest.mark.slow  # render's twin is not
def test_two_processes_give_the_same_bytes(first, photographs, tmp_path):
    assert run(copied(photographs, tmp_path), "--num_worker", "2") == 0
    assert content(tmp_path / "out") == content(first)


def test_the_most_frontal_photographs_alone(first, photographs, tmp_path, capsys):
    """Of s1 the first, who looks less to the side; a photograph without a face is nobody's most frontal one."""
    folder = copied(photographs, tmp_path)
    Image.new("RGB", (64, 1)).save(folder / "people" / "s22" / "narrow.png")
    assert run(folder, "--most_frontal", "1") == 0
    reasons = {row["file"]: row["reason"] for row in rows(folder / "out" / "failed.csv")}
    assert reasons.pop("s1/5.pgm") == "not one of the 1 most frontal of s1"
    assert set(reasons) == {"s22/none.png", "s22/broken.jpg", "s22/narrow.png"}
    assert "no face found" not in reasons.values()
    views = {path: data for path, data in content(first).items() if path.endswith(".png") and "s1/5" not in path}
    assert {path: data for path, data in content(folder / "out").items() if path.endswith(".png")} == views
    before = content(folder / "out")
    (folder / "out" / "s1" / "1_+00.png").unlink()
    assert run(folder, "--most_frontal", "1") == 0
    assert content(folder / "out") == before
    assert run(folder) == 2
    assert "--most_frontal 1 there, 0 here" in capsys.readouterr().err


def test_without_folders_each_photograph_is_a_person(photographs, tmp_path):
    (tmp_path / "people").mkdir()
    for name, new in (("s1/1.pgm", "a.pgm"), ("s22/none.png", "a.png"), ("s22/none.png", "b.png")):
        shutil.copy(photographs / "people" / name, tmp_path / "people" / new)
    assert run(tmp_path, "--yaws=-7.5", "--background", "plain") == 0
    assert set(content(tmp_path / "out")) == {"a/a_-7.5.png", "a/metadata.csv", "a/failed.csv", "b/failed.csv",
                                              "metadata.csv", "failed.csv", "simulate.json", "licences.json"}
    reasons = {row["file"]: row["reason"] for row in rows(tmp_path / "out" / "failed.csv")}
    assert "same name" in reasons["a.png"] and reasons["b.png"] == "no face found"


@pytest.mark.parametrize("name", ["metadata.csv", "failed.csv", "simulate.json", "licences.json"])
def test_a_person_is_not_called_as_a_file_beside_them(photographs, tmp_path, name, capsys):
    (tmp_path / "people" / name).mkdir(parents=True)
    shutil.copy(photographs / "people" / "s1" / "1.pgm", tmp_path / "people" / name / "1.pgm")
    assert run(tmp_path) == 2
    assert f"is called {name}" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(("words", "message"), [
    (["--yaws", ""], "--yaws : '' is not a number"),
    (["--yaws", "0,left"], "--yaws 0,left: 'left' is not a number"),
    (["--yaws", "0,nan"], "--yaws 0,nan: nan is not from -90 to 90"),
    (["--yaws", "-100"], "--yaws -100: -100 is not from -90 to 90"),
    (["--yaws", "0,30,0.0"], "--yaws 0,30,0.0: 0.0 is there twice, as 0"),
    (["--yaws", "0.00001,0.00002"], "--yaws 0.00001,0.00002: 0.00002 is there twice, as 0"),
    (["--shard", "3/2"], "--shard 3/2: must be k/n"),
    (["--save_simulated", "people/out"], "--save_simulated:"),
    (["--dataset", "nobody"], "--dataset:"),
    (["--background", "sea"], "--background"),
    (["--save_simulated", "out", "--size", "16"], "--size 32 there, 16 here"),
    (["--save_simulated", "out", "--yaws", "0"], "--yaws [-60.0, 0.0, 30.0] there, [0.0] here"),
])
def test_mistakes_are_one_line(first, words, message, capsys):
    before = content(first.parent)
    assert run(first.parent, *words) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and message in told and told.count("\n") == 1
    assert content(first.parent) == before
