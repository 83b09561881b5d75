"""train_recognizer through main.py: real and generated roots, run folder, resume, starting points, bad input."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import main
from data_loader import assets
from data_loader.folders import index_images
from data_loader.joined import SubsetIndex
from models.dlib_resnet import DlibResnet
from models.facenet_names import nn4_names
from models.nn4 import NN4
from tests.small import RECOGNIZER, make_data, only_run, untraced
from tests.trainer.tf1 import write_tf1
from trainer.face_networks.network import load_recognizer, open_recognizer
from trainer.face_networks.preparation import FaceInput
from trainer.published import dlib_import
from trainer.training import recognition, setup
from utils import command_line, runs
from utils.errors import UserError

SMALL = [*RECOGNIZER, "--log_step", "1", "--num_worker", "2"]
LEARN = "--random_crop --random_flip --random_rotate --keep_probability 0.7 --center_loss_factor 0.1".split()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Roots `a` (3 identities), `b` (2) and the generated `made` (3)."""
    folder = tmp_path_factory.mktemp("recognizer")
    for root, identities in (("a", 3), ("b", 2), ("made", 3)):
        make_data(folder / "from", identities=identities, images=2, photographs=1, pairs=1)
        shutil.move(folder / "from" / "syn", folder / root)
        shutil.rmtree(folder / "from")
    (folder / "made" / "confidence_scores.csv").write_text("path,identity,d_score,s_score,c_score\n")
    return folder


def words(data, logs, *more):
    where = ["--data_dir", data, "--log_dir", logs, "--asset_dir", data / "cache"]
    return ["train_recognizer", *map(str, [*where, *SMALL, *more])]


def arrays(run):
    with np.load(runs.newest_checkpoint(run)) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def trained(data):
    """A run of three steps on real and generated roots."""
    with untraced():
        assert main.main(words(data, data / "logs", "--dataset", "a,made,b", "--max_step", "3", *LEARN)) == 0
    return only_run(data / "logs")


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_kept_pixels_train_the_same_weights(data, trained, tmp_path, cache, untraced):
    more = ["--dataset", "a,made,b", "--max_step", "3", *LEARN, "--cache", cache]
    assert main.main(words(data, tmp_path / "logs", *more)) == 0
    expected, kept = arrays(trained), arrays(only_run(tmp_path / "logs"))
    assert not [name for name in expected if expected[name].tobytes() != kept[name].tobytes()]


def test_run_folder(trained):
    params = json.loads((trained / "params.json").read_text())
    assert trained.name.startswith("master_rec_")
    assert (params["system"], params["n_id"], params["image_size"]) == ("recognizer", 5, 16)
    assert params["labels"] == {"labelled": 5, "synthetic": 3}
    assert params["label_names"] == {
        "labelled": ["a/00001", "a/00002", "a/00003", "b/00001", "b/00002"],
        "synthetic": ["00001", "00002", "00003"],
    }
    saved = arrays(trained)
    assert saved["state/head/real/weights"].shape == (8, 5) and saved["state/head/synthetic/weights"].shape == (8, 3)
    assert not list(trained.glob("*.png"))


def test_tensorboard_has_losses_accuracy_and_faces(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained), size_guidance={"tensors": 0})
    events.Reload()
    kinds = ("", "_synthetic")
    tags = {f"{name}{kind}" for name in ("loss/cross_entropy", "loss/center", "train/accuracy") for kind in kinds}
    tags |= {"loss/total", "loss/weight_decay", "misc/learning_rate", "Shown real", "Shown synthetic"}
    assert set(events.Tags()["tensors"]) == tags


