import numpy as np
import pytest

from data_loader.morphable.model import ATLAS, Basis, _basis, load_makehuman
from utils.errors import UserError


def test_basis_adds_weighted_offsets():
    offsets = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    np.testing.assert_array_equal(Basis(("a", "b"), offsets)(np.array([2.0, -1.0])), 2 * offsets[0] - offsets[1])


def test_basis_takes_from_a_file_the_points_that_are_drawn(tmp_path):
    (tmp_path / "nose-up.target").write_text("2 1 2 3\n4 9 9 9\n5 4 5 6\n9 8 8 8\n")
    basis = _basis([tmp_path / "nose-up.target"], np.array([1, 2, 5, 7]))
    assert basis.names == ("nose-up",)
    np.testing.assert_array_equal(basis.offsets, [[[0, 0, 0], [1, 2, 3], [4, 5, 6], [0, 0, 0]]])


def test_head_is_whole_and_symmetric(model):
    assert model.triangles.max() == len(model.corners) - 1 and model.corners.max() == len(model.mean) - 1
    assert np.abs(model.mean[:, 0].min() + model.mean[:, 0].max()) < 1e-3
    left, right = (model.mean[eye].mean(axis=0) for eye in model.eyes)
    np.testing.assert_allclose(left * (-1, 1, 1), right, atol=1e-3)
    assert left[0] > 0 and model.mean[model.teeth][:, 1].max() < left[1]


def test_normals_point_out(model):
    normals = model.normals(model.mean)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    tip = np.argmax(model.mean[:, 2])
    crown = np.argmax(model.mean[:, 1])
    assert normals[tip, 2] > 0.9 and normals[crown, 1] > 0.9


def test_each_part_keeps_to_its_place_in_the_atlas(model):
    for part, (left, bottom, right, top) in ATLAS.items():
        place = model.texture[model.parts[part]]
        assert len(place) and (place >= np.subtract((left, bottom), 1e-6)).all()
        assert (place <= np.add((right, top), 1e-6)).all()
    assert np.sum(list(model.parts.values()), axis=0).tolist() == [1] * len(model.corners)


def test_targets_move_what_they_name(model):
    weights = np.array([name == "nose-hump-incr" for name in model.shape.names], float)
    moved = np.linalg.norm(model.shape(weights), axis=1) > 1e-3
    assert moved.any() and np.abs(model.mean[moved][:, 0]).max() < 0.3
    weights = np.array([name == "jawOpen" for name in model.expression.names], float)
    assert model.expression(weights)[model.teeth][:, 1].min() < -0.1


def test_a_folder_without_the_files_is_named(tmp_path):
    with pytest.raises(UserError, match="base.obj"):
        load_makehuman(tmp_path)
