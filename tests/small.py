"""Small data sets and small networks, so that tests run the real entry points in seconds."""

import csv
import shlex
import warnings
from contextlib import contextmanager

import numpy as np
from PIL import Image

from data_loader.training_sources import Source

NETWORKS = (
    "--input_scale_size 16 --conv_hidden_num 4 --conv_hidden_num_back 4 --conv_hidden_num_res 4 --num_res_rep 1 "
    "--z_num 4 --batch_size 2 --num_worker 2"
).split()
DAGAN = shlex.split(shlex.join(NETWORKS).replace("--conv_hidden_num_back 4 ", ""))  # which reads no width of D_S
CFS = (
    "--input_scale_size 64 --conv_hidden_num 4 --conv_hidden_num_res 4 --max_channels 8 --z_num 8 --batch_size 2 "
    "--num_worker 2 --lambda_id 0"
).split()
IPGAN = (
    "--input_scale_size 16 --conv_hidden_num 4 --conv_hidden_num_res 4 --max_channels 8 --z_num 3 --batch_size 2 "
    "--num_worker 2"
).split()
RECOGNIZER = "--recognizer light_cnn9 --image_size 16 --embedding_size 8 --batch_size 2".split()
LOGS = "--log_step 1 --num_log_id 2 --num_log_samples 2".split()


SOURCES = {
    "real": Source("dataset", ("real",)),
    "synthetic": Source("syn_dataset", ("synthetic",), "identity"),
    "pair": Source("dataset_3dmm", ("pair_image", "pair_render")),
    "labelled": Source("dataset", ("real",), "real_identity"),
}


@contextmanager
def untraced():
    """TensorFlow computes each operation as Python comes to it.

    Tracing a step of a small FaceGAN takes ten times as long as the step. Numbers differ from the traced ones by
    rounding: bit by bit the same is only what is computed in the same way.
    """
    import tensorflow as tf  # here: most tests of data and faces need none

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings():  # that tf.data traces all the same
            warnings.filterwarnings("ignore", "Even though the `tf.config.experimental_run_functions_eagerly`")
            yield
    finally:
        tf.config.run_functions_eagerly(before)


def reconstruct_far_off(system):
    """Move what the auto-encoders of a new system make by half of their range: up, down and up, channel by channel.

    They and the generators start near 0. So reconstruction errors of generated images do too, a few of them within
    rounding, where the gradient of their size is 1 or -1 by the order in which a processor adds.
    """
    from models.autoencoder import Autoencoder  # here, as TensorFlow above

    for network in system.networks.values():
        if isinstance(network, Autoencoder):
            network.last.bias.assign([0.5, -0.5, 0.5])
    system.players.restart_averages()


def face(seed, size=20):
    """A smooth coloured blob on black: uint8 [size, size, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
    y, x = y - rng.uniform(-0.1, 0.1), x - rng.uniform(-0.1, 0.1)
    inside = (x**2 + y**2 < 0.16)[..., None]
    shade = 0.7 + 0.3 * np.sin(6 * x + rng.uniform(0, 6))[..., None]
    return np.uint8(inside * shade * rng.uniform(80, 255, 3))


def make_data(folder, identities=3, images=3, photographs=6, pairs=4):
    """Write the three training folders: syn/<identity>/, real/, paired/ with paired/3dmm/. Returns `folder`."""
    for identity in range(identities):
        for image in range(images):
            _save(folder / "syn" / f"{identity + 1:05d}" / f"{image + 1:05d}.png", face(100 * identity + image))
    for photograph in range(photographs):
        _save(folder / "real" / f"{photograph}.jpg", 255 - face(1000 + photograph, 24))
    (folder / "real" / "licences.json").write_text('[{"what": "photographs", "by": "nobody", "licence": "CC0"}]')
    for pair in range(pairs):
        _save(folder / "paired" / f"{pair}.png", 255 - face(2000 + pair))
        _save(folder / "paired" / "3dmm" / f"{pair}.png", face(2000 + pair))
    return folder


def train_words(data, logs, *more):
    """The command line of a small training run with pairs and no identity loss."""
    folders = ["--data_dir", data, "--syn_dataset", "syn", "--dataset", "real", "--dataset_3dmm", "paired"]
    where = ["--log_dir", logs, "--asset_dir", logs.parent / "cache"]
    return ["train", *map(str, [*folders, *where, "--method_c", "none", *NETWORKS, *LOGS, *more])]


def make_people(folder, names, images=2, size=20):
    """Write <folder>/<name>/<number>.png, so many of each person; names: one letter each, say."""
    for place, name in enumerate(names):
        for image in range(images):
            _save(folder / name / f"{image}.png", face(100 * place + image, size))


def newest_arrays(logs):
    """{name: array} of the newest checkpoint of the one run folder below `logs`."""
    with np.load(max(only_run(logs).glob("checkpoints/*.npz"))) as file:
        return {name: file[name] for name in file.files}


def read_csv(path):
    """The rows of a table, list of dict."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def only_run(logs):
    """The one run folder below `logs`."""
    (run,) = logs.iterdir()
    return run


def _save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
