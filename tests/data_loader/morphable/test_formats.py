import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loader.morphable.formats import read_obj, read_target
from utils.errors import UserError

OBJ = """# a quad and a triangle
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0.5
vt 0.25 0.75
vt 1 0
g body
f 1/1 2/2 3/1 4/2
g eye
f 1/2 2/2 4/1
"""


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_obj_holds_points_faces_and_groups(tmp_path):
    mesh = read_obj(write(tmp_path / "a.obj", OBJ))
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]])
    np.testing.assert_array_equal(mesh.texture, [[0.25, 0.75], [1, 0]])
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2, 3], [0, 1, 3, 3]])
    np.testing.assert_array_equal(mesh.texture_faces, [[0, 1, 0, 1], [1, 1, 0, 0]])
    assert mesh.groups.tolist() == ["body", "eye"]


@pytest.mark.parametrize("old, new, words", [
    ("f 1/2 2/2 4/1", "f 1/2 2/2", "line 11"), ("f 1/2 2/2 4/1", "f 1 2 4", "line 11"),
    ("v 1 1 0", "v 1 one 0", "line 4"), ("f 1/2 2/2 4/1", "f 1/2 2/2 9/1", "vertex point"),
    ("f 1/2 2/2 4/1", "f 1/2 2/2 4/9", "texture point")])
def test_obj_that_is_wrong_is_named(tmp_path, old, new, words):
    with pytest.raises(UserError, match=words) as error:
        read_obj(write(tmp_path / "a.obj", OBJ.replace(old, new)))
    assert "a.obj" in str(error.value)


@given(rows=st.lists(st.tuples(st.integers(0, 20000), *[st.floats(-9, 9, width=32)] * 3), max_size=20),
       compress=st.booleans())
def test_target_gives_what_was_written(tmp_path_factory, rows, compress):
    text = "# made here\n" + "".join(f"{index} {x!r} {y!r} {z!r}\n" for index, x, y, z in rows)
    path = tmp_path_factory.mktemp("target") / ("a.target.gz" if compress else "a.target")
    path.write_bytes(gzip.compress(text.encode()) if compress else text.encode())
    index, offset = read_target(path)
    np.testing.assert_array_equal(index, [row[0] for row in rows])
    np.testing.assert_allclose(offset, np.array([row[1:] for row in rows]).reshape(-1, 3), rtol=1e-6)


@pytest.mark.parametrize("content", [b"1 0 0\n", b"1.5 0 0 0\n", b"-1 0 0 0\n", b"1 nan 0 0\n", b"a b c d\n",
                                     b"\xff\xfe"])
def test_target_that_is_wrong_is_named(tmp_path, content):
    (tmp_path / "a.target").write_bytes(content)
    with pytest.raises(UserError, match="a.target"):
        read_target(tmp_path / "a.target")


def test_broken_gzip_is_named(tmp_path):
    (tmp_path / "a.target.gz").write_bytes(gzip.compress(b"1 0 0 0\n" * 50)[:20])
    with pytest.raises(UserError, match="a.target.gz"):
        read_target(tmp_path / "a.target.gz")
    with pytest.raises(UserError, match="none.target"):
        read_target(tmp_path / "none.target")
