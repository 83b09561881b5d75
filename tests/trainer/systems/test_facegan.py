"""The system through its contract: what a step moves, and what it must leave alone."""

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_loader import assets, chips
from tests.small import NETWORKS
from trainer.published.dlib_import import FILE, load_dlib_resnet
from trainer.step import pixels
from trainer.systems.facegan import FaceGan
from trainer.training.checkpoint import named_variables
from utils import command_line
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("untraced")


def make(*flags, random=True):
    words = ["train", "--method_c", "none", *NETWORKS, *flags]
    return FaceGan(command_line.parse(words, {"train": ""})[1], {"synthetic": 5}, random=random)


@cache
def _built(*flags):
    system = make(*flags)
    return system, system.options, {name: variable.numpy() for name, variable in named_variables(system).items()}


def shared(*flags, **options):
    """The system with these flags that all tests share, as it was when it was built.

    Args:
        options: flags that only its step reads, with their values.
    """
    system, as_built, values = _built(*flags)
    for name, variable in named_variables(system).items():
        variable.assign(values[name])
    system.options = as_built.changed(**options)
    return system


def batch(size=16, count=2):
    rng = np.random.default_rng(0)
    names = ("real", "synthetic", "pair_image", "pair_render")
    images = {name: tf.constant(rng.uniform(-1, 1, (count, size, size, 3)), tf.float32) for name in names}
    return images | {"identity": tf.constant([1, 4])}


def weights(network):
    return [weight.numpy() for weight in network.trainable_variables]


def moved(before, network):
    return any((old != new).any() for old, new in zip(before, weights(network), strict=True))


@pytest.mark.parametrize(
    ("rate", "still"),
    [("--g_lr", {"generator", "generator_back"}), ("--d_lr", {"discriminator_real", "discriminator_synthetic"})],
)
def test_each_optimizer_moves_its_own_networks_only(rate, still):
    system = make(rate, "0")
    before = {name: weights(network) for name, network in system.networks.items()}
    system.train_step(batch())
    assert {name for name, network in system.networks.items() if not moved(before[name], network)} == still


def step_and_gradients(system, data):
    """One step: its scalars, and what the optimizers are handed: {name: list of gradients}."""
    taken = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, optimizer in system.optimizers.items():

            def apply(gradients, variables, name=name, apply=optimizer.apply):
                taken[name] = gradients
                apply(gradients, variables)

            patch.setattr(optimizer, "apply", apply)
        return system.train_step(data), taken


def test_gradients_equal_those_of_the_losses_as_written():
    """One pass for both players gives what separate passes on the written losses give."""
    system = make(random=False)
    for k, value in ((system.judges["real"].k, 0.3), (system.judges["synthetic"].k, 0.2), (system.k_pair, 0.1)):
        k.assign(value)
    data = batch()
    error = lambda a, b: tf.reduce_mean(tf.abs(a - b))  # noqa: E731
    with tf.GradientTape(persistent=True) as tape:
        x = system.generator(data["synthetic"])
        y = system.generator_back(x)
        cycle, pair = error(y, data["synthetic"]), error(system.generator_back(data["pair_image"]), data["pair_render"])
        fake, back = error(system.discriminator_real(x), x), error(system.discriminator_synthetic(y), y)
        real = error(system.discriminator_real(data["real"]), data["real"])
        render = error(system.discriminator_synthetic(data["synthetic"]), data["synthetic"])
        mask = tf.cast(data["synthetic"] > -1.0, tf.float32)
        loss = {
            "generator": fake + 0.5 * cycle + 0.1 * tf.reduce_mean(mask * tf.abs(x - data["synthetic"])),
            "generator_back": back + 0.5 * (pair - 0.1 * cycle) + 0.5 * cycle,
            "discriminators": real - 0.3 * fake + render - 0.2 * back,
        }
    expected = {name: tape.gradient(loss[name], variables) for name, variables in system.players.groups.items()}
    _, taken = step_and_gradients(system, data)
    for name, gradients in expected.items():
        for ours, theirs in zip(taken[name], gradients, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)


def test_averages_follow_with_the_early_ramp():
    system = shared()
    variable, average = system.players.averages[0]
    before = average.numpy()
    system.train_step(batch())
    np.testing.assert_allclose(average.numpy(), 0.1 * before + 0.9 * variable.numpy(), rtol=1e-5)


