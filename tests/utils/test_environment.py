"""A job in the surroundings that people have: another Keras configuration, no home, ASCII, streams that are closed."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import main
from utils import environment
from utils.signals import StopRequest

ROOT = Path(__file__).parents[2]
MAIN = [sys.executable, str(ROOT / "main.py")]
PRINTER = """
import os, sys, time
from utils import environment
environment.keep_streams()
sys.stdin.readline()
for line in range(3):
    print("step", line, flush=True)
    print("warning", line, file=sys.stderr)
os.system("echo from a child")
open("saved", "w").close()
"""


def python(words, **more):
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | more.pop("env", {})
    return subprocess.run([sys.executable, *words], env={k: v for k, v in variables.items() if v is not None},
                          capture_output=True, text=True, errors="replace", timeout=120, **more)  # fmt: skip


MISTAKES = (
    *("--help", "train --help", "trian", "train now", "--bach_size 3", "train --gamma nan", "render --gamma 1"),
    *("train --log_dir ~nosuchuser", "benchmark --system recognizer --lambda_s 1", "--load_path nowhere"),
    *("generate --pretrained_gen nowhere", "train --system other", "train --model_def models.none"),
)


def test_help_and_mistakes_need_no_tensorflow():
    program = ("import sys, main\n"
               "for line in sys.argv[1:]:\n"
               "    status = main.main(line.split())\n"
               "    heavy = {'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)\n"
               "    print(line, '->', status, sorted(heavy), file=sys.stderr)")  # fmt: skip
    done = python(["-c", program, *MISTAKES])
    told = [line for line in done.stderr.splitlines() if " -> " in line]
    assert told == [f"{line} -> {0 if '--help' in line else 2} []" for line in MISTAKES]
    errors = [line for line in done.stderr.splitlines() if " -> " not in line]
    assert len(errors) == len(MISTAKES) - 2 and all(line.startswith("error: ") for line in errors)


@pytest.mark.parametrize("floatx", ["float64", pytest.param("float8", marks=pytest.mark.slow)])
def test_keras_is_what_the_project_needs(floatx, tmp_path):
    (tmp_path / ".keras").mkdir()
    foreign = {"backend": "theano", "image_data_format": "channels_first", "floatx": floatx, "epsilon": 0.5}
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(foreign))
    program = ("import main; main.main(['--help'])\nimport keras; config = keras.config\n"
               "print(config.backend(), config.floatx(), config.image_data_format(), config.epsilon())")  # fmt: skip
    surroundings = {"HOME": str(tmp_path), "KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "many", "KERAS_HOME": None}
    done = python(["-c", program], env=surroundings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "tensorflow float32 channels_last 1e-07"
    assert [path.name for path in (tmp_path / ".keras").iterdir()] == ["keras.json"]


def test_workers_and_the_tests_modules_get_the_same_keras():
    assert os.environ["KERAS_BACKEND"] == "tensorflow"  # by tests/__init__.py, which `python -m tests.<file>` runs too
    done = python(["-c", "import os, tests.small; print(os.environ['KERAS_BACKEND'])"], env={"KERAS_BACKEND": "jax"})
    assert done.stdout == "tensorflow\n"


@pytest.mark.parametrize("encoding", ["ascii", "ascii:strict", "latin-1"])
def test_any_text_can_be_printed(encoding, tmp_path):
    surroundings = {"LC_ALL": "C", "PYTHONIOENCODING": encoding, "HOME": None}
    done = python([MAIN[1], "--help"], env=surroundings)
    assert done.returncode == 0 and done.stdout.startswith("usage: ") and not done.stderr
    done = python([MAIN[1], "train", "--dataset", "x", "stört…"], env=surroundings)
    assert done.returncode == 2 and done.stderr.startswith("error: stray word 'st") and "Traceback" not in done.stderr
    done = python(["-c", "from utils import environment; environment.keep_streams(); print('\\u2026 \\udcff')"],
                  env=surroundings)  # fmt: skip
    assert done.returncode == 0 and done.stdout == "\\u2026 \\udcff\n"


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_job_goes_on_when_nobody_reads(closed, tmp_path):
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    job = subprocess.Popen([sys.executable, "-c", PRINTER], cwd=tmp_path, env=variables, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    getattr(job, closed).close()
    setattr(job, closed, None)
    told = job.communicate("go\n", timeout=60)
    assert job.returncode == 0 and (tmp_path / "saved").is_file()
    assert told[0] == ("step 0\nstep 1\nstep 2\nfrom a child\n" if closed == "stderr" else None)
    assert told[1] == ("warning 0\nwarning 1\nwarning 2\n" if closed == "stdout" else None)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_is_printed_comes_when_it_is_printed(unbuffered):
    """On a pipe: at each line with python -u, else when it is flushed or at the end."""
    program = ("import sys\nfrom utils import environment\nenvironment.keep_streams()\n"
               f"print('first', flush={not unbuffered})\nsys.stdin.readline()\nprint('x' * 300_000)")  # fmt: skip
    variables = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    job = subprocess.Popen([sys.executable, "-c", program], env=variables, stdin=subprocess.PIPE, text=True,
                           stdout=subprocess.PIPE)  # fmt: skip
    assert job.stdout.readline() == "first\n"
    assert job.communicate("go\n", timeout=60)[0] == "x" * 300_000 + "\n"


def test_help_into_head_is_quiet():
    job = subprocess.Popen([*MAIN, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    job.stdout.close()
    assert (job.stderr.read(), job.wait(60)) == ("", 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_under_stdout_is_told_once(tmp_path):
    with open("/dev/full", "w") as full:
        job = subprocess.run([sys.executable, "-c", PRINTER], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
                             input="go\n", stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)  # fmt: skip
    assert job.returncode == 0 and (tmp_path / "saved").is_file()
    lines = [line for line in job.stderr.splitlines() if line.startswith("warning: cannot write")]
    assert lines == [f"warning: cannot write stdout: {os.strerror(errno.ENOSPC)}; what does not fit is lost"]


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_stream_that_was_closed_before_the_start_takes_no_file(closed, tmp_path):
    program = ("import os, sys\nfrom utils import environment\nenvironment.keep_streams()\n"
               "file = open('data', 'w'); assert file.fileno() > 2\n"
               "print('out'); print('err', file=sys.stderr); sys.stderr.isatty()\n"
               "os.system('echo child; echo child >&2')\n"
               "file.write('whole')")  # fmt: skip
    (tmp_path / "program.py").write_text(program)
    command = f"{sys.executable} program.py {closed}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60)
    assert done.returncode == 0 and (tmp_path / "data").read_text() == "whole"


def test_a_mistake_with_stderr_closed_still_has_its_status():
    assert subprocess.run(f"{' '.join(MAIN)} trian 2>&-", shell=True, timeout=60).returncode == 2


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminals that hang up")
def test_a_closed_terminal_stops_in_order_and_nohup_does_not():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    try:
        with StopRequest() as stop:
            signal.raise_signal(signal.SIGHUP)
        assert stop.name == "SIGHUP"
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with StopRequest() as stop:
            signal.raise_signal(signal.SIGHUP)
        assert stop.name is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_main_pins_keras_before_it_picks_a_job(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert main.main(["trian"]) == 2
    assert os.environ["KERAS_BACKEND"] == "tensorflow" and os.environ["KERAS_HOME"] == os.devnull
    environment.pin_keras()
