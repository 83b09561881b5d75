import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format
from PIL import Image

from data_loader.folders import index_images
from tests.small import make_data
from trainer.evaluation.inception import Inception
from utils.errors import UserError


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A weights file of the layout of keras.applications', with a top of 7 classes, and the network it is of."""
    keras.utils.set_random_seed(1)
    network = keras.applications.InceptionV3(weights=None, classes=7)
    path = tmp_path_factory.mktemp("inception") / "with_top.h5"
    save(network, path)
    return path, network


def save(network, path):
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)


@pytest.fixture(scope="module")
def inception(published):
    return Inception(published[0])


def test_features_and_classes_of_a_folder(published, inception, tmp_path):
    _, network = published
    index = index_images(make_data(tmp_path / "data") / "real", tmp_path / "cache")
    features, probabilities = inception.features(index, [3, 1])
    assert inception.has_classes and features.shape == (2, 2048) and probabilities.shape == (2, 7)
    with Image.open(index.path(3)) as image:
        large = np.asarray(image.convert("RGB").resize((299, 299), Image.Resampling.BICUBIC), np.float32)
    expected = network(keras.applications.inception_v3.preprocess_input(large[None]), training=False)
    np.testing.assert_allclose(probabilities[0], expected[0], rtol=1e-4)
    np.testing.assert_allclose(
        probabilities, keras.ops.softmax(features @ network.layers[-1].kernel + network.layers[-1].bias), rtol=1e-4
    )


def test_without_the_top_there_are_no_classes(published, inception, tmp_path):
    with h5py.File(published[0]) as whole, h5py.File(tmp_path / "notop.h5", "w") as file:
        names = [name for name in whole.attrs["layer_names"] if name not in ("avg_pool", "predictions")]
        file.attrs["layer_names"] = names
        for name in names:
            whole.copy(name, file)
    topless = Inception(tmp_path / "notop.h5")
    index = index_images(make_data(tmp_path / "data") / "real", tmp_path / "cache")
    features, probabilities = topless.features(index, [0])
    assert not topless.has_classes and probabilities is None
    np.testing.assert_allclose(features, inception.features(index, [0])[0], rtol=1e-5)


def test_bad_files_are_one_line(published, tmp_path):
    (tmp_path / "text.h5").write_text("no weights")
    (tmp_path / "cut.h5").write_bytes(published[0].read_bytes()[:50_000])
    save(keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)]), tmp_path / "other.h5")
    for name, message in (("text", "is no weights file"), ("cut", "is no weights file"), ("gone", "no such file"),
                          ("other", "does not fit Inception-v3")):  # fmt: skip
        with pytest.raises(UserError, match=f"--inception_weights: .*{message}") as error:
            Inception(tmp_path / f"{name}.h5")
        assert "\n" not in str(error.value)
