"""Every command of the README, run as a user would, in an empty folder: only sizes are made small."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data_loader import assets
from tests.small import LOGS, NETWORKS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PLACEHOLDER = "master_gen_0102_030405"
COMMANDS = list(dict.fromkeys(re.findall(r"python main\.py[^`\n]*", README)))
SMALLER = {  # job -> flags that keep the test short
    "demo": "--demo_minutes 0.05",
    "align": "",
    "pair": "--num_worker 1",
    "render": "--n_id 2 --images_per_id 2",
    "train": shlex.join([*NETWORKS, *LOGS, "--max_step", "4", "--method_c", "none"]),  # images of any size are resized
    "resume": "--max_step 6",
    "test": "",
    "generate": "",
    "fit": "",
    "export": "",
    "filter": "--save_filtered kept",
    "evaluate": "",
    "train_recognizer": "--image_size 16 --batch_size 2 --max_step 2",
    "experiment": "--image_size 16 --batch_size 2 --max_step 2 --fractions 100 --seeds 1 --report_dir experiment",
    "fidelity": "",
    "benchmark": shlex.join([*NETWORKS, "--steps", "2", "--method_c", "none"]),
    "help": "",
}


def python(words, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )


# From a folder of photographs to a run and to what it generates, in the README's order.
JOURNEY = ("align", "pair", "render", "train", "generate")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder as a newcomer has it after the README's commands up to generating: data/ and one run below logs/."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "data" / "holiday").mkdir(parents=True)
    faces = assets.fetch("att_faces", "~/.cache/facegan")
    for person in ("s1", "s5", "s9"):
        shutil.copy(faces / person / "1.pgm", folder / "data" / "holiday" / f"{person}.pgm")
    for person in ("s2", "s3", "s4", "s6"):
        for photograph in ("1.pgm", "2.pgm", "3.pgm"):
            (folder / "data" / "people" / person).mkdir(parents=True, exist_ok=True)
            shutil.copy(faces / person / photograph, folder / "data" / "people" / person)
    (folder / "tests").symlink_to(ROOT / "tests")
    commands = [command for command in COMMANDS if job(command) in JOURNEY]
    assert [job(command) for command in commands] == list(JOURNEY)
    for command in commands:
        result = run(command, folder)
        assert result.returncode == 0, result.stderr
    return folder


def job(command):
    words = shlex.split(command)[2:]
    if "--help" in words:
        return "help"
    if words and not words[0].startswith("-"):
        return words[0]
    if "--load_path" in words:
        return "test" if "--is_train" in words else "resume"
    return "train"


def run(command, folder):
    runs = (folder / "logs").glob("*_gen_*")
    newest = max(runs, key=lambda path: path.stat().st_mtime_ns, default=None)
    for placeholder in (f"logs/{PLACEHOLDER}", "RUN"):
        command = command.replace(placeholder, f"logs/{newest.name}" if newest else placeholder)
    words = shlex.split(command)[1:]
    return python([str(ROOT / "main.py"), *words[1:], *shlex.split(SMALLER[job(command)])], folder)


def test_a_folder_of_photographs_becomes_the_three_folders(home):
    for folder, ending in (("photographs", "jpg"), ("paired", "jpg"), ("paired/3dmm", "jpg"), ("syn/00002", "png")):
        images = list((home / "data" / folder).glob(f"*.{ending}"))
        assert len(images) == (2 if folder.startswith("syn") else 3), folder
    assert {path.name for path in (home / "data" / "holiday").iterdir()} == {"s1.pgm", "s5.pgm", "s9.pgm"}


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if job(command) not in (*JOURNEY, "demo", "fidelity")]
)
def test_readme_command(command, home):
    result = run(command, home)
    assert result.returncode == 0, result.stderr


def test_generated_data_set_is_complete(home):
    command = next(c for c in COMMANDS if job(c) == "generate").replace("generated", "complete")
    assert run(command, home).returncode == 0
    folder = home / "data" / "complete"
    with open(folder / "confidence_scores.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [f"{i:05d}/{k:05d}.jpg" for i in (1, 2) for k in (1, 2)]
    assert all((folder / row["path"]).is_file() and float(row["d_score"]) > 0 for row in rows)


def test_published_commands_as_printed(home, tmp_path):
    """Train and generate by the flags of the published README; its boolean spelling must not start a training."""
    logs = tmp_path / "logs"
    folders = f"--log_dir {logs} --data_dir data --syn_dataset syn --dataset photographs --dataset_3dmm paired"
    small = f"{SMALLER['train']} --input_scale_size 108 --conv_hidden_num_back 4"
    trained = python([str(ROOT / "main.py"), *shlex.split(f"{folders} {small} --max_step 2")], home)
    assert trained.returncode == 0, trained.stderr
    made = "--save_syn_dataset printed --train_generator False --generate_dataset True"
    words = shlex.split(f"{folders} --input_scale_size 108 {made} --pretrained_gen {logs}/model.ckpt")
    generated = python([str(ROOT / "main.py"), *words], home)
    assert generated.returncode == 0, generated.stderr
    assert len(list((home / "data" / "printed").rglob("*.jpg"))) == 4
    assert len(list(logs.iterdir())) == 1


def test_demo_runs_resumes_and_reuses(tmp_path):
    first = run("python main.py demo", tmp_path)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "demo" / "before_after.png").is_file()
    assert len(list((tmp_path / "demo" / "data" / "generated").glob("*/*.png"))) == 800
    again = run("python main.py demo", tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("was there already") >= 3
    assert "train it on for 0.0375 minutes" in again.stdout


def test_the_published_run_is_met(home):
    result = run(next(command for command in COMMANDS if job(command) == "fidelity"), home)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert len(report) == 43
    assert max(entry["relative"] for key, entry in report.items() if key.startswith("step0")) < 1e-5
    assert max(entry["relative"] for entry in report.values()) < 1e-3


def test_start_is_quiet(home):
    result = run("python main.py test --pretrained_gen RUN", home)
    assert result.returncode == 0
    assert not result.stderr
