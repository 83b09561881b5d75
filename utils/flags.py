"""Every flag: name, default, what it does, and which jobs read it. utils/command_line.py parses them.

Those of the published FaceGAN command line keep their names and defaults. Where the published code read a flag without
any effect, the help says "published: no effect" and what holds here.
"""

from dataclasses import dataclass

BENCHMARK = ("benchmark",)
TRAINING, RENDERING, CROPPING = ("train", *BENCHMARK), ("render",), ("align", "pair", "simulate")
FITTING = ("pair", "simulate")
RECOGNISING, EXPERIMENT = ("train_recognizer", "experiment"), ("experiment",)
RECOGNISER = (*RECOGNISING, *BENCHMARK)
ANY_TRAINING = ("train", *RECOGNISING)
EVALUATION = ("evaluate",)
WRITING = ("generate", "fit")
FILTERING = ("filter",)
MERGING = ("merge", "status")
FACE_NETWORKS = (*ANY_TRAINING, *EVALUATION)
WEIGHTS = ("generate", "fit", "test", "export")
SHAPE = (*TRAINING, *WEIGHTS)  # jobs that read a flag which shapes weights: of trained ones it may only repeat the run's
INPUTS = (*ANY_TRAINING, *WRITING, "test", *CROPPING, *EVALUATION, *BENCHMARK)  # that read folders of images
RUNS = (*ANY_TRAINING, *WEIGHTS, *EVALUATION)  # that make or look for run folders
SEEDED = (*ANY_TRAINING, *WEIGHTS, *RENDERING, *EVALUATION, *BENCHMARK)


@dataclass(frozen=True)
class Flag:
    """One flag; `kind` is int, float, bool or str; `low` and `high` are the ends of its range, both allowed."""

    name: str
    default: object
    help: str
    kind: type
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None
    multiple: int = 1
    jobs: tuple[str, ...] | None = None  # None: every job
    path: str = ""  # "one": a file or folder; "many": several, with commas between; "machine": a folder of this machine
    empty: tuple[str, ...] = ()  # jobs that take no path for it, where another one is the default


def _flag(name, default, help, kind=None, **rest):
    return Flag(name, default, help, kind or type(default), **rest)


def _unused(name, default, why, kind=None):
    return Flag(name, default, f"published: no effect; {why}", kind or type(default), jobs=())


