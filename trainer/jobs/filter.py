"""The `filter` job: the generated images whose scores are good enough, as a data set folder of its own."""

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np

from trainer.output import card
from trainer.output.folder import RUN, OutputFolder, target_folder
from trainer.output.scores import SCORES, TABLE, read_scores
from utils.errors import UserError
from utils.files import atomic_write
from utils.progress import Progress
from utils.signals import StopRequest

AT_ONCE = 64  # images between two notes of how far it came


def run(options):
    """Copy the images of data_dir/save_syn_dataset that pass every rule into data_dir/save_filtered.

    A rule is a largest score (--max_d_score …) or a percentile of the scores of all images (--d_score_percentile …);
    low scores are good. What is left of an identity with fewer than --min_images images goes too. dropped.csv names
    every image that was left out, and why. A second run goes on where the first one stopped.

    Returns:
        Exit status: 0; 1 where a signal stopped it.

    Raises:
        UserError: no finished generated folder, no rule, a rule for a score that is empty, nothing left.
    """
    source = Path(options.data_dir).expanduser() / options.save_syn_dataset
    target = target_folder("save_filtered", options, ("save_syn_dataset", "dataset", "syn_dataset", "dataset_3dmm"))
    table = read_scores(source, "--save_syn_dataset")
    if lacking := [score for score in SCORES if score not in table.values]:
        raise UserError(f"--save_syn_dataset: {source / TABLE} has no column {lacking[0]}")
    rules = _rules(table, options)
    reasons = _reasons(table, rules, options.min_images)
    kept = [reason == "" for reason in reasons]
    if not any(kept):
        raise UserError(f"filter: nothing of {source} passes; for the first image: {reasons[0]}")
    identities = len({identity for identity, keep in zip(table.identities, kept, strict=True) if keep})
    description = _describe(source, rules, identities, options)
    output = OutputFolder(target, description, SCORES, skipped="dropped.csv")
    if output.finished:
        print(f"{target} is finished already: {output.run['images']} images; nothing to do")
        return 0
    with StopRequest() as stop:
        done = _copy(source, table, reasons, output, stop)
    if done < len(reasons):
        print(f"stopped by {stop.name} after {done} of {len(reasons)} images; the same command goes on there")
        return 1
    written, dropped = output.finish(partial(card.text, output.run))
    print(f"{written} images of {identities} identities in {target}; {dropped} dropped, see dropped.csv")
    return 0


def _rules(table, options):
    """{score: (limit, what the limit is)} of the flags that are given."""
    rules = {}
    for score in SCORES:
        largest, percentile = getattr(options, f"max_{score}"), getattr(options, f"{score}_percentile")
        values = table.values[score]
        if (largest is not None or percentile < 100) and np.isnan(values).any():
            raise UserError(f"--max_{score}, --{score}_percentile: {TABLE} has images without a {score}")
        limits = [] if largest is None else [(largest, f"--max_{score}")]
        if percentile < 100:
            limits.append((float(np.percentile(values, percentile)), f"--{score}_percentile {percentile:g}"))
        if limits:
            rules[score] = min(limits)
    if not rules and options.min_images <= 1:
        raise UserError("filter: no rule; give --max_d_score, --d_score_percentile 90, --min_images or the like")
    return rules


def _reasons(table, rules, min_images):
    """For each image why it is dropped; '' for those that stay."""
    reasons = [""] * len(table.paths)
    for score, (limit, rule) in rules.items():
        for i in np.flatnonzero(~(table.values[score] <= limit)):
            reasons[i] = reasons[i] or f"{score} {table.values[score][i]:.6g} over {limit:.6g} ({rule})"
    left = {}
    for identity, reason in zip(table.identities, reasons, strict=True):
        left[identity] = left.get(identity, 0) + (reason == "")
    for i, identity in enumerate(table.identities):
        if not reasons[i] and left[identity] < min_images:
            reasons[i] = f"{left[identity]} images of identity {identity} are left, under --min_images {min_images}"
    return reasons


def _describe(source, rules, identities, options):
    """run.json: that of the generated folder, with what was done to it."""
    try:
        run = json.loads((source / RUN).read_text(encoding="utf-8"))
        settings = run["settings"] | {
            "filtered_sha256": hashlib.sha256((source / TABLE).read_bytes()).hexdigest(),
            "rules": {score: limit for score, (limit, _) in rules.items()},
            "min_images": options.min_images,
        }
        run["flags"]["save_syn_dataset"] = options.save_filtered  # the name on the card
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{source / RUN} is not one that generate has written: {error}") from error
    told = [f"{score} up to {limit:.6g} ({rule})" for score, (limit, rule) in rules.items()]
    told.append(f"at least {options.min_images} images an identity")
    filtered = {"source": str(source), "identities": identities, "rules": "; ".join(told)}
    return run | {"job": "filter", "settings": settings, "filter": filtered, "finished": False}


def _copy(source, table, reasons, output, stop):
    """Copy what has no reason against it, in the table's order; returns the number of images dealt with."""
    done = len(output.begin(AT_ONCE))
    with output.open_rows() as file, Progress(len(reasons), "filter", initial=done) as progress:
        while done < len(reasons) and not stop.name:
            rows = [_row(source, table, reasons[i], i, output.folder) for i in range(done, len(reasons))[:AT_ONCE]]
            output.append(file, rows)
            done += len(rows)
            progress.update(len(rows))
    return done


def _row(source, table, reason, i, target):
    """Copy image i, if it stays; its row for OutputFolder."""
    name = table.paths[i]
    scores = ["" if np.isnan(table.values[score][i]) else f"{table.values[score][i]:.9g}" for score in SCORES]
    if not reason:
        try:
            data = (source / name).read_bytes()
        except FileNotFoundError:
            reason = "the file is missing"
    if reason:
        return [name, table.identities[i], *scores, "", reason]
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target / name, durable=False) as file:
        file.write(data)
    return [name, table.identities[i], *scores, hashlib.sha256(data).hexdigest(), ""]
