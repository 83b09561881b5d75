"""export through main.py; the SavedModel in processes that know nothing of this project."""

import io
import re
import struct
import subprocess
import sys
import zlib
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from huggingface_hub import ModelCard
from PIL import Image

import main
from data_loader import folders
from tests.small import NETWORKS
from trainer.output import serving
from trainer.systems.facegan import FaceGan
from utils import command_line
from utils.images import to_uint8

ELSEWHERE = """
import numpy as np, tensorflow as tf
model = tf.saved_model.load("model/1")
assert sorted(model.signatures) == ["encoded", "scores", "serving_default", "uint8"]
pixels = np.load("renders.npy")
results = {}
for count in (1, 5):
    images = tf.constant(pixels[:count], tf.float32) / 127.5 - 1
    (generated,) = model.signatures["serving_default"](images=images).values()
    results[f"float{count}"] = generated
    results |= {f"{name}{count}": score for name, score in model.signatures["scores"](images=images).items()}
    results[f"uint8{count}"] = model.signatures["uint8"](images=tf.constant(pixels[:count]))["generated"]
    files = tf.constant([tf.io.encode_png(image).numpy() for image in pixels[:count]])
    encoded = model.signatures["encoded"](images=files)["generated_bytes"].numpy()
    results[f"encoded{count}"] = np.stack([tf.io.decode_png(data) for data in encoded])
for broken in (b"", b"no picture", files.numpy()[0][:60]):
    try:
        model.signatures["encoded"](images=tf.constant([broken]))
    except tf.errors.InvalidArgumentError:
        continue
    raise SystemExit(f"took {broken}")
np.savez("results.npz", **results)
"""


def generated_images(exported):
    return np.stack([np.asarray(Image.open(path)) for path in sorted((exported / "out").rglob("*.png"))[:5]])


@pytest.mark.slow
def test_runs_with_plain_tensorflow(exported):
    subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=exported, check=True)
    images = generated_images(exported).astype(int)
    rows = (exported / "out" / "confidence_scores.csv").read_text().splitlines()[1:]
    with np.load(exported / "results.npz") as results:
        for count in (1, 5):
            assert results[f"uint8{count}"].dtype == np.uint8
            assert np.abs(results[f"uint8{count}"] - images[:count]).max() <= 1
            np.testing.assert_array_equal(results[f"encoded{count}"], results[f"uint8{count}"])
            assert results[f"float{count}"].dtype == np.float32
            assert np.abs((results[f"float{count}"] + 1) * 127.5 - images[:count]).max() < 1.001
            for column, name in ((2, "d_score"), (3, "s_score")):
                expected = [float(row.split(",")[column]) for row in rows[:count]]
                np.testing.assert_allclose(results[f"{name}{count}"], expected, rtol=1e-4)


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(exported / "model" / "1").signatures


@pytest.mark.parametrize("signature", ["serving_default", "uint8", "scores"])
@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (2, 16, 8, 3), (1, 16, 16, 1), (16, 16, 3)])
def test_images_of_another_shape_are_refused_by_name(signatures, signature, shape):
    images = tf.zeros(shape, tf.uint8 if signature == "uint8" else tf.float32)
    told = re.escape(f"images [{','.join(map(str, shape))}] is not compatible with expected shape [?,16,16,3]")
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        signatures[signature](images=images)


@pytest.mark.parametrize(("signature", "shape", "dtype"), [
    ("serving_default", (0, 16, 16, 3), tf.float32), ("scores", (0, 16, 16, 3), tf.float32),
    ("uint8", (0, 16, 16, 3), tf.uint8), ("encoded", (0,), tf.string),
])  # fmt: skip
def test_no_images_give_no_answers(signatures, signature, shape, dtype):
    answers = signatures[signature](images=tf.zeros(shape, dtype))
    assert answers and all(len(answer) == 0 for answer in answers.values())


