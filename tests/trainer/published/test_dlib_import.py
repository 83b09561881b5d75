"""The strict reader: whatever is wrong with the file is one line that names it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loader import assets
from models.dlib_resnet import DlibResnet
from trainer.published import dlib_import
from utils.errors import UserError

FC = b"\x01\x04fc_2"


@pytest.fixture(scope="module")
def data():
    return (assets.fetch("dlib_models", "~/.cache/facegan") / dlib_import.FILE).read_bytes()


@pytest.fixture(scope="module")
def network():
    return DlibResnet()


def refused(network, path, content):
    """The error's message; nothing of the network may have changed."""
    path.write_bytes(content)
    before = network.get_weights()
    with pytest.raises(UserError) as caught:
        dlib_import.load_dlib_resnet(network, path)
    assert all((a == b).all() for a, b in zip(before, network.get_weights(), strict=True))
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


def replaced(data, old, new, at=0):
    start = data.index(old, at)
    return data[:start] + new + data[start + len(old) :]


@pytest.mark.parametrize("length", [0, 1, 15, 300, 340, 400, 20_000_000, -1])
def test_cut_short(data, network, tmp_path, length):
    assert "it ends at byte" in refused(network, tmp_path / "short.dat", data[:length])


def test_anything_else_than_that_network(data, network, tmp_path):
    path = tmp_path / "other.dat"
    assert "1 bytes are left over" in refused(network, path, data + b"\0")
    assert "no layer 'loss_metric_2'" in refused(network, path, replaced(data, b"loss_metric_2", b"loss_metric_1"))
    assert "no layer 'fc_2'" in refused(network, path, replaced(data, b"fc_2", b"fc_1"))
    assert "the layers' versions" in refused(network, path, data[:29] + b"\x01\x03" + data[31:])
    assert "the mean colour" in refused(network, path, replaced(data, b"\x03\x62\x90\xf5", b"\x03\x62\x90\xf6"))
    settings_of_first = b"\x01\x20\x01\x07\x01\x07\x01\x02\x01\x02\x01\x00\x01\x00"
    wrong = replaced(data, settings_of_first, settings_of_first[:-1] + b"\x01")
    assert "settings" in refused(network, path, wrong)
    not_finite = data[:352] + np.float32(np.nan).tobytes() + data[356:]
    assert "not finite" in refused(network, path, not_finite)
    assert "the last layer's sizes" in refused(network, path, replaced(data, FC + b"\x01\x80", FC + b"\x01\x40"))
    refused(network, path, b"\x89PNG\r\n" + bytes(1000))


def test_no_such_file(network, tmp_path):
    with pytest.raises(UserError, match="cannot read dlib's face network .*gone.dat: No such file"):
        dlib_import.load_dlib_resnet(network, tmp_path / "gone.dat")


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused_in_one_line(tmp_path_factory, content):
    class Untouched:
        convolutions = embedding = None

    path = tmp_path_factory.mktemp("any") / "any.dat"
    path.write_bytes(content)
    with pytest.raises(UserError):
        dlib_import.load_dlib_resnet(Untouched, path)
