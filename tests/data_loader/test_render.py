import csv
import json
from types import SimpleNamespace

import pytest
from PIL import Image

from data_loader import render
from utils.errors import UserError


def options(folder, **changes):
    return SimpleNamespace(**{
        "data_dir": str(folder), "syn_dataset": "syn", "n_id": 2, "images_per_id": 2, "syn_scale_size": 16,
        "image_format": "png", "random_seed": 1, "yaw_range": 30.0, "pitch_range": 10.0, "roll_range": 5.0,
        "num_worker": 1, "asset_dir": "~/.cache/facegan", **changes})


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    render.run(options(folder))
    return content(folder / "syn")


def test_folder_holds_people_pictures_and_parameters(tmp_path, first):
    assert sorted(first) == ["00001/00001.png", "00001/00002.png", "00002/00001.png", "00002/00002.png",
                             "metadata.csv", "render.json"]
    rows = list(csv.DictReader(first["metadata.csv"].decode().splitlines()))
    assert [row["path"] for row in rows] == sorted(name for name in first if name.endswith("png"))
    assert all(abs(float(row["yaw"])) <= 30 and abs(float(row["roll"])) <= 5 for row in rows)
    assert json.loads(first["render.json"])["random_seed"] == 1
    assert len(set(first.values())) == 6
    render.run(options(tmp_path, image_format="jpg", n_id=1, images_per_id=1))
    with Image.open(tmp_path / "syn" / "00001" / "00001.jpg") as image:
        assert image.format == "JPEG" and image.size == (16, 16)
        assert set(image.quantization[0]) == {1}  # quality 100


def test_rest_of_an_interrupted_run_and_more_processes_give_the_same_bytes(tmp_path, first):
    folder = tmp_path / "syn"
    render.run(options(tmp_path, n_id=1))
    (folder / "00001" / "00002.png").unlink()
    kept = (folder / "00001" / "00001.png").stat().st_mtime_ns
    render.run(options(tmp_path, num_worker=2))
    assert content(folder) == first
    assert (folder / "00001" / "00001.png").stat().st_mtime_ns == kept


def test_one_person_alone_is_the_same_person(tmp_path, first):
    for name in ("render.json", "00001/00001.png", "00002/00002.png"):
        (tmp_path / "syn" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "syn" / name).write_bytes(first[name])
    render.run(options(tmp_path))
    assert content(tmp_path / "syn") == first
    assert first["00001/00002.png"] != first["00002/00001.png"]


def test_other_settings_need_another_folder(tmp_path):
    render.run(options(tmp_path, n_id=1, images_per_id=1))
    before = content(tmp_path)
    with pytest.raises(UserError, match="--random_seed 1, not 2"):
        render.run(options(tmp_path, random_seed=2))
    assert content(tmp_path) == before
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "a.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match="not empty"):
        render.run(options(tmp_path, syn_dataset="photographs"))


@pytest.mark.parametrize("change", [{"n_id": 0}, {"images_per_id": 0}, {"syn_scale_size": 15}, {"num_worker": 0},
                                    {"random_seed": -1}, {"yaw_range": 91}, {"pitch_range": -1}, {"roll_range": 181},
                                    {"yaw_range": float("nan")}, {"image_format": "gif"}])
def test_values_out_of_range_are_named_and_nothing_is_written(tmp_path, change):
    with pytest.raises(UserError, match=f"--{next(iter(change))}"):
        render.run(options(tmp_path, **change))
    assert not list(tmp_path.iterdir())