def test_without_pairs_the_pair_term_is_off():
    system = make("--dataset_3dmm", "")
    data = {name: value for name, value in batch().items() if not name.startswith("pair")}
    scalars = system.train_step(data)
    assert float(scalars["loss/sd_loss_forw"]) == 0.0
    assert float(scalars["misc/k_t3"]) == 0.0


def test_dropout_and_crop_are_in_training_only_and_follow_the_seed():
    outputs = [shared(random_seed=seed).step_with_images(batch())[1]["x"].numpy() for seed in (1, 1, 7)]
    assert (outputs[0] == outputs[1]).all()
    assert (outputs[0] != outputs[2]).any()
    images = {"synthetic": batch()["synthetic"]}
    generated = [shared(random_seed=seed).generate(images)["image"] for seed in (1, 7)]
    np.testing.assert_array_equal(*generated)


@pytest.mark.parametrize(
    ("method", "model_def"),
    [("magnet", "nn4"), ("softmax", "nn4"), ("center", "nn4"), ("magnet", "dlib_resnet"), ("softmax", "dlib_resnet")],
)
def test_identity_losses_reach_the_generator(method, model_def):
    flags = ("--method_c", method, "--model_def", f"models.{model_def}")
    _, without = step_and_gradients(shared(*flags, lambda_c=0.0), batch())
    system = shared(*flags, lambda_c=1.0)
    centroids, head = system.identity.centroids.numpy(), system.identity.weights.numpy()
    frozen = system.identity.network.get_weights()
    scalars, taken = step_and_gradients(system, batch())
    assert float(scalars["loss/c_loss"]) > 0
    of_generator = [any(v is w for w in system.generator.weights) for v in system.players.groups["generator"]]
    pairs = zip(taken["generator"], without["generator"], of_generator, strict=True)
    assert all((ours != other).numpy().any() for ours, other, wanted in pairs if wanted)
    assert all((old == new).all() for old, new in zip(frozen, system.identity.network.get_weights(), strict=True))
    assert (centroids != system.identity.centroids.numpy()).any() == (method == "magnet")
    assert (head != system.identity.weights.numpy()).any() == (method == "softmax")


@pytest.mark.parametrize("model_def", ["nn4", "dlib_resnet"])
def test_relaxed_identity_network_is_trained_but_for_its_statistics(model_def):
    system = make("--method_c", "softmax", "--relax_c", "--lambda_c", "1", "--model_def", f"models.{model_def}")
    network = system.identity.network
    before = weights(network)
    statistics = [weight.numpy() for weight in network.non_trainable_variables]
    system.train_step(batch())
    assert moved(before, network)
    assert all((a == b.numpy()).all() for a, b in zip(statistics, network.non_trainable_variables, strict=True))


def test_the_identity_loss_looks_where_the_chip_is():
    """Only what the chip covers moves the score, in training and in generation alike; without one, chips.FIXED."""
    system = make("--method_c", "magnet", "--lambda_c", "1", "--input_scale_size", "32", random=False)
    load_dlib_resnet(system.identity.network, assets.fetch("dlib_models", "~/.cache/facegan") / FILE)
    system.identity.centroids.assign(tf.random.stateless_normal([5, 128], [0, 1]))
    data = batch(size=32)
    left, whole = tf.constant([[0.25, 0.5, 0.3, 0.0]] * 2), tf.constant([chips.FIXED] * 2)

    def score(chip):
        renders = {"synthetic": data["synthetic"], "identity": data["identity"]}
        return system.generate(renders | ({} if chip is None else {"chip": chip}))["c_score"].numpy()

    np.testing.assert_array_equal(score(None), score(whole))
    assert (score(left) != score(whole)).all()
    with tf.GradientTape() as tape:
        fake = tf.Variable(data["synthetic"])
        scores = system.identity.scores(fake, data["identity"], left)
    gradient = np.abs(tape.gradient(scores, fake)).sum(axis=(0, 1, 3))
    assert (gradient[15:] == 0).all() and (gradient[5:11] > 0).all()

    trained = system.step_with_images(data | {"chip": left})[1]
    moved = system.identity.scores(trained["x"], data["identity"], left)
    np.testing.assert_allclose(trained["c_score"], moved, rtol=1e-4)


