"""Every command of the README and of docs/, run as a user would, in a folder of its own: only sizes are made small.

Jobs run inside this process, by main.main, so that TensorFlow starts once, and eagerly: tracing a step takes longer
than a few steps. The README's training has a process of its own, with all that a user's has.
"""

import contextlib
import csv
import importlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import main
from data_loader import assets
from tests import compare_size
from tests.small import CFS, DAGAN, IPGAN, LOGS, NETWORKS
from trainer.benchmark import machine, measure
from utils.flags import FLAGS

pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("pretrained/*/README.md"))]
PLACEHOLDER = "logs/master_gen_0102_030405"  # a run folder, as RUN
PROGRAMS = ("python ", "pip ", "saved_model_cli ", "tensorboard ", "sha256sum ")
SMALL = shlex.join(NETWORKS)
EXPERIMENT = "--image_size 16 --batch_size 2 --max_step 2 --fractions 100 --seeds 1"
SMALLER = {  # job, or module of tests/ -> flags that keep its test short; images of any size are resized
    "align": "",
    "pair": "--num_worker 1",
    "simulate": "--yaws -30,0,30 --num_worker 1",
    "render": "--n_id 2 --images_per_id 2 --num_worker 1",
    "train": f"{SMALL} {shlex.join(LOGS)} --max_step 4 --method_c none --keep_best none",  # which fetches FaceNet
    "train dagan": f"{shlex.join(DAGAN)} {shlex.join(LOGS)} --max_step 2 --lambda_3 0",  # no face network
    "train cfs": f"{shlex.join(CFS)} {shlex.join(LOGS)} --max_step 2",
    "train ipgan": f"{shlex.join(IPGAN)} {shlex.join(LOGS)} --max_step 2",
    "resume": "--max_step 6",
    "test": "",
    "generate": "",
    "fit": "",
    "export": "",
    "filter": "--model_def models.dlib_resnet",
    "package": "",
    "gallery": "",
    "evaluate": "--model_def models.dlib_resnet",  # FaceNet is 85 MB to fetch
    "train_recognizer": "--image_size 16 --batch_size 2 --max_step 2",
    "experiment": f"{EXPERIMENT} --report_dir experiment",
    **dict.fromkeys(("experiment dagan", "experiment cfs", "experiment ipgan"), EXPERIMENT),
    "benchmark": f"{SMALL} --steps 2 --method_c none",
    "help": "",
    "status": "",
    "merge": "",
    "tests.compare_speed": f"{SMALL} --steps 1 --method_c none",
    "tests.compare_size": "",
    "saved_model_cli": "",
    "sha256sum": "",
}
TESTED_ALONE = {"demo": "test_demo_runs_resumes_and_reuses", "fidelity": "test_the_published_run_is_met"}
NOT_RUN = {  # command -> why
    "python -m pytest": "this suite",
    "python -m pytest -m slow": "the rest of this suite",
    "pip install -r requirements.txt": "changes the environment",
    "pip install -r requirements-dev.txt": "changes the environment",
    "pip install -r requirements-faces.txt": "changes the environment",
    "pip install -r requirements-package.txt": "changes the environment",
    "pip install -r requirements-ray.txt": "changes the environment",
    "pip install -r requirements-onnx.txt": "changes the environment",
    'pip install "tensorflow[and-cuda]==2.21.0"': "changes the environment",
    "tensorboard --logdir logs": "serves until it is stopped",
}
WHERE = {"sha256sum": "data/generated"}  # the folder in which a page runs it
PEOPLE = ("s2", "s3", "s4", "s6")  # of the AT&T photographs


def commands_of(page):
    """The commands of a page, in order: all lines of its bash blocks, and all other code that begins with a program."""
    block = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
    text = page.read_text()
    lines = [(kind == "bash", line) for kind, body in block.findall(text) for line in body.splitlines()]
    lines += [(False, code) for code in re.findall(r"`([^`]+)`", block.sub("", text)) if " " in code]
    lines = [line.partition("  #")[0] for sure, line in lines if sure or line.startswith(PROGRAMS)]
    return [part.strip().replace(PLACEHOLDER, "RUN") for line in lines for part in line.split("&&")]


