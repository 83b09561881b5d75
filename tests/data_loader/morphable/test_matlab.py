import struct

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loader.morphable import matlab
from utils.errors import UserError

KINDS = st.sampled_from(["f8", "f4", "i2", "u1", "i8", "c16", "?"])
ARRAYS = st.builds(np.ones, st.tuples(st.integers(0, 4), st.integers(0, 4)), KINDS)
VALUES = st.recursive(ARRAYS | st.text("aé", max_size=9), lambda inner: st.dictionaries(
    st.sampled_from(["one", "two", "a_long_name"]), inner, min_size=1, max_size=3), max_leaves=6)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(value=VALUES, compressed=st.booleans())
def test_what_scipy_writes_is_read(tmp_path_factory, value, compressed):
    path = tmp_path_factory.mktemp("matlab") / "a.mat"
    scipy.io.savemat(path, {"value": value, "sparse": scipy.sparse.eye(3).tocsc()}, do_compression=compressed)
    assert repr(matlab.read_matlab(path).arrays["value"]) == repr(scipy.io.loadmat(path)["value"])
    assert matlab.names_in(path) == {"value", "sparse"}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("read", [matlab.read_matlab, matlab.names_in])
@pytest.mark.parametrize("kind", [0, 10, 19, 0xffff])
def test_a_type_that_is_none_is_named(tmp_path, kind, read, order):
    """SciPy looks these up outside its table, and the process may end there."""
    version = struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    flags, size, name = (6, 8, 6, 0), (5, 8, 1, 1), (1 << 16 | 1, b"a\0\0\0")
    matrix = struct.pack(f"{order}4I4II4s2Id", *flags, *size, *name, kind, 8, 1)
    (tmp_path / "a.mat").write_bytes(b"MATLAB".ljust(124) + version + struct.pack(f"{order}2I", 14, 56) + matrix)
    with pytest.raises(UserError, match=rf"a\.mat: .*element of type {kind}"):
        read(tmp_path / "a.mat")


@pytest.mark.parametrize("read", [matlab.read_matlab, matlab.names_in])
@pytest.mark.parametrize("flags, said", [(6 | 0x800, "class 6"), (1, "class 1"), (2, "whole numbers"), (5, "class 5"),
                                         (18, "class 18"), (0, "class 0")])  # fmt: skip
def test_flags_that_the_elements_do_not_bear_out_are_named(tmp_path, read, flags, said):
    """A complex matrix without imaginary part, for one: SciPy reads on into the next matrix, and may end there."""
    scipy.io.savemat(tmp_path / "a.mat", {"a": np.eye(2), "b": np.eye(2)})
    data = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(data[:144] + struct.pack("<I", flags) + data[148:])
    with pytest.raises(UserError, match=rf"a\.mat: .*{said}"):
        read(tmp_path / "a.mat")


def test_text_without_dimensions_is_named(tmp_path):
    """Where SciPy would end the process, too."""
    scipy.io.savemat(tmp_path / "a.mat", {"a": "text"})
    data = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(data[:156] + struct.pack("<I", 0) + data[160:])
    with pytest.raises(UserError, match=r"a\.mat: .*whole numbers of type 5, 0 bytes"):
        matlab.read_matlab(tmp_path / "a.mat")


@settings(max_examples=200, deadline=None)
@given(place=st.integers(128, 700), damage=st.binary(min_size=1, max_size=8), compressed=st.booleans())
def test_damage_is_an_array_or_named(tmp_path_factory, place, damage, compressed):
    path = tmp_path_factory.mktemp("matlab") / "a.mat"
    scipy.io.savemat(path, {"a": np.eye(5), "b": "text", "c": {"d": np.arange(3)}}, do_compression=compressed)
    data = path.read_bytes()
    path.write_bytes(data[:place] + damage + data[place + len(damage):])
    try:
        matlab.read_matlab(path)
    except UserError as error:
        assert "a.mat" in str(error) and "\n" not in str(error)
