"""The job `fit`: what a system's way back makes of photographs; FaceGAN's G' takes them for renders."""

from trainer.output.making import make_images


def run(options):
    """Write <data_dir>/<save_fitting>/ with an image for each photograph of --dataset."""
    return make_images("fit", "save_fitting", options)
