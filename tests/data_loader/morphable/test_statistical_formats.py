import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loader.morphable import statistical_formats
from data_loader.morphable.statistical import SKIN
from tests.data_loader.morphable import published
from utils.errors import UserError

FILES = {"01_MorphableModel.mat": published.bfm_2009, "all_all_all.mat": published.lsfm,
         "model2017.h5": published.statismo}


def close(components, mean, basis, deviation):
    np.testing.assert_allclose(components.mean, np.reshape(mean, (-1, 3)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(components.offsets, basis.T.reshape(-1, 60, 3), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(components.deviation, deviation, rtol=1e-6)


def test_bfm_2009(tmp_path):
    model = statistical_formats.load(published.write(tmp_path / "01_MorphableModel.mat", published.bfm_2009()))
    points, triangles = published.dome()
    close(model.shape, points * 1e5, published.basis(1, 5), [1, 2, 3, 4, 5])
    close(model.colour, np.tile([200, 150, 120], 60) / 255, published.basis(2, 4) / 255, [1, 2, 3, 4])
    np.testing.assert_array_equal(model.triangles, triangles)
    assert model.expression.count == 0 and model.landmarks is None


def test_bfm_2017_and_2019(tmp_path):
    model = statistical_formats.load(published.write(tmp_path / "model2019.h5", published.statismo()))
    points, triangles = published.dome()
    close(model.shape, points * 100 + 2, published.basis(1, 5), [1, 2, 3, 4, 5])
    close(model.expression, np.zeros((60, 3)), published.basis(4, 3), [1, 2, 3])
    close(model.colour, np.tile([0.8, 0.6, 0.5], 60), published.basis(2, 4), [1, 2, 3, 4])
    np.testing.assert_array_equal(model.triangles, triangles)


def test_a_statismo_model_without_expressions(tmp_path):
    fields = {name: value for name, value in published.statismo().items() if not name.startswith("expression")}
    model = statistical_formats.load(published.write(tmp_path / "l4.h5", fields))
    close(model.shape, published.dome()[0] * 100, published.basis(1, 5), [1, 2, 3, 4, 5])
    close(model.colour, np.tile([0.8, 0.6, 0.5], 60), published.basis(2, 4), [1, 2, 3, 4])
    assert model.expression.count == 0 and model.expression.mean.shape == (60, 3)


@pytest.mark.parametrize("renamed", [{}, {"components": "w"}, {"trilist": "tri"}])
def test_lsfm(tmp_path, renamed):
    fields = {renamed.get(name, name): value for name, value in published.lsfm().items()}
    model = statistical_formats.load(published.write(tmp_path / "all_all_all.mat", fields))
    close(model.shape, published.dome()[0], published.basis(3, 5), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(model.colour([]), np.tile(SKIN, (60, 1)), rtol=1e-6)
    np.testing.assert_array_equal(model.triangles, published.dome()[1])


def test_3ddfa(tmp_path):
    model = statistical_formats.load(published.write_3ddfa(tmp_path))
    points, triangles = published.dome()
    close(model.shape, points * 1e5 + 7, published.basis(1, 5), [1, 2, 3, 4, 5])
    close(model.expression, np.zeros((60, 3)), 1e5 * published.basis(4, 3), [1, 2, 3])
    close(model.colour, np.tile([200, 150, 120], 60) / 255, published.basis(2, 4) / 255, [1, 2, 3, 4])
    np.testing.assert_array_equal(model.triangles, triangles)
    np.testing.assert_array_equal(model.landmarks, published.landmarks())
    expected = model.shape.mean + 2 * model.shape.offsets[1] - model.expression.offsets[0]
    np.testing.assert_allclose(model.points([0, 2], [-1]), expected, rtol=1e-5)


def test_lsfm_beside_3ddfa_gives_the_directions_but_not_the_mean(tmp_path):
    lsfm = {"w": published.basis(3, 5), "eigenvalues": np.arange(1, 6.0) ** 2, "mean": np.full(180, 9.0)}
    model = statistical_formats.load(published.write_3ddfa(tmp_path, all_all_all_scaled=lsfm, notes={"a": 1.0}))
    assert model.shape.count == 199 and model.shape.offsets.shape == (199, 60, 3)
    np.testing.assert_allclose(model.shape.mean, published.dome()[0] * 1e5 + 7, rtol=1e-6)
    np.testing.assert_allclose(model.shape.deviation, [1, 2, 3, 4, 5, *[0] * 194], rtol=1e-6)
    np.testing.assert_allclose(model.shape.offsets[:5], published.basis(3, 5).T.reshape(5, 60, 3), rtol=1e-5)
    assert not model.shape.offsets[5:].any()
    published.write(tmp_path / "asian.mat", lsfm)
    with pytest.raises(UserError, match="all_all_all_scaled.mat and asian.mat"):
        statistical_formats.load(tmp_path)


def test_triangles_face_the_viewer_whatever_the_file_says(tmp_path):
    fields = published.bfm_2009()
    fields["tl"] = fields["tl"][:, ::-1]
    model = statistical_formats.load(published.write(tmp_path / "a.mat", fields))
    assert {tuple(sorted(row)) for row in model.triangles} == {tuple(sorted(row)) for row in published.dome()[1]}
    a, b, c = (model.shape.mean[model.triangles[:, corner]] for corner in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


@pytest.mark.parametrize("file, field", [
    (file, field) for file, make in FILES.items() for field in make()
    if "noise" not in field and field not in ("shapeMU", "eigenvalues")])
def test_a_missing_field_is_named(tmp_path, file, field):
    fields = FILES[file]()
    del fields[field]
    with pytest.raises(UserError, match=f"{file}: field {field} is missing"):
        statistical_formats.load(published.write(tmp_path / file, fields))


@pytest.mark.parametrize("name, make", [("Model_Shape", published.model_shape), ("Model_Exp", published.model_exp)])
def test_a_missing_field_of_3ddfa_is_named(tmp_path, name, make):
    for field in make():
        fields = make()
        del fields[field]
        with pytest.raises(UserError, match=f"{name}.mat: field {field} is missing"):
            statistical_formats.load(published.write_3ddfa(tmp_path, **{name: fields}))
    (tmp_path / f"{name}.mat").unlink()
    with pytest.raises(UserError, match=f"no {name}.mat"):
        statistical_formats.load(tmp_path)


@pytest.mark.parametrize("field, value", [
    ("shapePC", np.zeros((180, 4))), ("shapeEV", np.zeros((0, 1))), ("shapeEV", np.full((5, 1), -1.0)),
    ("texMU", np.zeros((90, 1))), ("texMU", np.zeros((181, 1))), ("shapeMU", np.full((180, 1), np.nan)),
    ("tl", np.full((9, 3), 61.0)), ("tl", np.full((9, 3), 0.0)), ("tl", np.full((9, 3), 1.5)), ("tl", np.ones((4, 5))),
    ("texEV", np.array([["a"]]))])
def test_a_wrong_field_is_named_with_its_file(tmp_path, field, value):
    path = published.write(tmp_path / "a.mat", published.bfm_2009() | {field: value})
    named = {"tl": "tl|triangles", "texMU": "texMU|texPC|colour"}.get(field, field)
    with pytest.raises(UserError, match=f"a.mat: .*({named})"):
        statistical_formats.load(path)


def test_keypoints_are_68(tmp_path):
    fields = published.model_shape() | {"keypoints": np.ones((1, 67))}
    with pytest.raises(UserError, match="keypoints holds 67"):
        statistical_formats.load(published.write_3ddfa(tmp_path, Model_Shape=fields))


@pytest.mark.parametrize("name", ["none.mat", "none", "model.obj"])
def test_what_is_no_model_is_named(tmp_path, name):
    (tmp_path / "model.obj").write_text("v 0 0 0\n")
    with pytest.raises(UserError, match=f"--morphable_model .*{name}: .*makehuman"):
        statistical_formats.load(tmp_path / name)


@settings(max_examples=60, deadline=None)
@given(file=st.sampled_from(sorted(FILES)), share=st.floats(0, 0.999), flip=st.booleans())
def test_a_damaged_file_is_named(tmp_path_factory, file, share, flip):
    folder = tmp_path_factory.mktemp("damaged")
    data = bytearray(published.write(folder / file, FILES[file]()).read_bytes())
    place = int(share * len(data))
    (folder / file).write_bytes(data[:place] if not flip else data[:place] + b"\xff" * 8 + data[place + 8:])
    try:
        statistical_formats.load(folder / file)  # what is damaged may be a number, or nothing that is read
    except UserError as error:
        assert file in str(error) and "\n" not in str(error)