def test_the_identity_loss_sees_blurred_faces_in_training_only():
    """Its score equals the one of faces that were blurred before, and thin lines reach it far less."""
    system = make("--method_c", "magnet", "--input_scale_size", "32", random=False)
    load_dlib_resnet(system.identity.network, assets.fetch("dlib_models", "~/.cache/facegan") / FILE)
    system.identity.centroids.assign(tf.random.stateless_normal([5, 128], [0, 1]))
    data = batch(size=32)
    faces, labels = pixels.blurred(data["synthetic"], 2.0), data["identity"]
    lines = np.where(np.arange(32) % 2, 0.5, -0.5).astype(np.float32)[None, :, None, None]
    before = system.identity.centroids.numpy()

    def score(images, blur):
        system.identity.options = system.options.changed(identity_blur=blur)
        system.identity.centroids.assign(before)
        return system.identity(images, labels, None)[1].numpy()

    np.testing.assert_allclose(score(faces, 1.5), score(pixels.blurred(faces, 1.5), 0.0), rtol=1e-5)
    changed = {blur: np.abs(score(faces + lines, blur) - score(faces, blur)).max() for blur in (0.0, 1.5)}
    assert changed[1.5] < 0.1 * changed[0.0]
    generated = system.identity.scores(faces, labels)
    system.identity.options = system.options.changed(identity_blur=0.0)
    np.testing.assert_array_equal(generated, system.identity.scores(faces, labels))


@pytest.mark.parametrize(
    ("scores", "networks"),
    [
        ((), {"generator"}),
        (("d_score",), {"generator", "discriminator_real"}),
        (("s_score",), {"generator", "generator_back"}),
        (("c_score",), {"generator", "identity_network"}),
    ],
)
def test_generate_runs_the_networks_that_the_scores_need(scores, networks, monkeypatch):
    system, run = shared("--method_c", "magnet", "--model_def", "models.nn4"), set()
    for name, network in system.networks.items():

        def call(images, name=name, call=network.call, **arguments):
            run.add(name)
            return call(images, **arguments)

        monkeypatch.setattr(network, "call", call)
    renders = {name: batch()[name] for name in ("synthetic", "identity")}
    few = system.generate(renders, scores=scores)
    assert run == networks
    all_of_them = system.generate(renders)
    assert set(few) == {"image", *scores} and set(all_of_them) == {"image", "d_score", "s_score", "c_score"}
    for name, values in few.items():
        np.testing.assert_array_equal(values, all_of_them[name])


def test_an_unknown_score_is_named():
    system = shared()
    with pytest.raises(ValueError, match="no score 'e_score'; one of d_score, s_score, c_score"):
        system.generate({"synthetic": batch()["synthetic"]}, scores=("e_score",))


def test_grayscale_takes_the_colour_out_before_every_network():
    system = make("--grayscale")
    data = batch()
    grey = {
        name: value if name == "identity" else tf.repeat(tf.reduce_sum(value * [0.299, 0.587, 0.114], 3, True), 3, 3)
        for name, value in data.items()
    }
    for job, key in ((system.generate, "image"), (system.preview, "Real Images"), (system.fit, "image")):
        np.testing.assert_allclose(job(data)[key], job(grey)[key], atol=1e-5)
    shown = system.preview(data)["Rendering GT"].numpy()
    assert (shown == shown[..., :1]).all() and shown.std() > 0.1


@pytest.mark.parametrize(("flag", "unchanged"), [("random_flip", range(1, 8)), ("vary_photographs", [0])])
def test_photographs_are_augmented_by_the_seed(flag, unchanged):
    data = batch(count=8) | {"identity": tf.zeros(8, tf.int32)}
    plain, augmented = (shared(**{flag: on}).step_with_images(data)[1]["AE_u"].numpy() for on in (False, True))
    same = np.isclose(plain, augmented, atol=1e-5).all(axis=(1, 2, 3))
    assert same.sum() in unchanged


def test_collapse_is_told_once_it_lasts():
    system = make()
    bad = {"misc/diversity": 0.01, "misc/k_t": 0.5, "misc/k_t2": 1.0, "misc/measure": 0.2}
    told = [system.health(bad) for _ in range(60)]
    assert [i for i, text in enumerate(told) if text] == [39]
    assert "mode collapse" in told[39] and "misc/k_t2 stays at 1" in told[39]


def test_published_defaults_are_those_of_the_published_code():
    options = command_line.parse(["train"], {"train": ""})[1]
    assert (options.discriminator, options.upsample, options.augment) == ("began", "transposed", "")


