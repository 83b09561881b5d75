"""experiment through main.py: the split, the cells, going on, the report; its tables by hand."""

import csv
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import main
from tests.small import face, untraced
from trainer.evaluation import experiment_report
from trainer.jobs import experiment
from trainer.jobs.experiment import Cell, split_identities
from trainer.systems.flags_read import SYSTEM_FLAGS
from trainer.training import recognition
from utils import command_line
from utils.errors import UserError
from utils.flags import FLAGS

SMALL = (
    "--recognizer light_cnn9 --image_size 16 --batch_size 4 --max_step 2 --log_step 1 --num_worker 2 --fractions 100 "
    "--seeds 1"
).split()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """data/real: eight people x three photographs; data/generated: three people, as generate leaves them."""
    folder = tmp_path_factory.mktemp("experiment") / "data"
    for kind, people in (("real", 8), ("generated", 3)):
        for number in range(3 * people):
            path = folder / kind / f"p{number // 3}" / f"{number % 3}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(face(100 * people + number, 20)).save(path)
    (folder / "strangers" / "q0").mkdir(parents=True)
    Image.fromarray(face(0, 20)).save(folder / "strangers" / "q0" / "0.png")
    (folder / "generated" / "confidence_scores.csv").write_text("path,identity,d_score,s_score,c_score\n")
    return folder


def run(data, report, *words):
    folders = ["--data_dir", data, "--dataset", "real", "--save_syn_dataset", "generated", "--report_dir", report]
    return main.main(["experiment", *map(str, folders), "--asset_dir", str(data.parent / "cache"), *SMALL, *words])


@pytest.fixture(scope="module")
def finished(data):
    """A report of two cells, and what its cells gave."""
    report = data.parent / "report"
    with untraced():
        assert run(data, report) == 0
    return report


def cells(report):
    return {path.parent.name: json.loads(path.read_text()) for path in (report / "cells").glob("*/result.json")}


def test_writes_cells_tables_and_page(finished):
    results = cells(finished)
    assert set(results) == {"100_without_1", "100_with_1"}
    without, with_generated = results["100_without_1"], results["100_with_1"]
    assert without["trained_identities"] == with_generated["trained_identities"] == 4
    assert (without["trained_images"], with_generated["trained_images"]) == (12, 21)
    assert without["genuine_pairs"] == 4 * 3 and without["impostor_pairs"] == 66 - 12  # 12 test images: 66 pairs
    with open(finished / "experiment_summary.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["generated"], float(row["auc mean"])) for row in rows] == [
        ("without", without["auc"]), ("with", with_generated["auc"])]  # fmt: skip
    metrics = json.loads((finished / "evaluation.json").read_text())["experiment"]
    assert metrics["gain_auc"] == pytest.approx(with_generated["auc"] - without["auc"])
    page = (finished / "report.html").read_text()
    assert page.count("<img") == 3 and "GANFaces" in page
    assert not list(finished.rglob("checkpoints"))


def test_keeps_finished_cells_and_repeats_the_others(data, finished, capsys, untraced):
    before = cells(finished)
    marked = finished / "cells" / "100_without_1" / "result.json"
    marked.write_text(json.dumps(before["100_without_1"] | {"auc": 0.125}))  # would be lost if it were trained again
    (finished / "cells" / "100_with_1" / "result.json").unlink()
    assert run(data, finished) == 0
    assert cells(finished)["100_without_1"]["auc"] == 0.125
    assert cells(finished)["100_with_1"] == before["100_with_1"]  # the same seed, the same numbers
    assert "[1/2] 100 % of the real identities, without generated, seed 1" in capsys.readouterr().out
    marked.write_text(json.dumps(before["100_without_1"]))


@pytest.mark.slow
def test_goes_on_from_a_cells_checkpoint(data, finished, tmp_path, monkeypatch, capsys, untraced):
    """Stopped after one of two steps, a cell is trained to its end and gives what an uninterrupted one gives."""
    report = tmp_path / "report"
    train = recognition.train_recognizer

    def one_step(options, *arguments, **more):
        train(options.changed(max_step=1), *arguments, **more)

    monkeypatch.setattr(recognition, "train_recognizer", one_step)
    assert run(data, report) == 1
    assert not cells(report)
    monkeypatch.setattr(recognition, "train_recognizer", train)
    capsys.readouterr()
    assert run(data, report) == 0
    assert cells(report) == cells(finished)
    said = capsys.readouterr().out
    assert (said.count("[0/2] loss"), said.count("[1/2] loss")) == (1, 2)  # the first cell had its first step behind it


