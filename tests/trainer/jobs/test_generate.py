"""generate, fit and test through main.py: what they write, going on after a kill, and every kind of bad input."""

import csv
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import main
from data_loader import folders
from tests.small import face, make_data, train_words
from tests.trainer.tf1 import write_tf1
from trainer.face_networks.network import build_network
from trainer.published.arrays import named_weights
from trainer.published.facenet import facenet_names_of
from trainer.training.load import load_system
from utils import command_line
from utils.images import to_uint8

MAIN = Path(main.__file__)


@pytest.fixture
def renders(tmp_path):
    """Five renders of two people, of several kinds and sizes."""
    for number, name in enumerate(("zoë/a,b.png", "zoë/deep/er.bmp", "zoë/2.jpg", "7/10.png", "7/9.png")):
        path = tmp_path / "renders" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face(number, 16 + number % 2)).save(path)
    return tmp_path / "renders"


def generate_words(trained_run, renders, target, *more):
    return trained_run.words("generate", "--syn_dataset", renders, "--save_syn_dataset", target, *more)


def table(folder):
    with open(folder / "confidence_scores.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder):
    """{relative path: what is in it}: bytes, but of run.json and the card all that does not name the folder itself."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    run = json.loads(files["run.json"])
    del run["flags"]["save_syn_dataset"], run["commit"]  # someone may work on the code meanwhile
    card = files.get("README.md", b"").replace(f"pretty_name: {folder.name}\n".encode(), b"")
    return files | {"run.json": run, "README.md": card.replace(f"\n# {folder.name}\n".encode(), b"")}


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_writes_what_the_averaged_weights_make(trained_run, renders, tmp_path):
    target = tmp_path / "out"
    (renders / "render.json").write_text('{"renderer": 3}')
    assert main.main(generate_words(trained_run, renders, target, "--image_format", "png")) == 0
    assert json.loads((target / "run.json").read_text())["inputs"]["renderer"] == 3
    assert "5 images of 2 identities; renderer 3\n" in (target / "README.md").read_text()
    rows = table(target)
    assert [row["path"] for row in rows] == ["7/9.png", "7/10.png", "zoë/2.png", "zoë/a,b.png", "zoë/deep/er.png"]
    assert [row["identity"] for row in rows] == ["7", "7", "zoë", "zoë", "zoë"]

    trained = load_system(command_line.parse(trained_run.words("generate"), main.JOBS)[1])
    for row, name in zip(rows, ("7/9.png", "7/10.png", "zoë/2.jpg", "zoë/a,b.png", "zoë/deep/er.bmp"), strict=True):
        render = folders.decode(renders / name, 16)[None].astype(np.float32) / 127.5 - 1
        expected = trained.system.generate({"synthetic": render})
        assert np.abs(pixels(target / row["path"]).astype(int) - to_uint8(expected["image"].numpy())[0]).max() <= 1
        for score in ("d_score", "s_score"):
            np.testing.assert_allclose(float(row[score]), expected[score].numpy()[0], rtol=1e-5)
        assert row["c_score"] == ""


@pytest.mark.parametrize("asked", ["none", "s", "s, d"])
def test_scores_that_are_not_asked_for_stay_empty(trained_run, renders, tmp_path, untraced, capsys, asked):
    """The images are the same, bit by bit; another choice needs another folder; filter says what it lacks."""
    all_of_them, target = tmp_path / "all", tmp_path / "some"
    main.main(generate_words(trained_run, renders, all_of_them))
    capsys.readouterr()
    assert main.main(generate_words(trained_run, renders, target, "--scores", asked)) == 0
    assert "c_score stays empty" not in capsys.readouterr().out
    for row, full in zip(table(target), table(all_of_them), strict=True):
        assert row == {name: "" if name[1:] == "_score" and name[0] not in asked else full[name] for name in full}
    told = {"none": "none", "s": "s", "s, d": "d,s"}[asked]
    expected, found = contents(all_of_them), contents(target)
    for each, scores in ((expected, ("d,s,c", "all")), (found, (told, asked))):
        assert tuple(each["run.json"][part].pop("scores") for part in ("settings", "flags")) == scores
        del each["confidence_scores.csv"], each["metadata.csv"]
    assert expected == found
    before = contents(target)
    assert main.main(generate_words(trained_run, renders, target)) == 2
    assert f"scores {told} there, d,s,c here" in capsys.readouterr().err and contents(target) == before
    assert main.main(["filter", "--save_syn_dataset", str(target), "--score_limits", "c=1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "images without a c_score" in line


def test_a_folder_from_before_scores_could_be_chosen_holds_all(trained_run, renders, tmp_path, untraced, capsys):
    target = tmp_path / "out"
    main.main(generate_words(trained_run, renders, target))
    run = json.loads((target / "run.json").read_text())
    del run["settings"]["scores"]
    (target / "run.json").write_text(json.dumps(run))
    capsys.readouterr()
    assert main.main(generate_words(trained_run, renders, target)) == 0
    assert "finished already" in capsys.readouterr().out
    assert main.main(generate_words(trained_run, renders, target, "--scores", "none")) == 2
    assert "scores d,s,c there, none here" in capsys.readouterr().err


@pytest.mark.slow
def test_no_row_follows_a_batch_that_could_not_be_written(trained_run, renders, tmp_path, untraced, capsys):
    """A file lies where the first folder must be: no row of what comes after; once it is gone the job goes on."""
    target = tmp_path / "out"
    words = generate_words(trained_run, renders, target, "--batch_size", "1", "--num_worker", "1")
    assert main.main(words) == 0
    whole = contents(target)
    shutil.rmtree(target / "7")
    run = json.loads((target / "run.json").read_text()) | {"finished": False}
    (target / "run.json").write_text(json.dumps(run))
    (target / "7").write_text("no folder")
    capsys.readouterr()
    assert main.main(words) == 2
    assert f"cannot write in {target}" in capsys.readouterr().err
    assert (target / "confidence_scores.partial.csv").read_text() == ""
    (target / "7").unlink()
    assert main.main(words) == 0
    assert contents(target) == whole


def test_takes_the_averages(trained_run, untraced):
    trained = load_system(command_line.parse(trained_run.words("generate"), main.JOBS)[1])
    with np.load(trained.checkpoint) as file:
        for name, weight in named_weights("generator", trained.system.generator).items():
            np.testing.assert_array_equal(weight.numpy(), file[f"state/average/{name}"])
        assert (file[name] != file[f"state/average/{name}"]).any()


def test_needs_neither_photographs_nor_pairs(trained_run, renders, tmp_path, untraced, capsys):
    """The command of the published README, with nothing but renders and a checkpoint on the disk."""
    data = tmp_path / "data"
    shutil.copytree(renders, data / "S")
    words = f"--log_dir {trained_run.logs} --data_dir {data} --syn_dataset S --dataset R --dataset_3dmm P".split()
    words += "--input_scale_size 16 --save_syn_dataset OUT --train_generator False --generate_dataset True".split()
    assert main.main([*words, "--pretrained_gen", f"{trained_run.run}/model.ckpt"]) == 0
    first = contents(data / "OUT")
    assert "7/10.jpg" in first and pixels(data / "OUT" / "7" / "10.jpg").shape == (16, 16, 3)
    shutil.rmtree(data / "OUT")
    assert main.main([*words, "--pretrained_gen", f"{trained_run.logs}/model.ckpt"]) == 0
    again = contents(data / "OUT")
    named = [each["run.json"]["flags"].pop("pretrained_gen") for each in (first, again)]
    assert named == ["model.ckpt", "model.ckpt"]  # run.json publishes no paths of this machine
    assert first == again  # the same seed, the same bytes
    assert capsys.readouterr().out.count(str(trained_run.run / "checkpoints" / "step-000000002.npz")) == 2


def test_jpeg_keeps_full_colour_resolution_and_quality(trained_run, renders, tmp_path, untraced):
    sizes = []
    for quality in (95, 30):
        main.main(generate_words(trained_run, renders, tmp_path / str(quality), "--image_quality", quality))
        with Image.open(tmp_path / str(quality) / "7" / "9.jpg") as image:
            assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3
        sizes.append((tmp_path / str(quality) / "7" / "9.jpg").stat().st_size)
    assert sizes[0] > sizes[1]


def test_run_json_card_and_checksums(trained_run, renders, tmp_path, untraced):
    target = tmp_path / "my-faces"
    main.main(generate_words(trained_run, renders, target))
    run = json.loads((target / "run.json").read_text())
    checkpoint = trained_run.run / "checkpoints" / "step-000000002.npz"
    names = "7/9.png\n7/10.png\nzoë/2.jpg\nzoë/a,b.png\nzoë/deep/er.bmp\n"
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert run["settings"]["checkpoint_sha256"] == {checkpoint.name: digest}
    assert run["settings"]["input_names_sha256"] == hashlib.sha256(names.encode()).hexdigest()
    assert run["checkpoint"] == f"{trained_run.run.name}/checkpoints/{checkpoint.name}"
    assert run["images"] == 5 and run["finished"] and str(trained_run.data) not in (target / "run.json").read_text()
    assert run["flags"]["conv_hidden_num_res"] == 4 and run["settings"]["random_seed"] == 123
    assert set(run["versions"]) == {"python", "tensorflow", "keras", "numpy"}
    card = (target / "README.md").read_text()
    assert card.startswith("---\n# license:") and "pretty_name: my-faces" in card and "- face-recognition\n" in card
    assert "| identities | 2 " in card and "| images | 5 |" in card and "16 x 16" in card
    rests_on = {each["what"]: each for each in run["licences"]}
    assert set(rests_on) == {"photographs", "images of renders", "images of syn", "images of paired"}
    assert "| photographs | nobody | CC0 | not excluded |" in card
    assert "has to be asked for, by: images of paired, images of renders, images of syn.\n" in card
    for line in (target / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((target / name).read_bytes()).hexdigest() == digest


@pytest.mark.slow
def test_goes_on_after_sigterm_and_after_kill(trained_run, tmp_path, capsys):
    renders = tmp_path / "renders"
    (renders / "1").mkdir(parents=True)
    for number in range(240):
        Image.fromarray(face(number, 16)).save(renders / "1" / f"{number}.png")
    whole, target = tmp_path / "whole", tmp_path / "target"
    assert main.main(generate_words(trained_run, renders, whole, "--batch_size", "2")) == 0
    words = generate_words(trained_run, renders, target, "--batch_size", "2")

    done = []
    for stop in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen([sys.executable, MAIN, *words], stdout=subprocess.PIPE, text=True)
        wait_for_rows(target, more_than=done[-1] if done else 0, process=process)
        process.send_signal(stop)
        said = process.communicate(timeout=60)[0]
        done.append((target / "confidence_scores.partial.csv").read_text().count("\n"))
        if stop == signal.SIGTERM:
            assert process.returncode == 1 and f"after {done[0]} of 240 images; the same command goes on there" in said
    assert 0 < done[0] < done[1] < 240
    with open(target / "confidence_scores.partial.csv", "a") as file:
        file.write("1/half a ro")  # as a kill in mid-write leaves it
    assert not (target / "confidence_scores.csv").exists()
    capsys.readouterr()
    assert main.main(words) == 0
    assert "240 images" in capsys.readouterr().out
    assert contents(target) == contents(whole)

    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    assert main.main(words) == 0
    assert "finished already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before


def test_an_image_that_is_gone_from_a_finished_folder_is_told(trained_run, renders, tmp_path, untraced, capsys):
    target = tmp_path / "out"
    words = generate_words(trained_run, renders, target)
    main.main(words)
    (target / "zoë" / "2.jpg").unlink()
    where = ["--data_dir", str(tmp_path), "--save_syn_dataset", "out"]
    for command in (words, ["status", *where], ["merge", *where]):
        capsys.readouterr()
        assert main.main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: --save_syn_dataset: ") and "1 of its 5 images are gone, 'zoë/2.jpg'" in line


def wait_for_rows(folder, more_than, process, seconds=60):
    rows, end = folder / "confidence_scores.partial.csv", time.monotonic() + seconds
    while not rows.is_file() or rows.read_text().count("\n") <= more_than:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)


def test_a_missing_image_is_made_again(trained_run, renders, tmp_path, untraced):
    """A batch is done when its rows and its images are there; a changed one is left alone."""
    target = tmp_path / "out"
    words = generate_words(trained_run, renders, target, "--batch_size", "2")
    main.main(words)
    whole = contents(target)
    sums = (target / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    with open(target / "confidence_scores.partial.csv", "w", encoding="utf-8") as file:
        for row, line in zip(table(target), sums, strict=True):
            csv.writer(file, lineterminator="\n").writerow([*row.values(), line.split()[0], ""])
    run = json.loads((target / "run.json").read_text()) | {"finished": False}
    (target / "run.json").write_text(json.dumps(run))
    (target / "zoë" / "2.jpg").unlink()
    (target / "confidence_scores.csv").unlink()
    (target / "7" / ".facegan-x_0.tmp").write_bytes(b"left by a kill")
    stayed = (target / "7" / "9.jpg").stat().st_mtime_ns
    assert main.main(words) == 0
    assert contents(target) == whole and (target / "7" / "9.jpg").stat().st_mtime_ns == stayed


def test_an_unreadable_render_is_skipped_and_listed(trained_run, tmp_path, untraced, capsys):
    (tmp_path / "S" / "1").mkdir(parents=True)
    for number in range(100):
        Image.fromarray(face(number, 16)).save(tmp_path / "S" / "1" / f"{number:03d}.png")
    good = (tmp_path / "S" / "1" / "041.png").read_bytes()
    (tmp_path / "S" / "1" / "041.png").write_bytes(good[:60])
    target = tmp_path / "out"
    assert main.main(generate_words(trained_run, tmp_path / "S", target, "--batch_size", "50")) == 0
    assert "99 images" in capsys.readouterr().out
    with open(target / "skipped_files.csv") as file:
        (row,) = csv.DictReader(file)
    assert row["path"] == "1/041.png" and row["reason"]
    assert len(table(target)) == 99 and not (target / "1" / "041.jpg").exists()
    (tmp_path / "S" / "1" / "042.png").write_bytes(good[:60])
    assert main.main(generate_words(trained_run, tmp_path / "S", tmp_path / "other")) == 2
    assert "2 of 100 images" in capsys.readouterr().err and not (tmp_path / "other").exists()


@pytest.mark.slow
def test_identity_scores_of_the_magnet_loss(tmp_path, untraced, capsys):
    data, logs = make_data(tmp_path / "data"), tmp_path / "logs"
    prefix = tmp_path / "facenet"
    words = ["train", "--model_def", "models.nn4", "--embedding_size", "16"]
    options = command_line.parse(words, main.JOBS)[1]
    names = facenet_names_of(build_network(options), options)
    weights = {name: variable.numpy() for name, variable in names.items()}
    write_tf1(prefix, weights | {"Logits/weights": np.zeros((16, 9))})
    words = train_words(data, logs, "--max_step", "1", "--method_c", "magnet", "--pretrained_rec", prefix)
    assert main.main(words) == 0  # --embedding_size is read from the checkpoint
    generate = ["generate", "--log_dir", str(logs), "--pretrained_gen", str(logs), "--image_format", "png"]
    assert main.main([*generate, "--save_syn_dataset", "out", "--batch_size", "4"]) == 0
    scores = np.array([float(row["c_score"]) for row in table(data / "out")])
    assert len(scores) == 9 and np.isfinite(scores).all() and "c_score" not in capsys.readouterr().out

    shutil.move(data / "syn" / "00003", tmp_path)  # other people than those of the training
    assert main.main([*generate, "--save_syn_dataset", "out2"]) == 0
    assert {row["c_score"] for row in table(data / "out2")} == {""}
    assert "c_score stays empty" in capsys.readouterr().out


def test_fit_writes_a_render_for_each_photograph(trained_run, untraced, capsys):
    target = trained_run.data / "fitting"
    assert main.main(trained_run.words("fit", "--image_format", "png")) == 0
    assert "6 images" in capsys.readouterr().out
    visible = {path.name for path in target.iterdir() if not path.name.startswith(".")}
    assert visible == {"run.json", "SHA256SUMS", *(f"{i}.png" for i in range(6))}
    trained = load_system(command_line.parse(trained_run.words("fit"), main.JOBS)[1])
    photograph = folders.decode(trained_run.data / "real" / "4.jpg", 16)[None].astype(np.float32) / 127.5 - 1
    expected = to_uint8(trained.system.fit({"real": photograph})["image"].numpy())[0]
    assert np.abs(pixels(target / "4.png").astype(int) - expected).max() <= 1


def test_test_writes_the_fixed_grid(trained_run, untraced):
    made_in_training = (trained_run.run / "syn_fixed.png").read_bytes()
    words = ["--is_train", "False", "--log_dir", str(trained_run.logs), "--load_path", trained_run.run.name]
    assert main.main(words) == 0
    assert (trained_run.run / "syn_fixed.png").read_bytes() == made_in_training
    last = pixels(trained_run.run / "2_G.png").astype(int)  # the raw weights; the averages are near after two steps
    grid = pixels(trained_run.run / "test_G.png")
    assert grid.shape == last.shape == (2 * 16 + 2, 2 * 16 + 2, 3) and np.abs(grid - last).mean() < 30


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--pretrained_gen", "nowhere"], "--pretrained_gen: no run folder and no checkpoint at nowhere"),
        (["--input_scale_size", "64"], "--input_scale_size 64: {run}/checkpoints/{step} was trained with 16"),
        (["--conv_hidden_num", "32"], "--conv_hidden_num 32: {run}/checkpoints/{step} was trained with 4"),
        (["--syn_dataset", "nix"], "--syn_dataset: no such folder: {data}/nix"),
        (["--scores", "d,x"], "--scores d,x: 'x' is none of d, s, c; give some of them with commas between, all or "),
        (["--scores", ""], "--scores : '' is none of d, s, c"),
        (["--syn_dataset", "{tmp}"], "--syn_dataset: no images in {tmp}"),
        (["--save_syn_dataset", "syn"], "--save_syn_dataset: {data}/syn is in the input folder of --syn_dataset"),
        (["--save_syn_dataset", "real/new"], "--save_syn_dataset: {data}/real/new is in the input folder of --dataset"),
        (["--save_syn_dataset", "."], "--save_syn_dataset: {data} holds "),
        (["--grid", "{data}/syn/0.png"], "--grid: {data}/syn/0.png is in the input folder of --syn_dataset"),
        (["--grid", "{tmp}"], "--grid: {tmp} is not the name of a .png file"),
        (["--grid", "{tmp}/nosuch/grid.png"], "--grid: there is no folder {tmp}/nosuch"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(trained_run, tmp_path, untraced, capsys, flags, message):
    places = {"run": trained_run.run, "data": trained_run.data, "tmp": tmp_path, "step": "step-000000002.npz"}
    before = sorted(trained_run.data.rglob("*"))
    words = trained_run.words("generate", "--save_syn_dataset", "new", *(flag.format(**places) for flag in flags))
    assert main.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: " + message.format(**places))
    assert sorted(trained_run.data.rglob("*")) == before


@pytest.mark.parametrize("job", ["generate", "train"])
@pytest.mark.parametrize(
    ("flag", "value", "had"), [("upsample", "nearest", "transposed"), ("centroids", "renders", "moving")]
)
def test_a_run_from_before_a_flag_was_trained_with_its_default(trained_run, tmp_path, capsys, job, flag, value, had):
    old = tmp_path / "old"
    shutil.copytree(trained_run.run, old)
    params = json.loads((old / "params.json").read_text())
    (old / "params.json").write_text(json.dumps({name: params[name] for name in params if name != flag}))
    weights = {"generate": "--pretrained_gen", "train": "--load_path"}[job]
    words = [job, "--data_dir", str(trained_run.data), weights, str(old), f"--{flag}", value]
    assert main.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: --{flag} {value}: {old}/checkpoints/step-000000002.npz was trained with {had}"


def test_names_that_would_become_one_file(trained_run, renders, tmp_path, untraced, capsys):
    shutil.copy(renders / "7" / "9.png", renders / "7" / "9.bmp")
    assert main.main(generate_words(trained_run, renders, tmp_path / "out")) == 2
    line = capsys.readouterr().err
    assert f"{renders}/7/9.bmp" in line and f"{renders}/7/9.png" in line and not (tmp_path / "out").exists()


def test_results_of_other_settings_are_left_alone(trained_run, renders, tmp_path, untraced, capsys):
    target = tmp_path / "out"
    main.main(generate_words(trained_run, renders, target))
    before = contents(target)
    assert main.main(generate_words(trained_run, renders, target, "--random_seed", "4", "--image_format", "png")) == 2
    line = capsys.readouterr().err
    assert ": --random_seed 123 there, 4 here; --image_format jpg there, png here; --image_quality 95" in line
    assert contents(target) == before
    assert main.main(generate_words(trained_run, renders, target, "--batch_size", "3")) == 2
    assert "batch_size 4 there, 3 here" in capsys.readouterr().err
    assert main.main(trained_run.words("fit", "--dataset", renders, "--save_fitting", target)) == 2
    assert f"--save_fitting: {target} holds results" in (line := capsys.readouterr().err)
    assert "(run.json): job generate there, fit here" in line and contents(target) == before


def test_results_of_another_checkpoint_are_left_alone(trained_run, renders, tmp_path, untraced, capsys):
    target, other = tmp_path / "out", tmp_path / "other"
    main.main(generate_words(trained_run, renders, target))
    shutil.copytree(trained_run.run, other)
    checkpoint = other / "checkpoints" / "step-000000002.npz"
    with np.load(checkpoint) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["state/k_real"] = np.float32(0.5)
    np.savez(checkpoint, **arrays)
    assert main.main([*generate_words(trained_run, renders, target), "--pretrained_gen", str(other)]) == 2
    assert "checkpoint_sha256" in capsys.readouterr().err
