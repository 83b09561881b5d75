"""What a trained FaceGAN makes: photographs of renders, with scores, and renders of photographs."""

import tensorflow as tf

from data_loader.inputs import FolderInput
from data_loader.training_sources import index_folder
from trainer.step import losses
from trainer.step.pixels import grey
from trainer.systems.system import D_SCORES, Maker, Score, System
from utils import runs

IMAGES = ("real", "synthetic", "pair_image", "pair_render")  # of a batch
SCORES = {
    "d_score": D_SCORES["began"],
    "s_score": Score("mean absolute difference between the render and the render that is recovered from the image"),
    "c_score": Score("identity loss: how far the identity network sees it from its own identity", needs=("identity",)),
}
TEXT = (
    "Each image was made from one render of a 3D face model. Identity, pose, expression and light come from the render."
)


class FaceGanImages(System):
    """The networks of trainer.systems.facegan.FaceGan at work, dropout off."""

    def make_makers(self):
        """{job: Maker}, as the contract says."""
        size, scores = self.options.input_scale_size, SCORES | {"d_score": D_SCORES[self.options.discriminator]}
        images = {name: tf.TensorSpec([None, size, size, 3]) for name in ("synthetic", "real")}
        return {
            "generate": Maker(
                self.generate, self._open_renders, {"images": ("synthetic", images["synthetic"])}, scores, TEXT
            ),
            "fit": Maker(self.fit, self._open_photographs, {"images": ("real", images["real"])}),
        }

    def _open_renders(self, options, params, scores, indexes):
        """Renders; with their labels and faces' places where these are the people of the training."""
        index = indexes.get("synthetic") or index_folder(options, "syn_dataset", labelled=True)
        more = {}
        if "c_score" in scores and self._knows(index, params):
            more = {"identity": index.labels} | self.sources["synthetic"].annotations(index)
        return FolderInput(index, options.input_scale_size, "synthetic", more)

    def _open_photographs(self, options, params, scores, indexes):
        index = indexes.get("real") or index_folder(options, "dataset")
        return FolderInput(index, options.input_scale_size, "real")

    def _knows(self, index, params):
        """Whether the labels are those of the training, so that identity scores mean something; else says why not."""
        if not self.identity:
            print("c_score stays empty: these weights come without an identity network")
            return False
        if runs.label_names(params, "synthetic") != index.label_names:
            count = self.label_counts(params)["synthetic"]
            print(f"c_score stays empty: these weights were trained with other identities ({count})")
            return False
        return True

    def shown(self, batch):
        """What the networks see of a batch: all of it, or its luminance.

        Grey photographs cannot carry the colour of a render: without this the cycle loss makes G hide it in patterns.
        """
        return {name: self.as_shown(value) if name in IMAGES else value for name, value in batch.items()}

    def as_shown(self, images):
        """As `shown`, of images float32 [n, h, w, 3] alone."""
        return grey(images) if self.options.grayscale else images

    @tf.function(reduce_retracing=True)
    def generate(self, batch, scores=tuple(SCORES)):
        """Photographs out of renders, dropout off.

        Args:
            batch: `synthetic` [n, s, s, 3]; `identity` int32 [n], where an identity score is wanted, and `chip`
                float32 [n, 4], where the faces of the renders are, as in training.
            scores: names of the scores that are wanted, a tuple. Only the networks that they need run.

        Returns:
            {"image": [n, s, s, 3], score: [n], …}; "c_score" with the magnet loss and `identity` only.
        """
        batch = self.shown(batch)
        fake = self.generator(batch["synthetic"])
        results = {name: self._score(name, fake, batch) for name in scores}
        return {"image": fake} | {name: values for name, values in results.items() if values is not None}

    def _score(self, name, fake, batch):
        if name == "d_score":
            return self.judges["real"].scores(fake)
        if name == "s_score":
            return losses.absolute_error_per_image(self.generator_back(fake), batch["synthetic"])
        if name == "c_score":
            known = self.identity and "identity" in batch
            return self.identity.scores(fake, batch["identity"], batch.get("chip")) if known else None
        raise ValueError(f"no score {name!r}; one of {', '.join(SCORES)}")

    @tf.function(reduce_retracing=True)
    def fit(self, batch, scores=()):
        """Renders out of photographs: {"image": [n, s, s, 3]} of batch["real"]; there are no scores."""
        return {"image": self.generator_back(self.shown(batch)["real"])}

    @tf.function
    def preview(self, batch):
        """The published code's TensorBoard images; what D_R makes of them where it draws."""
        batch = self.shown(batch)
        fake = self.generator(batch["synthetic"])
        decoded = {"AE_x": self.judges["real"].decoded(fake), "AE_u": self.judges["real"].decoded(batch["real"])}
        return {
            "Real Images": batch["real"],
            "Generated Images": fake,
            "Generated Rendering": self.generator_back(fake),
            "Rendering GT": batch["synthetic"],
        } | {tag: images for tag, images in decoded.items() if images is not None}
