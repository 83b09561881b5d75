"""What is trained and how. `SYSTEMS` is the only registry."""

import importlib

from utils.errors import UserError

SYSTEMS = {"facegan": "trainer.facegan:FaceGan", "recognizer": "trainer.recognizer:Recognizer"}


def system_class(name):
    """The class that `--system` names."""
    if name not in SYSTEMS:
        raise UserError(f"--system: {name!r} is none of {', '.join(SYSTEMS)}")
    module, _, attribute = SYSTEMS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