@pytest.mark.parametrize(("idle", "chooser", "more"), [
    ("--r1 1", "--discriminator began", "--discriminator patch"),
    ("--gan_loss hinge", "--discriminator began", "--discriminator patch"),
    ("--augment_strength 0", "--augment ''", "--augment flip"),
    ("--facenet_scope A --method_c none", "--method_c none", "--method_c center"),
    ("--pretrained_rec run --method_c none", "--method_c none", "--method_c softmax"),
    ("--move_centers", "--method_c magnet", "--method_c center"),
    ("--move_centers --method_c center --centroids renders", "--centroids renders", "--centroids moving"),
    ("--center_loss_alfa 0.5 --centroids renders", "--centroids renders", "--centroids moving"),
    ("--centroids renders --method_c softmax", "--method_c softmax", "--method_c center"),
    ("--paper_variance --method_c center", "--method_c center", "--method_c magnet"),
])  # fmt: skip
def test_a_flag_that_nothing_reads_is_refused(idle, chooser, more):
    """And not with `more`, which comes later and counts."""
    idle, more = idle.split(), more.split()
    with pytest.raises(UserError, match=f"{idle[0]}: {chooser} does not read it"):
        FaceGan.refuse_idle(command_line.parse(["train", *idle], {"train": ""})[1])
    FaceGan.refuse_idle(command_line.parse(["train", *idle, *more], {"train": ""})[1])


@pytest.mark.slow
def test_augmented_photographs_and_fakes_are_what_an_auto_encoder_reconstructs():
    """D_R's error on what it is shown; its gradient comes back through the augmentation to G."""
    data, made = batch(count=4) | {"identity": tf.zeros(4, tf.int32)}, []
    for flags in ((), ("--augment", "colour,flip")):
        keras.utils.set_random_seed(1)
        made.append(make(*flags).step_with_images(data)[1])
    plain, shown = made
    np.testing.assert_array_equal(plain["x"], shown["x"])
    assert (plain["AE_u"] != shown["AE_u"]).numpy().any() and (plain["d_score"] != shown["d_score"]).numpy().all()
    mirror = make("--augment", "flip", "--dataset_3dmm", "")
    _, gradients = step_and_gradients(mirror, data)
    assert all(np.abs(gradient).sum() > 0 for gradient in gradients["generator"])


def test_a_patch_discriminator_scores_high_what_looks_real():
    system = make("--discriminator", "patch")
    assert system.makers["generate"].scores["d_score"].better == "high"
    assert make().makers["generate"].scores["d_score"].better == "low"
    made = system.generate({"synthetic": batch()["synthetic"]}, scores=("d_score",))
    expected = tf.reduce_mean(system.discriminator_real(made["image"]), axis=[1, 2, 3])
    np.testing.assert_allclose(made["d_score"], expected, rtol=1e-5)


def test_a_patch_discriminator_that_has_won_is_told():
    system = make("--discriminator", "patch")
    well = {"misc/diversity": 1.0, "misc/k_t2": 0.5, "misc/d_real": 0.5, "misc/d_fake": -0.5}
    well |= {"loss/d_loss_real": 0.5, "loss/d_loss_fake": 0.5}
    won = well | {"loss/d_loss_real": 0.02, "loss/d_loss_fake": 0.01}
    told = [system.health(won) for _ in range(60)]
    assert [i for i, text in enumerate(told) if text] == [39] and "(loss 0.030): lower --d_lr" in told[39]
    told = [system.health(well | {"misc/d_fake": value}) for value in (-200.0, -3.0, -200.0, -300.0, -400.0)]
    assert [i for i, text in enumerate(told) if text] == [4] and "scores reach 400" in told[4]
    alike = [system.health(well | {"misc/diversity": 0.01}) for _ in range(40)]
    assert "mode collapse" in alike[-1] and not any(alike[:-1])


def test_errors_without_bound_are_told_soon():
    system = make()
    well = {"misc/diversity": 1.0, "misc/k_t": 0.5, "misc/k_t2": 0.5}
    told = [system.health(well | {"misc/measure": m}) for m in (0.1, 1.5, 1.6, 0.2, 1.1, 1.2, 1.3, 1.4)]
    assert [i for i, text in enumerate(told) if text] == [6]
    assert "measure 1.30" in told[6] and "--g_lr and --d_lr" in told[6]