def with_transparency(kind):
    """(image of 16 x 16 pixels, what more its PNG file holds)."""
    levels = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
    if kind == "palette":
        return Image.fromarray(levels[..., :3]).quantize(64), {"transparency": levels[:4, :, 3].tobytes()}
    channels = {"RGBA": levels, "LA": levels[..., 2:], "RGB": levels[..., :3], "L": levels[..., 0], "1": levels[..., 0]}
    return Image.fromarray(channels[kind]).convert(kind), {}


@pytest.mark.parametrize("kind", ["RGBA", "LA", "palette", "RGB", "L", "1"])
def test_transparency_is_read_as_the_job_reads_it(signatures, tmp_path, kind):
    image, more = with_transparency(kind)
    image.save(tmp_path / "image.png", **more)
    pixels = folders.decode(tmp_path / "image.png", 16)[None]
    data = (tmp_path / "image.png").read_bytes()
    encoded = signatures["encoded"](images=tf.constant([data]))["generated_bytes"][0]
    expected = signatures["uint8"](images=tf.constant(pixels))["generated"][0]
    np.testing.assert_array_equal(tf.io.decode_png(encoded), expected)
    np.testing.assert_array_equal(serving._decoded(tf.constant([data]), 16), pixels)


def test_files_of_too_many_pixels_are_refused_by_their_head(signatures):
    """Nothing is decoded: behind the head there are no pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    jpeg = io.BytesIO()
    Image.new("L", (16, 16)).save(jpeg, "JPEG")
    start = jpeg.getvalue().index(b"\xff\xc0") + 5
    huge = jpeg.getvalue()[:start] + struct.pack(">HH", 60_000, 60_000) + jpeg.getvalue()[start + 4 :]
    for data in (b"\x89PNG\r\n\x1a\n" + chunk, huge):
        with pytest.raises(tf.errors.InvalidArgumentError, match="images: an image of too many pixels"):
            signatures["encoded"](images=tf.constant([data]))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_files_are_read_as_the_job_reads_them(tmp_path, kind):
    """Those of the right size to a level, as two JPEG decoders differ; others are cut to the square and resized."""
    rng = np.random.default_rng(0)
    for shape in ((16, 16), (40, 28)):
        smooth = Image.fromarray(np.uint8(rng.uniform(0, 255, (5, 5, 3)))).resize(shape[::-1], Image.Resampling.BICUBIC)
        smooth.save(tmp_path / "image", kind, quality=95)
        ours = folders.decode(tmp_path / "image", 16).astype(int)
        served = serving._decoded(tf.constant([(tmp_path / "image").read_bytes()]), 16)[0].numpy()
        assert served.dtype == np.uint8 and np.abs(served - ours).max() <= 2 * (kind == "JPEG" or shape != (16, 16))


def test_a_card_says_what_it_takes_and_gives(exported):
    text = (exported / "model" / "1" / "README.md").read_text()
    assert "- `encoded`: `images` string [n] -> `generated_bytes` string [n]\n" in text
    assert "- `uint8`: `images` uint8 [n, 16, 16, 3] -> `generated` uint8 [n, 16, 16, 3]\n" in text
    assert "| photographs | nobody | CC0 | not excluded |" in text and "do not exist" in text
    data = ModelCard(text).data.to_dict()
    assert data["pipeline_tag"] == "image-to-image" and data["model_name"].startswith("master_gen_")


@pytest.mark.slow  # a page's command runs it too
def test_saved_model_cli_gives_the_pixels_of_generate(exported):
    words = "run --dir model/1 --tag_set serve --signature_def uint8 --inputs images=renders.npy --outdir cli".split()
    program = Path(sys.executable).with_name("saved_model_cli")
    subprocess.run([program, *words], cwd=exported, check=True, capture_output=True)
    served = np.load(exported / "cli" / "generated.npy")
    assert np.abs(served.astype(int) - generated_images(exported)).max() <= 1


def test_pixels_of_a_network_with_contrast():
    """A network after two steps makes all but grey; this one shows a wrong range by many grey levels."""
    system = FaceGan(command_line.parse(["train", "--method_c", "none", *NETWORKS], main.JOBS)[1], {"synthetic": 1})
    rng = np.random.default_rng(0)
    for weight in system.generator.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    pixels = rng.integers(0, 256, (3, 16, 16, 3), np.uint8)
    expected = to_uint8(system.generate({"synthetic": pixels.astype(np.float32) / 127.5 - 1.0})["image"].numpy())
    served = serving.signatures(system.makers["generate"])["uint8"](images=tf.constant(pixels))["generated"].numpy()
    assert expected.std() > 40 and np.abs(served.astype(int) - expected).max() <= 1


def test_a_second_export_is_the_next_version(trained_run, tmp_path, capsys):
    no_version = "9" * 20  # more than TensorFlow Serving reads
    for version in (3, 10, no_version):  # by number: "10" sorts before "3"
        (tmp_path / str(version)).mkdir()
    assert main.main(trained_run.words("export", "--export_dir", tmp_path)) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"3", "10", "11", no_version}
    assert (tmp_path / "11" / "saved_model.pb").is_file() and (tmp_path / "11").stat().st_mode & 0o055
    assert "TensorFlow Serving takes the highest, which is 11 now" in capsys.readouterr().out


@pytest.mark.slow  # makes a whole model
def test_after_the_last_version_there_is_none(trained_run, tmp_path, capsys):
    (tmp_path / str(2**63 - 1)).mkdir()
    assert main.main(trained_run.words("export", "--export_dir", tmp_path)) == 2
    assert f"--export_dir: {tmp_path} holds version {2**63 - 1}, the last" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1


FILES = {"saved_model": "1/saved_model.pb", "onnx": "model.onnx", "weights": "checkpoints/step-000000002.npz"}


@pytest.mark.parametrize(("there", "asked"), list(permutations(FILES, 2)))
def test_a_folder_holds_one_format(trained_run, tmp_path, there, asked, capsys):
    """Its README.md tells of one."""
    (tmp_path / FILES[there]).parent.mkdir(exist_ok=True)
    (tmp_path / FILES[there]).write_bytes(b"")
    assert main.main(trained_run.words("export", "--export_format", asked, "--export_dir", tmp_path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (f"error: --export_dir: {tmp_path} holds {FILES[there]}, of --export_format {there}: name another "
                    f"folder for {asked}")  # fmt: skip
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / FILES[there]]


def test_weights_alone_generate_the_same(trained_run, exported, tmp_path, untraced, capsys):
    small, words = tmp_path / "small", trained_run.words("export", "--export_format", "weights")
    assert main.main([*words, "--export_dir", str(small)]) == 0
    (checkpoint,) = small.glob("checkpoints/*.npz")
    with np.load(checkpoint) as file:
        halves = {name for name in file.files if file[name].dtype == np.float16}
        assert {name.partition("/")[0] for name in file.files if name not in halves} == {"state", "format"}
        assert {name.partition("/")[0] for name in halves} == {"generator", "generator_back", "discriminator_real",
                                                               "discriminator_synthetic"}  # fmt: skip
    assert str(trained_run.data) not in (small / "params.json").read_text()
    words = ["generate", "--data_dir", str(trained_run.data), "--syn_dataset", "syn", "--image_format", "png"]
    words += ["--pretrained_gen", str(small), "--save_syn_dataset", str(tmp_path / "out")]
    assert main.main(words) == 0
    images = np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "out").rglob("*.png"))[:5]])
    assert np.abs(images.astype(int) - generated_images(exported)).max() <= 1
    words = trained_run.words("export", "--export_format", "weights", "--export_dir", small)
    assert main.main(words) == 2 and "holds a checkpoint already" in capsys.readouterr().err


def test_bad_input(trained_run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main.main(trained_run.words("export", "--export_dir", tmp_path / "file")) == 2
    assert capsys.readouterr().err.startswith(f"error: --export_dir: {tmp_path / 'file'} is not a folder")
    assert main.main(["export", "--pretrained_gen", "nowhere", "--export_dir", str(tmp_path / "new")]) == 2
    assert "--pretrained_gen" in capsys.readouterr().err and not (tmp_path / "new").exists()