@pytest.mark.slow  # the systems' experiments have these rows
def test_rows_beside_and_the_pairs_of_a_file(data, tmp_path, capsys, untraced):
    """Renders in the generated images' place; real images alone for twice the steps; tested on people of a file."""
    for name, count in (("Ann_Bo", 3), ("Cy_Do", 2), ("Ed_Fu", 2)):
        for number in range(1, count + 1):
            path = tmp_path / "lfw" / name / f"{name}_{number:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(face(len(name) + 50 * number, 20)).save(path)
    pairs = ["2", "Ann_Bo\t1\t2", "Cy_Do\t1\t2", "Ann_Bo\t1\tEd_Fu\t1", "Cy_Do\t2\tEd_Fu\t2"]
    (tmp_path / "pairs.txt").write_text("\n".join(pairs) + "\n")
    words = ["--compare", "longer,renders", "--syn_dataset", "real", "--lfw_dir", str(tmp_path / "lfw"),
             "--lfw_pairs", str(tmp_path / "pairs.txt"), "--lfw_nrof_folds", "2"]  # fmt: skip
    assert run(data, tmp_path / "report", *words) == 0
    results = cells(tmp_path / "report")
    assert set(results) == {f"100_{data}_1" for data in ("without", "longer", "renders", "with")}
    assert {metrics["pairs"] for metrics in results.values()} == {4}
    assert {metrics["trained_identities"] for metrics in results.values()} == {8}
    images = {name.split("_")[1]: metrics["trained_images"] for name, metrics in results.items()}
    assert images == {"without": 24, "longer": 24, "renders": 48, "with": 33}
    said = capsys.readouterr().out
    assert "at 100 %, with against renders: accuracy" in said and "[3/4] loss" in said and "[4/4] loss" not in said
    with open(tmp_path / "report" / "experiment_gain.csv", newline="") as file:
        compared = {(row["generated"], row["against"]) for row in csv.DictReader(file)}
    assert compared == {pair for pair in experiment_report.COMPARISONS if "known" not in pair}
    (tmp_path / "pairs.txt").write_text("\n".join([*pairs[:-1], "Cy_Do\t1\tEd_Fu\t2"]) + "\n")
    assert run(data, tmp_path / "report", *words) == 2  # other pairs, other results
    assert "lfw_pairs" in capsys.readouterr().err
    (tmp_path / "pairs.txt").write_text("\n".join(pairs) + "\n")
    changed = tmp_path / "lfw" / "Ann_Bo" / "Ann_Bo_0002.jpg"
    Image.fromarray(face(999, 20)).save(changed)
    assert run(data, tmp_path / "report", *words) == 2  # and of other images by the same names
    assert "lfw_images" in capsys.readouterr().err
    changed.write_bytes(b"none")
    assert run(data, tmp_path / "other", *words) == 2 and not (tmp_path / "other").exists()
    assert f"--lfw_dir: {changed}" in capsys.readouterr().err


@pytest.fixture
def profiles(tmp_path):
    """Flags of six pairs and a table by which three of one person and two of different people have a turned face."""
    turned = {"Ann_Bo_0001": 40, "Cy_Do_0002": -31, "Cy_Do_0001": 30}  # of Ed_Fu no row
    for name in ("Ann_Bo", "Cy_Do", "Ed_Fu"):
        for number in (1, 2, 3):
            path = tmp_path / "lfw" / name / f"{name}_{number:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(face(len(name) + 50 * number, 20)).save(path)
    pairs = ["3", "Ann_Bo\t1\t2", "Ann_Bo\t1\t3", "Cy_Do\t1\t2", "Ann_Bo\t1\tEd_Fu\t1", "Cy_Do\t2\tEd_Fu\t2",
             "Cy_Do\t1\tEd_Fu\t3"]  # fmt: skip
    (tmp_path / "pairs.txt").write_text("\n".join(pairs) + "\n")
    rows = [f"{name[:-5]}/{name}.png,{yaw}" for name, yaw in turned.items()]
    (tmp_path / "poses.csv").write_text("\n".join(["path,yaw", *rows]) + "\n")
    return ["--lfw_dir", str(tmp_path / "lfw"), "--lfw_pairs", str(tmp_path / "pairs.txt"), "--lfw_nrof_folds", "3",
            "--lfw_poses", str(tmp_path / "poses.csv")]  # fmt: skip


