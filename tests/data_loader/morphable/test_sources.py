import numpy as np
import pytest

from data_loader.morphable.camera import View, WeakPerspective
from data_loader.morphable.sources import open_source, visible
from tests.data_loader.morphable import published
from tests.trainer.jobs.test_render import options
from utils.errors import UserError


def test_landmarks_are_seen_unless_something_hides_them():
    points = np.float32([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [-0.5, -0.5, 0.95], [-0.5, -0.5, 0.5], [-9, 0, 5]])
    view = View(WeakPerspective(10.0, (16.0, 16.0)), points, np.int32([[0, 1, 2]]), 32, 32)
    pixels, seen = visible(view, [3, 4, 5], 0.1)
    np.testing.assert_allclose(pixels[:2], [[11, 21], [11, 21]])
    assert seen.tolist() == [True, False, False]  # on the wall; behind it; outside the picture


@pytest.mark.slow
def test_makehuman_landmarks_follow_the_head(tmp_path):
    source = open_source(options(tmp_path, syn_scale_size=64, yaw_range=0.0, pitch_range=0.0, roll_range=0.0))
    picture, about = source.draw(1, 1)
    row = dict(zip(source.columns, about, strict=True))
    x, y, seen = (np.array([float(row[f"{name}_{point}"]) for point in range(1, 69)])
                  for name in ("x", "y", "visible"))
    assert picture.shape == (64, 64, 3) and row["yaw"] == 0
    assert x[36] < x[39] < x[42] < x[45] and y[8] > y[57] > y[33] > y[27] and seen[17:].mean() > 0.9
    assert abs(x[30] - 32) < 6 and abs(y[36:48].mean() - 20) < 8
    side = open_source(options(tmp_path, yaw_range=90.0, random_seed=3))
    rows = [dict(zip(side.columns, side.draw(1, index)[1], strict=True)) for index in range(1, 9)]
    turned = max(rows, key=lambda row: abs(row["yaw"]))
    hidden, shown = (46, 37) if turned["yaw"] > 0 else (37, 46)  # turned to the right, the eye at the left stays
    assert abs(turned["yaw"]) > 50 and not turned[f"visible_{hidden}"] and turned[f"visible_{shown}"]


def test_makehuman_takes_the_pose_of_300w_3d_fits(tmp_path, capsys):
    for number in range(4):
        fit = published.fit(number, Pose_Para=np.array([[0.1, -0.4, 0, 0, 0, 0, 1]]))
        published.write(tmp_path / f"{number}.mat", fit)
    source = open_source(options(tmp_path, statistics_dir=str(tmp_path)))
    assert set(source.fits.groups) == {"pose"} and "takes the pose" in capsys.readouterr().out
    row = dict(zip(source.columns, source.draw(1, 1)[1], strict=True))
    assert row["yaw"] == pytest.approx(np.degrees(0.4), abs=2) and row["mood"] != "fitted"


def test_a_statistical_source_draws_and_says_what(tmp_path):
    folder = published.write_3ddfa(tmp_path / "3ddfa")
    source = open_source(options(tmp_path, morphable_model=str(folder)))
    picture, about = source.draw(1, 1)
    row = dict(zip(source.columns, about, strict=True))
    assert picture.shape == (16, 16, 3) and {"shininess", "contrast", "expression_3", "visible_68"} <= set(row)
    (tmp_path / "fits").mkdir()
    for number in range(3):
        published.write(tmp_path / "fits" / f"{number}.mat", published.fit(number))
    with pytest.raises(UserError, match="29 numbers of expression, Model_Shape.mat has 3"):
        open_source(options(tmp_path, morphable_model=str(folder), statistics_dir=str(tmp_path / "fits")))


def test_settings_name_the_content(tmp_path):
    path = published.write(tmp_path / "model.mat", published.bfm_2009())
    first = open_source(options(tmp_path, morphable_model=str(path))).settings["morphable_model"]
    assert first.startswith("model.mat ")
    published.write(path, published.bfm_2009() | {"shapeEV": np.full((5, 1), 2.0)})
    assert open_source(options(tmp_path, morphable_model=str(path))).settings["morphable_model"] != first
