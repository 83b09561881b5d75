"""The recogniser through its contract: what reaches the network, what moves, and what is shown."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small import untraced
from trainer.face_networks.preparation import FaceInput
from trainer.face_networks.table import with_sizes
from trainer.systems.recognizer import Recognizer
from utils import command_line
from utils.errors import UserError


def options(*flags):
    words = ["train_recognizer", "--recognizer", "light_cnn9", "--image_size", "16", "--embedding_size", "8", *flags]
    return with_sizes(command_line.parse(words, {"train_recognizer": ""})[1])


def make(*flags, n_syn=0, like=None):
    keras.utils.set_random_seed(1)  # other tests of the process draw too
    system = Recognizer(options(*flags), {"labelled": 3} | ({"synthetic": n_syn} if n_syn else {}))
    if like:
        system.network.set_weights(like.network.get_weights())
    return system


def batch(count=4, size=18):
    rng = np.random.default_rng(0)
    real, synthetic = (tf.constant(rng.uniform(-1, 1, (count, size, size, 3)), tf.float32) for _ in range(2))
    images = {"real": real, "synthetic": synthetic}
    return images | {"real_identity": tf.constant([0, 1, 2, 1][:count]), "identity": tf.constant([1, 0, 0, 1][:count])}


def gradients(system, data):
    """What the optimizers are handed in one step: {"trunk": …, "heads": …}."""
    taken = {}
    for name, optimizer in system.optimizers.items():
        optimizer.apply = lambda gradients, _, name=name: taken.update({name: [g.numpy() for g in gradients]})
    with untraced():
        scalars = system.train_step(data)
    return taken, {tag: float(value) for tag, value in scalars.items()}


def test_losses_and_gradients_are_those_of_the_losses_as_written():
    system = make("--center_loss_factor", "0.7", "--weight_decay", "0.01", "--lambda_syn", "0.3", n_syn=2)
    data = batch()
    centres = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    system.heads["real"].centroids.assign(centres)
    with tf.GradientTape(persistent=True) as tape:
        terms = {}
        for name, images, labels in (("real", "real", "real_identity"), ("synthetic", "synthetic", "identity")):
            grey = tf.reduce_sum((data[images][:, 1:17, 1:17] + 1) / 2 * [0.299, 0.587, 0.114], axis=3, keepdims=True)
            features, head = system.network(grey), system.heads[name]
            chances = tf.nn.log_softmax(features @ head.weights.value + head.biases.value)
            own = tf.reduce_sum(chances * tf.one_hot(data[labels], chances.shape[1]), axis=1)
            centre = tf.reduce_mean((features - tf.gather(head.centroids.value, data[labels])) ** 2)
            terms[name] = -tf.reduce_mean(own) + 0.7 * centre
        decay = 0.005 * tf.add_n([tf.reduce_sum(v.value**2) for v in system.decayed])
        trunk, heads = terms["real"] + 0.3 * terms["synthetic"] + decay, sum(terms.values()) + decay
    taken, scalars = gradients(system, data)
    for name, loss in (("trunk", trunk), ("heads", heads)):
        expected = tape.gradient(loss, system.players.groups[name])
        for ours, theirs in zip(taken[name], expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)
    assert scalars["loss/total"] == pytest.approx(float(heads), rel=1e-5)
    assert scalars["loss/weight_decay"] == pytest.approx(float(decay), rel=1e-5)
    assert len(system.decayed) == 10 + 2  # the convolutions, fc1 and two heads; no bias


@pytest.mark.parametrize(("precision", "near"), [("bfloat16", 0.3), ("float16", 0.1)])  # 8 bits of fraction; 11
@pytest.mark.parametrize("head", ["softmax", pytest.param("arcface", marks=pytest.mark.slow)])
def test_16_bits_are_near_float32(precision, near, head):
    """Gradients are those of float32 but for rounding; weights, features and losses stay float32."""
    full = make("--head", head, "--margin_scale" if head == "arcface" else "--lambda_syn", "2", n_syn=2)
    half = make("--head", head, "--margin_scale" if head == "arcface" else "--lambda_syn", "2", "--mixed_precision",
                precision, n_syn=2, like=full)  # fmt: skip
    for name, kept in half.heads.items():
        kept.weights.assign(full.heads[name].weights)
    scale = float(half.players.scale)
    assert scale == (2**15 if precision == "float16" else 1)
    (expected, losses), (found, told) = gradients(full, batch()), gradients(half, batch())
    for name, of_each in expected.items():
        ours, theirs = (np.concatenate([g.ravel() for g in group]) for group in (found[name], of_each))
        assert 0 < np.linalg.norm(ours - theirs) < near * np.linalg.norm(theirs), name
    np.testing.assert_allclose([told[tag] for tag in losses], list(losses.values()), rtol=0.02, atol=1e-3)
    assert {variable.dtype for variable in half.network.weights} == {"float32"}
    assert half.embed(batch()["real"]).dtype == tf.float32
    assert half.network.compute_dtype == precision


def test_flags_that_came_later_change_no_number_where_they_are_not_named(untraced):
    """Three steps of the version before heads with a margin, momentum, warm-up and erasing: its own numbers."""
    learn = "--random_crop --random_flip --random_rotate --keep_probability 0.7 --center_loss_factor 0.1".split()
    system = make(*learn, "--learning_rate", "0.02", n_syn=2)
    seen = [system.train_step(batch()) for _ in range(3)]
    assert [float(each["loss/total"]) for each in seen] == pytest.approx([1.853800, 1.870475, 1.845130], rel=1e-5)
    assert [float(each["loss/cross_entropy_synthetic"]) for each in seen] == pytest.approx(
        [0.702714, 0.646310, 0.716755], rel=1e-5)  # fmt: skip
    assert {name for name in system.state if name.startswith("head/")} == {
        f"head/{head}/{part}" for head in ("real", "synthetic") for part in ("weights", "biases", "centroids")
    }


@pytest.mark.parametrize(("head", "margin"), [("arcface", 0.5), ("cosface", 0.35)])
def test_a_margin_head_is_the_loss_as_written(head, margin):
    system = make("--head", head, "--margin_scale", "20", "--weight_decay", "0", "--lambda_syn", "0.3", n_syn=2)
    data = batch()
    with tf.GradientTape(persistent=True) as tape:
        terms = {}
        for name, images, labels in (("real", "real", "real_identity"), ("synthetic", "synthetic", "identity")):
            features = tf.math.l2_normalize(system.network(system.face_input.prepare(data[images])), axis=1)
            cosines = features @ tf.math.l2_normalize(system.heads[name].weights.value, axis=0)
            own = tf.one_hot(data[labels], cosines.shape[1])
            harder = tf.cos(tf.acos(cosines) + margin) if head == "arcface" else cosines - margin
            chances = tf.nn.log_softmax(20.0 * (own * harder + (1 - own) * cosines))
            terms[name] = -tf.reduce_mean(tf.reduce_sum(own * chances, axis=1))
        trunk, heads = terms["real"] + 0.3 * terms["synthetic"], sum(terms.values())
    taken, scalars = gradients(system, data)
    for name, loss in (("trunk", trunk), ("heads", heads)):
        expected = tape.gradient(loss, system.players.groups[name])
        for ours, theirs in zip(taken[name], expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-5)
    assert scalars["loss/cross_entropy"] == pytest.approx(float(terms["real"]), rel=1e-5)
    assert [name for name in system.state if name.startswith("head/real")] == ["head/real/weights",
                                                                               "head/real/centroids"]  # fmt: skip


def test_a_margin_named_is_taken_and_accuracy_is_without_it(untraced):
    named, own = make("--head", "cosface", "--margin", "0.9"), make("--head", "cosface")
    own.network.set_weights(named.network.get_weights())
    scalars = [system.train_step(batch()) for system in (named, own)]
    assert float(scalars[0]["loss/cross_entropy"]) > float(scalars[1]["loss/cross_entropy"]) + 20  # 64 * 0.55 is 35
    assert float(scalars[0]["train/accuracy"]) == float(scalars[1]["train/accuracy"])


def test_sgd_learns_the_batch_with_a_margin():
    words = "--head cosface --margin_scale 8 --embedding_size 32 --optimizer sgd --momentum 0.8 --learning_rate 0.002"
    system = make(*words.split())
    assert all(optimizer.momentum == 0.8 for optimizer in system.optimizers.values())
    seen = [system.train_step(batch()) for _ in range(60)]
    assert float(seen[-1]["loss/cross_entropy"]) < 0.5 < 3 < float(seen[0]["loss/cross_entropy"])
    assert float(seen[-1]["train/accuracy"]) == 1


def test_centroids_move_after_the_loss_by_what_alfa_leaves(untraced):
    system = make("--center_loss_alfa", "0.75")
    data = batch()
    features = system.network(system.face_input.prepare(data["real"])).numpy()
    scalars = system.train_step(data)
    np.testing.assert_allclose(scalars["loss/center"], (features**2).mean(), rtol=1e-4)
    moved = [features[0], features[1] + features[3], features[2]]
    np.testing.assert_allclose(system.heads["real"].centroids, 0.25 * np.array(moved), rtol=1e-3, atol=1e-5)


def test_a_few_steps_learn_the_batch():
    system = make("--learning_rate", "0.02", "--moving_average_decay", "0.5", n_syn=2)  # at 0.05 the loss leaps
    seen = [system.train_step(batch()) for _ in range(70)]
    assert float(seen[-1]["loss/cross_entropy"]) < 0.3 < 1 < float(seen[0]["loss/cross_entropy"])
    assert float(seen[-1]["train/accuracy"]) == float(seen[-1]["train/accuracy_synthetic"]) == 1
    assert all((variable.numpy() != average.numpy()).any() for variable, average in system.players.averages)


def test_the_network_can_learn_slower_than_the_heads():
    system = make("--learning_rate", "0.2", "--trunk_lr_factor", "0.1")
    assert float(system.optimizers["heads"].learning_rate) == pytest.approx(0.2)
    assert float(system.optimizers["trunk"].learning_rate) == pytest.approx(0.02)
    assert all(optimizer.epsilon == 0.1 for optimizer in system.optimizers.values())


@pytest.mark.parametrize("flags", [["--random_crop"], ["--random_flip"], ["--random_rotate"],
                                   ["--random_erasing", "0.9"]])
def test_augmentation_follows_seed_and_step_and_is_in_training_only(flags, untraced):
    plain = make()
    system, again, other = (make(*flags, *more, like=plain) for more in ([], [], ["--random_seed", "5"]))
    shown = [s.preview(batch())["Shown real"].numpy() for s in (plain, system, again, other)]
    assert all(images.shape == (4, 16, 16, 3) for images in shown)
    assert (shown[1] == shown[2]).all()
    assert (shown[0] != shown[1]).any() and (shown[1] != shown[3]).any()
    system.step.assign_add(1)
    assert (system.preview(batch())["Shown real"].numpy() != shown[1]).any()
    np.testing.assert_array_equal(system.embed(batch()["real"]), plain.embed(batch()["real"]))


def test_dropout_is_in_the_head_and_in_training_only(untraced):
    plain = make()
    losses, centers = [], []
    for keep, seed in (("1", "1"), ("0.5", "1"), ("0.5", "2")):
        system = make("--keep_probability", keep, "--random_seed", seed, like=plain)
        system.heads["real"].weights.assign(plain.heads["real"].weights)
        scalars = system.train_step(batch())
        losses.append(float(scalars["loss/cross_entropy"]))
        centers.append(float(scalars["loss/center"]))
    assert len(set(losses)) == 3 and centers == pytest.approx([centers[0]] * 3)


def test_batch_norm_learns_from_real_and_generated_images_together():
    flags = ["--recognizer", "nn4", "--image_size", "96", "--batch_size", "2", "--learning_rate", "0"]
    system = make(*flags, n_syn=2)
    data = batch(count=2, size=108)
    first = system.network.body[0].parts[0]
    images = system.face_input.prepare(tf.concat([data["real"], data["synthetic"]], 0))
    mean = tf.reduce_mean(first.linear(images, first.kernel), axis=[0, 1, 2])
    gradients(system, data)
    np.testing.assert_allclose(first.moving_mean, 0.1 * mean, atol=1e-5)
    averages = [average for variable, average in system.players.averages if variable is first.moving_mean]
    np.testing.assert_allclose(averages[0], 0.9 * first.moving_mean.numpy(), atol=1e-6)  # early ramp: decay 0.1


@pytest.mark.parametrize(
    ("name", "size", "shown", "channels"),
    [("light_cnn29", 128, 144, 1), ("inception_resnet_v1", 160, 182, 3), ("nn4", 96, 108, 3),
     ("dlib_resnet", 150, 150, 3), ("iresnet50", 112, 112, 3)],
)
def test_each_network_is_shown_faces_in_its_own_way(name, size, shown, channels):
    chosen = with_sizes(command_line.parse(["train_recognizer", "--recognizer", name], {"train_recognizer": ""})[1])
    face_input = FaceInput(chosen)
    assert (face_input.size, face_input.shown) == (size, shown)
    images = tf.random.stateless_uniform((2, shown, shown, 3), [1, 2], -1.0, 1.0)
    prepared = face_input.prepare(images).numpy()
    assert prepared.shape == (2, size, size, channels)
    margin = (shown - size) // 2
    centre = images[:, margin : margin + size, margin : margin + size]
    np.testing.assert_array_equal(prepared, face_input.prepare(centre))  # what training crops is prepared the same way
    if channels == 1:
        assert 0 <= prepared.min() < 0.1 and 0.9 < prepared.max() <= 1
    elif name == "iresnet50":
        np.testing.assert_allclose(prepared, centre, atol=1e-5)
    elif name == "dlib_resnet":
        pixel = (centre[0, 0, 0].numpy() + 1) * 127.5
        np.testing.assert_allclose(prepared[0, 0, 0], (pixel - [122.782, 117.001, 104.298]) / 256, atol=1e-6)
    else:
        np.testing.assert_allclose([prepared.mean(), prepared[0].std()], [0, 1], atol=1e-4)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--recognizer nn4 --image_size 128", "--image_size 128: nn4 takes images of 96 only"),
        ("--recognizer inception_resnet_v1 --image_size 64", "--image_size 64: inception_resnet_v1 takes images of 75"),
        ("--recognizer dlib_resnet --embedding_size 64", "--embedding_size 64: dlib_resnet has 128 only"),
    ],
)
def test_sizes_that_a_network_cannot_have_are_named(words, told):
    with pytest.raises(UserError, match=told):
        with_sizes(command_line.parse(["train_recognizer", *words.split()], {"train_recognizer": ""})[1])


def test_an_unknown_network_lists_the_known():
    with pytest.raises(UserError, match="--recognizer: 'vgg' is none of light_cnn9, "):
        with_sizes(SimpleNamespace(recognizer="vgg"))


def test_losses_without_bound_are_told_soon():
    system, well = make(n_syn=200), {"loss/cross_entropy": 1.0, "loss/cross_entropy_synthetic": 50.0}
    told = [system.health(well | {"loss/cross_entropy": loss}) for loss in (1e9, 12, 10, 12, 12, 12, 12)]
    assert [i for i, text in enumerate(told) if text] == [5]
    assert told[5].startswith("loss/cross_entropy is 12, that of a guess 1.10: ") and "--learning_rate" in told[5]
    told = [system.health(well | {"loss/cross_entropy_synthetic": 54.0}) for _ in range(3)]
    assert told[:2] == [None, None] and told[2].startswith("loss/cross_entropy_synthetic is 54,")
    assert make().health({"loss/cross_entropy": 1e9}) is None
    margin = make("--head", "arcface")  # begins at 64 sin(0.5) + log 3 or so
    assert not any(margin.health({"loss/cross_entropy": 40.0}) for _ in range(5))
    assert any(margin.health({"loss/cross_entropy": 400.0}) for _ in range(5))