def test_pairs_with_a_turned_face_are_measured_apart(data, tmp_path, profiles, capsys, untraced):
    assert run(data, tmp_path / "report", "--system", "dagan", *profiles) == 0
    result = cells(tmp_path / "report")["100_with_1"]
    assert (result["genuine_pairs"], result["impostor_pairs"]) == (3, 3)
    assert (result["profile_genuine_pairs"], result["profile_impostor_pairs"], result["profile_folds"]) == (3, 2, 2)
    said = capsys.readouterr().out
    assert "profile_tar_at_far_0.1" in said and "with against without: profile_accuracy" in said
    page = (tmp_path / "report" / "report.html").read_text()
    assert "In 5 of the pairs a face is turned by more than 30 degrees" in page
    with open(tmp_path / "report" / "experiment_published.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["with DA-GAN's mean"] == "0.991" and "GANFaces" not in page


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("path,yaw\nAnn_Bo/Ann_Bo_0001.png,40\n", "turned by more than 30 degrees in 3 pairs, not in two of one"),
        ("path,yaw\nAnn/1.png,40\n", "names none of the images of"),
        ("path,pitch\nAnn_Bo/Ann_Bo_0001.png,40\n", "column yaw is missing"),
        ("path,yaw\nAnn_Bo/Ann_Bo_0001.png,far\n", "poses.csv line 2: column yaw is no number"),
        (None, "--lfw_poses: cannot read"),
    ],
)
def test_bad_poses_write_nothing(data, tmp_path, profiles, table, message, capsys):
    if table is None:
        (tmp_path / "poses.csv").unlink()
    else:
        (tmp_path / "poses.csv").write_text(table)
    assert run(data, tmp_path / "report", *profiles) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "report").exists()


def test_generated_images_of_the_real_people_go_to_their_head(data, tmp_path, capsys, untraced):
    assert run(data, tmp_path / "report", "--system", "dagan") == 0
    assert f"{data / 'generated'} does not show 5 of 8 people, the first: p3" in capsys.readouterr().out
    params = json.loads((tmp_path / "report" / "cells" / "100_with_1" / "params.json").read_text())
    names = params["label_names"]["labelled"]
    assert len(names) == 4 and params["label_names"]["synthetic"] == names
    images = {name: metrics["trained_images"] for name, metrics in cells(tmp_path / "report").items()}
    shown = len({"p0", "p1", "p2"} & set(names))
    assert shown and images == {"100_without_1": 12, "100_with_1": 12 + 3 * shown}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"auc": 1}'])
def test_a_damaged_result_is_one_line(data, finished, content, capsys):
    marked = finished / "cells" / "100_without_1" / "result.json"
    before = marked.read_text()
    marked.write_text(content)
    assert run(data, finished) == 2
    assert f"{marked} is damaged" in (error := capsys.readouterr().err) and error.count("\n") == 1
    marked.write_text(before)


def test_checkpoints_of_a_cell_that_was_killed_at_its_end_go(data, finished):
    left = finished / "cells" / "100_without_1" / "checkpoints"
    left.mkdir()
    assert run(data, finished) == 0
    assert not left.exists()


