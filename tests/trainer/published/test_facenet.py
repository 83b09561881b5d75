"""FaceNet's TF1 checkpoints: which network they hold, and its weights."""

import numpy as np
import pytest

import main
from tests.trainer.tf1 import AVERAGE, write_tf1
from trainer.face_networks.network import build_network
from trainer.published import facenet
from trainer.published.tf1_reader import open_checkpoint
from utils import command_line
from utils.errors import UserError


def parse(*words):
    return command_line.parse(list(map(str, words)), main.JOBS)[1]


@pytest.mark.parametrize(
    ("model_def", "size", "decay"),
    [
        ("models.nn4", 128, "moments/Squeeze_1/ExponentialMovingAverage"),
        ("models.inception_resnet_v1", 512, "moving_variance"),
    ],
)
def test_facenet(tmp_path, model_def, size, decay):
    options = parse("train", "--model_def", model_def, "--pretrained_rec", tmp_path / "facenet")
    network = build_network(options.changed(embedding_size=size))
    names = facenet.facenet_names_of(network, options)
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=variable.shape).astype(np.float32) for name, variable in names.items()}
    extra = {"Logits/weights": np.zeros((size, 9)), "global_step": np.int32(5), "beta1_power": np.float32(0)}
    for name in list(arrays)[:3]:  # averages and slots are not read
        slots = (AVERAGE, "/Adam", "/Adam_1", "/Adagrad", "/RMSProp", "/RMSProp_1", "/Momentum")
        extra |= {name + slot: np.zeros(arrays[name].shape) for slot in slots}
    write_tf1(tmp_path / "facenet", arrays | extra)

    assert facenet.network_of(options) == {"model_def": model_def, "embedding_size": size}
    facenet.load_facenet(network, options)
    for name, variable in names.items():
        np.testing.assert_array_equal(variable.numpy(), arrays[name])

    gone = next(name for name in arrays if name.endswith(decay))
    bottleneck = f"{options.facenet_scope}/Bottleneck/weights"
    bad = {name: array for name, array in (arrays | extra).items() if name != gone}
    bad |= {bottleneck: arrays[bottleneck][:, :64], f"{options.facenet_scope}/new/weights": np.zeros(2)}
    write_tf1(tmp_path / "facenet", bad)
    with pytest.raises(UserError) as error:
        facenet.load_facenet(network, options)
    message = str(error.value)
    assert message.count(";") == 2 and f"missing {gone} " in message
    assert f"left over {options.facenet_scope}/new/weights [2]" in message
    inputs = len(arrays[bottleneck])
    assert f"{bottleneck} is [{inputs}, 64] there and [{inputs}, {size}] here" in message


def test_facenet_of_another_kind(tmp_path):
    write_tf1(tmp_path / "irv1", {"InceptionResnetV1/Repeat/block35_1/Conv2d_1x1/biases": np.zeros(3)})
    nn4 = {"InceptionResnetV1/Bottleneck/weights": np.zeros((896, 64))}
    write_tf1(tmp_path / "nn4", nn4)
    for name, flags, message in (
        ("irv1", ["--model_def", "models.nn4"], "give --model_def models.inception_resnet_v1"),
        ("irv1", ["--model_def", "models.dlib_resnet"], "give --model_def models.inception_resnet_v1"),
        ("nn4", ["--model_def", "models.inception_resnet_v1"], "give --model_def models.nn4"),
        ("nn4", ["--facenet_scope", "VGG"], "has only InceptionResnetV1"),
        ("none", [], "--pretrained_rec: cannot read a TF1 checkpoint"),
    ):
        with pytest.raises(UserError, match=message):
            facenet.network_of(parse("train", "--pretrained_rec", tmp_path / name, *flags))
    found = facenet.network_of(parse("train", "--pretrained_rec", tmp_path / "nn4", "--embedding_size", "32"))
    assert found["model_def"] == "models.nn4"  # what it holds, where the command line names none
    assert found["embedding_size"] == 32  # what the command line says stays, and fails later with the shapes


def test_a_name_that_tensorflow_takes_for_a_pattern_is_told(tmp_path):
    (tmp_path / "run [1]").mkdir()
    prefix = tmp_path / "run [1]" / "model.ckpt-3"
    write_tf1(prefix, {"a": np.zeros(2, np.float32)})
    for ending in ("", ".index"):
        with pytest.raises(UserError, match=r"--pretrained_rec: .*model.ckpt-3: TensorFlow takes .* rename the folder"):
            open_checkpoint(f"{prefix}{ending}", "pretrained_rec")


@pytest.mark.parametrize("ending", ["", ".index", ".meta", ".data-00000-of-00001"])
def test_each_file_of_a_checkpoint_names_it(ending, tmp_path):
    write_tf1(tmp_path / "model.ckpt-3", {"a": np.ones(2, np.float32)})
    assert open_checkpoint(tmp_path / f"model.ckpt-3{ending}", "pretrained_rec").get_tensor("a").tolist() == [1, 1]
