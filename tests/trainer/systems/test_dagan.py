"""DA-GAN through its contract, and through the jobs."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import main
from data_loader import chips
from data_loader.folders import decode
from tests.small import DAGAN, LOGS, make_people, newest_arrays, only_run, untraced
from trainer.benchmark.data import random_batch
from trainer.step.precision import LARGEST, LossScale
from trainer.step.streams import step_seed
from trainer.systems.dagan import DaGan
from trainer.systems.defaults import DAGAN_PATCHES
from trainer.training import setup
from trainer.training.checkpoint import named_variables
from trainer.training.setup import seed_everything
from utils import command_line, runs
from utils.errors import UserError
from utils.flags import FLAGS
from utils.images import to_float

MAIN = Path(main.__file__)
NAMED = {"conv_hidden_num", "conv_hidden_num_res", "batch_size", "max_step"}  # by all trainings here
pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """data/views of a, b, c; data/people: photographs of b, c, d; a run of eight steps below straight/."""
    folder = tmp_path_factory.mktemp("dagan")
    make_people(folder / "data" / "views", "abc", 3)
    make_people(folder / "data" / "people", "bcd", 2)
    with untraced():
        assert train(folder, "straight", "--max_step", "8") == 0
    return folder


def train(folder, logs, *words):
    """With one step where `words` do not say how many: input that is taken for good ends too."""
    words = words if "--max_step" in words else ("--max_step", "1", *words)
    where = ["--data_dir", folder / "data", "--log_dir", folder / logs, "--asset_dir", folder / "cache"]
    named = ["--system", "dagan", "--dataset", "people", "--syn_dataset", "views", *DAGAN, *LOGS]
    return main.main(["train", *map(str, [*where, *named, *words])])


def test_patches_bring_the_flags_that_they_were_measured_with(home):
    """What the command line names stays; without patches nothing is changed."""
    words = ["--discriminator", "patch", "--lambda_3", "0", "--r1", "2", "--augment", ""]
    assert train(home, "patches", *words) == 0 == train(home, "began")
    patches, began = (runs.read_params(only_run(home / logs)) for logs in ("patches", "began"))
    assert (patches["gan_loss"], patches["upsample"], patches["lambda_1"]) == ("nonsaturating", "nearest", 0.02)
    assert (patches["lambda_3"], patches["r1"], patches["augment"], patches["max_step"]) == (0, 2, "", 1)
    assert [name for name in DAGAN_PATCHES.keys() - NAMED if began[name] != FLAGS[name].default] == []


def test_eight_steps_are_four_and_four(home):
    assert train(home, "half", "--max_step", "4", "--task", "first") == 0
    resumed = ["--load_path", str(only_run(home / "half")), "--log_dir", str(home / "resumed"), "--max_step", "8"]
    assert main.main(["train", "--data_dir", str(home / "data"), *resumed]) == 0
    straight, parts = newest_arrays(home / "straight"), newest_arrays(home / "resumed")
    assert straight.keys() == parts.keys() and int(straight["state/step"]) == 8
    assert [name for name in straight if straight[name].tobytes() != parts[name].tobytes()] == []


def test_a_run_goes_on_with_another_weight_of_its_face_network_but_none(home):
    run = shutil.copytree(only_run(home / "straight"), home / "weighed")
    params = runs.read_params(run)
    (run / "params.json").write_text(json.dumps(params | {"lambda_3": 1.0}))

    def lambda_3(*words):
        options = command_line.parse(["train", "--load_path", str(run), *words], main.JOBS)[1]
        return setup.resumed_run(options, "train")[1].lambda_3

    assert (lambda_3(), lambda_3("--lambda_3", "1e-6")) == (1, 1e-6)
    with pytest.raises(UserError, match="--lambda_3 0.0: .* was trained with 1.0"):
        lambda_3("--lambda_3", "0")


@pytest.mark.slow
def test_eight_steps_are_four_a_kill_and_four(home):
    """Traced, as users train: the process that did the first four is killed while it goes on beyond them."""
    words = ["--data_dir", str(home / "data"), "--asset_dir", str(home / "cache")]
    first = ["--system", "dagan", "--dataset", "people", "--syn_dataset", "views", *DAGAN, *LOGS]

    def start(logs, *more):
        command = [sys.executable, str(MAIN), "train", *words, "--log_dir", str(home / logs), *more]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    assert start("whole", *first, "--max_step", "8").wait(300) == 0
    killed = start("killed", *first, "--max_step", "100000", "--save_secs", "0", "--keep_step", "4")
    kept = "checkpoints/step-000000004.npz"
    deadline = time.monotonic() + 300
    while not list(home.glob(f"killed/*/{kept}")) and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    fourth = only_run(home / "killed") / kept
    assert start("on", "--load_path", str(fourth), "--max_step", "8", "--save_secs", "300").wait(300) == 0
    whole, parts = newest_arrays(home / "whole"), newest_arrays(home / "on")
    assert whole.keys() == parts.keys() and int(whole["state/step"]) == 8
    assert [name for name in whole if whole[name].tobytes() != parts[name].tobytes()] == []


def test_photographs_and_views_have_one_list_of_people(home):
    params = json.loads((only_run(home / "straight") / "params.json").read_text())
    assert params["label_names"] == {"real": list("abcd"), "synthetic": list("abcd")}
    assert newest_arrays(home / "straight")["identity_head/001/logits/bias"].shape == (4,)


def generate(home, out, *words):
    run = ["--pretrained_gen", str(only_run(home / "straight")), "--log_dir", str(home / "straight")]
    where = ["--data_dir", str(home / "data"), "--save_syn_dataset", out, "--image_format", "png"]
    assert main.main(["generate", *run, *where, *words]) == 0
    with open(home / "data" / out / "confidence_scores.csv") as file:
        return list(csv.DictReader(file))


def test_refines_views_with_scores_of_realism_and_identity(home, capsys):
    rows = generate(home, "refined", "--syn_dataset", "views")
    assert [row["path"] for row in rows] == [f"{person}/{image}.png" for person in "abc" for image in range(3)]
    assert all(float(row["d_score"]) > 0 and float(row["identity_score"]) > 0 for row in rows)
    card = (home / "data" / "refined" / "README.md").read_text()
    assert "`identity_score`" in card and "not exist" not in card
    assert "treat them as photographs of these people" in card
    make_people(home / "data" / "others", "bz", 1)
    capsys.readouterr()
    rows = generate(home, "strangers", "--syn_dataset", "others")
    assert "did not know z" in capsys.readouterr().out
    assert [row["identity_score"] for row in rows] == ["", ""] and float(rows[0]["d_score"]) > 0


def test_the_identity_is_scored_against_the_persons_own_place(home):
    """b has place 1 in the training's list, and 0 among these views."""
    make_people(home / "data" / "only_b", "b", 1)
    (row,) = generate(home, "b_refined", "--syn_dataset", "only_b")
    arrays = newest_arrays(home / "straight")
    system = make()
    for name, variable in named_variables(system).items():
        variable.assign(arrays.get(f"state/average/{name}", arrays[name]))
    view = to_float(decode(home / "data" / "only_b" / "b" / "0.png", 16)[None])
    logits = system.head(system.discriminator.encode(system.generator(view)))
    np.testing.assert_allclose(float(row["identity_score"]), -tf.nn.log_softmax(logits)[0, 1], rtol=1e-5)


