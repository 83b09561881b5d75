"""Versions of what computes."""

import platform
from importlib.metadata import version

PACKAGES = ("tensorflow", "keras", "numpy")


def versions():
    """{name: version} of Python and of what computes."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
