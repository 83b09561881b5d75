import csv
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from data_loader import assets
from trainer.jobs import align
from utils.errors import UserError


def options(folder, **changes):
    return SimpleNamespace(**{"data_dir": str(folder), "dataset": "photographs", "save_aligned": "faces", "size": 108,
                              "image_format": "png", "asset_dir": "~/.cache/facegan", "use_gpu": True, "num_gpu": 1,
                              **changes})


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
    align.run(options(folder))
    assert content(folder / "photographs") == before
    return folder


def test_every_photograph_gives_a_crop_or_a_reason(data):
    good, bad = rows(data / "faces" / "success.csv"), rows(data / "faces" / "failed.csv")
    assert {row["path"] for row in good.values()} == {"trip/one.png", "trip/day/several.png", "large.png"}
    for row in good.values():
        with Image.open(data / "faces" / row["path"]) as image:
            assert image.size == (108, 108)
    reasons = {file: row["reason"] for file, row in bad.items()}
    assert set(reasons) == {"none.jpg", "tiny.png", "strip.png", "broken.jpg", "trip/one.webp"}
    assert reasons["none.jpg"] == "no face found" and reasons["tiny.png"].startswith("1x1 pixels")
    assert "same name" in reasons["trip/one.webp"]


def test_the_face_nearest_to_the_centre_fills_its_part_of_the_crop(data):
    good = rows(data / "faces" / "success.csv")
    several, large = good["trip/day/several.png"], good["large.jpg"]
    assert several["faces"] == "3"
    left, top, side = (int(several[name]) for name in ("left", "top", "side"))
    assert left < 150 and left + side > 260 and top < 100 and top + side > 220  # the one at (130, 60)
    left, top, side = (int(large[name]) for name in ("left", "top", "side"))
    assert left < 2100 and left + side > 3300 and 1300 < side < 2500  # in the pixels of the photograph


def test_a_second_run_does_what_is_missing(data):
    first = content(data / "faces")
    (data / "faces" / "large.png").unlink()
    kept = (data / "faces" / "trip" / "one.png").stat().st_mtime_ns
    align.run(options(data))
    assert content(data / "faces") == first
    assert (data / "faces" / "trip" / "one.png").stat().st_mtime_ns == kept


def test_mistakes_are_named(data, monkeypatch):
    with pytest.raises(UserError, match="--save_aligned.*nothing is written"):
        align.run(options(data, save_aligned="photographs/faces"))
    with pytest.raises(UserError, match="--size 8"):
        align.run(options(data, size=8))
    with pytest.raises(UserError, match="gif.*jpg, png"):
        align.run(options(data, image_format="gif"))
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    with pytest.raises(UserError, match="pip install -r requirements-faces.txt"):
        align.run(options(data, save_aligned="others"))
