"""What is installed."""

import importlib.util
import platform
from importlib.metadata import version

from utils.errors import UserError

PACKAGES = ("tensorflow", "keras", "numpy")


def versions():
    """{name: version} of Python and of what computes."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def require(package, flag, requirements):
    """Refuse a flag that needs a package which not everyone has.

    Args:
        package: as it is imported.
        flag: with its value, for the message.
        requirements: the file that lists it.

    Raises:
        UserError: it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise UserError(f"{flag} needs {package}: pip install -r {requirements}")
