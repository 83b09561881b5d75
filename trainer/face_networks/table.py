"""Every face network: where it is built, what sizes it takes, what it is shown of a face, whose weights it can have.

The one list: `--recognizer` names those that can be trained here, `--model_def` (as "models.<name>", the published
flag's form) those of which someone's weights can be read. Nothing here needs TensorFlow.
"""

from dataclasses import dataclass, field, replace

from utils.errors import UserError

DLIB = "models.dlib_resnet"  # --model_def of the networks whose weights anyone can have: fetched where not named
FACENET = "models.facenet_keras"


@dataclass(frozen=True)
class Kind:
    """One network.

    Attributes:
        title: for reports.
        target: "module:class".  arguments: for its constructor.
        size: side of its images in pixels where the user names none; smallest, largest: that it can take.
        margin: of the images that training reads, a square of 1 / margin of the side is shown: the centre, or with
            random_crop any.
        embedding: length of its feature where the user names none.
        sized: it is built for one size of images.  fixed_embedding: its feature has that one length.
        freezes: its constructor takes `frozen`: batch norms as constants.
        dropout_inside: it drops activations itself, before its last layer; else that is done to its feature.
        look: how it is shown pixels: "standardized", "grey", "dlib" or "signed" (face_networks/preparation.py).
        weights: whose can be read: "facenet" (TF1), "keras" (FaceNet as Keras 2 saves it), "dlib", "run" (of
            train_recognizer), or "" for none but those trained here.
        alignment: how a face is cut for those weights: "chip", dlib's face chip; "square", what `align` cuts out;
            "none", images as they lie.
        unit_length: whether embeddings of those weights are compared at length 1; dlib compares them raw.
    """

    title: str
    target: str
    size: int
    smallest: int
    largest: int
    margin: float
    embedding: int
    arguments: dict = field(default_factory=dict)
    sized: bool = False
    fixed_embedding: bool = False
    freezes: bool = False
    dropout_inside: bool = False
    look: str = "standardized"
    weights: str = ""
    alignment: str = "square"
    unit_length: bool = True


def _light_cnn(depth):  # reads 144, shows 128, as its authors
    return Kind(
        f"Light CNN-{depth}", "models.light_cnn:LightCnn", 128, 16, 1024, 144 / 128, 256,
        arguments={"depth": depth}, sized=True, look="grey",
    )  # fmt: skip


def _iresnet(depth):  # insightface crops to 112 when faces are aligned, and only mirrors in training
    return Kind(
        f"IResNet-{depth}", "models.iresnet:IResNet", 112, 16, 1024, 1.0, 512,
        arguments={"depth": depth}, sized=True, dropout_inside=True, look="signed",
    )  # fmt: skip


KINDS = {
    "light_cnn9": _light_cnn(9),
    "light_cnn29": _light_cnn(29),
    "inception_resnet_v1": Kind(  # reads 182, shows 160, as FaceNet
        "FaceNet Inception-ResNet-v1", "models.inception_resnet_v1:InceptionResnetV1", 160, 75, 1024, 182 / 160, 128,
        freezes=True, dropout_inside=True, weights="facenet",
    ),
    "nn4": Kind(
        "FaceNet NN4", "models.nn4:NN4", 96, 96, 96, 108 / 96, 128,
        freezes=True, dropout_inside=True, weights="facenet",
    ),
    "dlib_resnet": Kind(
        "dlib's ResNet", "models.dlib_resnet:DlibResnet", 150, 150, 150, 1.0, 128,
        fixed_embedding=True, look="dlib", weights="dlib", alignment="chip", unit_length=False,
    ),
    "iresnet18": _iresnet(18),
    "iresnet50": _iresnet(50),
}  # fmt: skip
MODEL_DEFS = {f"models.{name}": kind for name, kind in KINDS.items() if kind.weights} | {
    # The same layers as inception_resnet_v1, trained by others, who do not say how they cut their faces: of what was
    # tried on LFW's View 1, dlib's chip is best (docs/judging.md).
    FACENET: replace(KINDS["inception_resnet_v1"], weights="keras", alignment="chip"),
}


RUNS = "recognizers."  # how --model_def begins of a network that was trained here: then its name and its image_size


def of_run(params):
    """`--model_def` of the network of a run of train_recognizer, of its params.json as a namespace."""
    return f"{RUNS}{params.recognizer}.{params.image_size}"


def kind_of(name, flag="recognizer"):
    """The Kind that `--recognizer`, or `--model_def`, names.

    Raises:
        UserError: no such network; lists them.
    """
    if flag == "model_def" and name.startswith(RUNS):
        own, _, size = name.removeprefix(RUNS).partition(".")
        return replace(kind_of(own), size=int(size), weights="run", alignment="none")
    kinds = MODEL_DEFS if flag == "model_def" else KINDS
    if name not in kinds:
        raise UserError(f"--{flag}: {name!r} is none of {', '.join(kinds)}")
    return kinds[name]


def with_sizes(options):
    """The flags with the network's own image_size and embedding_size where the command line names none.

    Raises:
        UserError: a size that the network cannot take.
    """
    name, kind = options.recognizer, kind_of(options.recognizer)
    options = options.defaulting(image_size=kind.size, embedding_size=kind.embedding)
    if not kind.smallest <= options.image_size <= kind.largest:
        sizes = f"{kind.size} only" if kind.smallest == kind.largest else f"{kind.smallest} to {kind.largest}"
        raise UserError(f"--image_size {options.image_size}: {name} takes images of {sizes}")
    if kind.fixed_embedding and options.embedding_size != kind.embedding:
        raise UserError(f"--embedding_size {options.embedding_size}: {name} has {kind.embedding} only")
    return options
