"""The table of flags against the code: what a job reads is its flag, and what it is told to read it does read."""

import ast

import pytest

import main
from tests.test_imports import ARROWS, MODULES, ROOT
from trainer.systems import SYSTEMS, refuse_other_flags, system_class
from trainer.systems.flags_read import SYSTEM_FLAGS
from utils import command_line
from utils.errors import UserError
from utils.flags import FLAGS

# Flags that are read elsewhere than as options.<name> or by their name in quotes: by main.py, or for a promise alone.
ELSEWHERE = {"use_gpu", "optimizer"}
TABLES = ("utils.flags", "utils.system_flags")  # which name every flag
SYSTEM_FILES = [target.partition(":")[0] for target in SYSTEMS.values()]


def names_in(module):
    """(flags read as options.<flag>, flags whose names stand in quotes) of a file."""
    attributes, quoted = set(), set()
    for node in ast.walk(ast.parse((ROOT / MODULES[module]).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).split(".")[-1] == "options":
            attributes.add(node.attr)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            quoted.add(node.value)
    return attributes & set(FLAGS), quoted & set(FLAGS)


def reached(job):
    """Modules that a job imports, directly or through others, systems included."""
    found, left = set(), [f"trainer.jobs.{job}"]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += [other for one, other in ARROWS if one == module]
            left += SYSTEM_FILES if module == "trainer.systems" else []
    return found


@pytest.mark.parametrize("job", main.JOBS)
def test_a_job_declares_what_its_file_reads(job):
    read, _ = names_in(f"trainer.jobs.{job}")
    assert {name for name in read if FLAGS[name].jobs is not None and job not in FLAGS[name].jobs} <= {"system"}


@pytest.mark.parametrize("job", main.JOBS)
def test_a_job_reads_what_it_declares(job):
    found = set().union(*(set().union(*names_in(module)) for module in reached(job) if module not in TABLES))
    assert {name for name, flag in FLAGS.items() if job in (flag.jobs or ())} - ELSEWHERE <= found


def test_every_option_that_the_code_reads_is_some_jobs_flag():
    read = set().union(*(names_in(module)[0] for module in MODULES if module != "utils.command_line"))
    assert not {name for name in read if FLAGS[name].jobs == ()}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_systems_flags_are_flags_of_its_job(name):
    kind = system_class(name)
    assert kind.flags == SYSTEM_FLAGS[name] and set(kind.shaping) <= set(kind.flags)
    assert not {flag for flag in kind.flags if kind.job not in FLAGS[flag].jobs}


def test_a_flag_of_another_system_is_refused():
    job, options = command_line.parse(["benchmark", "--system", "recognizer", "--lambda_s", "1"], main.JOBS)
    with pytest.raises(UserError, match="--lambda_s: --system recognizer does not read it; it is for facegan"):
        refuse_other_flags(job, options)
    refuse_other_flags(*command_line.parse(["benchmark", "--lambda_s", "1", "--batch_size", "3"], main.JOBS))
