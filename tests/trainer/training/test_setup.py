"""What is checked before a training goes on."""

import json
from types import SimpleNamespace

import pytest

from tests.small import SOURCES
from trainer.training.setup import check_people
from utils import runs
from utils.errors import UserError


def resumed(tmp_path, **params):
    (tmp_path / "params.json").write_text(json.dumps(params))
    return runs.Weights(tmp_path, tmp_path / "checkpoints" / "step-000000001.npz")


def index(*names):
    return SimpleNamespace(label_names=list(names), flag="--syn_dataset", folder="/data/syn")


@pytest.mark.parametrize(
    "params", [{"label_names": {"synthetic": ["a", "b", "c"]}}, {"label_names": ["a", "b", "c"]},
               {"synthetic_label_names": ["a", "b", "c"]}],
)  # fmt: skip
def test_other_people_are_named_though_they_are_as_many(tmp_path, params):
    run = resumed(tmp_path, **params)
    check_people(run, SOURCES, {"synthetic": index("a", "b", "c"), "real": index()}, "--pretrained_gen")
    with pytest.raises(UserError) as error:
        check_people(run, SOURCES, {"synthetic": index("a", "c", "d")}, "--pretrained_gen")
    assert str(error.value) == (
        f"--syn_dataset: /data/syn holds other people than {tmp_path} was trained on: added d; missing b; to learn "
        f"these from its weights, give --pretrained_gen {tmp_path} in place of --load_path"
    )
    with pytest.raises(UserError, match="; its weights are of its own people: begin a training without them$"):
        check_people(run, SOURCES, {"synthetic": index("a", "c", "d")}, "")


def test_of_many_people_a_few_are_named(tmp_path):
    run = resumed(tmp_path, label_names={"synthetic": ["x"]})
    with pytest.raises(UserError, match="added 0, 1, 2, 3, 4 and 4 more; missing x"):
        check_people(run, SOURCES, {"synthetic": index(*map(str, range(9)))}, "--pretrained_gen")


def test_a_run_that_names_no_people_is_not_compared(tmp_path):
    check_people(resumed(tmp_path, label_names={}), SOURCES, {"synthetic": index("a")}, "--pretrained_gen")


def test_generated_people_that_a_run_did_not_learn_are_told(tmp_path):
    run = resumed(tmp_path, labels={"labelled": 2}, label_names={"labelled": ["a", "b"]})
    sources = {name: SOURCES["synthetic"] for name in ("labelled", "synthetic")}
    check_people(run, sources, {"labelled": index("a", "b")}, "--pretrained_rec")
    with pytest.raises(UserError, match="learned people of labelled images, and here are labelled, synthetic ones"):
        check_people(run, sources, {"labelled": index("a", "b"), "synthetic": index("c")}, "--pretrained_rec")
