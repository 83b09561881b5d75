import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

import main
from data_loader import assets
from data_loader.folders import index_images
from tests.small import face
from trainer.face_networks.embedding import embed_folder
from trainer.face_networks.network import open_face_network
from utils import command_line

LIMIT = 0.2727  # some of the made-up identities are nearer to a real one, some are not
PEOPLE = ("s1", "s2", "s3", "s10")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """att: four people, three photographs each. syn: renders. copied: the renders again, with scores."""
    folder = tmp_path_factory.mktemp("evaluate")
    att = assets.fetch("att_faces", "~/.cache/facegan")
    for person in PEOPLE:
        (folder / "att" / person).mkdir(parents=True)
        for number in (1, 2, 3):
            shutil.copy(att / person / f"{number}.pgm", folder / "att" / person)
    for identity in range(5):
        (folder / "syn" / f"{identity:05d}").mkdir(parents=True)
        for image in range(2):
            pixels = Image.fromarray(face(10 * identity, 32)).rotate(15 * image)
            pixels.save(folder / "syn" / f"{identity:05d}" / f"{image}.png")
    shutil.copytree(folder / "syn", folder / "copied")
    with open(folder / "copied" / "confidence_scores.csv", "w") as file:
        file.write("path,identity,d_score,c_score\n")
        file.writelines(f"{i:05d}/{j}.png,{i:05d},{i + j / 10},\n" for i in range(5) for j in range(2))
    return folder


def evaluate(data, report, *words):
    return main.main(["evaluate", "--data_dir", str(data), "--report_dir", str(report), *map(str, words)])


def found(report):
    return json.loads((report / "evaluation.json").read_text())


def features(data, name, *words):
    options = command_line.parse(["evaluate", *words], main.JOBS)[1]
    index = index_images(data / name, data.parent / "index", labelled=True)
    result = embed_folder(open_face_network(options), index, options)
    return result.features.astype(np.float64), result.labels


@pytest.mark.slow
def test_photographs_agree_with_an_independent_computation(data, tmp_path, capsys):
    before = sorted(data.rglob("*"))
    assert not evaluate(data, tmp_path, "--dataset", "att")
    said = capsys.readouterr().out
    assert f"the report is {tmp_path}/report.html" in said and "AUC" in said and "embeddings of" in said
    content, (codes, labels) = found(tmp_path), features(data, "att")
    upper = np.triu_indices(len(labels), 1)
    distances, same = cdist(codes, codes, "sqeuclidean")[upper], (labels[:, None] == labels)[upper]
    section = content["dataset"]
    assert content["auc"] == section["auc"] == pytest.approx(roc_auc_score(same, -distances), rel=1e-9)
    assert (section["images"], section["identities"], section["genuine_pairs"]) == (12, 4, 12)
    assert section["threshold"] == 0.36
    assert section["false_accept_rate"] == pytest.approx(np.mean(distances[~same] <= 0.36))
    assert section["false_reject_rate"] == pytest.approx(np.mean(distances[same] > 0.36))
    means = np.stack([codes[labels == label].mean(axis=0) for label in range(4)])
    assert section["close_identities"] == np.count_nonzero(
        cdist(means, means, "sqeuclidean")[np.triu_indices(4, 1)] <= 0.36
    )
    within = [cdist(one, one, "sqeuclidean")[np.triu_indices(3, 1)].mean() for one in np.split(codes, 4)]
    assert section["diversity_within"] == pytest.approx(np.mean(within), rel=1e-6)
    assert sorted(data.rglob("*")) == before and set(content) == {"auc", "dataset", "settings"}


