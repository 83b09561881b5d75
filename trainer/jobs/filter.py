"""The `filter` job: the generated images whose scores are good enough, as a data set folder of its own."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_loader.generated_folder import TABLE, high_scores, read_run, read_scores
from data_loader.training_sources import folder_names, index_named
from data_loader.truth import Truth
from trainer.output import card
from trainer.output.resumable_folder import OutputFolder, target_folder
from trainer.output.scores import ENDING
from utils.errors import UserError
from utils.files import atomic_write, read_inside
from utils.progress import Progress
from utils.runs import shortened
from utils.signals import StopRequest

ROWS_AT_ONCE = 64  # images between two notes of how far it came


def run(options):
    """Copy the images of data_dir/save_syn_dataset that pass every rule into data_dir/save_filtered.

    A rule is a limit of a score (--score_limits NAME=0.2), or a percentage of all images, those that are best by a
    score (--score_percentiles NAME=90). With --real_dataset what looks like a real person goes (--max_leakage), and
    with --max_twins people who look like another generated one. What is left of an identity with fewer than
    --min_images images goes too.
    dropped.csv names every image that was left out, and why. A second run goes on where the first one stopped.

    Returns:
        Exit status: 0; 1 where a signal stopped it.

    Raises:
        UserError: no finished generated folder, no rule, a rule for a score that is empty or not there, nothing left.
    """
    source = Path(options.data_dir).expanduser() / options.save_syn_dataset
    inputs = ("save_syn_dataset", "real_dataset", "dataset", "syn_dataset", "dataset_3dmm")
    target = target_folder("save_filtered", options, inputs)
    table = read_scores(source, "--save_syn_dataset")
    description = read_run(source, "--save_syn_dataset")
    real = _real(options)
    rules = _rules(table, high_scores(source, "--save_syn_dataset"), options)
    looks, looked = _look_alike(source, table, real, options)
    reasons = _reasons(table, rules, looks, options.min_images)
    kept = [reason == "" for reason in reasons]
    if not any(kept):
        raise UserError(f"filter: nothing of {source} passes; for the first image: {reasons[0]}")
    identities = len({identity for identity, keep in zip(table.identities, kept, strict=True) if keep})
    description = _describe(description, source, target, rules, real, looked, identities, options)
    truth = Truth(_Images(source, table.paths), description["settings"]["input_scale_size"])
    description["columns"] = list(truth.columns)
    scores = tuple(table.values)
    output = OutputFolder(target, description, "--save_filtered", scores, "dropped.csv", truth.columns)
    if output.tell_finished():
        return 0
    with output, StopRequest() as stop:
        if output.tell_finished():  # by another process, just now
            return 0
        done = _copy(source, table, reasons, truth, output, stop)
        if done < len(reasons):
            print(f"stopped by {stop.name} after {done} of {len(reasons)} images; the same command goes on there")
            return 1
        written, dropped = output.finish(card.of(output))
    print(f"{written} images of {identities} identities in {target}; {dropped} dropped, see dropped.csv")
    return 0


@dataclass(frozen=True)
class _Images:
    """The images of a generated folder, by its table."""

    folder: Path
    paths: list

    def __len__(self):
        return len(self.paths)

    def relative_path(self, i):
        return self.paths[i]


@dataclass(frozen=True)
class Rule:
    """A limit that a score must keep: at most `limit`, or at least where `high` is good. flag: where it comes from."""

    limit: float
    high: bool
    flag: str

    def passes(self, values):
        return values >= self.limit if self.high else values <= self.limit

    def __str__(self):
        return f"{'at least' if self.high else 'up to'} {self.limit:.6g} ({self.flag})"


def _rules(table, high_is_good, options):
    """{score: Rule} of the flags that are given, the stricter one where there are two.

    Args:
        high_is_good: names of scores.
    """
    rules = {}
    for flag in ("score_limits", "score_percentiles"):
        for score, value in _assignments(flag, getattr(options, flag), table.values).items():
            high = score in high_is_good
            values, limit = table.values[score], value
            if np.isnan(values).any():
                raise UserError(f"--{flag}: {TABLE} has images without a {score}")
            if flag == "score_percentiles":
                if not 0 <= value <= 100:
                    raise UserError(f"--{flag} {score}={value:g}: 0 to 100 per cent")
                limit = float(np.percentile(values, 100 - value if high else value))
            rule = Rule(limit, high, f"--{flag} {score}={value:g}")
            rules[score] = (max if high else min)(rules.get(score, rule), rule, key=lambda rule: rule.limit)
    if not rules and options.min_images <= 1 and not options.max_leakage and not options.max_twins:
        raise UserError("filter: no rule; give --score_limits, --score_percentiles, --max_leakage, --max_twins, "
                        "--min_images or several of them")
    return rules


def _real(options):
    """Indexes of the folders of --real_dataset that generated images may not look like."""
    if bool(options.max_leakage) != bool(options.real_dataset):
        raise UserError("--max_leakage and --real_dataset: give both, how near to whom is too near")
    names = folder_names(options, "real_dataset")
    return [index_named(name, options, "real_dataset", labelled=True) for name in names]


def _look_alike(source, table, real, options):
    """For each image why it looks like somebody whom it must not, '' where it does not; and who looked."""
    if not real and not options.max_twins:
        return [""] * len(table.paths), {}
    from trainer.evaluation.gate import look_alike  # here: TensorFlow takes seconds, and scores need none

    return look_alike(source, table, real, options)


def _assignments(flag, text, scores):
    """{score: number} of "NAME=0.2,OTHER=0.1"; the ending "_score" may be left out."""
    values = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = part.partition("=")
        found = [score for score in scores if name.strip() in (score, score.removesuffix(ENDING))]
        if not found:
            raise UserError(f"--{flag} {part}: {TABLE} has the scores {', '.join(scores) or 'none'}")
        if found[0] in values:
            raise UserError(f"--{flag} {text}: {found[0]} is named twice")
        try:
            values[found[0]] = float(number)
        except ValueError:
            raise UserError(f"--{flag} {part}: give a number, like {found[0]}=0.2") from None
        if not np.isfinite(values[found[0]]):
            raise UserError(f"--{flag} {part}: not a finite number")
    return values


def _reasons(table, rules, looks, min_images):
    """For each image why it is dropped; '' for those that stay. looks: the reasons that are known already."""
    reasons = list(looks)
    for score, rule in rules.items():
        for i in np.flatnonzero(~rule.passes(table.values[score])):
            reasons[i] = reasons[i] or f"{score} {table.values[score][i]:.6g}, not {rule}"
    left = {}
    for identity, reason in zip(table.identities, reasons, strict=True):
        left[identity] = left.get(identity, 0) + (reason == "")
    for i, identity in enumerate(table.identities):
        if not reasons[i] and left[identity] < min_images:
            reasons[i] = f"{left[identity]} images of identity {identity} are left, under --min_images {min_images}"
    return reasons


def _describe(run, source, target, rules, real, looked, identities, options):
    """run.json: that of the generated folder, with what was done to it."""
    settings = run["settings"] | {
        "filtered_sha256": hashlib.sha256((source / TABLE).read_bytes()).hexdigest(),
        "rules": {score: rule.limit for score, rule in rules.items()},
        "min_images": options.min_images,
    }
    if real or options.max_twins:
        limits = {name: getattr(options, name) for name in ("max_leakage", "max_twins", "align")}
        settings["looks"] = limits | looked | {"real": [index.digest for index in real]}
    flags = run["flags"] | {"save_syn_dataset": shortened(options.save_filtered)}  # the name on the card
    told = [f"{score} {rule}" for score, rule in rules.items()]
    told += [f"no image nearer than {options.max_leakage:g} to a person of {options.real_dataset}"] * bool(real)
    told += [f"no identity nearer than {options.max_twins:g} to another"] * bool(options.max_twins)
    told.append(f"at least {options.min_images} images an identity")
    folder = run["inputs"]["folder"]  # from the generated folder
    inputs = run["inputs"] | {"folder": folder and os.path.relpath(source / folder, target)}
    filtered = {"source": shortened(options.save_syn_dataset), "identities": identities, "rules": "; ".join(told)}
    run = run | {"job": "filter", "settings": settings, "flags": flags, "inputs": inputs}
    return run | {"filter": filtered, "finished": False}


def _copy(source, table, reasons, truth, output, stop):
    """Copy what has no reason against it, in the table's order; returns the number of images dealt with."""
    done = len(output.begin(ROWS_AT_ONCE))
    with output.open_rows() as file, Progress(len(reasons), "filter", initial=done) as progress:
        while done < len(reasons) and not stop.name:
            rows = [_row(source, table, reasons[i], i, truth, output.folder)
                    for i in range(done, len(reasons))[:ROWS_AT_ONCE]]  # fmt: skip
            output.append(file, rows)
            done += len(rows)
            progress.update(len(rows))
    return done


def _row(source, table, reason, i, truth, target):
    """Copy image i, if it stays; its row for OutputFolder."""
    name, known = table.paths[i], truth.row(i) if truth.columns else []
    scores = ["" if np.isnan(table.values[score][i]) else f"{table.values[score][i]:.9g}" for score in table.values]
    if not reason:
        try:
            data = read_inside(source, name, "--save_syn_dataset")
        except FileNotFoundError:
            reason = "the file is missing"
    if reason:
        return [name, table.identities[i], *scores, *known, "", reason]
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target / name, durable=False) as file:
        file.write(data)
    return [name, table.identities[i], *scores, *known, hashlib.sha256(data).hexdigest(), ""]
