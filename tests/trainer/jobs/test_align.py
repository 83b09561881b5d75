import csv
import json
import sys

import numpy as np
import pytest
from PIL import Image

from data_loader import assets, chips, face_places, five_points
from data_loader.generated_folder import alignment_of, is_generated
from data_loader.morphable.landmarks import Detector
from data_loader.morphable.parameters import LANDMARKS, csv_line, landmark_numbers
from trainer.jobs import align
from utils import command_line
from utils.errors import UserError


def options(folder, **changes):
    named = {"data_dir": folder, "dataset": "photographs", "save_aligned": "faces", "image_format": "png"} | changes
    words = [str(word) for name, value in named.items() for word in (f"--{name}", value)]
    return command_line.parse(["align", *words], {"align": ""})[1]


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Photographs with none, one and several faces, a corrupt file, tiny ones and one of 20 megapixels."""
    folder = tmp_path_factory.mktemp("align")
    (folder / "photographs" / "trip" / "day").mkdir(parents=True)
    att = assets.fetch("att_faces", "~/.cache/facegan")
    people = [Image.open(att / person / "1.pgm").convert("RGB") for person in ("s1", "s10", "s22")]
    tiles = np.random.default_rng(0).integers(90, 160, (15, 20, 3)).astype(np.uint8)
    wall = Image.fromarray(np.kron(tiles, np.ones((20, 20, 1), np.uint8)))
    one, several, large = wall.copy(), wall.copy(), wall.resize((5160, 3880))
    one.paste(people[0].resize((138, 168)), (120, 70))
    for person, size, place in zip(people, ((92, 112), (150, 182), (92, 112)), ((5, 5), (130, 60), (300, 10)),
                                   strict=True):
        several.paste(person.resize(size), place)
    large.paste(people[2].resize((1380, 1680)), (2000, 900))
    one.save(folder / "photographs" / "trip" / "one.png")
    several.save(folder / "photographs" / "trip" / "day" / "several.png")
    large.save(folder / "photographs" / "large.jpg")
    wall.save(folder / "photographs" / "none.jpg")
    one.save(folder / "photographs" / "trip" / "one.webp")
    Image.new("RGB", (1, 1)).save(folder / "photographs" / "tiny.png")
    Image.new("L", (3000, 5)).save(folder / "photographs" / "strip.png")
    (folder / "photographs" / "broken.jpg").write_bytes(b"\xff\xd8no")
    before = content(folder / "photographs")
    for detector in ("dlib", "mtcnn"):
        align.run(options(folder, detector=detector, save_aligned=detector))
    assert content(folder / "photographs") == before
    return folder


@pytest.fixture(params=["dlib", "mtcnn"])
def faces(request, data):
    """The crops of each detector in turn."""
    return data / request.param


def test_every_photograph_gives_a_crop_or_a_reason(faces):
    good, bad = rows(faces / "success.csv"), rows(faces / "failed.csv")
    assert {row["path"] for row in good.values()} == {"trip/one.png", "trip/day/several.png", "large.png"}
    for row in good.values():
        with Image.open(faces / row["path"]) as image:
            assert image.size == (108, 108)
    rests_on = {each["what"]: each["limit"] for each in json.loads((faces / "licences.json").read_text())}
    assert ("commercially" in rests_on.get("face detector mtcnn", "")) == (faces.name == "mtcnn")
    assert "images of photographs" in rests_on
    reasons = {file: row["reason"] for file, row in bad.items()}
    assert set(reasons) == {"none.jpg", "tiny.png", "strip.png", "broken.jpg", "trip/one.webp"}
    assert reasons["none.jpg"] == "no face found" and reasons["tiny.png"].startswith("1x1 pixels")
    assert "same name" in reasons["trip/one.webp"]


def test_the_face_nearest_to_the_centre_fills_its_part_of_the_crop(faces):
    good = rows(faces / "success.csv")
    several, large = good["trip/day/several.png"], good["large.jpg"]
    assert several["faces"] == "3"
    left, top, side = (int(several[name]) for name in ("left", "top", "side"))
    assert left < 150 and left + side > 260 and top < 100 and top + side > 220  # the one at (130, 60)
    left, top, side = (int(large[name]) for name in ("left", "top", "side"))
    assert left < 2100 and left + side > 3300 and 1300 < side < 2500  # in the pixels of the photograph


def test_a_second_run_does_what_is_missing(data):
    faces = data / "dlib"
    first = content(faces)
    (faces / "large.png").unlink()
    kept = (faces / "trip" / "one.png").stat().st_mtime_ns
    align.run(options(data, save_aligned="dlib"))
    assert content(faces) == first
    assert (faces / "trip" / "one.png").stat().st_mtime_ns == kept


def test_arcfaces_crop_brings_the_eyes_to_their_place(data):
    align.run(options(data, crop="arcface", save_aligned="arcface"))
    good = rows(data / "arcface" / "success.csv")
    assert set(good) == {"trip/one.png", "trip/day/several.png", "large.jpg"}
    detect = Detector(assets.fetch("dlib_models", "~/.cache/facegan"))
    for row in good.values():
        with Image.open(data / "arcface" / row["path"]) as image:
            assert image.size == (112, 112)
            points = five_points.of_landmarks(detect(np.asarray(image)).landmarks)
        assert abs(points - five_points.TEMPLATE).max() < 8
    assert abs(float(good["large.jpg"]["turn"])) < 15 and float(good["large.jpg"]["side"]) > 1000
    with pytest.raises(UserError, match="--crop arcface there, square here"):
        align.run(options(data, save_aligned="arcface", size=112))


@pytest.mark.parametrize(("crop", "side", "alignment"), [("arcface", 112, "arcface"), ("facenet", 160, "chip"),
                                                          ("dlib", 150, "chip")])  # fmt: skip
def test_renders_and_what_was_made_of_them_are_cut_by_their_table(tmp_path, crop, side, alignment):
    """No face is found in noise; that the crops were generated is not lost."""
    landmarks = np.random.default_rng(0).normal(30, 8, (68, 2)).round(1)
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    for folder in ("syn", "made"):
        (tmp_path / folder / "a").mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / folder / "a" / "1.png")
    row = ["a/1.png", *landmark_numbers(landmarks, np.ones(68, bool))]
    (tmp_path / "syn" / "metadata.csv").write_text(csv_line(["path", *LANDMARKS]) + csv_line(row))
    run = {"finished": True, "inputs": {"folder": "../syn"}, "settings": {}, "flags": {}}
    (tmp_path / "made" / "run.json").write_text(json.dumps(run))
    place = face_places.place(landmarks, alignment, 64, 64)
    expected = (chips if alignment == "chip" else five_points).cut(pixels, place, side)
    for folder, generated in (("syn", False), ("made", True)):
        align.run(options(tmp_path, dataset=folder, save_aligned=f"cut_{folder}", crop=crop))
        with Image.open(tmp_path / f"cut_{folder}" / "a" / "1.png") as image:
            assert abs(np.asarray(image).astype(int) - expected).max() <= 1  # the table's place is float32
        assert is_generated(tmp_path / f"cut_{folder}", "--dataset") == generated
        assert alignment_of([tmp_path / f"cut_{folder}"], "--dataset") == alignment
    assert alignment_of([tmp_path / "cut_syn", tmp_path / "syn"], "--dataset") == "none"


@pytest.mark.parametrize("crop", ["arcface", "dlib"])
def test_absurd_landmarks_give_no_crop_but_a_reason(tmp_path, crop):
    good = np.random.default_rng(0).normal(30, 8, (68, 2))
    told = {"far": good * (1e12, 1), "shifted": good + 5000, "negated": -good, "flat": good * (1e-300, 1),
            "good": good, "one": good * 0 + 7}  # fmt: skip
    (tmp_path / "syn").mkdir()
    lines = [",".join(["path", *LANDMARKS])]
    for name, points in told.items():
        Image.new("RGB", (64, 64), "white").save(tmp_path / "syn" / f"{name}.png")
        values = (value for x, y in points.tolist() for value in (repr(x), repr(y), "1"))
        lines.append(",".join([f"{name}.png", *values]))
    (tmp_path / "syn" / "metadata.csv").write_text("\n".join(lines) + "\n")
    align.run(options(tmp_path, dataset="syn", save_aligned="cut", crop=crop))
    assert set(rows(tmp_path / "cut" / "success.csv")) == {"good.png"}
    failed = {file: row["reason"] for file, row in rows(tmp_path / "cut" / "failed.csv").items()}
    assert set(failed) == {f"{name}.png" for name in told if name != "good"}
    assert all(reason.startswith("metadata.csv: landmarks ") for reason in failed.values())


def test_mtcnn_finds_no_68_landmarks(data):
    with pytest.raises(UserError, match="--crop dlib is cut by 68 landmarks, of which mtcnn finds five"):
        align.run(options(data, crop="dlib", detector="mtcnn", save_aligned="new"))


def test_a_folder_of_the_version_before_goes_on_with_its_detector(data):
    """Its note named no detector, which was MTCNN, and no crop."""
    note = data / "mtcnn" / "align.json"
    settings = json.loads(note.read_text())
    note.write_text(json.dumps({name: settings[name] for name in settings if name not in ("detector", "crop")}))
    before = content(data / "mtcnn")
    with pytest.raises(UserError, match="--detector mtcnn there, dlib here"):
        align.run(options(data, save_aligned="mtcnn"))
    align.run(options(data, save_aligned="mtcnn", detector="mtcnn"))
    assert content(data / "mtcnn") == before


def test_mistakes_are_named(data, monkeypatch):
    with pytest.raises(UserError, match="--save_aligned.*nothing is written"):
        align.run(options(data, save_aligned="photographs/faces"))
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    with pytest.raises(UserError, match="pip install -r requirements-faces.txt"):
        align.run(options(data, save_aligned="others", detector="mtcnn"))
