"""filter through main.py: which images stay, what is told of the others, going on, and bad input."""

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import main
from tests.small import RECOGNIZER, face, only_run, untraced
from trainer.evaluation import gate
from trainer.face_networks.embedding import Embeddings
from trainer.jobs import filter as filter_job

SCORES = {  # path -> d, s, c
    "a/1.png": (0.10, 0.5, ""), "a/2.png": (0.20, 0.1, ""), "a/3.png": (0.30, 0.1, ""),
    "b/1.png": (0.40, 0.1, ""), "b/2.png": (0.15, 0.1, ""), "c/1.png": (0.50, 0.1, ""),
}  # fmt: skip


@pytest.fixture
def data(tmp_path):
    """data/generated as generate leaves it: six images of three people."""
    folder = tmp_path / "data" / "generated"
    for name in SCORES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"pixels of {name}".encode())
    with open(folder / "confidence_scores.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "identity", "d_score", "s_score", "c_score"])
        writer.writerows([name, name[0], *scores] for name, scores in SCORES.items())
    settings = {"checkpoint_sha256": {"step-000000002.npz": "abc"}, "input_scale_size": 16, "random_seed": 123,
                "image_format": "png", "image_quality": None}  # fmt: skip
    run = {"job": "generate", "settings": settings, "checkpoint": "step-000000002.npz", "finished": True, "images": 6,
           "inputs": {"folder": "/renders", "images": 6, "identities": 3}, "trained_on": None,
           "flags": {"save_syn_dataset": "generated", "syn_dataset": "syn", "system": "facegan"}}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(run))
    return tmp_path / "data"


def run(data, *words):
    return main.main(["filter", "--data_dir", str(data), *words])