COMMANDS = list(dict.fromkeys(" ".join(command.split()) for page in PAGES for command in commands_of(page)))

FEWER = {  # a command of a page -> the words in it that a test has others for
    "python -m tests.compare_size 1000 10000 100000": ("1000 10000 100000", "20"),
    **{command: ("--n_id 1000 --images_per_id 20", "--n_id 2 --images_per_id 2") for command in COMMANDS
       if "generate" in command},
}


def job(command):
    """What SMALLER, TESTED_ALONE or NOT_RUN say something about: a job of main.py, a module, a program, a command."""
    words = shlex.split(command)
    if command in NOT_RUN:
        return command
    if words[:2] == ["python", "-m"]:
        return words[2]
    if words[:2] != ["python", "main.py"]:
        return words[0]
    if "--help" in words:
        return "help"
    if "--system" in words:
        return f"{words[2]} {words[words.index('--system') + 1]}"
    if len(words) > 2 and not words[2].startswith("-"):
        return words[2]
    if "--load_path" in words:
        return "test" if "--is_train" in words else "resume"
    return "train"


FIRST = {job(command): command for command in reversed(COMMANDS)}  # job -> the first command that runs it
# From a folder of photographs to a run and to what it generates.
JOURNEY = [FIRST[name] for name in ("align", "pair", "render", "train", "generate")]
OTHERS = [c for c in COMMANDS if c not in {*JOURNEY, *NOT_RUN} and job(c) not in TESTED_ALONE]


def python(words, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )


def in_process(words, real=subprocess.run, **options):
    """subprocess.run for this project's own programs, without a new process: main.py and the modules of tests/."""
    if words[0] != sys.executable or words[1:3] == ["-m", "pip"]:
        return real(words, **options)
    program, words = (words[2], words[3:]) if words[1] == "-m" else ("main", words[2:])
    output = io.StringIO()
    with contextlib.redirect_stdout(output) if "stdout" in options else contextlib.nullcontext():
        status = importlib.import_module(program).main([str(word) for word in words]) or 0
    return subprocess.CompletedProcess(words, status, output.getvalue())


def smaller(command, folder, small=None):
    """The words of a command of a page, with flags that make it small. RUN is the oldest run in `folder`, DAGAN_RUN and
    the like the newest of these systems."""
    runs = (folder / "logs").glob("*_gen_*")
    oldest = min(runs, key=lambda run: run.name.partition("_gen_")[2], default=Path("RUN"))  # by the time in its name
    command = re.sub(r"\bRUN\b", f"logs/{oldest.name}", command.replace(*FEWER.get(command, ("", ""))))
    for task in ("dagan", "cfs", "ipgan"):
        if f"{task.upper()}_RUN" in command:
            command = command.replace(f"{task.upper()}_RUN", str(max((folder / "logs").glob(f"{task}_gen_*"))))
    return shlex.split(f"{command} {SMALLER[job(command)] if small is None else small}")


def run(command, folder, small=None):
    """Run a command of a page in `folder`, made small; its exit status."""
    words = smaller(command, folder, small)
    with contextlib.chdir(folder / WHERE.get(words[0], "")):
        if words[:2] == ["python", "main.py"]:
            return main.main(words[2:])
        if words[:2] == ["python", "-m"]:
            return importlib.import_module(words[2]).main(words[3:]) or 0
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(words, env=os.environ | {"PATH": path}).returncode


@pytest.fixture(scope="module", autouse=True)
def eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder as a newcomer has it after the README's commands up to generating: data/ and one run below logs/."""
    folder = tmp_path_factory.mktemp("home")
    photographs(folder / "data" / "holiday", {"": ("s1/1.pgm", "s5/2.pgm", "s9/3.pgm", "s13/4.pgm")})
    photographs(folder / "data" / "people", {person: [f"{person}/{i}.pgm" for i in (1, 2, 3)] for person in PEOPLE})
    for name in ("tests", "pretrained"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "demo" / "data").mkdir(parents=True)
    for name, there in {"att": "people", "syn": "syn", "pairs": "paired"}.items():
        (folder / "demo" / "data" / name).symlink_to(folder / "data" / there)
    (folder / "weights.csv").write_text("file_name,weight\n1.jpg,4\n")
    np.save(folder / "renders.npy", np.zeros((3, 16, 16, 3), np.uint8))
    for command in sorted(JOURNEY, key=COMMANDS.index):  # in the README's order
        if job(command) == "train":
            started = python([str(ROOT / "main.py"), *smaller(command, folder)[2:]], folder)
            assert started.returncode == 0, started.stderr
            (folder / "started.json").write_text(json.dumps([started.stdout, started.stderr]))
        else:
            assert run(command, folder) == 0, command
    return folder


