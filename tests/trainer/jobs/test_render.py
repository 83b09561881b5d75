import csv
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import main
from tests.data_loader.morphable import published
from trainer.jobs import render
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("face_read_once")


def options(folder, **changes):
    return SimpleNamespace(**{
        "data_dir": str(folder), "syn_dataset": "syn", "n_id": 2, "images_per_id": 2, "syn_scale_size": 16,
        "image_format": "png", "random_seed": 1, "yaw_range": 30.0, "pitch_range": 10.0, "roll_range": 5.0,
        "num_worker": 1, "asset_dir": "~/.cache/facegan", "morphable_model": "makehuman", "statistics_dir": "",
        "published_pose": False, "identity_spread": 1.0, "shard": "", "maps": "", **changes})


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    render.run(options(folder))
    return content(folder / "syn")


def test_folder_holds_people_pictures_and_parameters(tmp_path, first):
    assert sorted(first) == ["00001/00001.png", "00001/00002.png", "00001/metadata.csv",
                             "00002/00001.png", "00002/00002.png", "00002/metadata.csv",
                             "licences.json", "metadata.csv", "render.json"]
    rows = list(csv.DictReader(first["metadata.csv"].decode().splitlines()))
    assert [row["path"] for row in rows] == sorted(name for name in first if name.endswith("png"))
    assert all(abs(float(row["yaw"])) <= 30 and abs(float(row["roll"])) <= 5 for row in rows)
    assert json.loads(first["render.json"]) == {
        "renderer": 3, "identity_spread": 1,
        "morphable_model": "makehuman", "statistics_dir": "", "random_seed": 1, "syn_scale_size": 16,
        "published_pose": False, "yaw_range": 30, "pitch_range": 10, "roll_range": 5, "image_format": "png"}
    assert [each["what"] for each in json.loads(first["licences.json"])] == ["3D face model"]
    assert len(set(first.values())) == 9
    render.run(options(tmp_path, image_format="jpg", n_id=1, images_per_id=1))
    with Image.open(tmp_path / "syn" / "00001" / "00001.jpg") as image:
        assert image.format == "JPEG" and image.size == (16, 16)
        assert set(image.quantization[0]) == {1}  # quality 100


def test_maps_show_the_same_heads_and_can_be_had_later(tmp_path, first):
    render.run(options(tmp_path, n_id=1))
    render.run(options(tmp_path, n_id=1, maps="depth,normals, mask"))
    drawn, maps = content(tmp_path / "syn"), content(tmp_path / "syn_maps")
    assert {name: first[name] for name in drawn if name.endswith("png")} == {
        name: data for name, data in drawn.items() if name.endswith("png")}
    assert {*maps} == {"render.json", *(f"{kind}/00001/0000{i}.png" for kind in render.MAPS for i in (1, 2))}
    for i in (1, 2):
        picture, depth, normals, mask = (
            np.asarray(Image.open(tmp_path / folder / "00001" / f"0000{i}.png"))
            for folder in ("syn", "syn_maps/depth", "syn_maps/normals", "syn_maps/mask"))  # fmt: skip
        assert depth.dtype == np.uint16 and ((depth > 0) == (mask > 0)).all() and 0.2 < (mask > 0).mean() < 1
        assert (picture[mask > 128].max(axis=1) > 0).all() and (picture[mask == 0] == 0).all()
        lengths = np.linalg.norm(normals[mask > 0] / 127.5 - 1, axis=1)
        assert abs(lengths - 1).max() < 0.02 and (normals[..., 2][mask == 255] > 100).all()  # none looks away
        middle = depth[6:10, 6:10].astype(float).mean()
        assert middle < 32768 < depth.max()  # the nose is before the middle of the head, the neck behind
    (tmp_path / "syn_maps" / "mask" / "00001" / "00002.png").unlink()
    render.run(options(tmp_path, n_id=1, maps="mask"))
    assert content(tmp_path / "syn_maps") == maps and content(tmp_path / "syn") == drawn
    with pytest.raises(UserError, match="--maps depth,colour: 'colour' is none of depth, normals, mask"):
        render.run(options(tmp_path, maps="depth,colour"))


