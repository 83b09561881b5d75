"""The systems that can be trained, and the contract that each of them keeps (system.py).

What is trained and by which equations stands here; how a loop runs, what a file looks like does not.
`SYSTEMS` is the only registry: a new system is a line in it, and the flags that it reads are one in flags_read.py.
"""

import importlib

from trainer.systems.defaults import system_defaults
from trainer.systems.flags_read import MAKING_FLAGS, SYSTEM_FLAGS
from utils import runs
from utils.errors import UserError
from utils.flag import TRAINING
from utils.flags import FLAGS

SYSTEMS = {
    "facegan": "trainer.systems.facegan:FaceGan",
    "dagan": "trainer.systems.dagan:DaGan",
    "cfs": "trainer.systems.cfs:Cfs",
    "ipgan": "trainer.systems.ipgan:IpGan",
    "recognizer": "trainer.systems.recognizer:Recognizer",
}


def system_class(name):
    """The class that `--system` names."""
    if name not in SYSTEMS:
        raise UserError(f"--system: {name!r} is none of {', '.join(SYSTEMS)}")
    module, _, attribute = SYSTEMS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def refuse_other_flags(job, options):
    """An error where the command line names a flag of another system than the job trains or uses. Needs no TensorFlow.

    Flags that the job itself does not read are utils/command_line.py's to refuse.

    Raises:
        UserError: such a flag; or no run where the flags name one.
    """
    system = _system_of(job, options)
    for name in sorted(set(MAKING_FLAGS) & options.explicit if job == "generate" and system else ()):
        if system not in MAKING_FLAGS[name]:
            raise UserError(f"--{name}: --system {system} does not read it; it is for {', '.join(MAKING_FLAGS[name])}")
    others = _flags_of_others(job, system)
    for name in sorted(options.explicit & set(others)):
        raise UserError(f"--{name}: --system {system} does not read it; it is for {', '.join(others[name])}")


def help_of_system(job, options):
    """Of the help of a job where the command line names a system that it trains: (its defaults, flags to leave out)."""
    if job not in TRAINING or "system" not in options.explicit:
        return {}, ()
    return system_defaults(options), _flags_of_others(job, options.system)


def _flags_of_others(job, system):
    """{flag: systems that read it}, of the flags that the job reads with other systems alone."""
    if system not in SYSTEM_FLAGS:
        return {}
    reading = {name: [other for other, flags in SYSTEM_FLAGS.items() if name in flags] for name in FLAGS}
    return {name: others for name, others in reading.items()
            if others and system not in others and job in (FLAGS[name].jobs or ())}  # fmt: skip


def _system_of(job, options):
    """Name of the system that a job trains or uses; None where that is not the flags' to say."""
    if job not in (*FLAGS["system"].jobs, *FLAGS["pretrained_gen"].jobs):
        return None
    for flag in ("load_path", "pretrained_gen"):
        if flag in options.explicit and getattr(options, flag) and job in FLAGS[flag].jobs:
            found = runs.find_weights(getattr(options, flag), options.log_dir, flag)
            return runs.read_params(found.run).get("system") if found.run else None
    return options.system if job in TRAINING else None  # experiment reads --system, and trains recognisers
