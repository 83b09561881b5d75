"""Conditional face synthesis through the jobs: trained, resumed, known and new people made."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import main
from data_loader.people import PeopleInput
from tests.small import CFS, LOGS, face, make_people, newest_arrays, only_run, read_csv, untraced
from utils import command_line
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """data/people: two photographs each of a, b, c, d; a run of four steps below straight/."""
    folder = tmp_path_factory.mktemp("cfs")
    make_people(folder / "data" / "people", "abcd", size=64)
    with untraced():
        assert train(folder, "straight", "--max_step", "4") == 0
    return folder


def train(folder, logs, *words):
    where = ["--data_dir", folder / "data", "--log_dir", folder / logs, "--asset_dir", folder / "cache"]
    return main.main(["train", "--system", "cfs", *map(str, where), "--dataset", "people", *CFS, *LOGS, *words])


def generate(home, out, *words):
    run = ["--pretrained_gen", str(only_run(home / "straight")), "--log_dir", str(home / "straight")]
    where = ["--data_dir", str(home / "data"), "--save_syn_dataset", out, "--image_format", "png"]
    return main.main(["generate", *run, *where, *words])


def rows(home, out):
    return read_csv(home / "data" / out / "confidence_scores.csv")


@pytest.mark.slow  # dagan's is not, and test_contract restores cfs
def test_four_steps_are_two_and_two(home):
    assert train(home, "half", "--max_step", "4", "--max_minutes", "0", "--save_secs", "0", "--keep_step", "2") == 0
    second = only_run(home / "half") / "checkpoints" / "step-000000002.npz"
    words = ["--load_path", str(second), "--log_dir", str(home / "resumed"), "--data_dir", str(home / "data")]
    assert main.main(["train", *words]) == 0
    straight, parts = newest_arrays(home / "straight"), newest_arrays(home / "resumed")
    assert straight.keys() == parts.keys() and int(straight["state/step"]) == 4
    assert [name for name in straight if straight[name].tobytes() != parts[name].tobytes()] == []


def test_the_papers_settings_are_the_default(home):
    params = json.loads((only_run(home / "straight") / "params.json").read_text())
    named = {"lambda_gp": 1, "lambda_cls": 1, "lambda_fm": 1, "lambda_pixel": 10, "lambda_kl": 0.01, "g_lr": 2e-4,
             "d_lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "gan_loss": "wgan_gp", "lr_update_step": 2}  # fmt: skip
    assert {name: params[name] for name in named} == named
    assert params["label_names"] == {"real": list("abcd")}


def test_known_people_are_made_and_scored(home):
    assert generate(home, "known", "--images_per_id", "3") == 0
    found = rows(home, "known")
    assert [row["path"] for row in found] == [f"{name}/{i:05d}.png" for name in "abcd" for i in (1, 2, 3)]
    assert [row["identity"] for row in found] == [name for name in "abcd" for _ in range(3)]
    assert all(np.isfinite([float(row["d_score"]), float(row["class_score"])]).all() for row in found)
    images = {row["path"]: (home / "data" / "known" / row["path"]).read_bytes() for row in found}
    assert len(set(images.values())) == 12
    assert generate(home, "again", "--images_per_id", "2", "--scores", "none", "--batch_size", "3") == 0
    for row in rows(home, "again"):  # whatever else is made, and in whichever batch
        again, first = (np.asarray(Image.open(home / "data" / out / row["path"]), int) for out in ("again", "known"))
        assert np.abs(again - first).max() <= 1
    card = (home / "data" / "known" / "README.md").read_text()
    assert "cfs" in card and "a vector: a random one, or a photograph's" in card and "names three people" in card


def test_new_people_are_mixtures(home):
    assert generate(home, "new", "--n_id", "2", "--images_per_id", "2") == 0
    assert [row["path"] for row in rows(home, "new")] == [f"0000{p}/0000{i}.png" for p in (1, 2) for i in (1, 2)]
    assert generate(home, "others", "--n_id", "2", "--images_per_id", "2", "--random_seed", "9") == 0
    first, other = ((home / "data" / out / "00001" / "00001.png").read_bytes() for out in ("new", "others"))
    assert first != other


@pytest.mark.slow  # the strips draw them again
def test_photographs_are_drawn_again_as_themselves_or_as_another(home, capsys):
    assert generate(home, "redrawn", "--dataset", "people") == 0
    assert [row["path"] for row in rows(home, "redrawn")] == [f"{name}/{i}.png" for name in "abcd" for i in (0, 1)]
    assert generate(home, "as_b", "--dataset", "people", "--person", "b") == 0
    same = {row["path"]: (home / "data" / "redrawn" / row["path"]).read_bytes() ==
            (home / "data" / "as_b" / row["path"]).read_bytes() for row in rows(home, "as_b")}  # fmt: skip
    assert same == {f"{name}/{i}.png": name == "b" for name in "abcd" for i in (0, 1)}
    assert generate(home, "none", "--dataset", "people", "--person", "z") == 2
    assert "--person: the training did not know z" in capsys.readouterr().err
    make_people(home / "data" / "strangers", "az", size=64)
    assert generate(home, "none", "--dataset", "strangers") == 2
    assert "strangers: the training did not know z; --person names" in capsys.readouterr().err
    assert not (home / "data" / "none").exists()


def metadata(home, out):
    return read_csv(home / "data" / out / "metadata.csv")


def test_metadata_tells_who_is_mixed_and_which_vector_is_whose(home):
    assert generate(home, "mixed", "--n_id", "2", "--images_per_id", "2", "--same_latents") == 0
    found = metadata(home, "mixed")
    assert [row["file_name"] for row in found] == [row["path"] for row in rows(home, "mixed")]
    for row in found:
        names, weights = zip(*(part.split(":") for part in row["mixture"].split(";")), strict=True)
        assert len(names) == 3 and set(names) < set("abcd") and sum(map(float, weights)) == pytest.approx(1, abs=1e-4)
    seeds = [row["latent_seed"] for row in found]
    assert seeds[:2] == seeds[2:] and seeds[0] != seeds[1]  # columns of one vector
    assert generate(home, "own", "--images_per_id", "2") == 0
    assert [row["mixture"] for row in metadata(home, "own")] == [f"{name}:1" for name in "abcd" for _ in range(2)]
    assert len({row["latent_seed"] for row in metadata(home, "own")}) == 8


@pytest.mark.slow  # photographs of another person are not
def test_strips_lead_from_one_photograph_to_another(home, capsys):
    assert generate(home, "strips", "--dataset", "people", "--strips", "3") == 0
    found = metadata(home, "strips")
    assert [row["file_name"] for row in found[:3]] == [f"a/0000{i}.png" for i in (1, 2, 3)]
    assert [row["share"] for row in found[:3]] == ["0", "0.5", "1"]
    assert (found[0]["from_image"], found[0]["to_image"]) == ("a/0.png", "a/1.png")
    assert generate(home, "ends", "--dataset", "people") == 0  # its ends are the photographs drawn again
    for end, photograph in (("00001", "0"), ("00003", "1")):
        same = [np.asarray(Image.open(home / "data" / folder / "b" / f"{name}.png"), int)
                for folder, name in (("strips", end), ("ends", photograph))]  # fmt: skip
        assert np.abs(same[0] - same[1]).max() <= 1
    for words in (["--dataset", "people", "--strips", "1"], ["--strips", "3"]):
        assert generate(home, "none", *words) == 2
        assert "two images at least, between photographs of --dataset" in capsys.readouterr().err


def test_a_recogniser_that_was_trained_here_keeps_the_identity(home, capsys):
    where = ["--data_dir", str(home / "data"), "--log_dir", str(home / "rec"), "--asset_dir", str(home / "cache")]
    small = "--recognizer light_cnn9 --image_size 16 --embedding_size 8 --batch_size 2 --max_step 1".split()
    assert main.main(["train_recognizer", *where, "--dataset", "people", *small]) == 0
    named = ["--pretrained_rec", str(only_run(home / "rec"))]
    words = ["--max_step", "1", "--lambda_id", "1", "--people_start", "features"]
    assert train(home, "kept", *words, *named) == 0
    params = json.loads((only_run(home / "kept") / "params.json").read_text())
    assert params["model_def"] == "recognizers.light_cnn9.16" and params["embedding_size"] == 8
    ours, theirs = newest_arrays(home / "kept"), newest_arrays(home / "rec")
    names = [name.removeprefix("state/average/recognizer/") for name in theirs if "average/recognizer" in name]
    assert names
    for name in names:
        np.testing.assert_array_equal(ours[f"identity_network/{name}"], theirs[f"state/average/recognizer/{name}"])
    people = ours["generator/000/of_person/kernel"]  # as its features begin them, and one step on: about their mean
    assert np.abs(people.mean(axis=0)).max() < 0.01 < np.abs(people).mean()
    assert train(home, "none", *named, "--lambda_id", "1", "--model_def", "models.nn4") == 2
    assert "--model_def: " in capsys.readouterr().err and not (home / "none").exists()


@pytest.mark.slow  # dagan's is not
def test_exports_serve_and_generate_the_same_faces(home):
    """People of exported weights are numbered: whom they show is the owner's to tell."""
    run = ["--pretrained_gen", str(only_run(home / "straight")), "--log_dir", str(home / "straight")]
    assert main.main(["export", *run, "--export_dir", str(home / "served")]) == 0
    options = command_line.parse(["generate", "--images_per_id", "1"], main.JOBS)[1].changed(z_num=8)
    inputs = PeopleInput(list("abcd"), options)
    read = [inputs.read(i) for i in range(4)]
    batch = {key: tf.constant(np.stack([one[key] for one in read])) for key in ("people", "latent")}
    served = tf.saved_model.load(str(home / "served" / "1")).signatures["uint8"](**batch)["generated"].numpy()
    assert generate(home, "four", "--images_per_id", "1") == 0
    ours = [np.asarray(Image.open(home / "data" / "four" / row["path"])) for row in rows(home, "four")]
    assert np.abs(np.stack(ours).astype(int) - served).max() <= 1
    assert main.main(["export", *run, "--export_format", "weights", "--export_dir", str(home / "small")]) == 0
    words = ["--pretrained_gen", str(home / "small"), "--data_dir", str(home / "data"), "--images_per_id", "1"]
    assert main.main(["generate", *words, "--save_syn_dataset", "of_small", "--image_format", "png"]) == 0
    assert [row["path"] for row in rows(home, "of_small")] == [f"0000{i}/00001.png" for i in (1, 2, 3, 4)]
    small = [np.asarray(Image.open(home / "data" / "of_small" / row["path"])) for row in rows(home, "of_small")]
    assert np.abs(np.stack(small).astype(int) - np.stack(ours)).mean() < 1  # weights in half precision


