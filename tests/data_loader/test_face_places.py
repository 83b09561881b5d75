"""Landmarks of metadata.csv, followed from generated images to their renders."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from data_loader import chips, folders
from data_loader.face_places import known_places, place
from data_loader.generated_folder import made_from
from data_loader.morphable.parameters import LANDMARKS, csv_line, landmark_numbers
from utils.errors import UserError

SIDE = 40  # pixels of the renders


def landmarks(seed):
    return np.random.default_rng(seed).uniform(5, 35, (68, 2)).round(1)


@pytest.fixture
def renders(tmp_path):
    """renders/1/{1,2}.png and renders/2/{1,2}.png with landmarks, but for the last."""
    lines = [csv_line(["path", "yaw", *LANDMARKS])]
    for number, name in enumerate(("1/1", "1/2", "2/1", "2/2")):
        path = tmp_path / "renders" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIDE, SIDE)).save(path)
        lines.append(csv_line([f"{name}.png", 0.5, *landmark_numbers(landmarks(number), np.ones(68, bool))]))
    (tmp_path / "renders" / "metadata.csv").write_text("".join(lines[:-1]))
    return tmp_path / "renders"


def places(folder, alignment="chip"):
    index = folders.index_images(folder, folder.parent / "cache", labelled=True)
    return known_places(index, alignment)


def generate_from(source, folder):
    """What `generate` leaves: other endings, another size, run.json."""
    for path in [*source.rglob("*.png"), *source.rglob("*.jpg")]:
        target = folder / path.relative_to(source).with_suffix(".jpg")
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(target)
    (folder / "run.json").write_text(json.dumps({"inputs": {"folder": str(source)}}))
    return folder


@pytest.mark.parametrize("alignment", ["chip", "square", "arcface"])
def test_renders(renders, alignment):
    found = places(renders, alignment)
    assert found.dtype == np.float32 and np.isnan(found[3]).all()
    expected = [place(landmarks(number), alignment, SIDE, SIDE) / SIDE for number in range(3)]
    np.testing.assert_allclose(found[:3], expected, rtol=1e-6)
    if alignment == "chip":
        np.testing.assert_allclose(found[:3] * SIDE, [chips.place(landmarks(i)) for i in range(3)], rtol=1e-5)


ABSURD = {
    "far": lambda points: points * (1e12, 1),
    "shifted": lambda points: points + 5000,
    "negated": lambda points: -points,
    "flat": lambda points: points * (1e-300, 1),
    "small": lambda points: points * 1e-300,
    "one": lambda points: points * 0 + 7,
    "large": lambda points: points * 8 - 140,
}


@pytest.mark.parametrize("kind", ABSURD)
@pytest.mark.parametrize("alignment", ["chip", "square", "arcface"])
def test_landmarks_of_no_face_in_the_picture_are_refused(renders, kind, alignment):
    table = renders / "metadata.csv"
    points = ABSURD[kind](landmarks(9))
    row = ["2/2.png", 0.5, *(value for x, y in points.tolist() for value in (repr(x), repr(y), 1))]
    table.write_text(table.read_text() + ",".join(map(str, row)) + "\n")
    with pytest.raises(UserError, match="metadata.csv: 2/2.png: landmarks "):
        places(renders, alignment)
    reasons = {}
    index = folders.index_images(renders, renders.parent / "cache", labelled=True)
    found = known_places(index, alignment, reasons)
    assert np.isnan(found[3]).all() and np.isfinite(found[:3]).all()
    assert list(reasons) == [3] and reasons[3].startswith("landmarks ")


def test_generated_images_lead_to_their_renders_through_two_generations_and_a_move(renders, tmp_path):
    expected = places(renders)
    second = generate_from(generate_from(renders, tmp_path / "first"), tmp_path / "second")
    np.testing.assert_array_equal(places(second), expected)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("renders", "first", "second"):
        shutil.move(tmp_path / name, moved / name)
    np.testing.assert_array_equal(places(moved / "second"), expected)
    shutil.rmtree(moved / "renders")
    assert np.isnan(places(moved / "second")).all()


@pytest.mark.parametrize("change", [
    lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), lambda text: text.replace("/", "\\"),
    lambda text: "\ufeff" + text.replace(",", ";").replace("\n", "\r\n"),
    lambda text: text.replace(",", ";").replace(".png", "#").replace(".", ",").replace("#", ".png"),
    lambda text: text.replace(",", "\t").replace("\n", "\t\t\n"),
])  # fmt: skip
def test_a_table_that_was_saved_again_says_the_same(renders, change):
    expected = places(renders)
    _edit(renders, change)
    np.testing.assert_array_equal(places(renders), expected)


def test_other_tables_know_nothing(renders):
    (renders / "metadata.csv").write_text("path,yaw\n1/1.png,3\n")
    assert np.isnan(places(renders)).all()


def test_a_folder_that_was_made_from_itself_ends(renders, tmp_path):
    (renders / "metadata.csv").unlink()
    (renders / "run.json").write_text(json.dumps({"inputs": {"folder": str(renders)}}))
    assert np.isnan(places(renders)).all()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: (d / "run.json").write_text("{}"), "run.json does not say"),
        (lambda d: (d / "run.json").write_text("[1"), "run.json cannot be read"),
        (lambda d: _edit(d, lambda text: text[:-200]), "metadata.csv line 4: .* values for"),
        (lambda d: _edit(d, lambda text: text.replace("1/2.png,0.5,", "1/2.png,0.5,x")), "line 3: column x_1 is no n"),
        (lambda d: _edit(d, lambda text: text.replace("path,", "file,")), "line 1: column path is missing"),
        (lambda d: _edit(d, lambda text: text.replace("x_68", "x68")), "line 1: column x_68 is missing"),
        (lambda d: _edit(d, lambda text: text.replace("1/2.png", "../2.png")), "line 3: '../2.png' leads out of"),
        (lambda d: _edit(d, lambda text: text.replace("\n1/", "\nx/").replace("\n2/", "\nx/")),
         "metadata.csv names no image of .*; its last row: x/1.png"),
        (lambda d: _edit(d, lambda text: re.sub(r"1/2.png,0.5,[\d.]+", "1/2.png,0.5,inf", text)), "not finite"),
        (lambda d: Image.new("RGB", (SIDE, 9)).save(d / "1" / "1.png"), "must be square, is 40x9"),
        (lambda d: (d / "1" / "1.png").write_text("no picture"), "1.png: not a JPEG"),
    ],
)
def test_damaged_tables_are_one_line(renders, spoil, words):
    spoil(renders)
    if (renders / "run.json").exists():
        (renders / "metadata.csv").unlink()
    with pytest.raises(UserError, match=words) as caught:
        places(renders)
    assert str(renders) in str(caught.value) and "\n" not in str(caught.value)


def _edit(folder, change):
    path = folder / "metadata.csv"
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))


@pytest.mark.parametrize(("told", "found"), [("../data/syn", "data/syn"), ("{tmp}/syn", "syn"), ("", None)])
def test_what_a_folder_was_made_from_is_told_from_its_place_or_whole(told, found, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "run.json").write_text(json.dumps({"inputs": {"folder": told.format(tmp=tmp_path)}}))
    assert made_from(tmp_path / "made") == (found and tmp_path / found)
