"""What every system that is trained keeps of the contract (trainer/systems/system.py). A new one is tested unasked."""

from collections import Counter
from functools import cache
from types import SimpleNamespace

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

import main
from tests.small import CFS, DAGAN, IPGAN, NETWORKS, RECOGNIZER
from trainer.benchmark.data import random_arguments, random_batch
from trainer.output import onnx_file
from trainer.systems import SYSTEMS, system_class
from trainer.training import checkpoint
from trainer.training.setup import seed_everything
from utils import command_line
from utils.flags import FLAGS

SMALL = {  # else NETWORKS
    "recognizer": RECOGNIZER, "dagan": DAGAN, "cfs": CFS, "ipgan": IPGAN,
    "facegan": [*NETWORKS, "--method_c", "none"],
}
PLAIN = [*SYSTEMS, "toy"]
VARIANTS = {  # {case: (system, more flags, labelled sources that come with them)}: other flags are read by each
    "facegan with dlib's network": ("facegan", "--method_c magnet", ()),
    "facegan with softmax": (
        "facegan",
        "--method_c softmax --model_def models.nn4 --relax_c --grayscale --random_flip --vary_photographs "
        "--dataset_3dmm= --mixed_precision bfloat16 --warm_up 0",
        (),
    ),
    "facegan with centers": ("facegan", "--method_c center --model_def models.nn4 --move_centers", ()),
    "facegan with patches": ("facegan", "--method_c none --discriminator patch --augment colour,shift,cutout,flip "
                             "--upsample nearest --gan_loss nonsaturating", ()),
    "dagan as printed": ("dagan", "--identity_perception binary --generator_weight k_t --sum_errors "
                         "--update simultaneous --random_flip --mixed_precision bfloat16", ()),
    "dagan with patches, photographs unlabelled": ("dagan", "--discriminator patch --patch_halvings 1 --augment flip "
                                                   "--nolabel_photographs --lambda_3 0", ()),
    "dagan that draws anew": ("dagan", "--noresidual", ()),
    "dagan that a face network looks at": ("dagan", "--discriminator patch", ()),
    "dagan that names nobody": ("dagan", "--identity_perception none", ()),
    "cfs with hinge loss": ("cfs", "--gan_loss hinge --fakes sum --n_critic 2 --augment colour,shift,cutout,flip "
                            "--random_flip --mixed_precision bfloat16", ()),
    "cfs without discriminators": ("cfs", "--baseline cvae", ()),
    "cfs without an encoder": ("cfs", "--baseline cgan", ()),
    "cfs with dlib's network": ("cfs", "--lambda_id 1", ()),
    "ipgan of maps": ("ipgan", "--identity_code map --injection concat --augment colour,shift,cutout,flip "
                      "--random_flip --gan_loss nonsaturating --mixed_precision bfloat16", ()),
    "recognizer with generated images": (
        "recognizer",
        "--random_crop --random_flip --random_rotate --keep_probability 0.5 --center_loss_factor 0.1",
        ("synthetic",),
    ),
    "recognizer of shared people": ("recognizer", "--shared_people", ("synthetic",)),
}
# What a variant of cfs or ipgan is asked takes seconds, since cfs makes 64 pixels at least and ipgan looks through
# dlib's network; both themselves are asked the same. The centers' NN4 is that of softmax too.
LONG = ("cfs", "ipgan", "facegan with centers", "dagan that draws anew", "dagan that a face")
ALL = [*PLAIN, *(pytest.param(case, marks=pytest.mark.slow) if case.startswith(LONG) else case for case in VARIANTS)]
MAKING = [case for case in ALL if not str(case).startswith("recognizer")]


@pytest.fixture(scope="module", autouse=True)
def toy():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SYSTEMS, "toy", "tests.trainer.systems.toy:Toy")
        yield


def options_of(case):
    system, more, _ = VARIANTS.get(case, (case, "", ()))
    kind = system_class(system)
    words = [kind.job, *SMALL.get(system, NETWORKS), *more.split()]
    return kind.with_defaults(command_line.parse(words, main.JOBS)[1].changed(system=system, n_id=3))


def build(case):
    """A system of a case, of nothing but the flags that it names."""
    options = options_of(case)
    kind, labelled = system_class(options.system), VARIANTS.get(case, ((), (), ()))[2]
    labelled = (*labelled, *(name for name, source in kind.sources_of(options).items() if source.label))
    seed_everything(options)
    flags = SimpleNamespace(**{name: getattr(options, name) for name in kind.flags})
    return kind(flags, {name: options.n_id for name in labelled})


@cache
def built(case):
    """(a system of a case, a batch for it): once for all tests."""
    system = build(case)
    return system, random_batch(system, options_of(case))


def values(system):
    return {name: np.asarray(variable) for name, variable in checkpoint.named_variables(system).items()}


def assert_same_bits(ours, theirs):
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if ours[name].tobytes() != theirs[name].tobytes()]


@pytest.mark.parametrize("case", PLAIN)
def test_its_flags_are_flags_and_its_makers_are_jobs(case):
    kind, (system, _) = system_class(case), built(case)
    assert set(kind.flags) <= set(FLAGS) and set(kind.shaping) <= set(kind.flags)
    assert set(kind.training_only_off) <= set(kind.training_only_flags) <= set(kind.shaping)
    assert kind.job in main.JOBS and set(system.makers) <= set(main.JOBS)
    assert {source.flag for source in system.sources.values()} <= set(FLAGS)
    assert set(system.optimizers) == set(system.players.groups)


