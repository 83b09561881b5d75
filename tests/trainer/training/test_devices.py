"""Two logical CPU devices compute what one computes with the whole batch."""

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

import main
from trainer.training import devices
from utils import command_line

ROOT = Path(__file__).resolve().parents[3]
CHILD = """
import sys
import keras, numpy as np, tensorflow as tf
import main
from tests.small import CFS, DAGAN, IPGAN, NETWORKS, reconstruct_far_off
from trainer.benchmark.data import random_batch
from trainer.systems import system_class
from trainer.training import checkpoint
from trainer.training.devices import Devices
from utils import command_line
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0],
                                           [tf.config.LogicalDeviceConfiguration()] * 2)
name, method = sys.argv[1:]
PATCH = "--discriminator patch --patch_halvings 1 --r1_interval 2 --method_c none".split()
MAGNET = ["--method_c", method, "--lambda_c", "0.1", "--model_def", "models.dlib_resnet"]
WORDS = {"facegan": [*NETWORKS, *(PATCH if method == "patch" else MAGNET)],
         "dagan": [*DAGAN, *("--sum_errors" if method == "sum" else f"--identity_perception {method}").split()],
         "cfs": [*CFS, "--gan_loss", method, "--r1_interval", "1"],
         "ipgan": [*IPGAN, "--model_def", "models.dlib_resnet", "--injection", method, "--r1_interval", "2"]}[name]
steps, per_device, RATE = 3, 2, 1e-3

def train(count):
    words = ["train", "--system", name, *WORDS, "--num_gpu", count, "--warm_up", "0", "--g_lr", RATE / count, "--d_lr",
             RATE / count, "--lr_lower_boundary", "0", "--lambda_k", "0.1"]
    kind = system_class(name)
    options = kind.with_defaults(command_line.parse([str(word) for word in words], main.JOBS)[1])
    keras.utils.set_random_seed(1)
    devices = Devices(count)
    labels = {name: 5 for name, source in kind.sources_of(options).items() if source.label}
    with devices.scope():
        system = kind(options, labels, random=False)
        reconstruct_far_off(system)
    step = tf.function(lambda batch: devices.run(system.train_step.python_function, batch))
    moments = {}
    for number in range(steps):
        batch = random_batch(system, options.changed(batch_size=2 * per_device, n_id=5, random_seed=number))
        contrast = np.float32([1.0] * per_device + [0.2] * per_device)[:, None, None, None]  # so that balances differ
        batch = {key: contrast * value if len(value.shape) == 4 else value for key, value in batch.items()}
        scalars = {tag: float(value) for tag, value in step(devices.split(batch)).items()}
        moments = moments or {name: variable.numpy() for name, variable in checkpoint.named_variables(system).items()
                              if name.startswith("optimizer/")}
    return scalars, moments, {name: variable.numpy() for name, variable in checkpoint.named_variables(system).items()}

(one, moments, weights), (two, spread_moments, spread) = train(1), train(2)
first = {name.partition("/momentum/")[2]: np.abs(moment).max()
         for name, moment in moments.items() if "/momentum/" in name}
most = {}  # of each network: beside a discriminator's summed errors DA-GAN's identity head would pass for inert
for name, size in first.items():
    network = name.partition("/")[0]
    most[network] = max(size, most.get(network, 0))
inert = {name for name, size in first.items() if size <= 1e-6 * most[name.partition("/")[0]]}
assert all(name.endswith("/bias") for name in inert), inert  # a norm after it, or hinge's two halves, leave rounding
for name in moments:  # of the first step; they show a wrong factor that Adam's steps would hide
    if not name.endswith(tuple(inert)):
        assert np.abs(spread_moments[name] - moments[name]).max() <= 1e-4 * np.abs(moments[name]).max(), name
for name in weights:
    if not name.startswith("optimizer/") and not name.endswith(tuple(inert)):  # in the mean: Adam turns a gradient that
        assert np.abs(spread[name] - weights[name]).mean() <= 0.003 * steps * RATE, name  # is all rounding either way
for tag in set(one) - {"misc/diversity", "misc/pose_spread"}:
    np.testing.assert_allclose(two[tag], one[tag], rtol=1e-3, atol=1e-6, err_msg=tag)
print("equal")
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", ["facegan magnet", "facegan none", "facegan patch", "dagan softmax", "dagan binary",
                                   "dagan sum", "cfs wgan_gp", "cfs hinge", "ipgan adain"])  # fmt: skip
def test_two_devices_equal_one(words):
    """With the magnet loss all that is there without one is there too."""
    done = subprocess.run([sys.executable, "-c", CHILD, *words.split()], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip().endswith("equal"), done.stdout[-500:] + done.stderr[-3000:]


@pytest.mark.parametrize(
    ("flags", "seen", "there", "told"),
    [
        ([], [], [], "CPU; no GPU found"),
        ([], ["NVIDIA H100"], ["NVIDIA H100"], "GPU, NVIDIA H100"),
        (["--num_gpu", "2"], ["A", "A", "A"], ["A", "A", "A"], "2 of 3 GPUs (--num_gpu), A"),
        (["--use_gpu", "False"], [], ["NVIDIA H100"], "CPU; NVIDIA H100 is not used: --use_gpu False"),
        ([], [], ["NVIDIA H100"], "CPU; NVIDIA H100 is not used: CUDA_VISIBLE_DEVICES=7 hides it"),
    ],
)
def test_the_device_that_computes_is_told(flags, seen, there, told, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert devices._device(command_line.parse(["train", *flags], main.JOBS)[1], seen, there) == told


@pytest.mark.parametrize(("cuda", "reason"), [(True, "finds no CUDA libraries for it; pip install 'tensorflow"),
                                              (False, "this TensorFlow is built without CUDA")])  # fmt: skip
def test_a_gpu_that_tensorflow_does_not_see_is_told_with_the_reason(cuda, reason, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: cuda)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   131\n")
    found = devices.gpus_of_machine(tmp_path)
    monkeypatch.setattr(devices, "gpus_of_machine", lambda: found)
    devices.tell_device(command_line.parse(["train"], main.JOBS)[1])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("device: CPU; NVIDIA GeForce RTX 3090 is not used: ") and reason in line