@pytest.mark.slow
def test_six_steps_equal_three_and_three_resumed(data, tmp_path):
    decay = "--epoch_size 2 --learning_rate_decay_epochs 1 --learning_rate_decay_factor 0.5".split()
    flags = ["--dataset", "a,made,b", *LEARN, *decay]
    main.main(words(data, tmp_path / "whole", *flags, "--max_step", "6", "--keep_step", "3"))
    third = only_run(tmp_path / "whole") / "checkpoints" / "step-000000003.npz"
    resumed = ["--load_path", third, "--log_dir", tmp_path / "second", "--max_nrof_epochs", "3"]
    assert main.main(["train_recognizer", *map(str, resumed)]) == 0  # 3 epochs of 2 steps
    whole, second = arrays(only_run(tmp_path / "whole")), arrays(only_run(tmp_path / "second"))
    assert whole.keys() == second.keys() and int(second["state/step"]) == 6
    assert not [name for name in whole if whole[name].tobytes() != second[name].tobytes()]
    with np.load(third) as first:
        assert any((first[name] != whole[name]).any() for name in whole if name.startswith("recognizer/"))


FIELD = "--image_size 16 --head arcface --margin_scale 16 --optimizer sgd --momentum 0.8".split()
FIELD += "--learning_rate 0.05 --learning_rate_warm_up 2 --learning_rate_power 2 --random_erasing 0.5".split()


@pytest.mark.slow  # a shorter one goes on above, and test_recognizer has each of these flags
@pytest.mark.parametrize("recognizer", ["light_cnn9", "iresnet18"])
def test_the_fields_recogniser_trains_goes_on_and_embeds(recognizer, data, tmp_path):
    flags = ["--dataset", "a,made", *FIELD, "--recognizer", recognizer, "--max_step", "4"]
    assert main.main(words(data, tmp_path / "whole", *flags, "--keep_step", "2")) == 0
    second = only_run(tmp_path / "whole") / "checkpoints" / "step-000000002.npz"
    resumed = ["--load_path", second, "--log_dir", tmp_path / "second", "--max_step", "4"]
    assert main.main(["train_recognizer", *map(str, resumed)]) == 0
    whole, again = arrays(only_run(tmp_path / "whole")), arrays(only_run(tmp_path / "second"))
    assert not [name for name in whole if whole[name].tobytes() != again[name].tobytes()]
    slots = {name.split("/")[2] for name in whole if name.startswith("optimizer/trunk/")}
    assert slots == {"iteration", "momentum"} and "state/head/real/biases" not in whole
    network, params = load_recognizer(only_run(tmp_path / "whole"))
    assert (params.head, params.optimizer, params.alignment) == ("arcface", "sgd", "none")
    assert network(FaceInput(params).prepare(tf.zeros((2, 16, 16, 3)))).shape == (2, 8)


@pytest.mark.slow
def test_what_learned_arcfaces_crops_is_shown_them(data, tmp_path, untraced, capsys):
    """Crops, or other images, as the folder's align.json says; a mixture is shown as it lies."""
    for root, crop in (("a", "arcface"), ("b", "square")):
        shutil.copytree(data / root, tmp_path / root)
        (tmp_path / root / "align.json").write_text(json.dumps({"crop": crop}))
    for dataset, alignment in (("a", "arcface"), ("b", "none"), ("a,b", "none")):
        logs = tmp_path / f"logs {dataset}"
        assert main.main(words(tmp_path, logs, "--dataset", dataset, "--max_step", "1")) == 0
        assert open_recognizer(only_run(logs)).alignment == alignment
    line = ["evaluate", "--data_dir", tmp_path, "--dataset", "a", "--pretrained_rec", only_run(tmp_path / "logs a")]
    assert main.main([*map(str, [*line, "--report_dir", tmp_path / "report", "--asset_dir", data / "cache"])]) == 0
    settings = json.loads((tmp_path / "report" / "evaluation.json").read_text())["settings"]
    assert settings["faces cut"] == "arcface"
    assert "no face found" not in capsys.readouterr().out  # they are shown as they lie: nobody looked


def test_a_trained_recognizer_is_its_averages(trained):
    network, params = load_recognizer(trained)
    saved = arrays(trained)
    kept = [saved[name] for name in sorted(saved) if name.startswith("state/average/")]
    assert len(kept) == len(network.weights) == 20
    assert all((a == b.numpy()).all() for a, b in zip(kept, network.weights, strict=True))
    face_input = FaceInput(params)
    images = tf.random.stateless_uniform((2, face_input.shown, face_input.shown, 3), [1, 2], -1.0, 1.0)
    assert face_input.shown == 18 and network(face_input.prepare(images)).shape == (2, 8)


