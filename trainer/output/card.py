"""README.md of a generated data set: what it is, where it came from, what it is for."""

from pathlib import PurePath

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))

CARD = """---
# license: choose one before you publish; see Sources below
pretty_name: {name}
task_categories:
- image-classification
tags:
- synthetic
- face-recognition
- faces
size_categories:
- {size_category}
---

# {name}

Generated faces, labelled by identity. No photograph of a person is in this folder, and the people shown do not
exist: any resemblance to a real person is unintentional.

## Composition

| | |
|---|---|
| identities | {identities} (one folder each; the folder's name is the label) |
| images | {images} |
| resolution | {side} x {side}, RGB, {image_format} |

`confidence_scores.csv` has a row for each image: `path`, `identity`, `d_score` (error of the discriminator's
reconstruction, low where the image looks like a photograph to it), `s_score` (mean absolute difference between the
render and the render that is recovered from the image), `c_score` (identity loss). Low is good in all three; a score
is empty where it was not asked for, or its network was not at hand. `SHA256SUMS` lists the files, `run.json` everything
that is needed to make them again.

## Generation

Each image was made from one render of a 3D face model by the generator of `{system}`, averaged weights, without
dropout. Identity, pose, expression and light come from the render.

- checkpoint: `{checkpoint}`, SHA-256 {sha256}
- seed: {seed}
- kept: {kept}

## Sources

- renders: `{renders}`, {rendered} images of {rendered_identities} identities
- the generator was trained on: {photographs}

The licences of both, and of the 3D face model, bind what may be done with these images. The license above is left
open: set it when you have checked them.

## Use

Intended: training and testing of face recognition where photographs of real people are missing or may not be used,
and research on synthetic data. Not intended: identifying, imitating or deceiving real people, surveillance, and
decisions about people on the basis of these images alone. The set is no more balanced by age, sex or skin than its
renders and photographs were; measure that before you rely on it.
"""


def text(run, images):
    """The card.

    Args:
        run: the contents of run.json; has "filter" where a part was kept.
        images: number of images written.
    """
    flags, settings, trained_on, kept = run["flags"], run["settings"], run.get("trained_on"), run.get("filter")
    photographs = f"`{trained_on['dataset']}`, renders `{trained_on['syn_dataset']}`" if trained_on else "not known"
    return CARD.format(
        name=PurePath(flags["save_syn_dataset"]).name,
        size_category=next((name for limit, name in SIZES if images < limit), "n>10M"),
        identities=(kept or run["inputs"])["identities"],
        rendered_identities=run["inputs"]["identities"],
        kept=f"{kept['rules']}; `dropped.csv` lists the others" if kept else "every image",
        images=images,
        side=settings["input_scale_size"],
        image_format={"jpg": "JPEG", "png": "PNG"}[settings["image_format"]],
        system=flags["system"],
        checkpoint=PurePath(run["checkpoint"]).name,
        sha256=", ".join(settings["checkpoint_sha256"].values()),
        seed=settings["random_seed"],
        renders=flags["syn_dataset"],
        rendered=run["inputs"]["images"],
        photographs=photographs,
    )
