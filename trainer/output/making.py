"""What the jobs that make images do: load a system, open what images are made of, fill a folder."""

from functools import partial

from trainer.output import card, provenance
from trainer.output.resumable_folder import OutputFolder, target_folder
from trainer.output.scores import asked_scores, told_scores
from trainer.output.writer import Task, write_images
from trainer.training.load import load_system


def make_images(job, flag, options):
    """Make an image of each input that the job's input lists.

    Args:
        job: key of System.makers.
        flag: the flag that names the output folder, under data_dir.
        options: the flags.

    Returns:
        Exit status: 0; 1 where a signal stopped it.

    Raises:
        UserError: whatever is wrong with weights, input or output, before anything is written; a full disk.
    """
    loaded = load_system(options)
    options, maker = loaded.options, loaded.maker(job)
    scores = asked_scores(options.scores, maker.scores)
    target = target_folder(flag, options)
    inputs = maker.open_input(options, loaded.params, scores, {})
    description = provenance.describe(job, loaded, inputs, options, target)
    if maker.scores:
        description["settings"]["scores"] = told_scores(scores)
    output = OutputFolder(target, description, f"--{flag}", tuple(maker.scores))
    text = (lambda images: card.text(output.run, images)) if maker.text else None
    return write_images(Task(inputs, output, partial(maker.make, scores=scores), text), options)