def test_training_in_process_on_some_identities(data, tmp_path, untraced):
    index = index_images(data / "a", tmp_path / "cache", labelled=True)
    options = command_line.parse(words(data, tmp_path, "--max_step", "1"), {"train_recognizer": ""})[1]
    sources = {"labelled": SubsetIndex(index, np.flatnonzero(index.labels > 0))}
    system = recognition.train_recognizer(options, sources, tmp_path / "cell" / "one")
    assert list(system.heads) == ["real"] and system.heads["real"].weights.shape == (8, 2)
    assert runs.newest_checkpoint(tmp_path / "cell" / "one").is_file()


def test_a_run_is_a_starting_point_with_fresh_heads(data, trained, tmp_path, untraced):
    flags = ["--dataset", "b", "--max_step", "1", "--learning_rate", "0", "--pretrained_rec", trained]
    where = ["--data_dir", data, "--log_dir", tmp_path, "--asset_dir", data / "cache", "--batch_size", "2"]
    assert main.main(["train_recognizer", *map(str, [*where, *flags])]) == 0  # its network and sizes come along
    start, tuned = arrays(trained), arrays(only_run(tmp_path))
    names = [name for name in tuned if name.startswith("recognizer/")]
    assert all((tuned[name] == start[f"state/average/{name}"]).all() for name in names)
    assert all((tuned[f"state/average/{name}"] == tuned[name]).all() for name in names)
    assert tuned["state/head/real/weights"].shape == (8, 2)


def test_a_published_facenet_is_a_starting_point(tmp_path):
    published, fresh = NN4(16), NN4(16, frozen=False)
    write_tf1(tmp_path / "facenet", {name: variable.numpy() for name, variable in nn4_names(published).items()})
    line = ["train_recognizer", "--pretrained_rec", str(tmp_path / "facenet"), "--recognizer"]
    options = command_line.parse([*line, "nn4"], {"train_recognizer": ""})[1]
    options, start = recognition.starting_point(options)
    start(fresh)
    assert options.embedding_size == 16
    assert all((a.numpy() == b.numpy()).all() for a, b in zip(published.weights, fresh.weights, strict=True))
    others = {"inception_resnet_v1": "holds another network", "light_cnn9": "light_cnn9 starts from a run"}
    for name, told in others.items():
        options = command_line.parse([*line, name], {"train_recognizer": ""})[1]
        with pytest.raises(UserError, match=told):
            recognition.starting_point(options)


def test_dlibs_network_starts_from_dlibs_weights():
    options = command_line.parse(["train_recognizer", "--recognizer", "dlib_resnet"], {"train_recognizer": ""})[1]
    network, known = DlibResnet(), DlibResnet()
    dlib_import.load_dlib_resnet(known, assets.fetch("dlib_models", options.asset_dir) / dlib_import.FILE)
    recognition.starting_point(options)[1](network)
    assert all((a.numpy() == b.numpy()).all() for a, b in zip(network.weights, known.weights, strict=True))


def test_generated_roots_alone_take_the_real_ones_place(data, tmp_path, untraced, capsys):
    assert main.main(words(data, tmp_path, "--dataset", "made", "--max_step", "1")) == 0
    assert "all of it was generated" in capsys.readouterr().out
    assert json.loads((only_run(tmp_path) / "params.json").read_text())["n_id"] == 3
    assert "state/head/synthetic/weights" not in arrays(only_run(tmp_path))