def test_exports_with_and_without_whom_it_knows(home):
    run = ["--pretrained_gen", str(only_run(home / "straight")), "--log_dir", str(home / "straight")]
    assert main.main(["export", *run, "--export_dir", str(home / "served")]) == 0
    served = tf.saved_model.load(str(home / "served" / "1")).signatures["serving_default"]
    assert served(images=tf.zeros((2, 16, 16, 3)))["generated"].shape == (2, 16, 16, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="images .* is not compatible with expected shape"):
        served(images=tf.zeros((2, 32, 32, 3)))
    assert main.main(["export", *run, "--export_dir", str(home / "small"), "--export_format", "weights"]) == 0
    (weights,) = (home / "small" / "checkpoints").glob("*.npz")
    with np.load(weights) as file:
        assert not [name for name in file.files if name.startswith("identity_head")]
    begun = ["--pretrained_gen", str(home / "small"), "--max_step", "1", "--nolabel_photographs"]
    assert train(home, "begun", *begun) == 0  # other people than the weights knew


@pytest.mark.parametrize(
    ("data", "words", "message"),
    [
        ({"people": {"a": 1, "b": 2}}, [], "--dataset: label folder {}/people/a needs at least 2 images, has 1"),
        ({"views": {".": 2}}, [], "--syn_dataset: images but no label folders (expected <label>/<file>) in {}/views"),
        ({"views": {".": 2}}, ["--identity_perception", "none"], "--syn_dataset: images but no label folders"),
        ({}, ["--identity_perception", "none", "--lambda_1", "5"], "--lambda_1: --identity_perception none does not"),
        ({}, ["--facenet_scope", "A"], "--facenet_scope: --system dagan without --lambda_3 looks through no face"),
        ({}, ["--augment", "flip"], "--augment: --system dagan with --discriminator began does not read it"),
        ({}, ["--r1", "1"], "--r1: --discriminator began does not read it"),
        ({}, ["--discriminator", "patch", "--generator_weight", "k_t"], "--generator_weight: --discriminator patch"),
        ({}, ["--model_def", "models.nn4"], "--model_def: --system dagan without --lambda_3 looks through no face"),
        ({}, ["--lambda_c", "1"], "--lambda_c: --system dagan does not read it; it is for facegan"),
    ],
)
def test_bad_input_is_one_line(tmp_path, data, words, message, capsys):
    for folder, names in ({"people": {"a": 2, "b": 2}, "views": {"a": 2, "c": 1}} | data).items():
        for name, images in names.items():
            make_people(tmp_path / "data" / folder, [name], images)
    assert train(tmp_path, "logs", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message.format(tmp_path / "data") in line
    assert not (tmp_path / "logs").exists()


def test_another_size_or_other_people_than_the_runs_are_one_line(home, tmp_path, capsys):
    run = str(only_run(home / "straight"))
    words = ["generate", "--pretrained_gen", run, "--data_dir", str(home / "data"), "--syn_dataset", "views"]
    assert main.main([*words, "--input_scale_size", "32"]) == 2
    assert "--input_scale_size 32" in capsys.readouterr().err
    for idle in (["--r1", "1"], ["--augment", "flip"], ["--pretrained_rec", "x"]):  # for the run's own flags
        assert main.main(["train", "--load_path", run, "--data_dir", str(home / "data"), "--max_step", "9", *idle]) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert line.startswith(f"error: {idle[0]}: ")
    make_people(tmp_path / "views", "abz", 2)
    make_people(tmp_path / "people", "bcd", 2)
    assert main.main(["train", "--load_path", run, "--data_dir", str(tmp_path), "--log_dir", str(tmp_path / "l")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "other people" in line and "added z" in line


def test_a_run_that_names_nobody_goes_on_with_other_people(home, tmp_path):
    """Its views lie in folders all the same, as `generate` wants them."""
    assert train(home, "nobody", "--identity_perception", "none") == 0
    run = only_run(home / "nobody")
    assert json.loads((run / "params.json").read_text())["labels"] == {}
    make_people(tmp_path / "views", "xyz", 2)
    make_people(tmp_path / "people", "b", 1)
    where = ["--data_dir", str(tmp_path), "--log_dir", str(tmp_path / "logs")]
    assert main.main(["train", "--load_path", str(run), "--max_step", "2", *where]) == 0
    made = ["--pretrained_gen", str(run), "--syn_dataset", "views", "--save_syn_dataset", "out"]
    assert main.main(["generate", *made, *where]) == 0 and len(list((tmp_path / "out").glob("*/*.jpg"))) == 6


def make(*flags):
    options = command_line.parse(["train", *DAGAN, *flags], main.JOBS)[1].changed(system="dagan", n_id=4)
    seed_everything(options)
    return DaGan(options, {"real": 4, "synthetic": 4})


def steps(*flags, count=1):
    """{network: weights moved by so much} in as many steps."""
    system = make(*flags)
    batch = random_batch(system, system.options)
    before = {name: [weight.numpy() for weight in network.weights] for name, network in system.networks.items()}
    for _ in range(count):
        system.train_step(batch)
    return {name: [new.numpy() - old for new, old in zip(network.weights, before[name], strict=True)]
            for name, network in system.networks.items()}  # fmt: skip


def still(moves):
    return {name for name, of_network in moves.items() if not any(move.any() for move in of_network)}


def same(a, b):
    return all((x == y).all() for x, y in zip(a, b, strict=True))


def test_each_group_moves_by_its_own_losses_only():
    assert still(steps()) == set()
    alone = ["--lambda_1", "0", "--lambda_2", "0"]
    assert still(steps(*alone)) == {"identity_head"}
    assert still(steps(*alone, "--generator_weight", "k_t")) == {"identity_head", "generator"}  # k_t is 0 at first
    pixel, more = steps(*alone), steps("--lambda_1", "0", "--lambda_2", "5")
    assert same(pixel["discriminator"], more["discriminator"]) and not same(pixel["generator"], more["generator"])


PATCHES = ("--discriminator", "patch", "--lambda_1", "0", "--lambda_2", "0")


def test_patches_take_the_place_of_the_reconstruction_in_the_generator():
    """Alone, at weight 0, nothing moves the generator; the auto-encoder learns photographs all the same."""
    assert still(steps(*PATCHES)) == {"identity_head"}
    assert still(steps(*PATCHES, "--adversarial_weight", "0")) == {"identity_head", "generator"}
    assert same(steps(*PATCHES)["discriminator"], steps("--lambda_1", "0", "--lambda_2", "0")["discriminator"])


def test_patches_score_what_is_generated_and_the_auto_encoder_names_it():
    system = make("--discriminator", "patch")
    view = random_batch(system, system.options)["synthetic"]
    made = system.generate({"synthetic": view, "identity": tf.zeros(len(view), tf.int32)})
    scores = system.networks["patches"](made["image"]).numpy().mean((1, 2, 3))
    logits = system.head(system.discriminator.encode(made["image"]))
    np.testing.assert_allclose(made["d_score"], scores, rtol=1e-4)
    np.testing.assert_allclose(made["identity_score"], -tf.nn.log_softmax(logits)[:, 0], rtol=1e-4)
    assert system.makers["generate"].scores["d_score"].better == "high"


@pytest.mark.slow  # looks through dlib's network
def test_a_face_network_keeps_the_person_and_moves_the_generator_alone():
    """Its loss is 1 - the cosine, of pictures as they are, cut where the face is; by it alone only the generator moves,
    towards less of it."""
    alone = [*PATCHES, "--adversarial_weight", "0", "--d_lr", "0"]
    assert still(steps(*alone, "--lambda_3", "2")) >= {"identity_network", "identity_head", "patches"}
    system = make(*alone, "--lambda_3", "2", "--g_lr", "1e-3", "--noresidual")
    system.load_pretrained({}, {})
    where = tf.constant([[0.6, 0.55, 0.5, 0.1]] * 2)  # where the views' table would say
    batch = random_batch(system, system.options) | {"chip": where}
    assert system.sources["synthetic"].example["chip"] == chips.FIXED
    refined = system.generator(batch["synthetic"], dropout_seed=step_seed(system.options.random_seed, system.step))
    a, b = (system.identity.embed(images, None, where).numpy() for images in (refined, batch["synthetic"]))
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    first = system.train_step(batch)
    np.testing.assert_allclose(first["loss/person"], 1 - cosines.mean(), rtol=1e-3)
    np.testing.assert_allclose(first["loss/g_loss"], 2 * first["loss/person"], rtol=1e-4)
    for _ in range(20):
        last = system.train_step(batch)
    assert float(last["loss/person"]) < 0.9 * float(first["loss/person"])


def test_in_turn_the_generator_meets_the_discriminator_that_has_moved():
    turns, together = steps(), steps("--update", "simultaneous")
    assert same(turns["discriminator"], together["discriminator"])
    assert not same(turns["generator"], together["generator"])


def test_patches_pull_as_much_where_the_loss_scale_moves_between_the_players():
    """The gradient that was taken before the discriminator moved counts by the scale after it."""

    def first_moments(system):
        system.train_step(random_batch(system, system.options))
        return {name: variable.numpy() for name, variable in named_variables(system).items()
                if name.startswith("optimizer/generator/momentum/")}  # fmt: skip

    wanted, system = first_moments(make(*PATCHES)), make(*PATCHES)
    scale = system.players._loss_scale = LossScale("float16")
    unscaled = scale.unscaled

    def overflowing(groups):
        found = unscaled(groups)
        scale.scale.assign(scale.scale / 2)
        return found

    scale.unscaled = overflowing
    found = first_moments(system)
    assert found.keys() == wanted.keys() != set() and float(scale.scale) == LARGEST / 4
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-3, atol=1e-3 * np.abs(wanted[name]).max())
