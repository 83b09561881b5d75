"""Many shards at once by an engine that others maintain: Ray hands them out, tries again, and spans machines."""

import importlib
import os
import sys
from pathlib import Path

from utils.errors import UserError
from utils.processes import processors
from utils.progress import Progress
from utils.shards import Shard
from utils.versions import require

RETRIES = 5  # of a shard whose worker dies: it goes on from its rows
ROOT = Path(__file__).resolve().parents[2]
OWN = ("engine", "shards", "ray_address", "shard")  # flags that the shards themselves are not given


def with_ray(job, options):
    """Every shard of a job as a task of Ray's; each is what `--shard k/n` does, in a process of Ray's.

    Args:
        job: "generate" or "fit".
        options: the flags; shards (0: one for each processor), ray_address ('': a Ray of its own on
            this machine).

    Returns:
        Exit status: 0.

    Raises:
        UserError: Ray is not installed or not there, --shard is named too, or a shard failed.
    """
    if "shard" in options.explicit:
        raise UserError("--shard: --engine ray does all of them")
    require("ray", "--engine ray", "requirements-ray.txt")
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's own is 15: beside other work a shard would hardly move
    import ray

    count = options.shards or processors()
    words = [job, *(f"--{name}={getattr(options, name)}" for name in sorted(options.explicit - set(OWN)))]
    try:
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        ray.init(address=options.ray_address or None, include_dashboard=False, log_to_driver=False,
                 runtime_env={"env_vars": {"PYTHONPATH": paths}})  # fmt: skip
    except ConnectionError as error:
        raise UserError(f"--ray_address {options.ray_address}: {str(error).splitlines()[0]}") from error
    try:
        task = ray.remote(max_retries=RETRIES)(_do_shard)
        waiting = {task.remote(str(ROOT), os.getcwd(), [*words, f"--shard={Shard(number, count)}"]): number
                   for number in range(1, count + 1)}  # fmt: skip
        with Progress(count, "shards") as progress:
            while waiting:
                (done,), _ = ray.wait(list(waiting))
                status, said = ray.get(done)
                if status:
                    raise UserError(f"shard {waiting[done]}/{count}: {said or f'status {status}'}")
                del waiting[done]
                progress.update()
    except ray.exceptions.RayError as error:
        raise UserError(f"--engine ray: {str(error).strip().splitlines()[-1]}; the same command goes on") from error
    finally:
        ray.shutdown()
    return 0


def _do_shard(root, folder, words):
    """One shard, in a process of Ray's: (exit status, the last line of an error)."""
    import contextlib
    import io

    sys.path.insert(0, root)
    os.chdir(folder)
    errors, program = io.StringIO(), importlib.import_module("main")  # as a user starts it: no arrow leads up there
    with contextlib.redirect_stderr(errors):
        status = program.main(words)
    lines = [line for line in errors.getvalue().splitlines() if line.startswith("error: ")]
    return status, lines[-1].removeprefix("error: ") if lines else ""
