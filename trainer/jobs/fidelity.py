"""The job `fidelity`: the published code's own numbers, replayed."""

import json
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np

from trainer.published.tf1_reader import without_average
from trainer.systems import system_class
from trainer.training.devices import tell_device
from utils.errors import UserError
from utils.files import read_json
from utils.flags import FLAGS

FIRST_STEP, LATER_STEPS = 1e-5, 1e-3  # largest relative difference; two runs of the original differ by 1e-4 later


def run(options):
    """Replay `--reference`, print the differences as JSON; returns 1 where one is too large, else 0."""
    if not options.reference:
        raise UserError("--reference names a reference run: its path without ending")
    report = compare(Path(options.reference).expanduser(), options)
    print(json.dumps(report, indent=1))
    return int(any(entry["relative"] > entry["allowed"] for entry in report.values()))


def compare(reference, options):
    """Replay a reference run.

    Args:
        reference: Path without ending; its .json has the settings and variable shapes, its .npz inputs and outputs.
        options: the flags; those that the .json sets are overwritten.

    Returns:
        {key of the .npz: {"absolute": largest |difference|, "relative": that / largest |reference|, "allowed": …}}.
    """
    description, arrays = _read(reference)
    settings = description["settings"]
    options = options.changed(**{name: value for name, value in settings.items() if name in FLAGS})
    kind = system_class(options.system)
    published = kind.published
    if not published:
        raise UserError(f"--reference: of --system {options.system} no code was published")
    tell_device(options, sys.stderr)  # stdout is the report's
    system = kind(options, published.labels_of(settings), random=False)
    _seed(published.names(system), published.BALANCES, description)
    system.players.restart_averages()
    report = {}
    for step in range(settings["steps"]):
        outputs = published.outputs(system, published.batch(arrays, step))
        prefix = f"step{step}.out."
        for key in (key for key in arrays if key.startswith(prefix)):
            ours = outputs.get(key.removeprefix(prefix))
            if ours is None:
                raise UserError(f"{reference}.npz: no output of this system is named {key!r}")
            report[key] = _difference(ours, arrays[key], FIRST_STEP if step == 0 else LATER_STEPS)
    return report


def _read(reference):
    try:
        description = read_json(f"{reference}.json")
        with np.load(f"{reference}.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        lacking = {"settings", "variables"} - set(description)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"--reference: cannot read {reference}.json and .npz: {error}") from error
    if lacking:
        raise UserError(f"--reference: {reference}.json lacks {', '.join(sorted(lacking))}")
    return description, arrays


def _seed(variables, balances, description):
    """Set every weight as the reference runs do: from its name, its shape and the seed."""
    settings = description["settings"]
    balances = dict(zip(balances, settings["k_t"], strict=True))
    for name, variable in variables.items():
        if name in balances:
            variable.assign(balances[name])
        elif name in description["variables"]:
            variable.assign(_seeded_weight(name, variable.shape, settings["weight_seed"]))
        else:
            raise UserError(f"--reference: it lists no variable {name}")


def _seeded_weight(name, shape, seed):
    name = without_average(name)
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    leaf = name.rpartition("/")[2]
    normal = generator.standard_normal
    if leaf in ("weights", "filter"):
        return normal(shape) / np.sqrt(np.prod(shape[:-1]) if len(shape) > 1 else 1)
    if leaf in ("moving_variance", "Squeeze_1"):
        return 1 + 0.1 * generator.random(shape)
    return 1 + 0.1 * normal(shape) if leaf in ("scale", "gamma") else 0.05 * normal(shape)


def _difference(ours, theirs, allowed):
    absolute = float(np.max(np.abs(np.float64(ours) - np.float64(theirs))))
    largest = float(np.max(np.abs(theirs)))
    relative = absolute / largest if largest else absolute
    return {"absolute": absolute, "relative": relative, "allowed": allowed}
