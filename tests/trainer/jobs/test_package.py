"""package through main.py: read back by what its users read it with; going on, and bad input."""

import csv
import hashlib
import io
import json
import os
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from pyarrow import parquet

import main
from tests.small import face
from trainer.jobs import package
from trainer.output.packages import FORMATS

IMAGES = {"zoë/a,b.png": ("1.5", "bob"), "zoë/2.png": ("", "afro"), "7/9.png": ("-3", "none"), "7/10.png": ("nan", "")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """data/faces: four images of two people with a yaw each, as `render` leaves them."""
    folder = tmp_path_factory.mktemp("package") / "data" / "faces"
    lines = ["file_name,identity,yaw,hair"]
    for number, (name, (yaw, hair)) in enumerate(IMAGES.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face(number, 16)).save(folder / name)
        quoted = f'"{name}"' if "," in name else name
        lines.append(f"{quoted},{name.partition('/')[0]},{yaw},{hair}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "README.md").write_text("---\npretty_name: faces\n---\n")
    return folder.parent


def run(data, target, kind, *words):
    where = ["--data_dir", str(data), "--save_syn_dataset", "faces", "--package_dir", str(target)]
    return main.main(["package", *where, "--package_format", kind, "--package_images", "3", *words])


def expected(data):
    """[(bytes, label, identity, yaw or None, hair)]"""
    return [((data / "faces" / name).read_bytes(), ["7", "zoë"].index(name.partition("/")[0]), name.partition("/")[0],
             float(yaw) if yaw not in ("", "nan") else None, hair) for name, (yaw, hair) in IMAGES.items()]  # fmt: skip


def files(target, ending):
    return [str(target / f"faces-0000{i}-of-00002.{ending}") for i in (0, 1)]


def test_web_data_set(data, tmp_path):
    import webdataset

    assert run(data, tmp_path / "out", "webdataset") == 0
    read = list(webdataset.WebDataset(files(tmp_path / "out", "tar"), shardshuffle=False))
    found = [(row["png"], int(row["cls"]), json.loads(row["json"])) for row in read]
    assert [(a, b, c["identity"], c["yaw"], c["hair"]) for a, b, c in found] == expected(data)
    assert [told["file_name"] for _, _, told in found] == list(IMAGES)


def test_parquet(data, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    from datasets import load_dataset

    assert run(data, tmp_path / "out", "parquet") == 0
    paths = files(tmp_path / "out", "parquet")
    read = load_dataset("parquet", data_files=paths, split="train", cache_dir=str(tmp_path / "cache"))
    for row, (image, *rest) in zip(read, expected(data), strict=True):
        assert [row[name] for name in ("label", "identity", "yaw", "hair")] == rest
        np.testing.assert_array_equal(np.asarray(row["image"]), np.asarray(Image.open(io.BytesIO(image))))


def test_tf_records(data, tmp_path):
    assert run(data, tmp_path / "out", "tfrecord") == 0
    kinds = {"image/encoded": tf.string, "image/format": tf.string, "label": tf.int64, "identity": tf.string}
    features = {name: tf.io.FixedLenFeature([], kind) for name, kind in (kinds | {"hair": tf.string}).items()}
    features["yaw"] = tf.io.FixedLenFeature([], tf.float32, np.nan)
    records = tf.data.TFRecordDataset(files(tmp_path / "out", "tfrecord"))
    for record, (image, label, identity, yaw, hair) in zip(records, expected(data), strict=True):
        row = {name: value.numpy() for name, value in tf.io.parse_single_example(record, features).items()}
        assert (row["image/encoded"], row["image/format"], row["label"]) == (image, b"png", label)
        assert (row["identity"].decode(), row["hair"].decode()) == (identity, hair)
        assert row["yaw"] == yaw if yaw is not None else np.isnan(row["yaw"])


def test_zip(data, tmp_path):
    assert run(data, tmp_path / "out", "zip") == 0
    read = {}
    for path in files(tmp_path / "out", "zip"):
        with zipfile.ZipFile(path) as archive:
            rows = archive.read("metadata.csv").decode().splitlines()
            assert rows[0] == "file_name,identity,label,yaw,hair" and len(rows) == len(archive.namelist())
            read |= {name: archive.read(name) for name in archive.namelist() if name != "metadata.csv"}
    assert read == {name: row[0] for name, row in zip(IMAGES, expected(data), strict=True)}


def test_what_lies_beside_and_going_on(data, tmp_path, monkeypatch, capsys):
    """Checksums hold; a second run writes nothing; one that was stopped goes on; the bytes are the same."""
    target = tmp_path / "out"
    assert run(data, target, "webdataset") == 0
    first = {path.name: path.read_bytes() for path in target.iterdir()}
    assert first["labels.txt"].decode() == "7\nzoë\n" and first["README.md"].startswith(b"---")
    sums = dict(line.split("  ")[::-1] for line in first["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(first[name]).hexdigest() for name in first
                    if not name.startswith(".") and name not in ("SHA256SUMS", "package.json")}  # fmt: skip
    times = {path: path.stat().st_mtime_ns for path in target.glob("*.tar")}
    assert run(data, target, "webdataset") == 0
    assert {path: path.stat().st_mtime_ns for path in target.glob("*.tar")} == times
    os.remove(files(target, "tar")[1])
    with monkeypatch.context() as patch:
        patch.setattr(package, "StopRequest", Stopped)
        assert run(data, target, "webdataset") == 1
    assert "stopped by SIGTERM after 1 of 2 files" in capsys.readouterr().out
    assert run(data, target, "webdataset") == 0
    assert {path.name: path.read_bytes() for path in target.iterdir()} == first
    assert run(data, target, "zip") == 2 and "package_format webdataset there" in capsys.readouterr().err


class Stopped:
    name = "SIGTERM"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize(("words", "message"), [
    (["--save_syn_dataset", "gone"], "--save_syn_dataset: no such folder"),
    (["--save_syn_dataset", "bare"], "bare holds no metadata.csv"),
    (["--save_syn_dataset", "outside"], "leads out of its folder"),
    (["--save_syn_dataset", "lost"], "lost/1/1.png: No such file"),
    (["--save_syn_dataset", "half"], "half is not finished"),
    (["--package_dir", "{data}/faces/inside"], "is in the folder that is packed"),
    (["--package_images", "0"], "--package_images=0: 0 is not"),
])  # fmt: skip
def test_bad_input_is_one_line(data, tmp_path, words, message, capsys):
    tables = {"outside": "file_name,identity\n../x.png,1\n", "lost": "file_name,identity\n1/1.png,1\n", "half": "a\n"}
    for name, table in (tables | {"bare": ""}).items():
        (data / name).mkdir(exist_ok=True)
        if table:
            (data / name / "metadata.csv").write_text(table)
    (data / "half" / "run.json").write_text('{"finished": false}')
    assert run(data, tmp_path / "out", "zip", *(word.format(data=data) for word in words)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in line


def table_of(data, name, table, image="faces/7/9.png"):
    """data/<name>: a copy of an image as a/1.png, and a metadata.csv of these bytes."""
    (data / name / "a").mkdir(parents=True, exist_ok=True)
    shutil.copy(data / image, data / name / "a" / "1.png")
    (data / name / "metadata.csv").write_bytes(table)


def error_of(capsys):
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_a_column_of_a_name_of_ours_gets_another(data, tmp_path, kind):
    """And a number as people write a name, with zeros before it, stays as it is."""
    table_of(data, "named", b"file_name,identity,label,image,code\na/1.png,a,7,x,007\n")
    assert run(data, tmp_path / "out", kind, "--save_syn_dataset", "named") == 0
    path = next((tmp_path / "out").glob("named-*"))
    if kind == "webdataset":
        with tarfile.open(path) as archive:
            told = json.loads(archive.extractfile("000000000.json").read())
    elif kind == "parquet":
        (told,) = parquet.read_table(path).to_pylist()
    elif kind == "zip":
        with zipfile.ZipFile(path) as archive:
            (told,) = csv.DictReader(archive.read("metadata.csv").decode().splitlines())
        told |= {"label": int(told["label"]), "input_label": float(told["input_label"])}
    else:
        (record,) = tf.data.TFRecordDataset([str(path)])
        features = tf.train.Example.FromString(record.numpy()).features.feature
        told = {"label": features["label"].int64_list.value[0], "code": features["code"].bytes_list.value[0].decode(),
                "input_label": features["input_label"].float_list.value[0],
                "input_image": features["input_image"].bytes_list.value[0].decode()}  # fmt: skip
    assert (told["label"], told["input_label"], told["input_image"], told["code"]) == (0, 7.0, "x", "007")


@pytest.mark.parametrize(("table", "message"), [
    (b"file_name,identity,x,x\na/1.png,a,1,2\n", "column 'x' is there twice"),
    (b"file_name,identity,,y\na/1.png,a,1,2\n", "column '' is there twice, or has no name"),
    (b"file_name,identity,note\na/1.png,a,caf\xe9\n", "'caf\\udce9' is not UTF-8"),
    (b"file_name,identity,caf\xe9\na/1.png,a,1\n", "is not UTF-8"),
    (b"file_name,identity\na/1\x00.png,a\n", "is no file's name"),
    (b'file_name,identity\na/1.png,"a\nb"\n', "has a line end"),
    (b"file_name,identity\na/out.png,a\n", "a link that leads out of its folder"),
    (b"file_name,identity\na/pipe.png,a\n", "pipe.png is no file"),
])  # fmt: skip
def test_a_table_or_a_file_that_no_package_can_hold_is_one_line(data, tmp_path, table, message, capsys):
    table_of(data, "odd", table)
    if not (data / "odd" / "a" / "out.png").is_symlink():
        (data / "odd" / "a" / "out.png").symlink_to(data / "faces" / "7" / "9.png")
        os.mkfifo(data / "odd" / "a" / "pipe.png")
    assert run(data, tmp_path / "out", "zip", "--save_syn_dataset", "odd") == 2
    assert message in error_of(capsys)


def test_what_is_damaged_is_not_blessed_with_a_new_checksum(data, tmp_path, capsys):
    target = tmp_path / "out"
    assert run(data, target, "webdataset") == 0
    first = files(target, "tar")[0]
    with open(first, "ab") as file:
        file.write(b"x")
    assert run(data, target, "webdataset") == 2 and f"{first} is damaged" in error_of(capsys)
    os.remove(first)
    assert run(data, target, "webdataset") == 0
    table_of(data, "changed", b"file_name,identity\na/1.png,a\n")
    (data / "changed" / "SHA256SUMS").write_text(f"{'0' * 64}  a/1.png\n")
    assert run(data, tmp_path / "other", "zip", "--save_syn_dataset", "changed") == 2
    assert "1.png is not the file that SHA256SUMS tells of" in error_of(capsys)


def test_what_is_not_installed_is_named(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(data, tmp_path / "out", "parquet") == 2
    assert "needs pyarrow: pip install -r requirements-package.txt" in capsys.readouterr().err