def dropped(folder):
    with open(folder / "dropped.csv", newline="") as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def kept(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def test_every_rule_and_what_is_told(data, capsys):
    assert run(data, "--score_limits", "d_score=0.3,s=0.2", "--min_images", "2") == 0
    folder = data / "filtered"
    assert kept(folder) == {"a/2.png", "a/3.png"}  # a/1 by s, b/1 and c/1 by d, b/2 because b has one left
    assert dropped(folder) == {
        "a/1.png": "s_score 0.5, not up to 0.2 (--score_limits s_score=0.2)",
        "b/1.png": "d_score 0.4, not up to 0.3 (--score_limits d_score=0.3)",
        "b/2.png": "1 images of identity b are left, under --min_images 2",
        "c/1.png": "d_score 0.5, not up to 0.3 (--score_limits d_score=0.3)",
    }
    assert "2 images of 1 identities" in capsys.readouterr().out
    assert (folder / "a" / "2.png").read_bytes() == b"pixels of a/2.png"
    table = (folder / "confidence_scores.csv").read_text().splitlines()
    assert table == ["path,identity,d_score,s_score,c_score", "a/2.png,a,0.2,0.1,", "a/3.png,a,0.3,0.1,"]
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    card = (folder / "README.md").read_text()
    assert "| identities | 1 " in card and "| images | 2 |" in card and "pretty_name: filtered" in card
    assert "6 images of 3 identities" in card and "d_score up to 0.3 (--score_limits d_score=0.3)" in card


def test_percentile_is_over_all_images(data):
    assert run(data, "--score_percentiles", "d=40") == 0  # of .1 .15 .2 .3 .4 .5: .2
    assert kept(data / "filtered") == {"a/1.png", "a/2.png", "b/2.png"}


def test_where_high_is_good_the_limits_are_turned_round(data):
    path = data / "generated" / "run.json"
    run_json = json.loads(path.read_text()) | {"scores": {"d_score": {"meaning": "how good", "better": "high"}}}
    path.write_text(json.dumps(run_json))
    assert run(data, "--score_limits", "d=0.3", "--save_filtered", "limit") == 0
    assert kept(data / "limit") == {"a/3.png", "b/1.png", "c/1.png"}
    assert run(data, "--score_percentiles", "d=40", "--save_filtered", "share") == 0  # of .1 .15 .2 .3 .4 .5: .3
    assert kept(data / "share") == {"a/3.png", "b/1.png", "c/1.png"}
    assert "`d_score`: how good; high is good" in (data / "share" / "README.md").read_text()


def test_the_stricter_of_two_limits_holds(data):
    assert run(data, "--score_percentiles", "d=40", "--score_limits", "d=0.3", "--save_filtered", "both") == 0
    assert run(data, "--score_percentiles", "d=80", "--score_limits", "d=0.1", "--save_filtered", "strict") == 0
    assert kept(data / "both") == {"a/1.png", "a/2.png", "b/2.png"}
    assert kept(data / "strict") == {"a/1.png"}


def test_goes_on_after_a_stop_and_is_idempotent(data, monkeypatch, capsys):
    assert run(data, "--score_limits", "d=0.3", "--save_filtered", "whole") == 0
    monkeypatch.setattr(filter_job, "ROWS_AT_ONCE", 2)
    copy, calls = filter_job._row, []

    def killed(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return copy(*arguments)

    monkeypatch.setattr(filter_job, "_row", killed)
    with pytest.raises(KeyboardInterrupt):
        run(data, "--score_limits", "d=0.3")
    assert not (data / "filtered" / "confidence_scores.csv").exists()
    assert run(data, "--score_limits", "d=0.3") == 0
    assert len(calls) == 4 + 4  # the two of the first whole batch were not done again
    for path in (data / "whole").rglob("*"):
        if path.is_file() and path.name not in ("run.json", "README.md"):
            assert path.read_bytes() == (data / "filtered" / path.relative_to(data / "whole")).read_bytes()
    capsys.readouterr()
    assert run(data, "--score_limits", "d=0.3") == 0
    assert "finished already" in capsys.readouterr().out


def test_a_file_that_was_deleted_is_listed(data):
    (data / "generated" / "a" / "1.png").unlink()
    assert run(data, "--score_limits", "d=0.3") == 0
    assert dropped(data / "filtered")["a/1.png"] == "the file is missing"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no rule"),
        (["--score_limits", "c=1"], "images without a c_score"),
        (["--score_limits", "d=0.01"], "nothing of"),
        (["--score_limits", "e=1"], "--score_limits e=1: confidence_scores.csv has the scores d_score, s_score, c"),
        (["--score_limits", "d=1,d_score=2"], "--score_limits d=1,d_score=2: d_score is named twice"),
        (["--score_limits", "d"], "--score_limits d: give a number, like d_score=0.2"),
        (["--score_limits", "d=nan"], "--score_limits d=nan: not a finite number"),
        (["--save_syn_dataset", "nowhere", "--min_images", "2"], "holds no confidence_scores.csv"),
        (["--score_limits", "d=0.3", "--save_filtered", "generated/a"], "is in the input folder of --save_syn_dataset"),
        (["--score_percentiles", "d=101"], "--score_percentiles d_score=101: 0 to 100 per cent"),
    ],
)
def test_bad_input_changes_nothing(data, words, message, capsys):
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert run(data, *words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("line", ["a/9.png,a,high,0.1,", "a/9.png,a,0.1", "../secret.png,a,0.1,0.1,", "/etc/x,a,1,1,"])
def test_a_damaged_table_names_the_line(data, line, capsys):
    with open(data / "generated" / "confidence_scores.csv", "a") as file:
        file.write(line + "\n")
    assert run(data, "--score_limits", "d=0.3") == 2
    error = capsys.readouterr().err
    assert "confidence_scores.csv line 8: " in error and error.count("\n") == 1


def test_other_rules_need_another_folder(data, capsys):
    assert run(data, "--score_limits", "d=0.3") == 0
    assert run(data, "--score_limits", "d=0.2") == 2
    assert "filtered holds results of other settings (run.json): rules {" in capsys.readouterr().err


def test_a_filtered_folder_can_be_filtered_again(data):
    assert run(data, "--score_limits", "d=0.3") == 0
    shutil.rmtree(data / "generated")
    assert run(data, "--save_syn_dataset", "filtered", "--save_filtered", "twice", "--score_limits", "d=0.2") == 0
    assert kept(data / "twice") == {"a/1.png", "a/2.png", "b/2.png"}


@pytest.fixture
def looks(data):
    """A recogniser of two people. Image a/2 is the photograph near/1; person c has the image that b has twice."""
    seeds = {"generated/a/1": 1, "generated/a/2": 2, "generated/a/3": 3, "generated/b/1": 4, "generated/b/2": 4,
             "generated/c/1": 4,
             "people/near/1": 2, "people/near/3": 30, "people/far/1": 50, "people/far/2": 51}  # fmt: skip
    for name, seed in seeds.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face(seed, 16)).save(f"{data / name}.png")
    train_looker(data, "logs")
    return data


def train_looker(data, logs, *words):
    where = ["--data_dir", str(data), "--log_dir", str(data.parent / logs), "--asset_dir", str(data.parent / "cache")]
    with untraced():
        words = ["--dataset", "people", *RECOGNIZER, "--max_step", "1", *words]
        assert main.main(["train_recognizer", *where, *words]) == 0
    return only_run(data.parent / logs)


def gate_words(data, *words):
    run = only_run(data.parent / "logs")
    return ["--asset_dir", str(data.parent / "cache"), "--pretrained_rec", str(run), "--align", "none", *words]