def photographs(folder, wanted):
    """Copy some of the AT&T photographs: {folder below `folder`: paths}."""
    faces = assets.fetch("att_faces", "~/.cache/facegan")
    for below, paths in wanted.items():
        (folder / below).mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copy(faces / path, folder / below)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_a_folder_of_photographs_becomes_the_three_folders(home):
    for folder, ending in (("photographs", "jpg"), ("paired", "jpg"), ("paired/3dmm", "jpg"), ("syn/00002", "png")):
        images = list((home / "data" / folder).glob(f"*.{ending}"))
        assert len(images) == (2 if folder.startswith("syn") else 4), folder
    assert {path.name for path in (home / "data" / "holiday").iterdir()} == {f"{i}.pgm" for i in (1, 2, 3, 4)}


def test_every_command_is_known():
    assert len(COMMANDS) > 25
    known = {*SMALLER, *TESTED_ALONE, *NOT_RUN}
    assert [command for command in COMMANDS if job(command) not in known] == []
    assert set(NOT_RUN) <= set(COMMANDS)  # nothing is excused that no page says
    assert all(name in globals() for name in TESTED_ALONE.values())


# Those of systems that go the same ways as DA-GAN, which the README's commands train.
LATER = {command for name in ("cfs", "ipgan") for command in commands_of(ROOT / "docs" / f"{name}.md")}
LATER = {" ".join(command.split()) for command in LATER}
SLOW_WORDS = ("ray --", "format onnx", "compare_size", "compare_speed", "main.py benchmark")
LATER |= {command for command in COMMANDS if any(word in command for word in SLOW_WORDS)}


@pytest.mark.parametrize(
    "command", [pytest.param(c, marks=pytest.mark.slow) if c in LATER else c for c in OTHERS], ids=job
)
def test_command(command, home, monkeypatch):
    monkeypatch.setattr(subprocess, "run", in_process)
    monkeypatch.setattr(compare_size, "BATCHES", 2)
    monkeypatch.setattr(machine, "PEAK_SECONDS", 0.0)
    monkeypatch.setattr(measure, "PIPELINE_SECONDS", 0.1)
    for each in [command] if "JOB" not in command else [command.replace("JOB", name) for name in main.JOBS]:
        assert run(each, home) == 0, each


def test_commands_that_are_not_run_name_what_is_there():
    checks = (ROOT / ".ci" / "run").read_text().splitlines()
    for command in NOT_RUN:
        words = shlex.split(command)
        assert words[0] != "python" or command in checks, command
        if "-r" in words:
            assert (ROOT / words[-1]).is_file()
        elif "==" in command:
            assert words[-1].replace("[and-cuda]", "") in (ROOT / "requirements.txt").read_text().split()


