"""The job `train`: what the flags of a system name in, a run folder out."""

import sys

from data_loader.sample_weights import digests
from data_loader.training_sources import read_sample_weights, read_sources
from trainer.evaluation.training_kid import TrainingKid
from trainer.face_networks.identity_loss import BEFORE
from trainer.face_networks.judge import open_judge
from trainer.systems import system_class
from trainer.training import checkpoint, setup
from trainer.training.best import Best
from trainer.training.devices import Devices, tell_device
from trainer.training.grid import Grid
from trainer.training.load import earlier_networks, starting_weights
from utils import runs
from utils.errors import UserError


def run(options):
    """Train. Everything that can be wrong with the input is found before anything is written."""
    resumed, options = setup.resumed_run(options, job="train")
    runs.check_run_folder(options)
    kind = system_class(options.system)
    if kind.job != "train":
        raise UserError(f"--system {options.system}: the job {kind.job} trains it")
    if options.optimizer != "adam":
        raise UserError(f"--optimizer {options.optimizer}: train_recognizer only; train has adam")
    devices, start = Devices(options.num_gpu), None
    tell_device(options)
    _tell_rising_rates(options)
    setup.seed_everything(options)
    if not resumed:
        options, start = starting_weights(kind.with_defaults(options))
    kind.refuse_idle(options)
    sources = kind.sources_of(options)
    indexes = read_sources(sources, options)
    weights = read_sample_weights(sources, indexes, options)
    if resumed or (start and kind.people_in_weights):
        found = resumed or runs.find_weights(options.pretrained_gen, options.log_dir, "pretrained_gen")
        setup.check_people(found, sources, indexes, "" if kind.people_in_weights else "--pretrained_gen")
    if resumed:
        setup.tell_streams(resumed, kind.streams(options))
        setup.tell_weights(resumed, weights)
    unreadable = setup.unreadable_files(indexes)
    if not resumed:
        options = kind.resolved(options)
        sources = kind.sources_of(options)  # what they bring beside pixels may depend on what was resolved
    annotations = setup.read_annotations(sources, indexes)
    with devices.scope():
        system = kind(options, setup.label_counts(sources, indexes))
        if resumed:
            checkpoint.restore(system, resumed.checkpoint)
        else:
            system.load_pretrained(indexes, annotations)
        if start:
            start(system)
    setup.check_steps_left(system, options, resumed, devices.count)
    data = setup.open_data(indexes, annotations, system.side, options, unreadable, weights)
    grid = folder = best = None
    if devices.chief:
        people = setup.people(sources, indexes)
        grid = Grid.of(system, options, people, indexes)
        before = earlier_networks(options, resumed)
        kid = _kid(system, options, people, indexes, devices, before)
        if kid:
            best = Best(kid, options.keep_best, options.keep_best_step)
            if resumed:
                best.carry_over(resumed.run, runs.steps_done(resumed.checkpoint))
        folder = runs.new_run_folder(options)
        more = {"licences": setup.licences_of(indexes, options), **people, **({BEFORE: before} if before else {})}
        runs.write_params(folder, options, streams=kind.streams(options), image_weights=digests(weights), **more)
    setup.run_loop(system, data, folder, options, grid, devices, best)


def _tell_rising_rates(options):
    """As published no halving leaves a rate under --lr_lower_boundary, not even one that began there."""
    for name in ("g_lr", "d_lr"):
        if getattr(options, name) < options.lr_lower_boundary and options.lr_update_step < options.max_step:
            print(f"warning: --{name} {getattr(options, name):g} is less than --lr_lower_boundary "
                  f"{options.lr_lower_boundary:g}, to which it rises at step {options.lr_update_step}", file=sys.stderr)


def _kid(system, options, people, indexes, devices, before):
    """What --keep_best measures, or None. before: of earlier_networks."""
    if options.keep_best == "none":
        return None
    photographs = next((index for name, index in indexes.items() if system.sources[name].flag == "dataset"), None)
    if "generate" not in system.makers or not photographs:
        raise UserError(f"--keep_best: --system {options.system} makes no images of inputs that photographs judge")
    if devices.workers > 1:
        raise UserError("--keep_best: with one worker only")
    inputs = system.makers["generate"].open_input(options, people, (), indexes)
    looked = system.looked_through(vars(options)) | {BEFORE: before}
    return TrainingKid(system, inputs, photographs, open_judge(options, looked))
