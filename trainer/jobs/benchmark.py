"""The job `benchmark`: how fast this machine trains, generates, reads or renders. Its last line is JSON."""

import json

from trainer.benchmark import machine
from trainer.benchmark.measure import MEASURES
from trainer.systems import system_class
from trainer.training import setup
from trainer.training.devices import tell_device
from utils.errors import UserError
from utils.flags import FLAGS
from utils.processes import processors
from utils.versions import versions


def run(options):
    """Measure what --what names; prints lines for people, then one JSON object on a line of its own."""
    setup.seed_everything(options)  # as training: what is deterministic may be slower
    if options.what not in MEASURES:
        raise UserError(f"--what: {options.what!r} is none of {', '.join(MEASURES)}")
    if system_class(options.system).job != "train" and options.what != "train":
        raise UserError(f"--what {options.what}: --system {options.system} generates nothing; only train is timed")
    if options.num_gpu != 1:
        raise UserError(f"--num_gpu {options.num_gpu}: one device is timed")
    about = {
        "what": options.what,
        "system": options.system,
        "device": machine.device_name(),
        "processors": processors(),
    }
    tell_device(options)
    print(f"{about['device']}, {about['processors']} processors")
    measured = MEASURES[options.what](options)
    flags = {name: getattr(options, name) for name, flag in FLAGS.items() if "benchmark" in (flag.jobs or ())}
    flags |= {"input_scale_size": options.input_scale_size, "batch_size": options.batch_size}
    print(json.dumps(about | measured | {"versions": versions(), "flags": flags}))