def test_generated_data_set_is_complete(home):
    folder = home / "data" / "generated"
    with open(folder / "confidence_scores.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [f"{i:05d}/{k:05d}.jpg" for i in (1, 2) for k in (1, 2)]
    assert all((folder / row["path"]).is_file() and float(row["d_score"]) > 0 for row in rows)


def test_first_start_says_nothing_but_what_the_job_says(home):
    output, errors = json.loads((home / "started.json").read_text())
    assert errors == ""
    assert output.startswith("device: ")


def test_published_commands_as_printed(home, tmp_path):
    """Train and generate by the flags of the published README; its boolean spelling must not start a training."""
    logs = tmp_path / "logs"
    folders = f"--log_dir {logs} --data_dir data --syn_dataset syn --dataset photographs --dataset_3dmm paired"
    small = f"{SMALLER['train']} --input_scale_size 108 --conv_hidden_num_back 4 --max_step 2"
    assert run(f"python main.py {folders}", home, small) == 0
    made = "--save_syn_dataset printed --train_generator False --generate_dataset True"
    words = f"{folders} --input_scale_size 108 {made} --pretrained_gen {logs}/model.ckpt"
    assert run(f"python main.py {words}", home, small="") == 0
    assert len(list((home / "data" / "printed").rglob("*.jpg"))) == 4
    assert len(list(logs.iterdir())) == 1


def test_exit_status_of_a_mistake(tmp_path):
    result = python([str(ROOT / "main.py"), "generate", "--pretrainde_gen", "RUN"], tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: unknown flag --pretrainde_gen; did you mean --pretrained_gen?\n"


@pytest.mark.slow  # each of its jobs has tests of its own
def test_demo_runs_resumes_and_reuses(tmp_path, monkeypatch, capfd):
    """On four photographs, which it finds fetched already."""
    monkeypatch.setattr(subprocess, "run", in_process)
    folder = tmp_path / "demo"
    photographs(folder / "data" / "att", {person: [f"{person}/{i}.pgm" for i in (1, 2)] for person in ("s1", "s2")})
    small = "--demo_minutes 0.002 --n_id 2 --images_per_id 2 --num_worker 1"
    assert run(FIRST["demo"], tmp_path, small) == 0, capfd.readouterr()
    first = capfd.readouterr().out
    generated = list((folder / "data" / "generated").glob("*/*.png"))
    assert len(generated) == 4
    for picture, names in (("colour.png", ["syn_colour", "generated_colour"]),
                           ("before_after.png", ["syn", "generated_first", "generated"])):  # fmt: skip
        grid = pixels(folder / picture)
        for row, name in enumerate(2 * names):
            image = folder / "data" / name / f"{row // len(names) + 1:05d}" / "00001.png"
            np.testing.assert_array_equal(grid[66 * row : 66 * row + 64, :64], pixels(image))
    assert "train it on for 0.0015 minutes" in first
    stages = json.loads((folder / "stages.json").read_text())
    trained, resumed = (json.loads((tmp_path / stages[name] / "params.json").read_text())
                        for name in ("train", "resume"))
    assert trained["pretrained_gen"].endswith("att64") and resumed["load_path"] == stages["train"]

    written = {path: path.stat().st_mtime_ns for path in folder.glob("data/*/*/*.png")}
    assert run(FIRST["demo"], tmp_path, small) == 0, capfd.readouterr()
    assert capfd.readouterr().out.count("was there already") == 3
    assert {path: path.stat().st_mtime_ns for path in folder.glob("data/*/*/*.png")} == written
    assert len(list((folder / "logs").iterdir())) == 2
    assert run(FIRST["demo"], tmp_path, "--n_id 3") == 2
    assert "holds a demo of --n_id 2 --images_per_id 2" in capfd.readouterr().err


def test_the_published_run_is_met(home, capfd):
    capfd.readouterr()
    assert run(FIRST["fidelity"], home, small="") == 0
    report = json.loads(capfd.readouterr().out)
    assert len(report) == 43
    assert max(entry["relative"] for key, entry in report.items() if key.startswith("step0")) < 1e-5
    assert max(entry["relative"] for entry in report.values()) < 1e-3


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text()) <= 10_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), link
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if anchor else []
        names = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not anchor or anchor in names, link


def test_flags_that_the_pages_name_exist():
    others = "x nox help memory tag_set signature_def inputs outdir dir logdir".split()
    switches = [f"no{name}" for name, flag in FLAGS.items() if flag.kind is bool]
    for page in PAGES:
        named = re.findall(r"(?<![\w-])--(\w+)", page.read_text())
        assert set(named) - {*FLAGS, *switches, *others} == set(), page


def test_differences_that_the_code_names_are_in_the_table():
    table = re.findall(r"^\| (D\d+) \|", (ROOT / "docs" / "published.md").read_text(), re.MULTILINE)
    folders = ("models", "trainer", "data_loader", "utils")
    texts = [path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py")]
    named = {name for text in texts for name in re.findall(r"\b(D\d+)\b", text)}
    assert {"D6", "D9", "D31"} <= named <= set(table)
