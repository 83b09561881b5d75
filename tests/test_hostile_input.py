"""Files that others give us, damaged at random: each reader gives an answer or one line of ours, in time, and writes
nothing.

A thousand inputs in the default suite. `python -m tests.test_hostile_input 100000` tries as many as it is told to; a
failure prints the reader and the number of the input, from which the same input is made again.
"""

import io
import json
import pickle
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import tensorflow as tf
from PIL import Image

from data_loader import face_places, folders, generated_folder, ijba, licences, protocols, sample_weights
from data_loader.folders import UnreadableImage
from data_loader.morphable import formats, matlab, parameters, statistical_formats, statistics
from data_loader.truth import Truth
from tests.data_loader.morphable import published
from tests.small import face
from trainer.published import arrays, dlib_import, keras_facenet, tf1_reader
from utils import runs
from utils.errors import UserError
from utils.tables import Table

LONGEST = 10  # seconds that an input may take
TOKENS = (b"../../../etc/passwd", b"/etc/passwd", b"NaN", b"1e999", b"-1", b"99999999999999999999", b"\x00", b'"',
          b"\n", b"\r\n", b",", b";", b"\xff\xfe", b"\xef\xbb\xbf", b"{", b"[" * 300, b"[" * 200_000, b"=cmd()", b"%s",
          b"\x80\x04", b"true", b"null", b"\xff" * 8, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """files: {name: bytes} that `read`, a function of the folder that they lie in, reads without an error."""

    files: dict
    read: object


def damaged(data, random):
    """Bytes with one to four changes, each of a kind that is drawn."""
    data = bytearray(data)
    for _ in range(random.integers(1, 5)):
        place = int(random.integers(0, len(data) + 1))
        length = int(random.integers(1, 1 + min(64, max(1, len(data) - place))))
        kind = random.integers(0, 7)
        if kind == 0:
            del data[place:]
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = TOKENS[random.integers(len(TOKENS))]
        elif kind == 3:
            token = TOKENS[random.integers(len(TOKENS))]
            data[place : place + len(token)] = token
        elif kind == 4:
            data[place : place + length] = random.bytes(length)
        elif kind == 5:
            data[place:place] = data[place : place + length] * int(random.integers(1, 20))
        elif place < len(data):
            data[place] ^= 1 << int(random.integers(0, 8))
    return bytes(data)


def attempt(name, reader, folder, number):
    """Read the files of a reader with damage `number` in one of them."""
    random = np.random.default_rng([number, *name.encode()])
    chosen = sorted(reader.files)[random.integers(len(reader.files))]
    for file, data in reader.files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(damaged(data, random) if file == chosen else data)
    before, start = _listed(folder), time.monotonic()
    try:
        reader.read(folder)
    except (UserError, UnreadableImage) as error:
        assert "\n" not in str(error), f"{name} {number}: {error}"
    except Exception as error:
        raise AssertionError(f"{name}, input {number}: {type(error).__name__}: {error}") from error
    assert time.monotonic() - start < LONGEST, f"{name}, input {number} took {time.monotonic() - start:.0f} s"
    assert _listed(folder) == before, f"{name}, input {number} wrote something"


def _listed(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}


def _png(kind="PNG", size=16):
    buffer = io.BytesIO()
    Image.fromarray(face(3, size)).save(buffer, kind)
    return buffer.getvalue()


def _csv(*rows):
    return "".join(f"{','.join(map(str, row))}\n" for row in rows).encode()


def _saved(write, name):
    """The bytes that `write` writes to a path of this name."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def _tf1():
    """{name: bytes} of a small TF1 checkpoint."""
    with tempfile.TemporaryDirectory() as folder, tf.Graph().as_default(), tf.compat.v1.Session() as session:
        weights = [tf.compat.v1.get_variable(name, initializer=np.ones((3, 4), np.float32)) for name in ("a", "b")]
        session.run([weight.initializer for weight in weights])
        tf.compat.v1.train.Saver().save(session, f"{folder}/model.ckpt-3")
        return {path.name: path.read_bytes() for path in Path(folder).glob("model.ckpt-3.*") if path.suffix != ".meta"}


def _read_tf1(folder):
    reader = tf1_reader.open_checkpoint(folder / "model.ckpt-3", "pretrained_gen")
    return [reader.get_tensor(name) for name in reader.get_variable_to_shape_map()]


class _Images:
    """As data_loader.folders.ImageIndex, of images whose names are told."""

    def __init__(self, folder, names=("a/1.png", "a/2.png", "b/1.png")):
        self.folder, self.names, self.flag, self.roots = str(folder), names, "--dataset", [str(folder)]

    def __len__(self):
        return len(self.names)

    def relative_path(self, i):
        return self.names[i]

    def path(self, i):
        return str(Path(self.folder) / self.names[i])


POINTS = [f"{2 + number % 12}.5" for number in range(136)]
METADATA = _csv(
    ["path", "yaw", "pitch", "roll", *parameters.LANDMARKS],
    *(["a/1.png", 1, 2, 3, *np.stack([POINTS[::2], POINTS[1::2], ["1"] * 68], 1).ravel()],
      ["b/1.png", 4, 5, 6, *[""] * len(parameters.LANDMARKS)]),
)  # fmt: skip
RUN = {"finished": True, "job": "generate", "settings": {}, "flags": {}, "inputs": {"folder": "../syn"},
       "trained_on": {"dataset": "x"}, "trained_with": {"method_c": "none"}, "licences": []}  # fmt: skip
IJBA = _csv(ijba.COLUMNS, *([i % 2, i % 2, f"img/{i}.jpg", i, 1, 2, 30, 40] for i in range(4)))
PAIRS = b"2\t1\n" + b"a\t1\t2\na\t1\tb\t1\n" * 2


READERS = {
    "table": Reader({"a.csv": METADATA}, lambda at: [row for _, row in Table(at / "a.csv", "--groups")]),
    "weights": Reader(
        {"a.csv": _csv(["file_name", "weight"], ["a/1.png", 2], ["b/1.png", 0.5])},
        lambda at: sample_weights.read_weights(at / "a.csv", _Images(at), "--sample_weights"),
    ),
    "pairs": Reader(
        {"pairs.txt": PAIRS, **{f"faces/{name[0]}/{name}.jpg": b"" for name in ("a_0001", "a_0002", "b_0001")}},
        lambda at: protocols.read_lfw_pairs(at / "pairs.txt", at / "faces"),
    ),
    "yaws": Reader(
        {"a.csv": METADATA}, lambda at: protocols.read_yaws(at / "a.csv", at, [at / "a/1.png", at / "b/1.png"])
    ),
    "bin set": Reader(
        {"lfw.bin": pickle.dumps(([_png(), _png()] * 2, [True, False]), 3)},
        lambda at: protocols.read_bin_set(at / "lfw.bin"),
    ),
    "ijba": Reader(
        {"faces.csv": IJBA, "pairs.csv": _csv([0, 0], [0, 1])},
        lambda at: ijba.read_comparisons(at / "pairs.csv", ijba.read_faces(at / "faces.csv")),
    ),
    "places": Reader({"metadata.csv": METADATA, "a/1.png": _png()},
                     lambda at: face_places.known_places(_Images(at), "chip")),
    "truth": Reader({"metadata.csv": METADATA, "a/1.png": _png()},
                    lambda at: [truth.row(i) for truth in [Truth(_Images(at), 16)] for i in range(3)]),
    "statistics": Reader(
        {"metadata.csv": METADATA}, lambda at: statistics.read(at, ("jawOpen",), parameters.LIGHT)
    ),
    "scores": Reader(
        {"confidence_scores.csv": _csv(["path", "identity", "d_score"], ["a/1.png", "a", 0.5]),
         "run.json": json.dumps(RUN).encode()},
        lambda at: (generated_folder.is_generated(at, "--dataset"), generated_folder.read_run(at, "--dataset"),
                    generated_folder.made_from(at), generated_folder.trained_on(at, "dataset"),
                    generated_folder.trained_with(at, "--dataset"), generated_folder.read_scores(at, "--dataset")),
    ),
    "licences": Reader({"licences.json": json.dumps(licences.written({licences.KNOWN["mtcnn"]})).encode()},
                       licences.of_folder),
    "align.json": Reader({"align.json": b'{"crop": "arcface", "generated": true}'},
                         lambda at: (generated_folder.alignment_of([at], "--dataset"),
                                     generated_folder.is_generated(at, "--dataset"))),
    "params.json": Reader(
        {"params.json": json.dumps({"system": "facegan", "z_num": 8, "g_lr": 1e-4, "label_names": {"real": ["a"]},
                                    "licences": [], "load_path": "logs/x"}).encode(),
         "best.json": json.dumps({"measure": "kid", "step": 1, "value": 0.5, "history": [[1, 0.5]]}).encode()},
        lambda at: (licences.of_run(runs.read_params(at)), runs.read_best(at)),
    ),
    "checkpoint": Reader(
        {"a.npz": _saved(lambda path: np.savez(path, format=np.int64(2), a=np.ones((3, 4)), b=np.arange(5)), "a.npz")},
        lambda at: arrays.read_checkpoint(at / "a.npz"),
    ),
    "mat": Reader(
        {"a.mat": _saved(lambda path: scipy.io.savemat(path, published.fit(1)), "a.mat")},
        lambda at: matlab.read_matlab(at / "a.mat"),
    ),
    "mat, compressed": Reader(
        {f"{i}.mat": _saved(lambda path: scipy.io.savemat(path, published.fit(1), do_compression=True), "a.mat")
         for i in "ab"},
        lambda at: statistics.read(at, (), ()),
    ),
    "statismo": Reader({"a.h5": _saved(lambda path: published.write(path, published.statismo()), "a.h5")},
                       lambda at: statistical_formats.load(at / "a.h5")),
    "obj": Reader({"a.obj": b"o body\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"},
                  lambda at: formats.read_obj(at / "a.obj")),
    "target": Reader({"a.target": b"# a\n0 .1 .2 .3\n5 1 2 3\n"}, lambda at: formats.read_target(at / "a.target")),
    "dlib's network": Reader({"a.dat": b"\x01\x02" * 40 + bytes(400)},
                             lambda at: dlib_import.load_dlib_resnet(None, at / "a.dat")),
    "FaceNet's file": Reader({"a.h5": _saved(lambda path: published.write(path, published.statismo()), "a.h5")},
                             lambda at: keras_facenet.embedding_size(at / "a.h5")),
    "TF1 checkpoint": Reader(_tf1(), _read_tf1),
    **{f"{kind} image": Reader({"a": _png(kind, 24)}, lambda at: (folders.decode(at / "a", 16),
                                                                  folders.decode_whole(at / "a")))
       for kind in ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM")},
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_undamaged_files_are_read(name, tmp_path):
    """Else every input would be refused at the door."""
    reader = READERS[name]
    for file, data in reader.files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(data)
    if name in ("dlib's network", "FaceNet's file"):  # whole ones are tested with their readers
        with pytest.raises(UserError):
            reader.read(tmp_path)
    else:
        reader.read(tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_an_answer_or_one_line(name, tmp_path):
    for number in range(1000 // len(READERS) + 1):
        attempt(name, READERS[name], tmp_path / "in", number)


def main(words):
    """Try so many inputs, spread over the readers; says how long each reader took at most."""
    warnings.simplefilter("ignore")
    count, failed = int(words[0]) // len(READERS) + 1, []
    for name, reader in READERS.items():
        start, slowest = time.monotonic(), 0.0
        for number in range(count):
            with tempfile.TemporaryDirectory() as folder:
                begun = time.monotonic()
                try:
                    attempt(name, reader, Path(folder) / "in", number)
                except AssertionError as error:
                    failed.append(str(error))
                    print(str(error)[:300], flush=True)
                slowest = max(slowest, time.monotonic() - begun)
        took = time.monotonic() - start
        print(f"{name}: {count} inputs in {took:.0f} s, the slowest {slowest:.2f} s", flush=True)
    print(f"{count * len(READERS)} inputs, {len(failed)} failures")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
