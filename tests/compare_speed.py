"""How fast FaceGAN is beside its direct port (tests/yardstick.py), step by step in turn in one process.

    python -m tests.compare_speed --input_scale_size 64 --batch_size 16 --steps 8
    python -m tests.compare_speed --memory

Takes the flags of `benchmark`; widths are the published ones where none are named, the identity network is
Inception-ResNet-v1, all weights are random. --memory runs each alone, in a process of its own, at 108x108.
"""

import argparse
import statistics
import subprocess
import sys

from tests.yardstick import DirectFaceGan, copy_weights
from trainer.benchmark import data
from trainer.benchmark.machine import peak_memory, timed
from trainer.benchmark.measure import WARM_UP, generations
from trainer.training import setup
from utils import command_line

NAMES = ("direct port", "FaceGan")
MEMORY_FLAGS = ("--input_scale_size", "108", "--batch_size", "16")
MEMORY_STEPS = 3


def main(words):
    """Compare; prints a line for each thing compared."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--alone", choices=NAMES)
    own, rest = parser.parse_known_args(words)
    if own.memory:
        return compare_memory(rest)
    flags = ["benchmark", "--model_def", "models.inception_resnet_v1", *rest]
    options = command_line.parse(flags, {"benchmark": ""})[1]
    setup.seed_everything(options)
    return tell_memory(own.alone, options) if own.alone else compare(options)


def compare(options):
    """Alternate calls of both; print medians, minima and ratios (over 1: FaceGan is faster)."""
    direct, ours = (build(name, options) for name in NAMES)
    copy_weights(ours, direct)
    batch = data.random_batch(ours, options)
    print(f"{'':36}{NAMES[0]:>14}{NAMES[1]:>14}{'ratio':>10}")
    alternate("training", [lambda: direct.train_step(batch), lambda: ours.train_step(batch)], options.steps)
    for name, scores in generations(ours.makers["generate"]).items():
        calls = [lambda s=s, scores=scores: s.generate(batch, scores=scores) for s in (direct, ours)]
        alternate(f"generate, {name}", calls, options.steps)


def alternate(label, calls, steps):
    """Time two calls in turn, `steps` times each, after some that are not timed."""
    waiting = [lambda call=call: next(iter(call().values())).numpy() for call in calls]
    for _ in range(WARM_UP):
        for call in waiting:
            call()
    direct, ours = zip(*([timed(call) for call in waiting] for _ in range(steps)), strict=True)
    for name, of in (("median", statistics.median), ("least", min)):
        print(f"{label:20}{name:16}{of(direct):12.3f} s{of(ours):12.3f} s{of(direct) / of(ours):10.2f}", flush=True)
    ratio = statistics.median(a / b for a, b in zip(direct, ours, strict=True))
    print(f"{label:20}{'median of the ratios, pair by pair':44}{ratio:10.2f}", flush=True)


def compare_memory(words):
    """Run each alone in a child process; print the most memory that each held."""
    found = {}
    for name in NAMES:
        command = [sys.executable, "-m", "tests.compare_speed", "--alone", name, *MEMORY_FLAGS, *words]
        found[name] = int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])
        print(f"{name:12} {found[name] / 2**20:8.0f} MiB resident at most", flush=True)
    print(f"FaceGan holds {found['FaceGan'] / found['direct port']:.2f} of what the direct port holds")


def tell_memory(name, options):
    """Train a few steps; print the bytes that this process held at most."""
    system = build(name, options)
    batch = data.random_batch(system, options)
    for _ in range(MEMORY_STEPS):
        float(system.train_step(batch)["loss/d_loss"])
    print(peak_memory()["resident"])


def build(name, options):
    """The system of that name, with random weights."""
    if name == "FaceGan":
        return data.fresh_system(options)
    if name == "direct port":
        return DirectFaceGan(options, {"synthetic": options.n_id})
    raise ValueError(f"{name!r} is none of {', '.join(NAMES)}")


if __name__ == "__main__":
    main(sys.argv[1:])