def test_a_folder_of_maps_that_is_not_ours_is_refused_before_anything_is_made(tmp_path):
    (tmp_path / "syn_maps").mkdir()
    (tmp_path / "syn_maps" / "a.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"--maps: .*syn_maps holds a\.jpg but no render\.json"):
        render.run(options(tmp_path, maps="depth", morphable_model=str(published.write_3ddfa(tmp_path / "3ddfa"))))
    assert {path.name for path in tmp_path.iterdir()} == {"syn_maps", "3ddfa"}


def test_shards_make_the_same_maps(tmp_path):
    small = {"images_per_id": 1, "morphable_model": str(published.write_3ddfa(tmp_path / "3ddfa"))}
    render.run(options(tmp_path, maps="depth", shard="1/2", **small))
    before = content(tmp_path)
    for other in ("", "mask"):
        with pytest.raises(UserError, match=r"--maps '?\w*'?: .*syn_maps holds depth too: give every shard the same"):
            render.run(options(tmp_path, maps=other, shard="2/2", **small))
    assert content(tmp_path) == before
    render.run(options(tmp_path, maps="mask,depth", shard="2/2", **small))
    assert "metadata.csv" not in content(tmp_path / "syn")  # a mask of the first person is missing
    render.run(options(tmp_path, maps="mask,depth", shard="1/2", **small))
    assert "metadata.csv" in content(tmp_path / "syn")


@pytest.mark.slow  # what a kill left out is made again in a test of its own
def test_rest_of_an_interrupted_run_and_more_processes_give_the_same_bytes(tmp_path, first):
    folder = tmp_path / "syn"
    render.run(options(tmp_path, n_id=1))
    (folder / "00001" / "00002.png").unlink()
    kept = (folder / "00001" / "00001.png").stat().st_mtime_ns
    render.run(options(tmp_path, num_worker=2))
    assert content(folder) == first
    assert (folder / "00001" / "00001.png").stat().st_mtime_ns == kept


def test_shards_in_any_order_equal_one_run(tmp_path, first, capsys):
    render.run(options(tmp_path, shard="2/3"))
    assert "metadata.csv" not in content(tmp_path / "syn") and "people of other shards" in capsys.readouterr().out
    render.run(options(tmp_path, shard="3/3"))  # has nobody
    render.run(options(tmp_path, shard="1/3"))
    assert content(tmp_path / "syn") == first
    render.run(options(tmp_path, shard="2/3"))
    assert content(tmp_path / "syn") == first


@pytest.mark.parametrize("damage", ["00001/metadata.csv", "00002/00002.png", "metadata.csv"])
def test_what_a_kill_left_out_is_made_again(tmp_path, first, damage):
    for name, data in first.items():
        (tmp_path / "syn" / name).parent.mkdir(parents=True, exist_ok=True)
        if name != damage:
            (tmp_path / "syn" / name).write_bytes(data)
    (tmp_path / "syn" / "00001" / ".00001.png.abc.tmp").write_bytes(b"left by a kill")
    before = (tmp_path / "syn" / "00001" / "00001.png").stat().st_mtime_ns
    render.run(options(tmp_path))
    assert (tmp_path / "syn" / "00001" / "00001.png").stat().st_mtime_ns == before
    assert content(tmp_path / "syn") == first | {"00001/.00001.png.abc.tmp": b"left by a kill"}


def test_rows_that_are_cut_short_are_made_again(tmp_path):
    model = {"morphable_model": str(published.write_3ddfa(tmp_path / "3ddfa"))}
    render.run(options(tmp_path, **model))
    whole, rows = content(tmp_path / "syn"), tmp_path / "syn" / "00002" / "metadata.csv"
    for cut in (1, 30):
        rows.write_bytes(rows.read_bytes()[:-cut])
        render.run(options(tmp_path, **model))
        assert content(tmp_path / "syn") == whole


def test_rows_of_other_columns_are_made_again(tmp_path, first):
    render.run(options(tmp_path))
    rows = tmp_path / "syn" / "00002" / "metadata.csv"
    rows.write_text(rows.read_text().replace(",yaw,", ",turn,"))
    render.run(options(tmp_path))
    assert content(tmp_path / "syn") == first


@pytest.mark.slow
def test_pictures_take_the_statistics_of_earlier_ones(tmp_path, first):
    (tmp_path / "fits").mkdir()
    rows = list(csv.DictReader(first["metadata.csv"].decode().splitlines()))
    with open(tmp_path / "fits" / "metadata.csv", "w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows({**row, "light_key": 3} for row in rows)
    fits = {"statistics_dir": str(tmp_path / "fits")}
    render.run(options(tmp_path, **fits))
    rows = list(csv.DictReader((tmp_path / "syn" / "metadata.csv").read_text().splitlines()))
    assert {row["mood"] for row in rows} == {"fitted"} and len({row["yaw"] for row in rows}) == 4
    assert {row["light_key"] for row in rows} == {"3"} and len({row["light_red"] for row in rows}) == 4
    render.run(options(tmp_path, syn_dataset="straight", published_pose=True, **fits))
    rows = list(csv.DictReader((tmp_path / "straight" / "metadata.csv").read_text().splitlines()))
    assert {row["yaw"] for row in rows} == {"0"} and len({row["roll"] for row in rows}) == 4
    lines = first["metadata.csv"].splitlines(keepends=True)
    (tmp_path / "fits" / "metadata.csv").write_bytes(b"".join(lines[:-1]))
    with pytest.raises(UserError, match=r"other settings.*: --statistics_dir fits \w{8} there, fits \w{8} here\."):
        render.run(options(tmp_path, **fits))


@pytest.mark.slow
def test_a_statistical_model_is_drawn_in_processes_too(tmp_path):
    model = published.write_3ddfa(tmp_path / "3ddfa")
    for name, processes in (("one", 1), ("two", 2)):
        render.run(options(tmp_path, syn_dataset=name, morphable_model=str(model), num_worker=processes))
    assert content(tmp_path / "one") == content(tmp_path / "two") and len(content(tmp_path / "one")) == 9


def test_one_person_alone_is_the_same_person(tmp_path, first):
    for name in ("render.json", "00001/00001.png", "00002/00002.png", "00002/metadata.csv"):
        (tmp_path / "syn" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "syn" / name).write_bytes(first[name])
    render.run(options(tmp_path))
    assert content(tmp_path / "syn") == first
    assert first["00001/00002.png"] != first["00002/00001.png"]


@pytest.mark.slow
def test_other_settings_need_another_folder(tmp_path):
    render.run(options(tmp_path, n_id=1, images_per_id=1))
    before = content(tmp_path)
    with pytest.raises(UserError, match=r"--syn_dataset: .*: --random_seed 1 there, 2 here\."):
        render.run(options(tmp_path, random_seed=2))
    assert content(tmp_path) == before
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "a.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"--syn_dataset: .*photographs holds a\.jpg but no render\.json"):
        render.run(options(tmp_path, syn_dataset="photographs"))


@pytest.mark.parametrize("change", [{"n_id": 0}, {"images_per_id": 0}, {"syn_scale_size": 15}, {"num_worker": 0},
                                    {"random_seed": -1}, {"yaw_range": 91}, {"pitch_range": -1}, {"roll_range": 181},
                                    {"yaw_range": float("nan")}, {"image_format": "gif"}, {"shard": "0/2"},
                                    {"shard": "3/2"}, {"shard": "1of2"}, {"published_pose": True}])
def test_values_out_of_range_are_named_and_nothing_is_written(tmp_path, change):
    with pytest.raises(UserError, match=f"--{next(iter(change))}"):
        render.run(options(tmp_path, **change))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "processes"), [("model2017.h5", 2), ("01_MorphableModel.mat", 1)])