GROUPS = {
    "what to do": [
        _flag("system", "facegan", "which system is trained; experiment: dagan, whose generated people are the real ones (shared_people)", jobs=(*TRAINING, *EXPERIMENT)),
        _flag("is_train", True, "without a job: False writes the fixed grid (job test)", jobs=()),
        _flag("train_generator", True, "without a job: train; with False the next two are looked at", jobs=()),
        _flag("generate_dataset", True, "without a job: generate when not training", jobs=()),
        _flag("fit_dataset", False, "without a job: run G' over the photographs when neither", jobs=()),
    ],
    "data": [
        _flag("data_dir", "c:/data", "where data set folders are", jobs=(*INPUTS, *RENDERING, *FILTERING, *MERGING), path="machine"),
        _flag("dataset", "vgg-aligned-64", "real photographs, folder under data_dir; labelled for train_recognizer, evaluate and experiment, of which the first two take several as A,B", jobs=INPUTS, path="many"),
        _flag("syn_dataset", "syn_lsfm-64", "renders, folder under data_dir: <identity>/<file>", jobs=("train", *WRITING, "test", *RENDERING, *EVALUATION, *EXPERIMENT, *BENCHMARK), path="one"),
        _flag("dataset_3dmm", "paired_data-64", "photographs with renders, under data_dir; '' trains without; `pair` writes it", jobs=("train", "pair", *BENCHMARK), path="one", empty=TRAINING),
        _flag("grayscale", False, "take the colour out of every image; for grey photographs (published: no effect)", jobs=SHAPE),
        _flag("random_flip", False, "mirror half of the photographs, drawn at each step (published: no effect)", jobs=(*ANY_TRAINING, *BENCHMARK)),
        _flag("vary_photographs", False, "move, zoom and light the photographs anew at each step: D_R would learn a few hundred by heart (ours)", jobs=TRAINING),
        _flag("sample_weights", "", "CSV of file_name and weight: photographs are drawn in proportion to their weight; those that it does not name weigh 1 (ours)", jobs=("train",), path="one"),
        _flag("num_worker", 4, "threads that decode images, and that write them (no more than processors); processes that render or simulate (demo, where not named: 2)", low=1, high=256, jobs=(*ANY_TRAINING, *WRITING, *FITTING, *RENDERING, "demo", *EVALUATION, *BENCHMARK)),
        _flag("cache", "none", "keep decoded images: in memory (half of what is available at most), or on disk under asset_dir, for the next run too", choices=("none", "memory", "disk"), jobs=(*ANY_TRAINING, *BENCHMARK)),
        _flag("n_id", 10, "identities to render (demo, where not named: 100); of --system cfs: new people to generate, each a mixture of three, in place of the known; in training counted from the labelled folder", low=1, high=10**7, jobs=(*RENDERING, "demo", "generate", *BENCHMARK)),
        _flag("asset_dir", "~/.cache/facegan", "where fetched models, faces and indexes are kept", jobs=(*INPUTS, *RENDERING, "demo"), path="machine"),
        _flag("random_seed", 123, "seed of weights, order of images, dropout, crops and renders", low=0, high=2**31 - 1, jobs=SEEDED),
    ],
    "networks": [
        _flag("input_scale_size", 64, "image height and width, a multiple of 4", low=16, high=1024, multiple=4, jobs=SHAPE),
        _flag("discriminator", "began", "what D_R is: BEGAN's auto-encoder, as published, or a network that scores patches, for few photographs and steps (ours)", choices=("began", "patch"), jobs=SHAPE),
        _flag("conv_hidden_num", 64, "width of D_R; of patches: channels of the first layer, eight times as many in the last", low=1, jobs=SHAPE),
        _flag("conv_hidden_num_back", 64, "width of D_S, which is always 64 in the published code", low=1, jobs=SHAPE),
        _flag("conv_hidden_num_res", 32, "width of G and G'", low=1, jobs=SHAPE),
        _flag("num_res_rep", 3, "residual blocks of G and G'", low=1, jobs=SHAPE),
        _flag("upsample", "transposed", "how G and G' double their size: transposed convolutions, as published, or nearest neighbours and a convolution, which weaves no pattern (ours)", choices=("transposed", "nearest"), jobs=SHAPE),
        _flag("z_num", 64, "code size of the auto-encoders", low=1, jobs=SHAPE),
    ],
    "training": [
        _flag("batch_size", 16, "images in a step", low=1, jobs=(*ANY_TRAINING, *WRITING, *BENCHMARK)),
        _flag("max_step", 248000, "steps to train; train_recognizer, where not named: max_nrof_epochs x epoch_size", low=1, jobs=ANY_TRAINING),
        _flag("max_minutes", 0.0, "stop and save after so many minutes; 0: never", low=0, jobs=("train", "train_recognizer")),
        _flag("g_lr", 8e-5, "learning rate of G and of G'", low=0, jobs=TRAINING),
        _flag("d_lr", 8e-5, "learning rate of the discriminators", low=0, jobs=TRAINING),
        _flag("lr_update_step", 128000, "first halving of the rates; the interval halves too", low=1, jobs=TRAINING),
        _flag("lr_lower_boundary", 5e-6, "floor of the halving", low=0, jobs=TRAINING),
        _flag("optimizer", "adam", "train: adam, as in the published code; a recogniser: adam, or sgd with momentum", choices=("adam", "sgd"), jobs=ANY_TRAINING),
        _flag("beta1", 0.9, "Adam's beta1 (published flag 0.5 never reached Adam, which ran at 0.9)", low=0, high=1, jobs=(*ANY_TRAINING, *BENCHMARK)),
        _flag("beta2", 0.999, "Adam's beta2", low=0, high=1, jobs=(*ANY_TRAINING, *BENCHMARK)),
        _flag("gamma", 0.5, "boundary equilibrium ratio", low=0, jobs=TRAINING),
        _flag("lambda_k", 0.001, "step of the k_t's", low=0, jobs=TRAINING),
        _flag("load_path", "", "run folder to go on with, or its name under log_dir; a new run folder is made", jobs=("train", "train_recognizer", "test"), path="one"),
        _flag("num_gpu", 1, "GPUs that each take batch_size images of a step; rates times this, max_step and lr_update_step divided by it, as published. With TF_CONFIG: of each worker", low=1, high=64, jobs=TRAINING),
        _flag("warm_up", 5000, "steps in which the rates rise to num_gpu times theirs (published: no effect)", low=0, jobs=TRAINING),
        _flag("mixed_precision", "float32", "what networks compute in; weights, losses and images stay float32; 16 bits are slower where hardware has none", choices=("float32", "bfloat16", "float16"), jobs=(*TRAINING, *RECOGNISING, *WEIGHTS)),
        _flag("jit_compile", False, "compile the training step with XLA", jobs=TRAINING),
        _flag("use_gpu", True, "False hides the GPUs (published: no effect)"),
    ],
    "losses": [
        _flag("lambda_d", 0.5, "weight of the pair loss in G'", low=0, jobs=TRAINING),
        _flag("lambda_s", 0.5, "weight of the cycle loss in G and G'", low=0, jobs=TRAINING),
        _flag("lambda_p", 0.1, "weight of the masked pixel loss in G", low=0, jobs=TRAINING),
        _flag("lambda_c", 0.001, "weight of the identity loss in G", low=0, jobs=TRAINING),
        _flag("identity_blur", 0.0, "deviation, in pixels, of a Gaussian over what the identity loss looks at in training, so that thin lines do not please it; 0: none (ours)", low=0, high=4, jobs=TRAINING),
        _flag("gan_loss", "hinge", "loss of --discriminator patch, and of --system cfs, where not named: wgan_gp, as published", choices=("hinge", "nonsaturating", "wgan_gp"), jobs=TRAINING),
        _flag("adversarial_weight", 0.05, "weight of --discriminator patch in G (BEGAN's is 1, as published)", low=0, jobs=TRAINING),
        _flag("r1", 0.1, "weight of R1, half of it times the squared gradient of --discriminator patch to photographs; 0: none", low=0, jobs=TRAINING),
        _flag("r1_interval", 16, "R1 every so many steps, times so many", low=1, jobs=TRAINING),
        _flag("augment", "", "change what D_R sees, photographs and fakes alike: colour, shift, cutout, flip, with commas between (DiffAugment; published: none)", jobs=TRAINING),
        _flag("augment_strength", 1.0, "how far augment goes in colour and shift: 1 as published, 0 not at all", low=0, high=1, jobs=TRAINING),
        _flag("pixel_mask", True, "pixel loss on the render's pixels only, as published; the paper masks nothing", jobs=TRAINING),
        _flag("method_c", "magnet", "identity loss", choices=("none", "magnet", "softmax", "center"), jobs=SHAPE),
        _flag("center_loss_alfa", 0.95, "1 - step of the centroids and of the center loss's (the paper prints 0.95 for the step: 0.05 here)", low=0, high=1, jobs=(*ANY_TRAINING, *BENCHMARK)),
        _flag("paper_variance", False, "magnet loss with the paper's 2 sigma^2; the published code squares sigma^2", jobs=TRAINING),
        _flag("move_centers", False, "method_c center: move the centers, which the published code never does", jobs=TRAINING),
        _flag("relax_c", False, "train the identity network too (its moving statistics stay)", jobs=SHAPE),
    ],
    "DA-GAN (--system dagan)": [
        _flag("lambda_1", 0.01, "weight of the identity perception loss, eqs. 2 and 7 (not given in the paper; ours: docs/dagan.md)", low=0, jobs=TRAINING),
        _flag("lambda_2", 0.5, "weight of the pixel perception loss, eq. 2 (not given in the paper; ours)", low=0, jobs=TRAINING),
        _flag("identity_perception", "softmax", "how the discriminator's code names people: softmax; binary: eq. 6, a yes or no for each of them; none: it does not", choices=("softmax", "binary", "none"), jobs=SHAPE),
        _flag("label_photographs", True, "name the people of photographs too, as in eq. 6: one folder for each, with two images or more; False: of views alone", jobs=TRAINING),
        _flag("generator_weight", "one", "weight of the adversarial loss in G: one, as in BEGAN; k_t: eq. 2 as printed, 0 at the start", choices=("one", "k_t"), jobs=TRAINING),
        _flag("sum_errors", False, "sum the auto-encoder's errors over images and pixels as in eqs. 4, 5 and 9; False: mean", jobs=TRAINING),
        _flag("update", "alternating", "G is moved against the D that has just moved, or simultaneous: against the same D", choices=("alternating", "simultaneous"), jobs=TRAINING),
    ],
    "conditional face synthesis (--system cfs)": [
        _flag("lambda_gp", 1.0, "weight of the gradient penalty, eq. 2", low=0, jobs=TRAINING),
        _flag("lambda_cls", 1.0, "weight of the classification losses, eq. 6", low=0, jobs=TRAINING),
        _flag("lambda_fm", 1.0, "weight of feature matching, eq. 3", low=0, jobs=TRAINING),
        _flag("lambda_pixel", 10.0, "weight of the reconstruction, eq. 4", low=0, jobs=TRAINING),
        _flag("lambda_kl", 0.01, "weight of the latent vectors' divergence from N(0, 1), eq. 5", low=0, jobs=TRAINING),
        _flag("lambda_id", 1.0, "weight of the identity loss, eq. 7; 0: without an identity network", low=0, jobs=SHAPE),
        _flag("fakes", "mean", "how the two fakes of a photograph enter eq. 2: mean; sum: as printed, where nothing keeps the scores from drifting", choices=("mean", "sum"), jobs=TRAINING),
        _flag("n_critic", 1, "steps of the discriminators for one of encoder and generator (not given in the paper; ours)", low=1, high=1000, jobs=TRAINING),
        _flag("baseline", "none", "a baseline of the paper's Table 1 in its place: cvae, without discriminators (pixels and divergence alone); cgan, without the encoder", choices=("none", "cvae", "cgan"), jobs=SHAPE),
        _flag("person", "", "generate with --dataset: the known person whom every photograph's latent vector is to show; '' : its own", jobs=("generate",)),
        _flag("strips", 0, "generate with --dataset: so many images from each person's first photograph to the last, by their latent vectors; 0: every photograph", low=0, high=1000, jobs=("generate",)),
        _flag("max_channels", 512, "most channels of a layer (not given in the paper; ours); of --system ipgan, where not named: 256", low=1, jobs=SHAPE),
        _flag("same_latents", False, "every person's image of one number has the same latent vector, or pose: the columns of a grid (ours)", jobs=("generate", "test")),
    ],
    "IP-GAN (--system ipgan; of the paper only the abstract is public: all ours)": [
        _flag("identity_code", "vector", "what of the identity network enters the generator: its vector, or the map before it is pooled (dlib's network)", choices=("vector", "map"), jobs=SHAPE),
        _flag("injection", "adain", "how the codes enter the generator: adain, as scale and offset of every layer's normalised channels; concat, at its start alone", choices=("adain", "concat"), jobs=SHAPE),
        _flag("lambda_unpaired", 0.1, "factor of the reconstruction where identity and pose are of two people (Bao et al. 2018: 0.1; 0.01 loses the expression, 1 brings artefacts)", low=0, jobs=TRAINING),
        _flag("lambda_pose", 1.0, "weight of the pose consistency: the pose code of what was made against the one that was asked for", low=0, jobs=TRAINING),
        _flag("pose_augment", "colour,blur,stretch", "what changes the pose encoder's input, so that its code cannot hold the person: colour, blur, stretch, with commas between (after Burkov et al. 2020); augment_strength says how far", jobs=TRAINING),
        _flag("pose_dataset", "", "faces, folder under data_dir, in whose poses every person is shown; '': random poses", jobs=("generate", "test"), path="one"),
        _flag("identity_image", "", "with pose_image: a photograph whose face is shown in the other's pose", jobs=("generate",), path="one"),
        _flag("pose_image", "", "with identity_image: a photograph whose pose is taken", jobs=("generate",), path="one"),
    ],
    "identity network": [
        _flag("model_def", "models.dlib_resnet", "its network; without it --pretrained_rec says (published: models.nn4); evaluate, where neither is named: one that the identity loss did not look through", jobs=(*SHAPE, *EVALUATION)),
        _flag("pretrained_rec", "facenet_model/model-20171214-014943.ckpt-80000", "its weights: FaceNet's TF1 checkpoint (prefix) or Keras 2 file (.h5), or a run folder of train_recognizer; those of models.dlib_resnet and models.facenet_keras are fetched; train_recognizer, where named: what it starts from", jobs=FACE_NETWORKS, path="one"),
        _flag("embedding_size", 128, "size of its embedding; train_recognizer, where not named: the network's own", low=1, jobs=(*FACE_NETWORKS, *BENCHMARK, *WEIGHTS)),
        _flag("facenet_scope", "InceptionResnetV1", "scope of its variables in the checkpoint", jobs=(*FACE_NETWORKS, *WEIGHTS)),
        _flag("use_fixed_image_standardization", False, "(x - 127.5) / 128, for FaceNet's 2018 models, instead of per image", jobs=(*FACE_NETWORKS, *BENCHMARK, *WEIGHTS)),
        _flag("align", "auto", "faces cut as the network was trained on, by landmarks, or none: images as they lie", choices=("auto", "none"), jobs=("evaluate",)),
    ],
    "recogniser (train_recognizer)": [
        _flag("recognizer", "inception_resnet_v1", "its network", jobs=RECOGNISER),
        _flag("image_size", 160, "its images' height and width, where not named the network's own: 160 for inception_resnet_v1", low=16, high=1024, jobs=RECOGNISER),
        _flag("head", "softmax", "what tells the identities apart in training: softmax as FaceNet, or cosines with a margin: arcface (Deng et al. 2019), cosface (Wang et al. 2018)", choices=("softmax", "arcface", "cosface"), jobs=RECOGNISER),
        _flag("margin", 0.0, "its margin; 0: that of its paper, 0.5 radians for arcface, a cosine of 0.35 for cosface (insightface: 0.4)", low=0, high=1.5, jobs=RECOGNISER),
        _flag("margin_scale", 64.0, "factor of its cosines", low=0, jobs=RECOGNISER),
        _flag("shared_people", False, "generated folders show people of the real ones, by the names of their folders: one head for both (ours)", jobs=RECOGNISER),
        _flag("lambda_syn", 1.0, "weight with which the losses on generated images reach the network (ours; the authors' code: 0)", low=0, jobs=RECOGNISER),
        _flag("center_loss_factor", 0.0, "weight of the center loss", low=0, jobs=RECOGNISER),
        _flag("weight_decay", 5e-5, "factor of half the squared kernels", low=0, jobs=RECOGNISER),
        _flag("keep_probability", 1.0, "share of the activations that dropout keeps (the authors' recogniser: 0.8; Light CNN: 0.5)", low=0.01, high=1, jobs=RECOGNISER),
        _flag("random_crop", False, "show a random square of each image, not its centre (FaceNet 160 of 182, NN4 96 of 108, Light CNN 128 of 144)", jobs=RECOGNISER),
        _flag("random_rotate", False, "turn each image by up to 10 degrees either way", jobs=RECOGNISER),
        _flag("random_erasing", 0.0, "share of the images of which a rectangle is replaced by noise (Zhong et al. 2017: 0.5)", low=0, high=1, jobs=RECOGNISER),
        _flag("epoch_size", 1000, "steps of an epoch", low=1, jobs=RECOGNISER),
        _flag("max_nrof_epochs", 500, "epochs to train", low=1, jobs=RECOGNISER),
        _flag("learning_rate", 0.1, "learning rate of the heads and the network; negative: by the schedule file", jobs=RECOGNISER),
        _flag("trunk_lr_factor", 1.0, "the network's learning rate, as a part of the heads' (ours; the authors' code, from trained weights: 0.1)", low=0, jobs=RECOGNISER),
        _flag("learning_rate_decay_epochs", 100, "epochs between two decays", low=1, jobs=RECOGNISER),
        _flag("learning_rate_decay_factor", 1.0, "factor of a decay", low=0, jobs=RECOGNISER),
        _flag("learning_rate_warm_up", 0, "steps in which the rates rise from 0 to theirs", low=0, jobs=RECOGNISER),
        _flag("learning_rate_power", 0.0, "from there the rates fall to 0 at max_step, as (1 - share done) to this power; 0: they do not", low=0, high=100, jobs=RECOGNISER),
        _flag("momentum", 0.9, "momentum of --optimizer sgd", low=0, high=1, jobs=RECOGNISER),
        _flag("learning_rate_schedule_file", "data/learning_rate_schedule.txt", "lines `first epoch: rate`; a rate of - ends the training", jobs=RECOGNISER, path="one"),
        _flag("moving_average_decay", 0.9999, "decay of the averaged weights, which a trained recogniser uses", low=0, high=1, jobs=RECOGNISER),
    ],
    "run folder and logs": [
        _flag("log_dir", "logs", "where run folders go", jobs=RUNS, path="machine"),
        _flag("task", "master", "first part of a run folder's name", jobs=("train", "train_recognizer", "test")),
        _flag("log_step", 50, "steps between log lines and TensorBoard scalars", low=1, jobs=ANY_TRAINING),
        _flag("save_step", 20, "a grid, or the images of a recogniser, every log_step x save_step steps", low=1, jobs=ANY_TRAINING),
        _flag("save_secs", 300.0, "seconds between checkpoints, of which the newest two are kept", low=0, jobs=ANY_TRAINING),
        _flag("keep_step", 0, "steps between checkpoints that are kept for good, to go back to; 0: none", low=0, jobs=ANY_TRAINING),
        _flag("keep_best", "none", "kid: every keep_best_step steps KID of what averaged weights make of 256 renders, to 256 of the photographs, on a face network other than the identity loss's; that checkpoint is kept too (ours)", choices=("none", "kid"), jobs=("train",)),
        _flag("keep_best_step", 1000, "steps between two measurements of keep_best", low=1, jobs=("train",)),
        _flag("num_log_id", 16, "identities in the fixed grid (rows)", low=1, jobs=("train", "test", *WRITING)),
        _flag("num_log_samples", 8, "images of each identity in the grid (columns)", low=1, jobs=("train", "test", *WRITING)),
    ],
    "out of a trained system": [
        _flag("pretrained_gen", "pretrained_models/gen", "run folder, its name under log_dir, one checkpoint, or a TF1 checkpoint of the published code; train, where named: start from its weights (not TF1)", jobs=("train", *WEIGHTS), path="one"),
        _flag("save_syn_dataset", "generated", "folder of generated images under data_dir: written by generate, read by filter, evaluate and experiment", jobs=("generate", *MERGING, *FILTERING, *EVALUATION, *EXPERIMENT), path="one"),
        _flag("save_fitting", "fitting", "output folder of fit under data_dir", jobs=("fit",), path="one"),
        _flag("scores", "all", "confidence scores to compute: all, none, or names with commas between, the ending _score left out or not; those left out stay empty and their networks do not run", jobs=("generate",)),
        _flag("grid", "", "where a PNG of the first num_log_samples images of the first num_log_id people goes, once all are made; '': none", jobs=WRITING, path="one"),
        _flag("image_format", "jpg", "format of written images (jpg at image_quality)", choices=("jpg", "png"), jobs=("generate", "fit", "render", *CROPPING)),
        _flag("image_quality", 95, "JPEG quality of generated images (published: 75)", low=1, high=100, jobs=WRITING),
        _flag("export_dir", "export", "where the SavedModel goes: <export_dir>/1/; the run folder of export_format weights", jobs=("export",), path="one"),
        _flag("export_format", "saved_model", "a SavedModel, or averaged weights alone, at half precision, as a small run folder", choices=("saved_model", "weights"), jobs=("export",)),
        _flag("reference", "", "reference run: path without ending, reads .json and .npz", jobs=("fidelity",), path="one"),
    ],
    "filter": [
        _flag("save_filtered", "filtered", "output folder under data_dir", jobs=FILTERING, path="one"),
        _flag("score_limits", "", "drop images whose scores are worse, NAME=LIMIT with commas between: larger, or smaller where high is good", jobs=FILTERING),
        _flag("score_percentiles", "", "keep so many per cent of the images, those that are best by a score: NAME=90", jobs=FILTERING),
        _flag("min_images", 1, "drop identities of which fewer images are left", low=1, jobs=FILTERING),
    ],
    "experiment": [
        _flag("fractions", "20,50,100", "per cent of the real identities that recognisers learn; 0: generated data alone", jobs=EXPERIMENT),
        _flag("seeds", 3, "recognisers of each kind; each seed draws the split, the weights and the batches", low=1, jobs=EXPERIMENT),
        _flag("compare", "", "further rows, with commas between: renders, those of syn_dataset in the generated images' place; longer, real images alone for twice the steps, so for as many images in all", jobs=EXPERIMENT),
        _flag("test_share", 0.5, "share of the real identities that is tested on; with lfw_dir none is: its pairs are", low=0.01, high=0.99, jobs=EXPERIMENT),
        _flag("experiment_steps", 400, "steps of each recogniser where max_step is not named", low=1, jobs=EXPERIMENT),
    ],
    "photographs": [
        _flag("detector", "dlib", "finds the face: dlib's two detectors, or mtcnn (requirements-faces.txt; its author asks that its weights be not used commercially)", choices=("dlib", "mtcnn"), jobs=("align",)),
        _flag("crop", "square", "what is cut out: a square around the face, or arcface: turned and scaled to ArcFace's five points", choices=("square", "arcface"), jobs=("align",)),
        _flag("size", 108, "height and width of the crops; --crop arcface, where not named: 112", low=16, high=2048, jobs=CROPPING),
        _flag("save_aligned", "aligned", "output folder of align under data_dir", jobs=("align",), path="one"),
        _flag("max_fit_error", 6.0, "landmark error, in per cent of the distance of the outer eye corners, over which a fit is not used", low=0, jobs=FITTING),
        _flag("pair_crop", "face", "what is cut out: the face, as align does, or the centre, as training does", choices=("face", "centre"), jobs=FITTING),
        _flag("save_simulated", "simulated", "output folder of simulate under data_dir", jobs=("simulate",), path="one"),
        _flag("yaws", "-90,-75,-60,-45,-30,-15,0,15,30,45,60,75,90", "degrees that simulate turns each face to, with commas between; above 0 to the right of the image", jobs=("simulate",)),
        _flag("most_frontal", 0, "of each person simulate turns so many photographs, those with the least turned faces; 0: all", low=0, jobs=("simulate",)),
        _flag("background", "photograph", "what is behind a turned head: the photograph, filled where the head was, or plain grey", choices=("photograph", "plain"), jobs=("simulate",)),
    ],
    "rendering": [
        _flag("morphable_model", "makehuman", "the face: makehuman, or a path to BFM 2009 (.mat), BFM 2017/2019 (.h5), LSFM (.mat) or a folder with 3DDFA's Model_Shape.mat and Model_Exp.mat", jobs=("render", "pair", *BENCHMARK), path="one"),
        _flag("statistics_dir", "", "sample pose, expression, light and faces from these fits: 300W-3D .mat files, or a folder that `pair` wrote", jobs=(*RENDERING, *BENCHMARK), path="one"),
        _flag("identity_spread", 1.8, "makehuman: factor on how much the shapes of people's heads differ; 1: as in the fits of statistics_dir that `pair` wrote, or in ranges of ours", low=0, high=4, jobs=(*RENDERING, *BENCHMARK)),
        _flag("published_pose", False, "as gen_syn_latent.m: the second pose number is 0, so no yaw", jobs=(*RENDERING, *BENCHMARK)),
        _flag("shard", "", "do one part, on one of several processes or machines: 2/8 is the second of eight; auto: as the scheduler says (an array of SLURM, SGE or LSF)", jobs=(*RENDERING, "simulate", *WRITING)),
        _flag("images_per_id", 8, "images of each identity (demo, where not named: 8); of --system ipgan with pose_dataset, where not named: in every pose", low=1, jobs=(*RENDERING, "demo", "generate", *BENCHMARK)),
        _flag("syn_scale_size", 64, "render height and width (published: no effect)", low=16, high=2048, jobs=RENDERING),
        _flag("yaw_range", 30.0, "degrees to either side", low=0, high=90, jobs=(*RENDERING, *BENCHMARK)),
        _flag("pitch_range", 12.0, "degrees up and down", low=0, high=60, jobs=(*RENDERING, *BENCHMARK)),
        _flag("roll_range", 8.0, "degrees to either side", low=0, high=90, jobs=(*RENDERING, *BENCHMARK)),
    ],
    "demo": [
        _flag("demo_dir", "demo", "where the demo keeps its data, run and pictures", jobs=("demo",), path="one"),
        _flag("demo_minutes", 4.0, "minutes that the demo trains", low=0, jobs=("demo",)),
    ],
    "benchmark": [
        _flag("what", "train", "what is timed: steps of training, batches generated, batches read, or pictures rendered", choices=("train", "generate", "pipeline", "render"), jobs=BENCHMARK),
        _flag("steps", 10, "calls to time: steps, batches or pictures", low=1, jobs=BENCHMARK),
    ],
    "evaluation": [
        _flag("report_dir", "report", "where evaluation.json, CSV files and report.html go", jobs=(*EVALUATION, *EXPERIMENT), path="one"),
        _flag("num_pairs", 5_000_000, "pairs of a labelled folder that are compared, drawn by random_seed where there are more; 0: all", low=0, jobs=EVALUATION),
        _flag("threshold", 0.0, "squared distance up to which two faces are one person; 0: dlib's 0.36, else where the errors are equal", low=0, jobs=EVALUATION),
        _flag("inception_weights", "", "weights of keras.applications.InceptionV3 (.h5) for FID, KID and inception score; '': the identity network", jobs=EVALUATION, path="one"),
        _flag("groups", "", "columns of metadata.csv (A,B), of the generated folder or of its renders: KID, AUC and leakage of each group of images, as tone, age, yaw", jobs=EVALUATION),
    ],
    "published protocols": [
        _flag("lfw_dir", "", "LFW's images, <name>/<name>_0001.jpg; '' leaves LFW out (published: no effect, as the next three)", jobs=(*EVALUATION, *EXPERIMENT), path="one"),
        _flag("lfw_pairs", "data/pairs.txt", "its pairs.txt", jobs=(*EVALUATION, *EXPERIMENT), path="one"),
        _flag("lfw_file_ext", "jpg", "ending of its images", choices=("jpg", "png"), jobs=(*EVALUATION, *EXPERIMENT)),
        _flag("lfw_poses", "", "a table of lfw_dir's images with columns path and yaw, such as the metadata.csv that pair writes of them: pairs with a face turned by over 30 degrees are measured apart too (ours)", jobs=EXPERIMENT, path="one"),
        _flag("lfw_nrof_folds", 10, "folds of LFW and of bin_sets: the threshold comes from all others", low=2, high=1000, jobs=(*EVALUATION, *EXPERIMENT)),
        _flag("bin_sets", "", "insightface .bin sets (lfw, cfp_fp, agedb_30, calfw, cplfw), paths with commas between", jobs=EVALUATION, path="many"),
        _flag("ijba_dir", "", "IJB-A: its splits' CSV files, up to three folders deep, and images/", jobs=EVALUATION, path="one"),
    ],
    "accepted, without effect": [
        _unused("split", "train", "the whole folder is used"),
        _unused("cont", "", "resume with --load_path"),
        _unused("ren_lr", 8e-5, "left from removed stages"),
        _unused("reg_lr", 8e-5, "left from removed stages"),
        _unused("lambda_c_upper", 0.001, "cap of a schedule that never reached the loss; use --lambda_c"),
        _unused("log_level", "INFO", "warnings and errors are always shown"),
        _unused("test_data_path", None, "test reads syn_dataset", str),
        _unused("sample_per_image", 64, "see --num_log_samples"),
        _unused("dataset_3dmm_test", "AFLW-test", "no test set is read"),
        _unused("logs_base_dir", "~/logs/facenet", "see --log_dir"),
        _unused("models_base_dir", "~/models/facenet", "see --log_dir"),
        _unused("gpu_memory_fraction", 1.0, "memory grows on demand"),
        _unused("pretrained_model", None, "see --pretrained_rec", str),
        _unused("seed", 666, "see --random_seed"),
        _unused("nrof_preprocess_threads", 4, "see --num_worker"),
        _unused("log_histograms", False, "no histograms are written"),
        _unused("filter_filename", "", "see the job filter"),
        _unused("filter_percentile", 100.0, "see the job filter"),
        _unused("filter_min_nrof_images_per_class", 0, "see --min_images"),
        _unused("lfw_batch_size", 100, "the batch of the face network is fixed"),
    ],
}

FLAGS = {flag.name: flag for flags in GROUPS.values() for flag in flags}