def test_an_identity_map_and_leakage_show(data, tmp_path):
    words = [
        "--dataset",
        "att",
        "--save_syn_dataset",
        "copied",
        "--syn_dataset",
        "syn",
        "--align",
        "none",
        "--threshold",
        LIMIT,
    ]
    assert not evaluate(data, tmp_path, *words)
    content = found(tmp_path)
    assert content["renders"]["difference"] == content["renders"]["difference_brightness"] == 0
    assert content["renders"]["rendered_person_auc"] == content["renders"]["rendered_person_nearest"] == 1
    assert content["renders"]["rendered_person_cosine"] == pytest.approx(1)
    assert content["generated"] == content["syn_dataset"]
    assert content["auc"] == content["dataset"]["auc"]
    assert {"fid on dlib's ResNet", "kid on dlib's ResNet", "kid_sd on dlib's ResNet"} == set(content["image_quality"])
    assert set(content["scores"]) == {"margin", "rank_correlation of d_score"}
    with open(tmp_path / "leakage_nearest.csv") as file:
        rows = list(csv.DictReader(file))
    real, made = (features(data, name, "--align", "none") for name in ("att", "copied"))
    distances = cdist(made[0], real[0], "sqeuclidean")
    for row in rows:
        own = distances[2 * int(row["identity"]) : 2 * int(row["identity"]) + 2]
        assert float(row["image_distance"]) == pytest.approx(own.min(), rel=1e-4)
        assert row["nearest_image"] == f"{PEOPLE[own.min(axis=0).argmin() // 3]}/{own.min(axis=0).argmin() % 3 + 1}.pgm"
    means = [codes.reshape(len(codes) // each, each, -1).mean(axis=1) for (codes, _), each in ((real, 3), (made, 2))]
    nearest = cdist(means[1], means[0], "sqeuclidean").min(axis=1)
    among = cdist(means[0], means[0], "sqeuclidean") + 9 * np.eye(4)
    leakage = content["leakage"]
    people = [int(np.argmin(cdist(means[1], means[0], "sqeuclidean")[i])) for i in range(5)]
    to_person = [distances[2 * i : 2 * i + 2, 3 * person : 3 * person + 3].mean() for i, person in enumerate(people)]
    within = [cdist(own, own, "sqeuclidean")[np.triu_indices(3, 1)].mean() for own in real[0].reshape(4, 3, -1)]
    for row in rows:
        assert float(row["mean_distance"]) == pytest.approx(to_person[int(row["identity"])], rel=1e-4)
        assert float(row["own_distance"]) == pytest.approx(within[people[int(row["identity"])]], rel=1e-4)
    assert leakage["own_compared"] == 5
    assert leakage["nearer_than_own"] == sum(far <= within[who] for far, who in zip(to_person, people, strict=True))
    assert leakage["nearest_real_distance"] == pytest.approx(nearest.mean(), rel=1e-6)
    assert leakage["leaked_identities"] == np.count_nonzero(nearest <= LIMIT)
    assert leakage["leaked_share"] == np.mean(nearest <= LIMIT) and 0 < leakage["leaked_share"] < 1
    assert leakage["leaked_image_share"] == np.mean(distances.min(axis=1).reshape(-1, 2).min(axis=1) <= LIMIT)
    assert leakage["real_double_share"] == np.mean(among.min(axis=1) <= LIMIT)
    page = (tmp_path / "report.html").read_text()
    assert 'id="leakage"' in page and "GANFaces (published)" in page


def test_a_score_of_which_high_is_good_counts_with_its_sign_turned(data, tmp_path):
    """As a patch discriminator's is: the same pictures with the scores turned over give the same figures."""
    shutil.copytree(data / "copied", tmp_path / "low")
    shutil.copytree(data / "copied", tmp_path / "high")
    rows = (tmp_path / "low" / "confidence_scores.csv").read_text().splitlines()
    fields = [row.split(",") for row in rows[1:]]
    turned = [rows[0], *(f"{path},{who},{-float(score)}," for path, who, score, _ in fields)]
    (tmp_path / "high" / "confidence_scores.csv").write_text("\n".join(turned) + "\n")
    run = {"settings": {}, "flags": {}, "inputs": {"folder": None}, "finished": True}
    told = {"d_score": {"meaning": "", "better": "high"}, "c_score": {"meaning": "", "better": "low"}}
    (tmp_path / "high" / "run.json").write_text(json.dumps(run | {"scores": told}))
    for name in ("low", "high"):
        assert not evaluate(tmp_path, tmp_path / f"{name}_report", "--save_syn_dataset", name, "--align", "none")
    low, high = (found(tmp_path / f"{name}_report") for name in ("low", "high"))
    assert high["scores"] == low["scores"] and low["scores"]["rank_correlation of d_score"] is not None
    tables = [(tmp_path / f"{name}_report" / "scores_filtered.csv").read_text() for name in ("low", "high")]
    assert tables[0] == tables[1]


def test_groups_of_generated_images(data, tmp_path):
    """By a table beside the generated images: of the whole folder KID and AUC are those of the sections above."""
    made = shutil.copytree(data / "copied", tmp_path / "data" / "copied")
    shutil.copytree(data / "att", tmp_path / "data" / "att")
    with open(made / "metadata.csv", "w") as file:
        file.write("path,age,kind\n")
        file.writelines(f"{i:05d}/{j}.png,{10 * i + j},{'AB'[i > 0]}\n" for i in range(5) for j in range(2))
    words = ["--dataset", "att", "--save_syn_dataset", "copied", "--align", "none", "--groups", "kind,age"]
    assert not evaluate(tmp_path / "data", tmp_path / "report", *words)
    content, tables = found(tmp_path / "report"), {}
    for name in ("kind", "age"):
        with open(tmp_path / "report" / f"groups_{name}.csv") as file:
            tables[name] = list(csv.DictReader(file))
    assert [(row["group"], row["images"], row["identities"]) for row in tables["kind"]] == [
        ("A", "2", "1"), ("B", "8", "4"), ("all", "10", "5")]  # fmt: skip
    assert [(row["group"], row["images"]) for row in tables["age"]] == [
        ("0 to 11", "4"), ("11 to 30", "3"), ("30 to 41", "3"), ("all", "10")]  # fmt: skip
    assert tables["kind"][0]["kid"] == tables["kind"][0]["auc"] == tables["age"][1]["kid"] == "too few"
    everything = tables["kind"][-1]
    assert everything == tables["age"][-1]
    assert float(everything["kid"]) == content["image_quality"]["kid on dlib's ResNet"]
    assert float(everything["auc"]) == content["generated"]["auc"]
    assert float(everything["leaked_share"]) == content["leakage"]["leaked_share"]
    assert float(everything["nearest_real_distance"]) == content["leakage"]["nearest_real_distance"]
    assert content["settings"]["--groups"] == "kind,age" and content["groups"] == {}
    page = (tmp_path / "report" / "report.html").read_text()
    assert "By kind" in page and "groups_age.csv: 4 rows" in page and "too few" in page


def test_settings_reach_what_they_name(data, tmp_path):
    words = ["--num_pairs", 20, "--threshold", 0.5, "--random_seed", 5, "--align", "none"]
    assert not evaluate(data, tmp_path, "--dataset", "att,syn", *words)
    content = found(tmp_path)
    assert content["dataset"]["genuine_pairs"] + content["dataset"]["impostor_pairs"] == 20
    assert content["dataset"]["threshold"] == 0.5 and content["dataset_2"]["identities"] == 5
    settings = content["settings"]
    assert settings["threshold"] == "Threshold 0.5, as given." and settings["faces cut"] == "no"
    assert settings["--num_pairs"] == 20 and settings["--random_seed"] == 5 and settings["seconds"] > 0


def test_protocols_without_a_labelled_folder(tmp_path):
    att = assets.fetch("att_faces", "~/.cache/facegan")
    for person in ("s1", "s2"):
        (tmp_path / "lfw" / person).mkdir(parents=True)
        for number in (1, 2):
            with Image.open(att / person / f"{number}.pgm") as image:
                image.save(tmp_path / "lfw" / person / f"{person}_{number:04d}.jpg")
    lines = ["2\t1", "s1\t1\t2", "s1\t1\ts2\t1", "s2\t1\t2", "s1\t2\ts2\t2"]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    words = ["--lfw_dir", tmp_path / "lfw", "--lfw_pairs", tmp_path / "pairs.txt", "--lfw_nrof_folds", 2]
    assert not evaluate(tmp_path, tmp_path / "report", *words)
    content = found(tmp_path / "report")
    assert set(content) == {"lfw", "settings"} and content["lfw"]["pairs"] == 4 and content["lfw"]["auc"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to evaluate: name --dataset (labelled folders), --save_syn_dataset"),
        (["--syn_dataset", "syn"], "nothing to evaluate"),
        (["--dataset", "gone"], "--dataset: no such folder: {data}/gone"),
        (["--dataset", "att,gone"], "--dataset: no such folder: {data}/gone"),
        (["--dataset", "one"], "--dataset: {data}/one has one identity, s1: nothing to tell apart"),
        (["--dataset", "single"], "--dataset: {data}/single has one image of each identity"),
        (["--dataset", "att/s1"], "--dataset: "),
        (["--dataset", "att", "--syn_dataset", "syn"], "--syn_dataset: renders are compared with"),
        (["--save_syn_dataset", "copied", "--syn_dataset", "att"], "--syn_dataset: 10 of 10 images in {data}/copied"),
        (["--dataset", "att", "--report_dir", "{data}/att/report"], "--report_dir: {data}/att/report is in the input"),
        (["--dataset", "att", "--report_dir", "{data}/att/s1/1.pgm/x"], "--report_dir: {data}/att/s1/1.pgm/x is in"),
        (["--dataset", "att", "--report_dir", "{data}/file/x"], "--report_dir: {data}/file is not a folder"),
        (["--dataset", "att", "--inception_weights", "x.h5"], "--inception_weights: needs both"),
        (["--save_syn_dataset", "copied", "--groups", "age"], "--groups: needs both"),
        (["--dataset", "att", "--save_syn_dataset", "copied", "--groups", "a"], "--groups: neither {data}/copied nor"),
        (
            ["--dataset", "att", "--save_syn_dataset", "copied", "--inception_weights", "x.h5"],
            "--inception_weights: no",
        ),
        (["--dataset", "att", "--threshold", "-1"], "flag --threshold=-1: "),
        (
            ["--lfw_dir", "{data}/att", "--lfw_pairs", "{data}/pairs.txt"],
            "--lfw_pairs: {data}/pairs.txt line 2: no such person",
        ),
        (["--dataset", "att", "--bin_sets", "{data}/file"], "--bin_sets: {data}/file"),
        (["--ijba_dir", "{data}/gone"], "--ijba_dir: no such folder: {data}/gone"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(data, tmp_path, capsys, words, message):
    for person in PEOPLE:
        (data / "single" / person).mkdir(parents=True, exist_ok=True)
        shutil.copy(data / "att" / person / "1.pgm", data / "single" / person)
    shutil.copytree(data / "att" / "s1", data / "one" / "s1", dirs_exist_ok=True)
    (data / "file").write_text("cut short")
    (data / "pairs.txt").write_text("1\t1\nNobody\t1\t2\nNobody\t1\ts1\t1\n")
    before = sorted(data.rglob("*"))
    assert evaluate(data, tmp_path / "report", *(word.format(data=data) for word in words)) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert not said.out  # found before the network is even opened
    assert line.startswith(f"error: {message.format(data=data)}")
    assert sorted(data.rglob("*")) == before and not (tmp_path / "report").exists()
