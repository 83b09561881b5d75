"""The rooms of the house: imports run down only, jobs do not import each other, nothing runs in a circle."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = (  # from the ground up: a file imports from floors below its own, and from its own room
    ("utils",),
    ("data_loader", "models"),
    ("trainer.published", "trainer.step"),
    ("trainer.face_networks",),
    ("trainer.systems",),
    ("trainer.training",),
    ("trainer.evaluation", "trainer.output", "trainer.benchmark"),
    ("trainer.jobs",),
    ("main",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
LONGEST = 300  # lines of a file


def product():
    """Paths of the product's own Python files, from the root."""
    folders = ("utils", "data_loader", "models", "trainer")
    return [Path("main.py"), *sorted(p.relative_to(ROOT) for folder in folders for p in (ROOT / folder).rglob("*.py"))]


def module_of(path):
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in product()}


def room_of(module):
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "trainer" else parts[0]


def imports(path):
    """Modules of the product that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}, line {node.lineno}: a relative import"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in inside}
    return found & set(MODULES)


ARROWS = {(module, other) for module, path in MODULES.items() for other in imports(path)}


def test_every_file_lies_in_a_room():
    outside = [module for module in MODULES if module != "trainer" and room_of(module) not in FLOOR]
    assert not outside


@pytest.mark.parametrize("room", [room for rooms in FLOORS for room in rooms])
def test_imports_run_down(room):
    up = [f"{a} -> {b}" for a, b in sorted(ARROWS) if room_of(a) == room != room_of(b)
          and FLOOR[room_of(b)] >= FLOOR[room]]  # fmt: skip
    assert not up


def test_no_job_imports_a_job():
    jobs = [f"{a} -> {b}" for a, b in sorted(ARROWS) if room_of(a) == room_of(b) == "trainer.jobs"]
    assert not jobs


def test_no_circle():
    left = {module: {b for a, b in ARROWS if a == module} for module in MODULES}
    while free := {module for module, others in left.items() if not others & set(left)}:
        for module in free:
            del left[module]
    assert not left, f"import each other: {', '.join(left)}"


def test_utils_and_data_loader_know_nothing_of_the_trainer():
    assert not [f"{a} -> {b}" for a, b in ARROWS if room_of(a) in ("utils", "data_loader", "models")
                and room_of(b).startswith("trainer")]  # fmt: skip


@pytest.mark.parametrize("path", product(), ids=str)
def test_no_file_is_two_things(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LONGEST


FACEGANS = (  # what only FaceGAN has: networks, keys of a batch, scores, state
    *("generator_back", "discriminator_real", "discriminator_synthetic", "pair_image", "pair_render", "FaceGan"),
    *("d_score", "s_score", "c_score", "k_real", "k_synthetic", "k_pair"),
)
AT_HOME = ("models", "trainer/systems", "trainer/published/facegan.py")


@pytest.mark.parametrize("name", FACEGANS)
def test_what_is_facegans_is_named_at_home_only(name):
    told = [str(path) for path in product() if not any(path.is_relative_to(home) for home in AT_HOME)
            and re.search(rf"\b{name}\b", (ROOT / path).read_text(encoding="utf-8"))]  # fmt: skip
    assert not told
