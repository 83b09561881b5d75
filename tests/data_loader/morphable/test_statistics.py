import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loader.morphable import parameters, sampling, statistics
from data_loader.morphable.camera import rotation
from tests.data_loader.morphable import published
from utils.errors import UserError

UNITS = ("jawOpen", "mouthSmileLeft")


def fits(folder, count=6, **changes):
    for number in range(count):
        published.write(folder / f"image_{number}.mat", published.fit(number, **changes))
    return folder


def table(folder, rows=4, columns=(*parameters.POSE, *UNITS), **changes):
    random = np.random.default_rng(0)
    with open(folder / "metadata.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", *columns])
        for row in range(rows):
            writer.writerow([f"{row}.jpg", *(changes.get(column, random.normal()) for column in columns)])
    return folder


def test_draws_have_the_fits_mean_and_the_scripts_part_of_their_covariance():
    values = np.random.default_rng(1).normal((1, 2, 3), (1, 2, 0.5), (40, 3)) @ [[1, 0.5, 0], [0, 1, 0], [0, 0.3, 1]]
    random = np.random.default_rng(2)
    for group, part in (("pose", 3), ("expression", 2), ("light", 3), ("colour", 3), ("texture", 1)):
        found = statistics.Statistics({group: statistics.Group.of(values)}, True)
        drawn = np.array([found.draw(group, random) for _ in range(20000)])
        np.testing.assert_allclose(drawn.mean(axis=0), values.mean(axis=0), atol=0.06)
        np.testing.assert_allclose(np.cov(drawn.T), np.cov(values.T) / part, atol=0.12)


def test_fits_of_300w_3d_are_read(tmp_path):
    found = statistics.read(fits(tmp_path), (), ())
    poses = np.array([published.fit(number)["Pose_Para"][0] for number in range(6)])
    np.testing.assert_allclose(found.groups["pose"].mean, poses.mean(axis=0), rtol=1e-6)
    assert {name: len(group.mean) for name, group in found.groups.items()} == {
        "pose": 7, "expression": 29, "light": 10, "colour": 7, "texture": 199}
    assert found.published


def test_published_poses_have_yaw_0_and_one_and_a_half_the_roll(tmp_path):
    found = statistics.read(fits(tmp_path), (), ())
    for seed in range(5):
        drawn = found.draw("pose", np.random.default_rng(seed))
        expected = statistics.degrees(drawn[0], drawn[1], 1.5 * drawn[2])
        assert found.pose(np.random.default_rng(seed)) == pytest.approx(expected)
        expected = statistics.degrees(drawn[0], 0, 1.5 * drawn[2])
        assert found.pose(np.random.default_rng(seed), frontal=True) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(*[st.floats(-1.4, 1.4)] * 3)
def test_degrees_turn_as_the_published_angles_do(pitch, yaw, roll):
    turn = rotation(0, np.degrees(pitch), 0) @ rotation(-np.degrees(yaw), 0, 0) @ rotation(0, 0, np.degrees(roll))
    np.testing.assert_allclose(rotation(*statistics.degrees(pitch, yaw, roll)), turn, atol=1e-9)


def test_a_table_gives_degrees_and_what_else_it_holds(tmp_path):
    found = statistics.read(table(tmp_path, yaw=10, pitch=5, roll=4, jawOpen=0.5), UNITS, parameters.LIGHT)
    assert found.pose(np.random.default_rng(0)) == pytest.approx((10, 5, 6))
    assert found.pose(np.random.default_rng(0), frontal=True) == pytest.approx((0, 5, 6))
    assert "expression" in found and "light" not in found and not found.published
    assert found.draw("expression", np.random.default_rng(0))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("field", ["Pose_Para", "Exp_Para", "Illum_Para", "Color_Para", "Tex_Para"])
def test_a_fit_that_lacks_something_is_named(tmp_path, field):
    fits(tmp_path)
    incomplete = published.fit(9)
    del incomplete[field]
    published.write(tmp_path / "image_3.mat", incomplete)
    with pytest.raises(UserError, match=f"image_3.mat: field {field} is missing"):
        statistics.read(tmp_path, (), ())
    published.write(tmp_path / "image_3.mat", incomplete | {field: np.ones((2, 2))})
    with pytest.raises(UserError, match=f"image_3.mat: field {field} holds 4 numbers"):
        statistics.read(tmp_path, (), ())


def test_folders_without_enough_are_named(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        statistics.read(tmp_path / "none", (), ())
    with pytest.raises(UserError, match="neither metadata.csv nor"):
        statistics.read(tmp_path, (), ())
    with pytest.raises(UserError, match="holds 1 fits"):
        statistics.read(table(tmp_path, rows=1), UNITS, ())


@pytest.mark.parametrize("change", [
    lambda text: "\ufeff" + text, lambda text: "\ufeff" + text.replace(",", ";"),
    lambda text: text.replace(",", "\t").replace(".", ",").replace("\n", "\t\r\n")])
def test_a_table_that_was_saved_again_says_the_same(tmp_path, change):
    path = table(tmp_path, yaw=10.5, pitch=5, roll=4, jawOpen=0.5) / parameters.METADATA
    path.write_text(change(path.read_text()), encoding="utf-8")
    found = statistics.read(tmp_path, UNITS, parameters.LIGHT)
    assert found.groups["pose"].mean.tolist() == pytest.approx([10.5, 5, 4]) and "expression" in found


@pytest.mark.parametrize("columns, changes, words", [
    (("yaw", "roll"), {}, "column pitch is missing"), ((*parameters.POSE, "jawOpen"), {}, "mouthSmileLeft is missing"),
    ((*parameters.POSE,), {"roll": "steep"}, "line 2: column roll is no number"),
    ((*parameters.POSE,), {"yaw": "nan"}, "line 2: column yaw is not finite")])
def test_a_wrong_table_is_named(tmp_path, columns, changes, words):
    with pytest.raises(UserError, match=f"metadata.csv.*{words}"):
        statistics.read(table(tmp_path, columns=columns, **changes), UNITS, ())


def test_framing_follows_the_fits_and_never_turns_a_face_over(tmp_path):
    columns = (*parameters.POSE, *parameters.FRAMING)
    found = statistics.read(table(tmp_path, columns=columns, zoom=0.8, shift_x=0.1, shift_y=-0.2), (), ())
    zoom, shift = sampling.framing(np.random.default_rng(0), found)
    assert (zoom, *shift) == pytest.approx((0.8, 0.1, -0.2))
    far_out = statistics.read(table(tmp_path, columns=columns, zoom=-5), (), ())
    assert sampling.framing(np.random.default_rng(0), far_out)[0] == statistics.LEAST_ZOOM
    assert sampling.framing(np.random.default_rng(0))[0] == pytest.approx(1, abs=0.1)