def test_a_model_without_expressions_is_drawn_and_says_so_once(tmp_path, capsys, name, processes):
    fields = published.bfm_2009() if name.endswith(".mat") else published.statismo()
    fields = {field: value for field, value in fields.items() if not field.startswith("expression")}
    path = published.write(tmp_path / name, fields)
    render.run(options(tmp_path, morphable_model=str(path), num_worker=processes))
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "--morphable_model" in line]
    assert said == f"--morphable_model: {name} holds no expressions: all faces are drawn neutral"
    assert len(list((tmp_path / "syn").rglob("*.png"))) == 4
    published.write(tmp_path / "whole.h5", published.statismo())
    render.run(options(tmp_path, morphable_model=str(tmp_path / "whole.h5"), syn_dataset="whole"))
    assert "holds no expressions" not in capsys.readouterr().err


def test_a_folder_of_an_older_renderer_is_refused(tmp_path, first):
    (tmp_path / "syn").mkdir()
    note = json.loads(first["render.json"])
    (tmp_path / "syn" / "render.json").write_text(json.dumps({name: value for name, value in note.items()
                                                              if name not in ("renderer", "identity_spread")}))
    (tmp_path / "syn" / "00001").mkdir()
    (tmp_path / "syn" / "00001" / "00001.png").write_bytes(first["00001/00001.png"])
    with pytest.raises(UserError, match="renderer 1 there, 3 here"):
        render.run(options(tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_is_one_line(tmp_path):
    command = [sys.executable, main.__file__, "render", "--data_dir", tmp_path, "--syn_dataset", "syn", "--n_id", "50",
               "--images_per_id", "1", "--syn_scale_size", "16", "--num_worker", "1"]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               preexec_fn=heed_sigint)  # fmt: skip
    end = time.monotonic() + 120
    while not list(tmp_path.glob("syn/*/*.jpg")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Traceback" not in said
    assert said.splitlines()[-1] == "stopped by SIGINT; what is done is kept where the job can go on"
    done = len(list(tmp_path.glob("syn/*/*.jpg")))
    assert 0 < done < 50 and not list(tmp_path.rglob("*.tmp"))


def heed_sigint():
    """As at a terminal: what a shell starts in the background ignores it, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
