"""The systems that can be trained, and the contract that each of them keeps (system.py).

What is trained and by which equations stands here; how a loop runs, what a file looks like does not.
`SYSTEMS` is the only registry: a new system is a line in it.
"""

import importlib

from utils.errors import UserError

SYSTEMS = {"facegan": "trainer.systems.facegan:FaceGan", "recognizer": "trainer.systems.recognizer:Recognizer"}


def system_class(name):
    """The class that `--system` names."""
    if name not in SYSTEMS:
        raise UserError(f"--system: {name!r} is none of {', '.join(SYSTEMS)}")
    module, _, attribute = SYSTEMS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
