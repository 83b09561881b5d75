"""Saving a system and getting it back, bit by bit the same.

A checkpoint is one .npz file (NumPy's own format, read without unpickling): every weight of every network, every
optimizer's variables and the system's state, each under a readable name, and the number of this format. It is written
to a temporary file, flushed to disk and renamed, so that a kill at any moment leaves the older ones as they were.
"""

import keras
import numpy as np
from tensorflow import as_dtype

from trainer.published.arrays import AVERAGE, FORMAT, check_names, named_weights, read_checkpoint
from utils.errors import UserError
from utils.files import atomic_write, remove_leftovers
from utils.runs import checkpoint_after, checkpoints, read_best, steps_done

KEEP = 2  # checkpoints of a run
LOSS_SCALE = "state/loss_scale"  # begins the names of float16's scale, which another precision does not have


class NotSaved(UserError):
    """A checkpoint could not be written; older ones are still there."""


def save(system, folder, step, keep_step=0):
    """Write <folder>/checkpoints/step-<step>.npz and drop all but the newest two, the best, and those kept for good.

    Args:
        system: trainer.systems.system.System.  folder: run folder (Path).  step: steps done.
        keep_step: checkpoints of its multiples are kept for good; 0: none.

    Returns:
        Path of the checkpoint.

    Raises:
        NotSaved: the disk is full or the folder cannot be written; older checkpoints are still there.
        UserError: a number of it is not finite, so that older checkpoints are the good ones.
    """
    target = checkpoint_after(folder, step)
    arrays = {name: np.asarray(variable) for name, variable in named_variables(system).items()}
    if broken := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
        raise UserError(f"{broken[0]} is not finite after step {step}: stopped, and not saved; the checkpoints of "
                        f"{folder} are from before. Lower {system.rate_flags}")  # fmt: skip
    try:
        target.parent.mkdir(exist_ok=True)
        remove_leftovers(target.parent)  # of a run that was killed while it saved
        with atomic_write(target) as file:
            np.savez(file, format=np.int64(FORMAT), **arrays)
    except OSError as error:
        raise NotSaved(f"cannot save {target}: {error.strerror or error}; older checkpoints are untouched") from error
    best = read_best(folder)
    for old in checkpoints(folder)[:-KEEP]:
        if (not keep_step or steps_done(old) % keep_step) and not (best and steps_done(old) == best["step"]):
            old.unlink()
    return target


def restore(system, path):
    """Read a checkpoint into a system of the same widths. Only float16 has a loss scale: one that is not there begins
    anew, one that is not wanted is left out.

    Raises:
        UserError: the file is damaged or of a newer version, or its weights are not the system's: lists what is
            missing, left over or of another shape. The system is then unchanged.
    """
    number, arrays = read_checkpoint(path)
    scale = {name for name in arrays if name.startswith(LOSS_SCALE)}
    variables = {name: variable for name, variable in named_variables(system, number).items()
                 if name in arrays or not name.startswith(LOSS_SCALE)}  # fmt: skip
    check_names(variables, {name: array.shape for name, array in arrays.items()}, path, scale)
    for name, variable in variables.items():
        variable.assign(arrays[name])


def restore_weights(system, path, ignored=()):
    """Read weights and state of a checkpoint for everything but going on as if nothing had been: averaged weights
    where the checkpoint has them; optimizers stay fresh, averages begin at the weights. Precisions may differ.

    Args:
        system, path: as restore; a file that `slim` wrote will do.
        ignored: first parts of names that are left as they are in the system, whatever the checkpoint holds.

    Raises:
        UserError: as restore.
    """
    _, arrays = read_checkpoint(path)
    ignored = (*ignored, "optimizer/", AVERAGE, LOSS_SCALE)
    variables = {f"{AVERAGE}{name}" if f"{AVERAGE}{name}" in arrays else name: variable
                 for name, variable in named_variables(system).items() if not name.startswith(ignored)}
    raw = {name.removeprefix(AVERAGE) for name in variables}
    left_over = {name for name in arrays if name.startswith(ignored) or name in raw}
    check_names(variables, {name: array.shape for name, array in arrays.items()}, path, left_over)
    for name in variables:
        if not np.isfinite(arrays[name].astype(np.float32)).all():
            raise UserError(f"{path}: {name} holds what is no number: these weights make nothing")
    for name, variable in variables.items():
        variable.assign(arrays[name].astype(as_dtype(variable.dtype).as_numpy_dtype))
    system.players.restart_averages()


def slim(system):
    """{name: array} of what `restore_weights` needs: networks in half precision, and state that is no average; without
    the parts that only training needs."""
    left_out = (*system.training_only_names, "optimizer/", AVERAGE, LOSS_SCALE)
    arrays = {name: np.asarray(variable) for name, variable in named_variables(system).items()
              if not name.startswith(left_out)}  # fmt: skip
    arrays = {name: array if name.startswith("state/") else array.astype(np.float16) for name, array in arrays.items()}
    return {"format": np.int64(FORMAT)} | arrays


def named_variables(system, number=FORMAT):
    """{name: variable} of everything that a checkpoint holds, as the format of this number names it."""
    weights = {}
    for name, network in system.networks.items():
        weights |= named_weights(name, network)
    state = {f"state/{name}": variable for name, variable in system.state.items()}
    slots = {}
    for group, optimizer in system.optimizers.items():
        if number == 1:
            slots |= {f"optimizer/{group}/{place:04d}": v for place, v in enumerate(optimizer.variables)}
        else:
            slots |= _optimizer_variables(group, optimizer, system.players.groups[group], weights | state)
    return weights | slots | state


def _optimizer_variables(group, optimizer, variables, named):
    """{"optimizer/<group>/iterations": …, "optimizer/<group>/momentum/<name of a weight>": …} of Adam or SGD."""
    names = {id(variable): name for name, variable in named.items()}
    prefix, found = f"optimizer/{group}", {}
    if isinstance(optimizer, keras.optimizers.SGD):
        slots = {"momentum": optimizer.momentums}
    else:
        slots = {"momentum": optimizer._momentums, "velocity": optimizer._velocities}
    for variable, *of_variable in zip(variables, *slots.values(), strict=True):
        for kind, slot in zip(slots, of_variable, strict=True):
            found[f"{prefix}/{kind}/{names[id(variable)]}"] = slot
    known = {id(variable) for variable in found.values()}
    return found | {f"{prefix}/{v.name}": v for v in optimizer.variables if id(v) not in known}
