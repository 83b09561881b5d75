"""Available memory: the machine's, or what a container's or a batch job's limit leaves."""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from utils.memory import available, most_used

MB = 10**6


def group(folder, version, limit, used=30 * MB, spare=10 * MB):
    folder.mkdir(parents=True, exist_ok=True)
    names = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
             2: ("memory.max", "memory.current", "inactive_file")}[version]  # fmt: skip
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {spare}\nactive_file 7\n")


@pytest.fixture
def member(tmp_path):
    def write(lines):
        (tmp_path / "membership").write_text(lines)
        return available(tmp_path / "groups", tmp_path / "membership")

    return write


def test_the_lowest_limit_on_the_way_up(tmp_path, member):
    group(tmp_path / "groups/job", 2, 100 * MB)
    group(tmp_path / "groups/job/step", 2, "max")
    group(tmp_path / "groups/job/step/task", 2, 90 * MB, used=25 * MB)
    group(tmp_path / "groups/other", 2, 1 * MB)
    assert member("0::/job/step/task\n") == 75 * MB
    group(tmp_path / "groups/job", 2, 60 * MB)
    assert member("0::/job/step/task\n") == 40 * MB
    group(tmp_path / "groups/job", 2, 15 * MB)  # more used than allowed, while the kernel makes room
    assert member("0::/job/step/task\n") == 0


def test_a_container_sees_its_own_group_at_the_top(tmp_path, member):
    group(tmp_path / "groups/memory", 1, 50 * MB)
    assert member("5:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n0::/\n") == 30 * MB


def test_without_a_limit_the_machine_s(tmp_path, member):
    group(tmp_path / "groups/memory", 1, 2**63 - 4096)
    group(tmp_path / "groups", 1, 1 * MB)  # above the mount: not a control group
    found = member("4:memory:/\n")
    assert found == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    assert 0 < available(membership=tmp_path / "nowhere") <= psutil.virtual_memory().total
    assert 0 < available() <= psutil.virtual_memory().total


def test_the_most_that_was_used_with_and_without_the_module_of_unix(monkeypatch):
    assert 10 * MB < most_used() < 10**12
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    told = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=123))
    monkeypatch.setattr(psutil, "Process", lambda: told)
    assert most_used() == 123


def test_no_module_needs_what_windows_lacks():
    """Names that Unix alone has are imported inside functions only, where their absence is met."""
    root = Path(__file__).parents[2]
    rooms = ("utils", "data_loader", "models", "trainer")
    for path in (path for room in rooms for path in (root / room).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import | ast.ImportFrom) else set()
            assert not names & {"resource", "fcntl", "pwd", "grp", "termios", "pty"}, path