@pytest.mark.parametrize("case", ALL)
def test_the_flags_that_it_names_are_all_that_it_reads(case, untraced):
    """An AttributeError here is a flag that its `flags` lack."""
    system, batch = built(case)
    if case in (*PLAIN, "facegan with dlib's network"):  # the weights that others begin with are the user's files
        system.load_pretrained({}, {})
    before = int(system.state["step"].numpy())
    scalars = {tag: float(value) for tag, value in system.train_step(batch).items()}
    assert int(system.state["step"].numpy()) == before + 1
    assert scalars and np.isfinite(list(scalars.values())).all()
    assert system.log_line(scalars) and system.health(scalars) is None
    for shown in system.preview(batch).values():
        assert shown.dtype == tf.float32 and shown.shape[0] == len(next(iter(batch.values()))) and shown.shape[3] == 3


class Read(dict):
    """A batch that notes which keys are read."""

    def __init__(self, batch):
        super().__init__(batch)
        self.keys_read = set()

    def __getitem__(self, key):
        self.keys_read.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        return self[key] if key in self else default

    def items(self):
        self.keys_read |= set(self)
        return super().items()


@pytest.mark.parametrize("case", ALL)
def test_its_sources_are_what_a_step_reads(case, untraced):
    system, batch = built(case)
    named = [key for s in system.sources.values() for key in (*s.images, *filter(None, [s.label]), *s.example)]
    named += [key for s in system.sources.values() if s.same for key in (s.same, *(f"{s.same}_{k}" for k in s.example))]
    assert sorted(named) == sorted(batch)  # none comes from two sources
    read = Read(batch)
    system.train_step(read)
    assert read.keys_read == set(batch)


@pytest.mark.parametrize("case", PLAIN)
def test_a_group_moves_through_its_own_optimizer_only(case, untraced):
    system = build(case)
    grouped = Counter(id(variable) for group in system.players.groups.values() for variable in group)
    assert max(grouped.values()) == 1
    batch = random_batch(system, options_of(case))
    for still in system.players.groups:
        for name, optimizer in system.optimizers.items():
            optimizer.learning_rate = (lambda: 0.0) if name == still else (lambda: 1e-2)
        before = {name: [v.numpy() for v in group] for name, group in system.players.groups.items()}
        system.train_step(batch)
        moved = {
            name for name, group in system.players.groups.items()
            if any((old != new.numpy()).any() for old, new in zip(before[name], group, strict=True))
        }  # fmt: skip
        assert moved == set(system.players.groups) - {still}


@pytest.mark.parametrize("case", [pytest.param(c, marks=pytest.mark.slow) if c in LONG else c for c in PLAIN])
def test_a_step_is_traced_once_and_goes_on_bit_by_bit_after_saving_and_restoring(case, tmp_path):
    system, batch = built(case)
    system.train_step(batch)
    saved = checkpoint.save(system, tmp_path, 1)
    system.train_step(batch)
    straight = values(system)
    checkpoint.restore(system, saved)
    system.train_step(batch)
    assert_same_bits(values(system), straight)
    system.train_step({name: value + 0 for name, value in batch.items()})
    assert system.train_step.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("case", PLAIN)
def test_another_build_goes_on_from_a_checkpoint(case, tmp_path, untraced):
    """Names and shapes are the same in every build of a process, each variable has one, and nothing is left out."""
    system, batch = built(case)
    saved = checkpoint.save(system, tmp_path, 1)
    keras.utils.set_random_seed(7)
    other = build(case)
    variables = checkpoint.named_variables(other)
    parts = [*other.networks.values(), *(optimizer for optimizer in other.optimizers.values())]
    count = sum(len(part.variables) for part in parts) + len(other.state)
    assert len(variables) == count == len({id(variable) for variable in variables.values()})
    assert [(name, v.shape) for name, v in variables.items()] == [
        (name, v.shape) for name, v in checkpoint.named_variables(system).items()
    ]
    checkpoint.restore(other, saved)
    for each in (system, other):
        each.train_step(batch)
    assert_same_bits(values(other), values(system))


@pytest.mark.parametrize("case", MAKING)
def test_makers_give_images_and_the_scores_that_are_named(case, untraced):
    system, _ = built(case)
    assert system.makers
    for maker in system.makers.values():
        batch = random_arguments(system, maker, options_of(case))
        count = len(next(iter(batch.values())))
        alone, all_of_them = maker.make(batch, scores=()), maker.make(batch, scores=tuple(maker.scores))
        assert set(alone) == {"image"} and set(all_of_them) <= {"image", *maker.scores}
        image = alone["image"]
        assert image.dtype == tf.float32 and image.shape == (count, system.side, system.side, 3)
        assert -1 <= np.min(image) < np.max(image) <= 1
        np.testing.assert_array_equal(image, all_of_them["image"])
        for name in maker.scores:
            scored = maker.make(batch, scores=(name,))
            assert set(scored) == {"image", name} & set(all_of_them)
            if name in scored:
                assert scored[name].dtype == tf.float32 and scored[name].shape == (count,)
                np.testing.assert_array_equal(scored[name], all_of_them[name])
        needed = {key for key, _ in maker.arguments.values()}
        np.testing.assert_array_equal(maker.make({k: batch[k] for k in needed}, scores=())["image"], image)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in PLAIN if case != "recognizer"])
def test_an_onnx_file_gives_its_images(case, tmp_path):
    system, _ = built(case)
    maker = system.makers["generate"]
    batch = random_arguments(system, maker, options_of(case))
    path, names = onnx_file.export_onnx(maker, tmp_path)
    given = {name: np.asarray(batch[maker.arguments[name][0]]) for name in names}
    (image,) = onnxruntime.InferenceSession(path).run(["generated"], given)
    np.testing.assert_allclose(image, maker.make(batch, scores=())["image"], atol=1 / 127.5)
