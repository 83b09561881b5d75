import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io
from PIL import Image

from data_loader import assets, folders, portraits
from data_loader.morphable import parameters, statistics
from tests.data_loader.morphable import published
from tests.once import once
from trainer.jobs import pair
from utils.errors import UserError

PHOTOGRAPHS = ("s1/1.pgm", "s1/5.pgm", "s22/5.pgm")


def options(folder, **changes):
    return SimpleNamespace(**{
        "data_dir": str(folder), "dataset": "photographs", "dataset_3dmm": "pairs", "size": 64, "image_format": "png",
        "max_fit_error": 6.0, "num_worker": 1, "asset_dir": "~/.cache/facegan", "morphable_model": "makehuman",
        "pair_crop": "centre", **changes})


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(path, key):
    with open(path, encoding="utf-8", newline="") as file:
        return {row[key]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module", autouse=True)
def opened_once(face_read_once):
    """The fitter is opened once for all tests: it takes longer than a fit, of which one run makes many with it."""
    with pytest.MonkeyPatch.context() as patch:
        for part in ("Fitter", "Studio"):
            patch.setattr(portraits, part, once(getattr(portraits, part)))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    att = assets.fetch("att_faces", "~/.cache/facegan")
    for name in PHOTOGRAPHS:
        (folder / "photographs" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(att / name, folder / "photographs" / name)
    Image.new("RGB", (100, 100), (90, 120, 60)).save(folder / "photographs" / "none.png")
    Image.new("RGB", (1, 1)).save(folder / "photographs" / "tiny.png")
    (folder / "photographs" / "broken.jpg").write_bytes(b"\xff\xd8no")
    before = content(folder / "photographs")
    pair.run(options(folder))
    assert content(folder / "photographs") == before
    return folder


def test_photographs_become_pairs_or_reasons(data, tmp_path):
    index = folders.index_pairs(str(data / "pairs"), tmp_path)
    assert [index.relative_path(i) for i in range(len(index))] == ["s1/1.png", "s1/5.png", "s22/5.png"]
    for i in range(len(index)):
        photograph, render = (np.asarray(Image.open(path)) for path in index.files(i))
        assert photograph.shape == render.shape == (64, 64, 3)
        assert (render == 0).all(axis=2).mean() > 0.02 and render[20:50, 20:44].min() > 0  # on black, a face
        assert (render == render[..., :1]).all()  # grey, as the photograph
        face = render[24:44, 16:48, 0].astype(float), photograph[24:44, 16:48, 0].astype(float)
        assert abs(face[0].mean() - face[1].mean()) < 25 and np.corrcoef(*map(np.ravel, face))[0, 1] > 0.3
    reasons = {file: row["reason"] for file, row in rows(data / "pairs" / "failed.csv", "file").items()}
    rests_on = {each["what"] for each in json.loads((data / "pairs" / "licences.json").read_text())}
    assert rests_on == {"3D face model", "68-point landmark predictor of dlib", "images of photographs"}
    assert set(reasons) == {"none.png", "tiny.png", "broken.jpg"} and reasons["none.png"] == "no face found"


def test_parameters_are_those_of_the_photographs(data):
    found = rows(data / "pairs" / "metadata.csv", "path")
    errors = {file: float(row["error"]) for file, row in rows(data / "pairs" / "success.csv", "file").items()}
    assert max(errors.values()) < 5
    assert abs(float(found["s1/1.png"]["yaw"])) < 8 < float(found["s1/5.png"]["yaw"])  # he looks to the image's right
    assert float(found["s22/5.png"]["mouthSmileLeft"]) > float(found["s1/1.png"]["mouthSmileLeft"]) + 0.3
    assert 27 < float(found["s1/1.png"]["y_31"]) < 50  # the tip of the nose, in pixels of the crop
    fits = statistics.read(data / "pairs", ("jawOpen", "mouthSmileLeft"), parameters.LIGHT)
    assert {"pose", "expression", "light"} <= set(fits.groups)


@pytest.mark.slow  # render's twin is not
def test_the_rest_in_two_processes_gives_the_same_bytes(data, tmp_path):
    shutil.copytree(data / "photographs", tmp_path / "photographs")
    shutil.copytree(data / "pairs", tmp_path / "pairs")
    for name in ("s1/1.png", "s22/5.png"):
        (tmp_path / "pairs" / name).unlink()
    (tmp_path / "pairs" / "failed.csv").unlink()
    (tmp_path / "pairs" / "metadata.csv").unlink()
    pair.run(options(tmp_path, num_worker=2))
    assert content(tmp_path / "pairs") == content(data / "pairs")


def test_bad_fits_and_faces_out_of_the_crop_are_refused(data, tmp_path):
    (tmp_path / "photographs").mkdir()
    shutil.copy(data / "photographs" / "s1" / "1.pgm", tmp_path / "photographs")
    pair.run(options(tmp_path, max_fit_error=0.5))
    failed = rows(tmp_path / "pairs" / "failed.csv", "file")
    assert set(failed) == {"1.pgm"} and "over --max_fit_error 0.5" in failed["1.pgm"]["reason"]
    face = Image.open(tmp_path / "photographs" / "1.pgm")
    wall = Image.new("L", (390, 260), 120)
    wall.paste(face, (10, 60))
    (tmp_path / "wide").mkdir()
    wall.save(tmp_path / "wide" / "1.png")
    pair.run(options(tmp_path, dataset="wide", dataset_3dmm="a"))
    assert "use align first" in rows(tmp_path / "a" / "failed.csv", "file")["1.png"]["reason"]
    pair.run(options(tmp_path, dataset="wide", dataset_3dmm="b", pair_crop="face"))
    assert list(rows(tmp_path / "b" / "success.csv", "file")) == ["1.png"]


def test_mistakes_are_named(data):
    for change, message in (({"pair_crop": "none"}, "face, centre"), ({"max_fit_error": 0.0}, "--max_fit_error"),
                            ({"num_worker": 0}, "--num_worker"), ({"dataset_3dmm": "photographs"}, "--dataset_3dmm")):
        with pytest.raises(UserError, match=message):
            pair.run(options(data, **change))


def test_published_fits_are_drawn_where_they_say(tmp_path):
    """A dome of 2 units, turned by nothing, 60 pixels a unit, its origin at (150, 90) of a photograph of 240 x 200."""
    model = published.write_3ddfa(tmp_path / "model")
    (tmp_path / "photographs").mkdir()
    Image.new("RGB", (240, 200), (200, 180, 160)).save(tmp_path / "photographs" / "a.jpg")
    Image.new("RGB", (240, 200)).save(tmp_path / "photographs" / "without.jpg")
    fit = {"Pose_Para": [[0, 0, 0, 150, 200 - 90, 0, 60 / 1e5]], "Shape_Para": np.zeros((published.SHAPES, 1)),
           "Exp_Para": np.zeros((published.EXPRESSIONS, 1)), "Tex_Para": np.zeros((published.COLOURS, 1)),
           "Illum_Para": [[0.6, 0.6, 0.6, 0.3, 0.3, 0.3, 0, 0, 1, 10]], "Color_Para": [[1, 1, 1, 0, 0, 0, 1]]}
    scipy.io.savemat(tmp_path / "photographs" / "a.mat", fit)
    pair.run(options(tmp_path, morphable_model=str(model), size=200))
    render = np.asarray(Image.open(tmp_path / "pairs" / "3dmm" / "a.png"))  # the centre square begins at x = 20
    y, x = np.nonzero(render.any(axis=2))
    assert np.allclose([x.min(), x.max(), y.min(), y.max()], [130 - 48, 130 + 48, 90 - 60, 90 + 60], atol=2)
    row = rows(tmp_path / "pairs" / "success.csv", "file")["a.jpg"]
    assert row["error"] == "nan" and float(row["light_azimuth"]) == 0
    assert "without.mat" in rows(tmp_path / "pairs" / "failed.csv", "file")["without.jpg"]["reason"]


def test_a_fit_counts_the_pixels_of_a_photograph_of_any_size(tmp_path):
    """The dome of the test above, in a file as AFLW2000-3D has them, of a photograph of 2400 x 2000."""
    model = published.write_3ddfa(tmp_path / "model")
    (tmp_path / "photographs").mkdir()
    Image.new("RGB", (2400, 2000), (200, 180, 160)).save(tmp_path / "photographs" / "a.jpg")
    fit = {"Pose_Para": np.float32([[0, 0, 0, 1500, 2000 - 900, -110, 600 / 1e5]]), "pt2d": np.full((2, 21), -1.0),
           "Shape_Para": np.zeros((published.SHAPES, 1)), "Exp_Para": np.zeros((published.EXPRESSIONS, 1)),
           "Tex_Para": np.zeros((published.COLOURS, 1)), "roi": np.int16([[162, 52, 1182, 1072]]),
           "Illum_Para": [[0.6, 0.6, 0.6, 0.3, 0.3, 0.3, 0, 0, 1, 10]],
           "Color_Para": np.float32([[1, 1, 1, 0, 0, 0, 1]])}  # fmt: skip
    places = published.dome()[0][published.landmarks()] * [600, -600, 600] + [1500, 900, 0]
    scipy.io.savemat(tmp_path / "photographs" / "a.mat", fit | {"pt3d_68": np.float32(places.T)})
    pair.run(options(tmp_path, morphable_model=str(model), size=200))
    render = np.asarray(Image.open(tmp_path / "pairs" / "3dmm" / "a.png"))
    y, x = np.nonzero(render.any(axis=2))
    assert np.allclose([x.min(), x.max(), y.min(), y.max()], [130 - 48, 130 + 48, 90 - 60, 90 + 60], atol=2)
    assert float(rows(tmp_path / "pairs" / "success.csv", "file")["a.jpg"]["error"]) < 1
