"""IP-GAN through the jobs: trained, resumed, people made in random poses, in those of others, and one face in another's
pose."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import main
from data_loader import chips
from tests.small import IPGAN, LOGS, face, make_people, newest_arrays, only_run, read_csv, untraced
from trainer.training.load import load_system
from utils import command_line

pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """data/people: two images each of a, b, c; a run of two steps below straight/."""
    folder = tmp_path_factory.mktemp("ipgan")
    make_people(folder / "data" / "people", "abc", size=16)
    with untraced():
        assert train(folder, "straight", "--max_step", "2") == 0
    return folder


def train(folder, logs, *words):
    where = ["--data_dir", folder / "data", "--log_dir", folder / logs]
    return main.main(["train", "--system", "ipgan", *map(str, where), "--dataset", "people", *IPGAN, *LOGS, *words])


def generate(home, out, *words):
    run = ["--pretrained_gen", str(only_run(home / "straight")), "--log_dir", str(home / "straight")]
    where = ["--data_dir", str(home / "data"), "--save_syn_dataset", out, "--image_format", "png"]
    return main.main(["generate", *run, *where, *words])


def rows(home, out, name="metadata.csv"):
    return read_csv(home / "data" / out / name)


def test_its_settings_are_told_and_people_stand_in_rows(home):
    params = json.loads((only_run(home / "straight") / "params.json").read_text())
    named = {"lambda_pixel": 1, "lambda_unpaired": 0.1, "lambda_id": 2, "lambda_kl": 0.03, "adversarial_weight": 0.1,
             "lambda_icc": 2, "pose_noise": 0.5, "injection": "adain", "beta1": 0.5}  # fmt: skip
    assert {name: params[name] for name in named} == named
    assert params["label_names"] == {"real": list("abc")}
    with Image.open(only_run(home / "straight") / "2_G.png") as grid:
        assert grid.size == (2 * 16 + 2, 2 * 16 + 2)  # num_log_id x num_log_samples of LOGS


def test_numbers_of_the_pose_code_that_are_noise_are_closed_when_the_rates_begin_to_fall(home):
    """After one step of two all are; the clearest stays. What is closed changes no image and is told to no probe."""
    stays = newest_arrays(home / "straight")["state/code_open"]
    assert stays.tolist().count(1) == 1 and stays.tolist().count(0) == 2
    words = ["generate", "--pretrained_gen", str(only_run(home / "straight")), "--log_dir", str(home / "straight")]
    system = load_system(command_line.parse(words, main.JOBS)[1]).system
    images = tf.constant(np.stack([face(i, 16) for i in range(2)]), tf.float32) / 127.5 - 1.0
    _, means, deviations = system.codes(images)
    np.testing.assert_array_equal(means == 0.0, np.tile(stays == 0, (2, 1)))
    np.testing.assert_array_equal(deviations == 0.0, np.tile(stays == 0, (2, 1)))

    def shown(pose):
        return system.generate({"identity_image": images, "pose_code": tf.constant(pose, tf.float32)})["image"].numpy()

    codes = np.ones((2, 3))
    assert shown(codes).tobytes() == shown(np.where(stays, codes, -5.0)).tobytes()
    assert shown(codes).tobytes() != shown(np.where(stays, -5.0, codes)).tobytes()


@pytest.mark.slow  # dagan's is not, and test_contract restores ipgan
def test_four_steps_are_two_and_two(home):
    assert train(home, "four", "--max_step", "4", "--save_secs", "0", "--keep_step", "2") == 0
    second = only_run(home / "four") / "checkpoints" / "step-000000002.npz"
    words = ["--load_path", str(second), "--log_dir", str(home / "resumed"), "--data_dir", str(home / "data")]
    assert main.main(["train", *words]) == 0
    straight, parts = newest_arrays(home / "four"), newest_arrays(home / "resumed")
    assert straight.keys() == parts.keys() and int(straight["state/step"]) == 4
    assert [name for name in straight if straight[name].tobytes() != parts[name].tobytes()] == []


def test_people_in_random_poses_and_in_those_of_others(home):
    assert generate(home, "random", "--dataset", "people", "--images_per_id", "2", "--grid", str(home / "g.png"),
                    "--num_log_id", "3") == 0  # fmt: skip
    found = rows(home, "random")
    assert [row["file_name"] for row in found] == [f"{name}/{i:05d}.png" for name in "abc" for i in (1, 2)]
    assert {row["identity_image"] for row in found} == {f"{name}/0.png" for name in "abc"}
    assert len({row["pose_seed"] for row in found}) == 6
    scores = [float(row[f"{name}_score"]) for row in found for name in ("d", "identity", "pose")]
    assert np.isfinite(scores).all()
    with Image.open(home / "g.png") as grid:
        assert grid.size == (2 * 16 + 2, 3 * 16 + 2 * 2)
    assert generate(home, "columns", "--dataset", "people", "--images_per_id", "2", "--same_latents") == 0
    assert len({row["pose_seed"] for row in rows(home, "columns")}) == 2
    images = [(home / "data" / "columns" / row["file_name"]).read_bytes() for row in rows(home, "columns")]
    assert len(set(images)) == 6  # two people in one pose differ, and one person in two poses
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.systems.ipgan.refuse_faceless", lambda index, options: None)  # blobs are no faces
        assert generate(home, "as_others", "--dataset", "people", "--pose_dataset", "people") == 0
    found = rows(home, "as_others")
    assert len(found) == 3 * 6 and found[0]["identity_image"] == found[5]["identity_image"] == "a/0.png"
    assert [row["pose_image"] for row in found[:6]] == [f"{name}/{i}.png" for name in "abc" for i in (0, 1)]


def test_a_person_is_shown_by_the_first_image_that_can_be_read(home):
    make_people(home / "data" / "broken", "abc", size=16)
    (home / "data" / "broken" / "b" / "0.png").write_bytes(b"none")
    assert generate(home, "of_broken", "--dataset", "broken", "--images_per_id", "2") == 0
    shown = [row["identity_image"] for row in rows(home, "of_broken")]
    assert shown == ["a/0.png", "a/0.png", "b/1.png", "b/1.png", "c/0.png", "c/0.png"]


@pytest.mark.parametrize(("words", "message"), [
    (["--input_scale_size", "48"], "--input_scale_size 48: --system ipgan makes 8, 16"),
    (["--dataset", "alone"], "--dataset alone: shows one person: nobody to take a pose from"),
    (["--identity_code", "map", "--model_def", "models.facenet_keras"], "--identity_code map: of models.dlib_resnet"),
    (["--pose_augment", "flip"], "--pose_augment: 'flip' is none of colour, blur, stretch, tone"),
    (["--gan_loss", "wgan_gp"], "--gan_loss wgan_gp"),
    (["--gamma", "1"], "--gamma: --system ipgan does not read it"),
])  # fmt: skip
def test_bad_input_of_a_training_is_one_line(home, words, message, capsys):
    make_people(home / "data" / "alone", "a", size=16)
    assert train(home, "none", *words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and message in error and not (home / "none").exists()


@pytest.mark.parametrize(("words", "message"), [
    pytest.param(["--dataset", "people", "--pose_dataset", "people"],
                 "--pose_dataset: no face found in the first 6 images of", marks=pytest.mark.slow),
    pytest.param(["--identity_image", "{a}", "--pose_image", "{b}"], "--identity_image: no face found in",
                 marks=pytest.mark.slow),
    (["--identity_image", "{a}"], "--pose_image: name both"),
    (["--identity_image", "{gone}", "--pose_image", "{b}"], "--identity_image: "),
    (["--identity_image", "{a}", "--pose_image", "{b}", "--pose_dataset", "people"],
     "--pose_dataset: --identity_image"),
    (["--dataset", "people", "--pose_dataset", "poses", "--save_syn_dataset", "poses/none"],
     "poses/none is in the input folder of --pose_dataset"),
    (["--strips", "3"], "--strips: --system ipgan does not read it; it is for cfs"),
])  # fmt: skip
def test_bad_input_of_generate_is_one_line(home, words, message, capsys):
    paths = {name: home / f"{name}.png" for name in ("a", "b", "gone")}
    for name in "ab":
        Image.fromarray(face(3, 64)).save(paths[name])
    assert generate(home, "none", *(word.format(**paths) for word in words)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and message in error and not (home / "data" / "none").exists()


def test_a_mirrored_face_has_a_mirrored_place():
    """Cut from the mirrored image at the mirrored place, a chip is the mirrored chip."""
    from trainer.systems.ipgan import IpGan

    place = np.array([[0.6, 0.45, 0.5, 0.1]], np.float32)
    image = tf.constant(np.random.default_rng(1).uniform(0, 255, (1, 40, 40, 3)), tf.float32)
    system = type("Flipping", (), {"options": type("Options", (), {"random_flip": True})})()
    for number in range(20):  # until a seed mirrors
        seed = tf.constant([number, 0], tf.int64)
        mirrored, where = IpGan._flipped(system, image, tf.constant(place), seed)
        if not np.array_equal(mirrored, image):
            break
    np.testing.assert_array_equal(mirrored, image[:, :, ::-1])
    cut = chips.cut_differentiably(mirrored, where, 24)
    np.testing.assert_allclose(cut[:, :, ::-1], chips.cut_differentiably(image, tf.constant(place), 24), atol=0.05)


@pytest.mark.slow  # dagan's is not
def test_exports_take_two_images(home):
    run = ["--pretrained_gen", str(only_run(home / "straight")), "--log_dir", str(home / "straight")]
    assert main.main(["export", *run, "--export_dir", str(home / "served")]) == 0
    images = {f"{kind}_images": tf.constant(np.stack([face(i, 16)]), tf.uint8)
              for i, kind in enumerate(("identity", "pose"))}  # fmt: skip
    served = tf.saved_model.load(str(home / "served" / "1")).signatures["uint8"](**images)["generated"].numpy()
    assert served.shape == (1, 16, 16, 3) and served.dtype == np.uint8


@pytest.mark.slow
def test_evaluate_tells_whether_identity_and_pose_were_kept(home, tmp_path, monkeypatch, capsys):
    """The section's figures on a face network and a pose that are known: each image's first pixel, and its second."""
    from trainer.evaluation import recombination

    monkeypatch.setattr("trainer.systems.ipgan.refuse_faceless", lambda index, options: None)  # blobs are no faces
    assert generate(home, "judged", "--dataset", "people", "--pose_dataset", "people") == 0

    class Pose(recombination._PoseMeasure):
        def __init__(self, options):
            pass

        def __call__(self, path):
            pixel = np.asarray(Image.open(path))[8, 8]
            return float(pixel[0]), float(pixel[1])

    monkeypatch.setattr(recombination, "_PoseMeasure", Pose)
    report = tmp_path / "report"
    run = ["--pretrained_gen", str(only_run(home / "straight")), "--log_dir", str(home / "straight")]
    where = ["--data_dir", str(home / "data"), "--save_syn_dataset", "judged", "--report_dir", str(report)]
    assert main.main(["evaluate", *where, "--pretrained_gen", str(tmp_path / "gone")]) == 2
    assert str(tmp_path / "gone") in capsys.readouterr().err and not report.exists()  # before faces are embedded
    (home / "data" / "people" / "c" / "2.png").write_bytes(b"none")  # left out, with a warning
    inside = [*where[:-1], str(home / "data" / "people" / "report"), *run]
    assert main.main(["evaluate", *inside]) == 2 and "nothing may be written" in capsys.readouterr().err
    judge = ["--model_def", "models.facenet_keras"]  # named here, though the run looked through dlib's
    assert main.main(["evaluate", *where, *run, *judge, "--align", "none"]) == 0
    found = json.loads((report / "evaluation.json").read_text())["recombination"]
    assert found["pose_images"] == 18 and found["pose_found_share"] == 1 and found["probe_people"] == 3
    assert found["probe_chance"] == pytest.approx(1 / 3) and 0 <= found["identity_auc"] <= 1
    assert {f"person_by_{code}_code" for code in ("pose", "drawn_pose", "identity")} <= set(found)
    truth = [[Pose(None)(home / "data" / folder / row[column])[0] for row in rows(home, "judged")]
             for folder, column in (("judged", "file_name"), ("people", "pose_image"))]  # fmt: skip
    assert found["yaw_error"] == pytest.approx(np.abs(np.subtract(*truth)).mean())
    run = json.loads((home / "data" / "judged" / "run.json").read_text())
    assert run["trained_with"] == {"model_def": "models.dlib_resnet"}  # so that another network judges
