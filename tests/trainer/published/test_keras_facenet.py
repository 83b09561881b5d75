"""FaceNet from the Keras 2 file: the outputs of the file's own graph; whatever is wrong is one line that names it."""

import json
import shutil

import h5py
import numpy as np
import pytest

from data_loader import assets, folders
from main import JOBS
from models.inception_resnet_v1 import InceptionResnetV1
from tests.trainer import keras2
from tests.trainer.face_networks.test_embedding import pair_auc
from trainer.face_networks.embedding import embed_folder
from trainer.face_networks.network import open_face_network
from trainer.published import keras_facenet
from utils import command_line
from utils.errors import UserError


@pytest.fixture(scope="module")
def network():
    return InceptionResnetV1(128)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return keras2.write(tmp_path_factory.mktemp("keras") / "facenet.h5")


def same_as_its_graph(network, path, images):
    keras_facenet.load_keras_facenet(network, path)
    expected = keras2.run(path, images)
    assert expected.std(axis=0).mean() > 0.01  # of images that differ
    np.testing.assert_allclose(network(images).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_outputs_are_those_of_the_files_own_graph(network, tmp_path):
    path = keras2.write(tmp_path / "facenet.h5", seed=1)
    same_as_its_graph(network, path, np.random.default_rng(0).normal(size=(3, 75, 75, 3)).astype(np.float32))
    assert keras_facenet.embedding_size(path) == 128
    path.unlink()  # 91 MB


def test_files_are_known_by_ending_or_first_bytes(path, tmp_path):
    shutil.copy(path, tmp_path / "weights")
    (tmp_path / "text").write_text("text")
    names = {tmp_path / "gone.h5": True, tmp_path / "weights": True, tmp_path / "text": False, tmp_path: False}
    assert {name: keras_facenet.is_keras_file(name) for name in names} == names


def refused(network, path):
    """The error's message; nothing of the network may have changed."""
    before = network.get_weights()
    with pytest.raises(UserError) as caught:
        keras_facenet.load_keras_facenet(network, path)
    assert all((a == b).all() for a, b in zip(before, network.get_weights(), strict=True))
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) < 400
    return message


def setting(layer, **values):
    return lambda layers: layers[layer]["config"].update(values)


GRAPHS = {  # what is done to the JSON -> what the error says
    "another factor": (setting("lambda_5", arguments={"scale": 0.2}), 'Conv2d_1x1 stands {"scale": 0.2}, not a factor'),
    "no arguments": (setting("lambda"), "stands null, not a factor of 0.17"),
    "epsilon": (setting("Block8_6_Branch_0_Conv2d_1x1_BatchNorm", epsilon=1e-5), "epsilon of Block8_6_Branch_0"),
    "gamma": (setting("Bottleneck_BatchNorm", scale=True), "scale of Bottleneck_BatchNorm is true, not false"),
    "bias": (setting("Bottleneck", use_bias=True), "use_bias of Bottleneck is true, not false"),
    "stride": (setting("Conv2d_4b_3x3", strides=[1, 1]), "strides of Conv2d_4b_3x3 is [1, 1], not [2, 2]"),
    "padding": (setting("Conv2d_4a_3x3", padding="same"), 'padding of Conv2d_4a_3x3 is "same", not "valid"'),
    "activation": (setting("Conv2d_2a_3x3", activation="relu"), 'activation of Conv2d_2a_3x3 is "relu"'),
    "a layer less": (lambda layers: layers.pop("AvgPool"), "0 GlobalAveragePooling2D layers, not 1"),
    "another class": (lambda layers: layers["add"].update(class_name="Multiply"), "20 Add layers, not 21; 1 Multiply"),
    "another name": (lambda layers: layers["Bottleneck"].update(name="Dense"), "it has no layer Bottleneck"),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_another_network_is_refused(case, network, tmp_path):
    def change(layers):
        if case == "no arguments":
            del layers["lambda"]["config"]["arguments"]
        GRAPHS[case][0](layers)

    assert GRAPHS[case][1] in refused(network, keras2.write(tmp_path / "other.h5", change=change))


def replaced(weight, shape=None, dtype="f4", fillvalue=0.5):
    """A function that makes a weight of an open file anew."""
    name = f"model_weights/{weight.partition('/')[0]}/{weight}:0"

    def do(file):
        old = file.pop(name)
        file.create_dataset(name, shape or old.shape, dtype, fillvalue=fillvalue)

    return do


def ends_early(file):
    model = json.loads(file.attrs["model_config"])
    model["config"]["output_layers"] = [["AvgPool", 0, 0]]
    file.attrs["model_config"] = json.dumps(model)


FILES = {  # what is done to the file -> what the error says
    "shape": (replaced("Bottleneck/kernel", shape=(1792, 512)), "is float32 [1792, 512], not float32 [1792, 128]"),
    "type": (replaced("Conv2d_1a_3x3/kernel", dtype="f8"), "kernel of Conv2d_1a_3x3 is float64 [3, 3, 3, 32], not"),
    "nan": (replaced("Block35_1_Conv2d_1x1/bias", fillvalue=np.nan), "bias of Block35_1_Conv2d_1x1 is not finite"),
    "no weight": (lambda file: file.pop("model_weights/Bottleneck"), "it has no kernel of Bottleneck"),
    "no weights": (lambda file: file.pop("model_weights"), "it has no kernel of Conv2d_1a_3x3"),
    "no JSON": (lambda file: file.attrs.pop("model_config"), "it has no model_config (weights alone"),
    "half a JSON": (lambda file: file.attrs.create("model_config", file.attrs["model_config"][:999]), "damaged"),
    "other JSON": (lambda file: file.attrs.create("model_config", "[1]"), "damaged"),
    "a number": (lambda file: file.attrs.create("model_config", 3), "damaged"),
    "deep JSON": (lambda file: file.attrs.create("model_config", "[" * 20_000), "damaged"),
    "another output": (ends_early, 'its output is [["AvgPool", 0, 0]], not Bottleneck_BatchNorm'),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_another_content_is_refused(case, network, path, tmp_path):
    do, message = FILES[case]
    with h5py.File(shutil.copy(path, tmp_path / "other.h5"), "r+") as file:
        do(file)
    assert message in refused(network, tmp_path / "other.h5")


@pytest.mark.parametrize("length", [0, 7, 96, 2000, 300_000, -1])
def test_cut_short(length, network, path, tmp_path):
    (tmp_path / "short.h5").write_bytes(path.read_bytes()[:length])
    assert "it is damaged or no HDF5 file" in refused(network, tmp_path / "short.h5")


def test_no_such_file(network, tmp_path):
    assert "gone.h5: No such file or directory" in refused(network, tmp_path / "gone.h5")
    assert f"cannot read FaceNet's Keras file {tmp_path}: Is a directory" in refused(network, tmp_path)


@pytest.mark.slow
def test_the_fetched_file(network, tmp_path):
    """85 MB: its outputs are its own graph's, and it tells people apart."""
    path = assets.fetch("facenet", "~/.cache/facegan") / keras_facenet.FILE
    same_as_its_graph(network, path, np.random.default_rng(0).normal(size=(2, 160, 160, 3)).astype(np.float32))
    options = command_line.parse(["evaluate", "--model_def", "models.facenet_keras"], JOBS)[1]
    for person in range(1, 11):
        (tmp_path / f"s{person}").symlink_to(assets.fetch("att_faces", "~/.cache/facegan") / f"s{person}")
    index = folders.index_images(tmp_path, tmp_path.parent / "cache", labelled=True)
    assert pair_auc(embed_folder(open_face_network(options), index, options)) > 0.9999