@pytest.mark.parametrize(("words", "message"), [
    (["--input_scale_size", "48"], "--input_scale_size 48: --system cfs makes 64, 128"),
    (["--input_scale_size", "192"], "--input_scale_size 192: --system cfs makes 64, 128"),
    (["--r1", "1"], "--r1: --gan_loss wgan_gp does not read it"),
    (["--gan_loss", "hinge", "--lambda_gp", "1"], "--lambda_gp: --gan_loss hinge does not read it"),
    (["--augment_strength", "1"], "--augment_strength: --augment '' does not read it"),
    (["--gamma", "1"], "--gamma: --system cfs does not read it"),
    (["--pretrained_rec", "x"], "--pretrained_rec: --system cfs with --lambda_id 0 looks through no face network"),
    (["--dataset", "alone"], "alone"),
    (["--dataset", "flat"], "flat"),
])  # fmt: skip
def test_bad_input_is_one_line(home, words, message, capsys):
    make_people(home / "data" / "alone", "ab", 1, size=64)
    (home / "data" / "flat").mkdir(exist_ok=True)
    Image.fromarray(face(1, 64)).save(home / "data" / "flat" / "0.png")
    assert train(home, "none", "--max_step", "1", *words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and message in error and not (home / "none").exists()


@pytest.mark.parametrize(("words", "message"), [
    (["--person", "a"], "--person: of --dataset, whose photographs are drawn again"),
    (["--dataset", "people", "--n_id", "3"], "--n_id: --dataset names photographs to draw again"),
    (["--dataset", "people", "--person", "x"], "--person: the training did not know x\n"),
])  # fmt: skip
def test_what_generate_does_not_read_is_one_line(home, words, message, capsys):
    assert generate(home, "none", *words) == 2
    assert message in capsys.readouterr().err and not (home / "data" / "none").exists()


def test_weights_of_some_people_are_no_beginning_for_others(home, capsys):
    make_people(home / "data" / "newcomers", "abcx", size=64)
    words = ["--pretrained_gen", str(only_run(home / "straight")), "--dataset", "newcomers"]
    assert train(home, "none", *words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "added x; missing d; its weights are of its own people" in error and not (home / "none").exists()


def test_new_people_of_two_are_one_line():
    options = command_line.parse(["generate", "--n_id", "1"], main.JOBS)[1]
    with pytest.raises(UserError, match="--n_id 1: a new person is a mixture of 3, and the weights know 2"):
        PeopleInput(["a", "b"], options)
