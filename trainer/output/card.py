"""README.md of a generated data set: what it is, where it came from, what it is for."""

import json
import re

from trainer.face_networks.identity_loss import judge_of, told
from trainer.face_networks.table import MODEL_DEFS
from trainer.systems.system import NOBODY
from utils.files import last_part
from utils.markdown import code, escaped
from utils.printable import printable

YAML_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")  # not strings, where they stand unquoted
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))

CARD = """---
# license: choose one before you publish; see Sources below
pretty_name: {pretty_name}
task_categories:
- image-classification
tags:
- synthetic
- face-recognition
- faces
size_categories:
- {size_category}
---

# {title}

Generated faces, labelled by identity. No photograph of a person is in this folder. {shows}

## Composition

| | |
|---|---|
| identities | {identities} (one folder each; the folder's name is the label) |
| images | {images} |
| resolution | {side} x {side}, RGB, {image_format} |

`confidence_scores.csv` has a row for each image: its `path`, its `identity`, and these scores. A score is empty where
it was not asked for, or its network was not at hand.

{scores}

`metadata.csv` has the same rows, `file_name` first, and what is known of each image beside.

`SHA256SUMS` lists the files, `run.json` everything that is needed to make them again.

## Generation

{made_of} The system is `{system}`, with averaged weights and without dropout.

- checkpoint: {checkpoint}, SHA-256 {sha256}
- seed: {seed}
- identity loss through: {identity_loss}; `evaluate` judges by {judge}, unless told otherwise
- kept: {kept}

## Sources

- made of: {input}, {input_images} images of {input_identities} identities{renderer}
- the system was trained on: {trained_on}

{licences}

These licences, and those of all photographs and renders that the system was trained on or given, bind what may be done
with these images. The license above is left open: set it when you have checked them.

## Use

Intended: training and testing of face recognition where photographs of real people are missing or may not be used,
and research on synthetic data. Not intended: identifying, imitating or deceiving real people, surveillance, and
decisions about people on the basis of these images alone. The set is no more balanced by age, sex or skin than its
renders and photographs were; measure that before you rely on it.
"""


def of(output):
    """The card of a folder: a function of the number of images, which looks at its run.json when it is called."""
    return lambda images: text(output.run, images)


def text(run, images):
    """The card.

    Args:
        run: the contents of run.json; has "filter" where a part was kept.
        images: number of images written.
    """
    flags, settings, inputs, kept = run["flags"], run["settings"], run["inputs"], run.get("filter")
    name = printable(last_part(flags["save_syn_dataset"]))
    return CARD.format(
        title=escaped(name),
        pretty_name=yaml_string(name),
        size_category=next((name for limit, name in SIZES if images < limit), "n>10M"),
        identities=(kept or inputs)["identities"],
        kept=f"{kept['rules']}; `dropped.csv` lists the others" if kept else "every image",
        images=images,
        side=settings["input_scale_size"],
        image_format={"jpg": "JPEG", "png": "PNG"}[settings["image_format"]],
        scores=score_lines(run.get("scores") or {}),
        shows=run.get("shows") or NOBODY,
        made_of=run.get("made_of") or "Each image was made from one image of the input.",
        system=flags["system"],
        checkpoint=code(last_part(run["checkpoint"])),
        sha256=", ".join(settings["checkpoint_sha256"].values()),
        seed=settings["random_seed"],
        identity_loss=told(run.get("trained_with")),
        judge=MODEL_DEFS[judge_of(run.get("trained_with"))].title,
        input=code(last_part(inputs["folder"])),
        input_images=inputs["images"],
        input_identities=inputs["identities"],
        renderer=f"; renderer {inputs['renderer']}" if "renderer" in inputs else "",
        licences=licence_table(run.get("licences")),
        trained_on=told_folders(run.get("trained_on")),
    )


def licence_table(told):
    """A table of run.json's licences, and whether they leave room for commercial use."""
    if not told:
        return "Whose work they rest on is not recorded: the folders and the run are of an earlier version."
    rows = [[each["what"], each["by"], each["licence"], each.get("limit") or "not excluded"] for each in told]
    rows = [map(escaped, row) for row in rows]
    lines = [["work that they rest on", "by", "licence", "commercial use"], ["---"] * 4, *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    limited = ", ".join(dict.fromkeys(escaped(each["what"]) for each in told if each.get("limit"))) or "none of these"
    return f"{table}\n\nCommercial use is excluded, or has to be asked for, by: {limited}."


def told_folders(folders):
    """{flag: folder} of what a system was trained on, in words; None where it is not known."""
    told = [f"{code(name)} ({code(f'--{flag}')})" for flag, name in (folders or {}).items()]
    return ", ".join(told) or "not known"


def yaml_string(name):
    """A name as a string of YAML: plain where it is a plain word, else as JSON writes it."""
    plain = re.fullmatch(r"[a-z][\w.-]*", name, re.ASCII | re.IGNORECASE) and name.lower() not in YAML_WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


def score_lines(scores):
    """A line for each of run.json's scores."""
    lines = [f"- `{name}`: {score['meaning']}; {score['better']} is good" for name, score in scores.items()]
    return "\n".join(lines) or "- none"