@given(st.integers(6, 60), st.integers(1, 3), st.integers(0, 2**31 - 1))
def test_splits_are_disjoint_and_nested(count, test_count, seed):
    smaller = None
    for fraction in (0, 1, 20, 50, 100):
        trained, tested = split_identities(count, test_count, fraction, [seed])
        assert len(tested) == test_count and not set(trained) & set(tested)
        assert len(trained) == (max(2, -(-(count - test_count) * fraction // 100)) if fraction else 0)
        assert smaller is None or smaller <= set(trained)
        assert (tested == split_identities(count, test_count, 50, [seed])[1]).all()
        smaller = set(trained)
    assert len(set(trained) | set(tested)) == count


def test_tables_by_hand():
    """Without .6 .8, with .7 .8 at 100 %: means .7 and .75, sd .1414 and .0707, gains +.1 and 0; at 0 % with only."""

    def metrics(value, val):
        return {name: value for name in experiment_report.METRICS} | {"val_at_far_0.001": val}

    results = {
        Cell(100, "without", 1): metrics(0.6, 0.1), Cell(100, "with", 1): metrics(0.7, None),
        Cell(100, "without", 2): metrics(0.8, 0.3), Cell(100, "with", 2): metrics(0.8, 0.5),
        Cell(0, "with", 1): metrics(0.5, None), Cell(0, "with", 2): metrics(0.5, None),
    }  # fmt: skip
    rows = {(row[0], row[1]): row[2:] for row in experiment_report.summary(results)}
    assert set(rows) == {(0, "with"), (100, "with"), (100, "without")}
    np.testing.assert_allclose(rows[100, "without"][:3], [2, 0.7, 0.2 / 2**0.5])
    np.testing.assert_allclose(rows[100, "with"][:3], [2, 0.75, 0.1 / 2**0.5])
    assert rows[0, "with"][-2:] == [None, None] and rows[100, "with"][-2:] == [0.5, None]
    gains = {row[3]: row for row in experiment_report.gains(results)}
    assert {tuple(row[:3]) for row in gains.values()} == {(100, "with", "without")}
    np.testing.assert_allclose(gains["auc"][4:], [2, 0.05, 0.1 / 2**0.5, 0.05, 1])
    np.testing.assert_allclose(gains["val_at_far_0.001"][4:6], [1, 0.2])  # of seed 1 there is none
    assert set(experiment_report.series(results, "auc")) == {"with generated data", "without generated data"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fractions", "20,x"], "--fractions 20,x: percentages"),
        (["--fractions", "20,120"], "--fractions 20,120: percentages"),
        (["--fractions", "20,20"], "each once"),
        (["--test_share", "0.9"], "leaves 1 of 8 identities"),
        (["--compare", "photographs"], "--compare: 'photographs' is none of renders, known, longer"),
        (["--compare", "renders"], "--compare renders: --syn_dataset names them"),
        (["--lfw_dir", "nowhere"], "--lfw_pairs: cannot read data/pairs.txt"),
        (["--save_syn_dataset", "real"], "real is no folder that generate has made"),
        (["--dataset", "nowhere"], "no such folder"),
        (["--recognizer", "nn4"], "--image_size 16: nn4 takes"),
        (["--dataset_poses", "poses.csv"], "--dataset_poses: is read with --most_frontal"),
        (["--shared_people", "--compare", "renders", "--syn_dataset", "strangers"], "strangers shows nobody of"),
    ],
)
def test_bad_input_writes_nothing(data, tmp_path, words, message, capsys):
    assert run(data, tmp_path / "report", *words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "report").exists()


def test_faces_cut_in_two_ways_are_one_line(data, tmp_path, capsys):
    """Where it is not known of one of them, as of all that generate has made, a warning."""
    shutil.copytree(data, tmp_path / "data")
    words = ["--compare", "renders", "--syn_dataset", "strangers"]
    for name, crop in (("real", "arcface"), ("strangers", "facenet")):
        (tmp_path / "data" / name / "align.json").write_text(f'{{"crop": "{crop}"}}')
    assert run(tmp_path / "data", tmp_path / "report", *words) == 2
    warning, line = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: ") and "real holds faces that align has cut (arcface), of" in warning
    assert "--syn_dataset: the faces in" in line and "are cut as chip" in line and "as arcface" in line
    assert not (tmp_path / "report").exists()


def test_other_settings_need_another_report(data, finished, capsys):
    assert run(data, finished, "--learning_rate", "0.01") == 2
    assert "--learning_rate 0.1 there, 0.01 here" in capsys.readouterr().err


def test_a_report_from_before_a_flag_goes_on(data, finished):
    note = finished / "experiment.json"
    kept = note.read_text()
    older = {name: value for name, value in json.loads(kept).items() if name != "shared_people"}
    note.write_text(json.dumps(older))
    assert run(data, finished) == 0
    note.write_text(kept)


def _contents(*words):
    return experiment._contents(command_line.parse(["experiment", *map(str, words)], main.JOBS)[1])


def test_what_a_cell_depends_on_holds_the_content_of_files_and_every_flag(tmp_path):
    assert set(SYSTEM_FLAGS["recognizer"]) - set(experiment.SHAPING) <= {name for name in FLAGS if FLAGS[name].path}
    assert {"max_nrof_epochs", "facenet_scope"} <= set(experiment.SHAPING)
    schedule = tmp_path / "rates.txt"
    flags = ["--learning_rate", "-1", "--learning_rate_schedule_file", schedule]
    with pytest.raises(UserError, match="--learning_rate_schedule_file: cannot read"):
        _contents(*flags)
    found = []
    for text in ("0: 0.1", "0: 0.2"):
        schedule.write_text(text)
        found.append(_contents(*flags))
    assert found[0] != found[1] and found[0]["pretrained_rec"] is None
    assert _contents()["learning_rate_schedule_file"] is None  # by a fixed rate the file is not read
    for number in (1, 2):
        (tmp_path / "facenet.index").write_text(f"checksums {number}")
        found.append(_contents("--pretrained_rec", tmp_path / "facenet"))
    assert found[2] != found[3]


@pytest.mark.slow
def test_generated_images_of_real_people_beside_those_of_new_ones(data, tmp_path, capsys, untraced):
    """CFS, Table 2: known people go to the photographs' head, new ones to their own."""
    words = ["--system", "cfs", "--compare", "known", "--syn_dataset", "generated"]
    assert run(data, tmp_path / "report", *words) == 0
    cells = tmp_path / "report" / "cells"
    heads = {row: json.loads((cells / f"100_{row}_1" / "params.json").read_text())["label_names"]
             for row in ("known", "with")}  # fmt: skip
    assert heads["known"]["synthetic"] == heads["known"]["labelled"]
    assert heads["with"]["synthetic"] == ["p0", "p1", "p2"] != heads["with"]["labelled"]
    with open(tmp_path / "report" / "experiment_published.csv", newline="") as file:
        assert {row["without"] for row in csv.DictReader(file)} == {"0.9223", "0.9312"}
    assert run(data, tmp_path / "none", "--compare", "known,renders", "--syn_dataset", "generated") == 2
    assert "--compare: renders or known: --syn_dataset names one" in capsys.readouterr().err


@pytest.mark.slow
def test_few_frontal_photographs_of_each_person(data, tmp_path, capsys, untraced):
    table = [f"p{number // 3}/{number % 3}.png,{(50, -5, 20)[number % 3]}" for number in range(24)]
    (tmp_path / "poses.csv").write_text("\n".join(["path,yaw", *table]) + "\n")
    words = ["--system", "ipgan", "--most_frontal", "2"]
    assert run(data, tmp_path / "none", *words) == 2
    assert "--most_frontal 2: --dataset_poses names a table" in capsys.readouterr().err
    assert run(data, tmp_path / "report", *words, "--dataset_poses", str(tmp_path / "poses.csv")) == 0
    assert cells(tmp_path / "report")["100_without_1"]["trained_images"] == 8
    index = experiment._frontal(experiment.index_folder(options_of(data), "dataset", labelled=True),
                                options_of(data, *words, "--dataset_poses", str(tmp_path / "poses.csv")))  # fmt: skip
    assert [index.relative_path(i) for i in range(4)] == ["p0/1.png", "p0/2.png", "p1/1.png", "p1/2.png"]


def options_of(data, *words):
    folders = ["--data_dir", str(data), "--dataset", "real", "--asset_dir", str(data.parent / "cache")]
    return command_line.parse(["experiment", *folders, *words], main.JOBS)[1]


@pytest.mark.slow
def test_whom_a_recogniser_sees_in_several_folders(data, tmp_path, capsys, untraced):
    """CFS, Table 1: kept and gone on with; its numbers are those of the recogniser's own answers."""
    for number in range(12):
        path = data / "drawn" / f"p{number % 4}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face(number, 20)).save(path)
    for number in range(5):  # held-back photographs may be one of a person
        path = data / "held_back" / f"p{number % 4}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face(number, 20)).save(path)
    assert run(data, tmp_path / "few", "--dataset", "held_back", "--image_sets", "drawn") == 0
    assert "a guess: 0.2500" in capsys.readouterr().out
    words = ["--image_sets", "real,drawn", "--seeds", "2"]
    assert run(data, tmp_path / "report", *words) == 0
    said = capsys.readouterr().out
    assert "a guess: 0.1250" in said and said.count("[1/2] loss") == 2
    with open(tmp_path / "report" / "classification_classification.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[:2] for row in rows[1:]] == [["real", "24"], ["drawn", "12"]]
    assert all(0 <= float(row[2]) <= 1 and 1 <= float(row[4]) <= 8 for row in rows[1:])
    assert run(data, tmp_path / "report", *words) == 0 and "loss" not in capsys.readouterr().out
    assert run(data, tmp_path / "report", "--image_sets", "real", "--seeds", "2") == 2
    assert "image_sets" in capsys.readouterr().err
    assert run(data, tmp_path / "none", "--image_sets", "real,generated") == 2
    assert "--image_sets generated: the inception score needs at least 10 images, has 9" in capsys.readouterr().err
    assert run(data, tmp_path / "none", "--image_sets", "real,strangers") == 2
    assert "--image_sets strangers: shows q0, of whom --dataset real has no photographs" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_report_does_not_go_into_what_it_reads(data, capsys):
    assert run(data, data / "real" / "report") == 2
    assert "--report_dir: " in (told := capsys.readouterr().err) and "is in the input folder of --dataset" in told
    assert not (data / "real" / "report").exists()
