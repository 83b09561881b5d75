"""Training in 16 bits and under XLA: near float32, with everything that lasts in float32."""

import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import main
from tests.small import NETWORKS, make_data, train_words, untraced
from trainer.step.precision import GROWS_AFTER, LARGEST, LossScale, computing_in
from trainer.systems.facegan import FaceGan
from utils import command_line
from utils.errors import UserError

STEPS = 3
CONTRAST = 10.0  # fresh generators make all but grey, whose errors are too small to compare
IMAGES = ("real", "synthetic", "pair_image", "pair_render")


def make(precision, *more):
    words = ["train", *NETWORKS, "--mixed_precision", precision, "--method_c", "none", *more]
    keras.utils.set_random_seed(1)
    system = FaceGan(command_line.parse(words, main.JOBS)[1], {"synthetic": 3}, random=False)
    for generator in (system.generator, system.generator_back):
        generator.last.kernel.assign(CONTRAST * generator.last.kernel)
    return system


def batch(value=1.0):
    rng = np.random.default_rng(2)
    images = {name: tf.constant(rng.uniform(-value, value, (2, 16, 16, 3)).astype("float32")) for name in IMAGES}
    return images | {"identity": tf.constant([0, 2])}


def some_steps(system):
    """(scalars of the last of some steps; Adam's first moments after the first step, of each optimizer)."""
    scalars, moments = [], {}
    for _ in range(STEPS):
        scalars.append(system.train_step(batch()))
        for name, variables in system.players.groups.items():
            found = system.optimizers[name].variables[1 : 1 + len(variables)]  # the first is the number of steps
            moments.setdefault(name, np.concatenate([variable.numpy().ravel() for variable in found]))
    return scalars[-1], moments


EVEN = ("--lambda_s", "5", "--lambda_p", "5", "--lambda_d", "5")  # so that every loss has its part in the gradients


@pytest.fixture(scope="module")
def full():
    """What some steps give in float32."""
    with untraced():
        return some_steps(make("float32", *EVEN))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_near_float32(precision, full, untraced):
    half = make(precision, *EVEN)
    if precision == "float16":
        half.state["loss_scale"].assign(1024.0)  # at which nothing overflows: a step that is left out is not near
    assert half.generator.first.compute_dtype == precision
    assert keras.config.dtype_policy().name == "float32"  # nothing is left behind
    (scalars, moments), (expected, expected_moments) = some_steps(half), full
    for tag, value in expected.items():
        np.testing.assert_allclose(scalars[tag], value, rtol=0.03, atol=2e-4, err_msg=tag)
    for name, vector in expected_moments.items():
        assert np.linalg.norm(moments[name] - vector) < 0.3 * np.linalg.norm(vector), name
    lasting = [*half.state.values(), *half.generator.weights, *half.optimizers["generator"].variables]
    assert {tf.as_dtype(variable.dtype) for variable in lasting} <= {tf.float32, tf.int64}
    assert half.generate(batch())["image"].dtype == tf.float32


@pytest.mark.slow
def test_an_overflow_moves_nothing_and_halves_the_scale():
    system = make("float16")
    system.state["loss_scale"].assign(3e38)
    before = [weight.numpy() for weight in system.generator.weights]
    system.train_step(batch())
    assert float(system.state["loss_scale"]) == pytest.approx(1.5e38)
    for weight, old in zip(system.generator.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_scale_grows_after_quiet_steps():
    scale = LossScale("float16")
    scale.scale.assign(8.0)
    scale.steps.assign(GROWS_AFTER - 1)
    ((gradient,),) = scale.unscaled([[tf.constant([16.0])]])
    assert float(gradient[0]) == 2.0 and float(scale.scale) == 16.0 and int(scale.steps) == 0
    scale.scale.assign(LARGEST)
    scale.steps.assign(GROWS_AFTER)
    scale.unscaled([[tf.constant([1.0])]])
    assert float(scale.scale) == LARGEST
    assert LossScale("bfloat16").unscaled([[gradient]]) == [[gradient]]


def test_unknown_precision():
    with pytest.raises(UserError, match="--mixed_precision"), computing_in("float8"):
        pass


@pytest.mark.slow
def test_xla_trains_alike():
    plain, compiled = make("float32"), make("float32")
    step = tf.function(compiled.train_step.python_function, jit_compile=True)
    for _ in range(2):
        expected, scalars = plain.train_step(batch()), step(batch())
    for tag in expected:
        np.testing.assert_allclose(scalars[tag], expected[tag], rtol=1e-4, atol=1e-6, err_msg=tag)


@pytest.mark.slow
def test_xla_compiles_the_default_identity_network(tmp_path):
    """Its max pooling has no gradient in XLA once TensorFlow, for the whole process, was asked for determinism."""
    words = train_words(make_data(tmp_path / "data"), tmp_path / "logs", "--max_step", "1", "--jit_compile")
    words += ["--method_c", "magnet", "--model_def", "models.dlib_resnet"]
    done = subprocess.run([sys.executable, main.__file__, *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_xla_by_its_flag(tmp_path, capsys):
    """Dropout draws otherwise there, so that losses are near, not equal."""
    data, losses = make_data(tmp_path / "data"), []
    for name, more in (("plain", []), ("compiled", ["--jit_compile"])):
        assert main.main(train_words(data, tmp_path / name / "logs", "--max_step", "2", *more)) == 0
        numbers = re.findall(r"Loss_D: ([\d.]+) Loss_G: ([\d.]+)", capsys.readouterr().out)
        losses.append(np.array(numbers, float))
    assert losses[0].shape == (2, 2)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-2)
