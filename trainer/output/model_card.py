"""README.md beside an exported model: what it does, where it came from, what it is for."""

from trainer.face_networks.identity_loss import told
from trainer.output.card import licence_table, score_lines, told_folders, yaml_string
from trainer.output.provenance import commit, trained_on, trained_with
from utils.files import last_part
from utils.markdown import code, escaped
from utils.printable import printable
from utils.versions import versions

CARD = """---
# license: choose one before you publish; see Licences below
library_name: tf-keras
pipeline_tag: image-to-image
model_name: {yaml_name}
tags:
- face-generation
- synthetic-data
- {system}
---

# {title}

{made_of} {shows}

## Use

{use}

Images are RGB, {side} x {side}, values from -1 to 1 where they are floats. Scores:

{scores}

Intended: training and testing of face recognition where photographs of real people are missing or may not be used, and
research on synthetic data. Not intended: identifying, imitating or deceiving real people, surveillance. A network that
was trained on photographs can reproduce what it saw: check what it makes for people of its training set before you
publish it.

## Where it came from

- system: `{system}`; averaged weights, no dropout
- checkpoint: {checkpoint}, SHA-256 {sha256}
- trained on: {trained_on}
- identity loss through: {identity_loss}
- made with: {versions}; commit {commit}

## Licences

{licences}

These licences, and those of all photographs and renders that it was trained on, bind what may be done with the model
and with its images. The license above is left open: set it when you have checked them.
"""


def signatures(functions):
    """What a SavedModel's signatures take and give, a line each, of {name: concrete function}."""
    lines = []
    for name, function in functions.items():
        given = ", ".join(_spec(key, spec) for key, spec in function.structured_input_signature[1].items())
        got = ", ".join(_spec(key, spec) for key, spec in function.structured_outputs.items())
        lines.append(f"- `{name}`: {given} -> {got}")
    return "A SavedModel, for TensorFlow and TensorFlow Serving; n is any number:\n\n" + "\n".join(lines)


def _spec(name, spec):
    shape = ", ".join("n" if side is None else str(side) for side in spec.shape)
    return f"`{name}` {spec.dtype.name} [{shape}]"


def text(loaded, use):
    """The card of an export.

    Args:
        loaded: trainer.training.load.Loaded.
        use: how it is run, Markdown.
    """
    system, params = loaded.system, loaded.params
    maker, name = system.makers["generate"], printable(last_part(str(loaded.run or loaded.checkpoint)))
    return CARD.format(
        title=escaped(name),
        yaml_name=yaml_string(name),
        system=params.get("system", loaded.options.system),
        made_of=maker.text,
        shows=maker.shows,
        use=use,
        side=system.side,
        scores=score_lines({key: vars(score) for key, score in maker.scores.items()}),
        checkpoint=code(last_part(str(loaded.checkpoint))),
        sha256=", ".join(loaded.sha256().values()),
        trained_on=told_folders(trained_on(loaded)),
        identity_loss=told(trained_with(loaded)),
        versions=", ".join(f"{key} {value}" for key, value in versions().items()),
        commit=commit() or "not known",
        licences=licence_table(params.get("licences")),
    )
