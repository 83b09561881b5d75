"""A folder of renders, with a source that draws at once."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from data_loader import render
from data_loader.render import RenderFolder
from utils.errors import UserError


class Source:
    """Grey pictures: 10 times the person plus the picture."""

    columns = ("yaw",)

    def __init__(self, options, fits):
        self.settings, self.fits, self.drawn = {"morphable_model": "grey", "statistics_dir": ""}, fits, []

    def draw(self, person, index):
        self.drawn.append((person, index))
        return np.full((16, 16, 3), 10 * person + index, np.uint8), [index / 2]

    def maps(self, names):
        return {}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "open_source", Source)
    options = SimpleNamespace(n_id=2, images_per_id=2, image_format="png", maps="", random_seed=1, syn_scale_size=16,
                              published_pose=False, yaw_range=30.0, pitch_range=10.0, roll_range=5.0,
                              identity_spread=1.0)
    return RenderFolder(tmp_path, options, fits="statistics")


def test_people_pictures_and_their_table(folder):
    assert folder.missing(1) == [1, 2] and folder.finish() == 2
    assert folder.draw((1, [1, 2])) == 2
    assert folder.missing(1) == [] and folder.finish() == 1 and not (folder.folder / "metadata.csv").exists()
    done = []
    folder.draw((2, [2]), lambda: done.append(folder.missing(2)))
    assert folder.missing(2) == [1]
    folder.draw((2, [1]))
    assert folder.finish() == 0 and done == [[1, 2]]  # a picture without a row does not count yet
    assert (folder.folder / "metadata.csv").read_text() == (
        "path,identity,index,yaw\n00001/00001.png,1,1,0.5\n00001/00002.png,1,2,1\n00002/00001.png,2,1,0.5\n"
        "00002/00002.png,2,2,1\n")  # fmt: skip


def test_fewer_people_than_before_keep_the_rows_of_all(folder):
    for person in (1, 2, 3):
        folder.draw((person, [1, 2]))
    folder.options.n_id = 3
    assert folder.finish() == 0 and folder.others() == []
    whole = (folder.folder / "metadata.csv").read_bytes()
    (folder.folder / "7").mkdir()  # none of its names
    folder.options.n_id, folder.options.images_per_id = 1, 1
    assert folder.finish() == 0 and folder.others() == [2, 3]
    assert (folder.folder / "metadata.csv").read_bytes() == whole


def test_what_is_damaged_is_missing_and_pictures_keep_their_bytes(folder):
    folder.draw((1, [1, 2]))
    table, picture = folder.folder / "00001" / "metadata.csv", folder.folder / "00001" / "00001.png"
    whole = table.read_text()
    for part, instead in ((",yaw", ",turn"), ("1,1,0.5", "1,x,0.5"), (",1,1,", ",2,1,"), ("00001.png", "00003.png")):
        table.write_text(whole.replace(part, instead))
        missing = folder.missing(1)
        assert 1 in missing
        before = picture.stat()
        folder.draw((1, missing))
        assert table.read_text() == whole and picture.stat() == before
    table.write_bytes(b"\xff" + whole.encode())
    assert folder.missing(1) == [1, 2]


def test_another_process_draws_the_same_with_the_same_statistics(folder):
    folder.draw((1, [1]))
    other = pickle.loads(pickle.dumps(folder.draw))
    assert other((1, [2])) == 1 and folder.missing(1) == []
    assert other.__self__.source.fits == "statistics" and other.__self__.source.drawn == [(1, 2)]
    assert other.__self__.settings == folder.settings


def test_a_place_that_cannot_be_written_is_named(folder):
    (folder.folder / "00001").write_text("no folder")
    with pytest.raises(UserError, match="cannot be written"):
        folder.draw((1, [1]))
    with pytest.raises(UserError, match="00001: cannot be read"):
        folder.missing(1)