def test_epochs_and_the_schedule_file_end_the_training(data, tmp_path, untraced):
    (tmp_path / "rates.txt").write_text("0: 0.01\n2: -\n")
    flags = ["--dataset", "a", "--epoch_size", "2", "--learning_rate", "-1"]
    file = ["--learning_rate_schedule_file", tmp_path / "rates.txt"]
    for number, (more, steps) in enumerate(((["--max_nrof_epochs", "1"], 2), (["--max_step", "99"], 4))):
        assert main.main(words(data, tmp_path / str(number), *flags, *file, *more)) == 0
        assert int(arrays(only_run(tmp_path / str(number)))["state/step"]) == steps


BAD = {
    "one identity": (["--dataset", "one"], "--dataset: ", "one identity"),
    "twice": (["--dataset", "a,a"], "--dataset a,a", "named twice"),
    "empty name": (["--dataset", "a,"], "--dataset a,", "empty name"),
    "no such root": (["--dataset", "a,nowhere"], "--dataset: no such folder", "nowhere"),
    "not labelled": (["--dataset", "flat"], "--dataset: ", "no label folders"),
    "too large": (["--dataset", "a", "--recognizer", "nn4", "--image_size", "64"], "--image_size 64", "96 only"),
    "no schedule": (["--dataset", "a", "--learning_rate", "-1"], "--learning_rate_schedule_file", "cannot read"),
    "no start": (["--dataset", "a", "--pretrained_rec", "nowhere"], "--pretrained_rec", "nowhere"),
    "other width": (["--dataset", "a", "--pretrained_rec", "RUN", "--embedding_size", "4"], "--embedding_size 4", "8"),
    "resumed by train": (["train", "--load_path", "RUN"], "--load_path", "a run of the job train_recognizer"),
    "idle margin": (["--dataset", "a", "--margin", "0.3"], "--margin", "--head softmax does not read it"),
    "idle momentum": (["--dataset", "a", "--momentum", "0.3"], "--momentum", "--optimizer adam does not read it"),
    "idle beta": (["--dataset", "a", "--optimizer", "sgd", "--beta1", "0.3"], "--beta1", "--optimizer sgd does not"),
    "other head": (["--load_path", "RUN", "--dataset", "a,made,b", "--head", "arcface", "--max_step", "9"],
                   "does not fit the networks", "head/real/biases"),
    "other optimizer": (["--load_path", "RUN", "--dataset", "a,made,b", "--optimizer", "sgd", "--max_step", "9"],
                        "--optimizer sgd", "was trained with adam"),
    "sgd of train": (["train", "--optimizer", "sgd"], "--optimizer sgd", "train has adam"),
    "generate": (["generate", "--pretrained_gen", "RUN"], "--pretrained_gen", "which makes no images"),
    "done": (["--load_path", "RUN", "--dataset", "a,made,b"], "--max_step", "has done 3 of 3"),
    "nothing generated": (["--load_path", "RUN", "--dataset", "a,b"], "--dataset: ", "people of labelled, s"),
    "other data": (["--load_path", "RUN", "--dataset", "a"], "--dataset: ", "holds other people than"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_makes_no_run(case, data, trained, tmp_path, capsys):
    flags, *told = BAD[case]
    if not (data / "one").is_dir():
        shutil.copytree(data / "a" / "00001", data / "one" / "x")
        shutil.copytree(data / "a" / "00001", data / "flat")
    flags = [str(trained) if flag == "RUN" else flag for flag in flags]
    if flags[0].startswith("--"):
        line = words(data, tmp_path / "logs", *flags)
    else:
        line = [*flags, "--log_dir", str(tmp_path / "logs"), "--data_dir", str(data)]
    assert main.main(line) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert all(part in error for part in told), error
    assert not (tmp_path / "logs").exists()


def test_a_run_of_another_job_is_no_recognizer(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-000000001.npz").touch()
    (tmp_path / "params.json").write_text(json.dumps({"system": "facegan"}))
    with pytest.raises(UserError, match="is no run of train_recognizer"):
        load_recognizer(tmp_path)
    options = SimpleNamespace(load_path=str(tmp_path), log_dir="logs")
    with pytest.raises(UserError, match="a run of the job train$"):
        setup.resumed_run(options, job="train_recognizer")
