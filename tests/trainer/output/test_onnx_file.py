"""export --export_format onnx through main.py, the file run by onnxruntime."""

import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

import main
from data_loader import folders


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    """A folder that holds model.onnx; out/, what the job generate makes, is beside."""
    folder = tmp_path_factory.mktemp("onnx")
    assert main.main(trained_run.words("export", "--export_format", "onnx", "--export_dir", folder / "model")) == 0
    words = trained_run.words("generate", "--save_syn_dataset", folder / "out", "--image_format", "png")
    assert main.main(words) == 0
    return folder


@pytest.mark.parametrize("count", [1, 3])
def test_gives_the_pixels_of_generate(exported, trained_run, count):
    session = onnxruntime.InferenceSession(exported / "model" / "model.onnx")
    assert [each.name for each in session.get_inputs()] == ["images"]
    renders = sorted((trained_run.data / "syn").rglob("*.png"))[:count]
    images = np.stack([folders.decode(path, 16) for path in renders]).astype(np.float32) / 127.5 - 1
    (made,) = session.run(["generated"], {"images": images})
    pixels = np.stack([np.asarray(Image.open(path)) for path in sorted((exported / "out").rglob("*.png"))[:count]])
    assert np.abs((made + 1) * 127.5 - pixels).max() < 1.001
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        session.run(["generated"], {"images": images[:, :8]})


def test_a_card_lies_beside_it(exported):
    assert "`model.onnx`, for any runtime of ONNX: `images` -> `generated`." in (
        exported / "model" / "README.md").read_text()  # fmt: skip


def test_is_not_written_over(exported, trained_run, capsys):
    before = (exported / "model" / "model.onnx").read_bytes()
    assert main.main(trained_run.words("export", "--export_format", "onnx", "--export_dir", exported / "model")) == 2
    assert f"{exported / 'model'} holds a model.onnx already" in capsys.readouterr().err
    assert (exported / "model" / "model.onnx").read_bytes() == before


def test_says_what_is_missing(trained_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main.main(trained_run.words("export", "--export_format", "onnx", "--export_dir", tmp_path)) == 2
    assert "pip install -r requirements-onnx.txt" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_of_a_run_in_16_bits_computes_in_32(trained_run, exported, tmp_path, capsys):
    """Its params.json says 16 bits; those are the training's, and not the file's."""
    run = tmp_path / "run"
    shutil.copytree(trained_run.run, run)
    params = json.loads((run / "params.json").read_text())
    (run / "params.json").write_text(json.dumps(params | {"mixed_precision": "bfloat16"}))
    words = ["export", "--pretrained_gen", str(run), "--export_format", "onnx", "--export_dir", str(tmp_path / "model")]
    assert main.main([*words, "--mixed_precision", "bfloat16"]) == 2
    assert "computes in float32" in capsys.readouterr().err
    assert main.main(words) == 0
    types = {each.data_type for each in onnx.load(tmp_path / "model" / "model.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT in types and onnx.TensorProto.BFLOAT16 not in types