def test_who_looks_like_a_real_person_or_like_another_goes(looks, capsys):
    """Whatever a network sees, two files of the same pixels look alike to it."""
    where = gate_words(looks, "--real_dataset", "people")
    assert run(looks, *where, "--max_leakage", "1e-12", "--save_filtered", "gated") == 0
    assert dropped(looks / "gated") == {"a/2.png": "distance 0.0000 to near/1.png of people, under --max_leakage 1e-12"}
    assert "no image nearer than 1e-12 to a person of people" in (looks / "gated" / "README.md").read_text()
    assert run(looks, *gate_words(looks), "--max_twins", "1e-12", "--save_filtered", "alone") == 0
    assert dropped(looks / "alone") == {"c/1.png": "identity c is at 0.0000 of b, under --max_twins 1e-12"}
    assert run(looks, *where, "--max_leakage", "0.1", "--save_filtered", "gated") == 2  # another limit, another folder
    assert "looks" in capsys.readouterr().err
    for words in (["--real_dataset", "people"], ["--max_leakage", "1"]):
        assert run(looks, *words, "--save_filtered", "none") == 2
        assert "--max_leakage and --real_dataset: give both" in capsys.readouterr().err


def test_who_looks_is_known_by_its_weights_and_not_by_its_place(looks, capsys):
    shutil.copytree(only_run(looks.parent / "logs"), looks.parent / "moved")
    words = ["--max_twins", "1e-12", "--save_filtered", "alone"]
    assert run(looks, *gate_words(looks), *words) == 0
    assert str(looks.parent) not in (looks / "alone" / "run.json").read_text()
    moved = ["--pretrained_rec", str(looks.parent / "moved")]
    assert run(looks, *gate_words(looks), *words, *moved) == 0
    other = ["--pretrained_rec", str(train_looker(looks, "other", "--random_seed", "7"))]
    assert run(looks, *gate_words(looks), *words, *other) == 2
    assert "weights_sha256" in capsys.readouterr().err


def test_the_gate_needs_every_photograph_and_writes_beside_none(looks, capsys):
    leakage = ["--max_leakage", "1e-12", "--save_filtered"]
    assert run(looks, *gate_words(looks), "--real_dataset", "people", *leakage, "people/filtered") == 2
    assert "is in the input folder of --real_dataset" in capsys.readouterr().err
    assert run(looks, *gate_words(looks), "--real_dataset", "people,", *leakage, "gated") == 2
    assert "--real_dataset people,: an empty name" in capsys.readouterr().err
    (looks / "people" / "far" / "2.png").write_bytes(b"junk")
    assert run(looks, *gate_words(looks), "--real_dataset", "people", *leakage, "gated") == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "far/2.png cannot be read" in error[0] and not (looks / "gated").exists()


def test_links_out_of_the_folder_are_not_copied(data, capsys):
    (data.parent / "secret").write_text("mine")
    (data / "generated" / "a" / "1.png").unlink()
    (data / "generated" / "a" / "1.png").symlink_to(data.parent / "secret")
    assert run(data, "--min_images", "2") == 2
    assert "is a link that leads out of its folder" in capsys.readouterr().err
    assert not [path for path in (data / "filtered").rglob("*") if path.is_file() and path.read_bytes() == b"mine"]


def test_a_photograph_is_nearer_than_its_centre_and_the_parts_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    made, real = (Embeddings(rng.normal(size=(n, 3)).astype(np.float32), np.arange(n) // 2, np.arange(n),
                             [f"{kind}{i}" for i in range(n)], [f"{kind}{i}" for i in range(n // 2)], [])
                  for kind, n in (("g", 10), ("r", 8)))  # fmt: skip
    distances, names = gate.nearest_real(made, [real], unit_length=False)
    centres = real.features.reshape(4, 2, 3).mean(axis=1)
    points = np.concatenate([centres, real.features]).astype(np.float64)
    expected = ((made.features[:, None] - points[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-5)
    told = [f"the centre of r{i}" for i in range(4)] + real.paths
    assert names == [told[i] for i in expected.argmin(axis=1)]
    monkeypatch.setattr(gate, "AT_ONCE", 3)
    np.testing.assert_array_equal(gate.nearest_real(made, [real], unit_length=False)[0], distances)


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_of_generated_people_who_are_alike_the_earlier_one_stays(monkeypatch, at_once):
    """As one by one, whatever the size of the parts."""
    means = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
    made = Embeddings(means, np.arange(40), np.arange(40), [], [f"p{i:02d}" for i in range(40)], [])
    stay, expected = [], {}
    for i, mean in enumerate(means.astype(np.float64)):
        distances = [((mean - means[other]) ** 2).sum() for other in stay]
        if distances and min(distances) < 0.2:
            expected[f"p{i:02d}"] = f"p{stay[int(np.argmin(distances))]:02d}"
        else:
            stay.append(i)
    assert 5 < len(expected) < 35
    monkeypatch.setattr(gate, "PEOPLE_AT_ONCE", at_once)
    assert {name: other for name, (other, _) in gate.twins(made, False, 0.2).items()} == expected
