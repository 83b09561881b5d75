"""How much memory this process may still take, and has taken."""

import sys
from pathlib import Path

import psutil

# Files of a control group, Linux' versions 2 and 1: its limit, what is used, and of that the files' pages to spare.
GROUP_FILES = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def available(groups=Path("/sys/fs/cgroup"), membership=Path("/proc/self/cgroup")):
    """Bytes that are available on this machine, or fewer in a container or a batch job with a limit (Linux).

    Args:
        groups: where the control groups are mounted.
        membership: which of them this process is in.
    """
    lines = membership.read_text().splitlines() if membership.is_file() else []
    left = [psutil.virtual_memory().available]
    for _, controllers, name in (line.split(":", 2) for line in lines):
        if not controllers:
            left += _left(groups, name, *GROUP_FILES[2])
        elif "memory" in controllers.split(","):
            left += _left(groups / "memory", name, *GROUP_FILES[1])
    return min(left)


def most_used():
    """Bytes of memory that this process has held at most so far."""
    try:
        import resource  # here: Windows has none
    except ImportError:
        return psutil.Process().memory_info().peak_wset
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _left(top, name, limit_file, used_file, spare):
    """Bytes left of each limit, of the group and of those above it. A container may see no more than `top`: its own."""
    group = top / name.lstrip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(top) or not (folder / limit_file).is_file():
            continue
        limit = (folder / limit_file).read_text().strip()
        if limit != "max":
            statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            used = int((folder / used_file).read_text()) - int(statistics[spare])
            yield max(int(limit) - used, 0)
