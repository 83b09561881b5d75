"""The job `generate`: a labelled data set of made images, with scores. Needs weights and what they are made of only."""

from trainer.output.engines import with_ray
from trainer.output.making import make_images


def run(options):
    """Generate. Everything that can be wrong with the input is found before anything is written."""
    if options.engine == "ray":
        return with_ray("generate", options)
    return make_images("generate", "save_syn_dataset", options)
