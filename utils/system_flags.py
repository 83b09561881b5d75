"""The flags that one system alone reads, as utils/flags.py has those of all."""

from utils.flag import SHAPE, TRAINING
from utils.flag import flag as _flag

SYSTEM_GROUPS = {
    "DA-GAN (--system dagan)": [
        _flag("lambda_1", 0.01, "weight of the identity perception loss, eqs. 2 and 7 (not given in the paper; ours: docs/dagan.md)", low=0, jobs=TRAINING),
        _flag("lambda_2", 0.5, "weight of the pixel perception loss, eq. 2 (not given in the paper; ours)", low=0, jobs=TRAINING),
        _flag("lambda_3", 0.0, "weight of a frozen face network (model_def): 1 - the cosine of its features of the refined view and of the view (ours); 0: without one", low=0, jobs=SHAPE),
        _flag("identity_perception", "softmax", "how the discriminator's code names people: softmax; binary: eq. 6, a yes or no for each of them; none: it does not", choices=("softmax", "binary", "none"), jobs=SHAPE),
        _flag("residual", True, "the generator gives what changes in the view, rather than all of it anew (not given in the paper; ours)", jobs=SHAPE),
        _flag("label_photographs", True, "name the people of photographs too, as in eq. 6: one folder for each, with two images or more; False: of views alone", jobs=TRAINING),
        _flag("generator_weight", "one", "weight of the adversarial loss in G: one, as in BEGAN; k_t: eq. 2 as printed, 0 at the start", choices=("one", "k_t"), jobs=TRAINING),
        _flag("sum_errors", False, "sum the auto-encoder's errors over images and pixels as in eqs. 4, 5 and 9; False: mean", jobs=TRAINING),
        _flag("update", "alternating", "G is moved against the D that has just moved, or simultaneous: against the same D; patches (--discriminator patch) judge for G before they move, either way", choices=("alternating", "simultaneous"), jobs=TRAINING),
    ],
    "conditional face synthesis (--system cfs)": [
        _flag("lambda_gp", 1.0, "weight of the gradient penalty, eq. 2", low=0, jobs=TRAINING),
        _flag("lambda_cls", 1.0, "weight of the classification losses, eq. 6", low=0, jobs=TRAINING),
        _flag("lambda_fm", 1.0, "weight of feature matching, eq. 3", low=0, jobs=TRAINING),
        _flag("lambda_pixel", 10.0, "weight of the reconstruction, eq. 4", low=0, jobs=TRAINING),
        _flag("lambda_kl", 0.01, "weight of the latent vectors' divergence from N(0, 1), eq. 5", low=0, jobs=TRAINING),
        _flag("lambda_id", 1.0, "weight of the identity loss, eq. 7; 0: without an identity network", low=0, jobs=SHAPE),
        _flag("people_start", "random", "what a person's part of the generator begins as (ours): random; features: the mean of the identity network's features of the person's photographs, through random weights, so that people who look alike begin alike", choices=("random", "features"), jobs=TRAINING),
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
        _flag("lambda_icc", 2.0, "weight of the intraclass correlation of pose codes: how much of them two images of one person have in common", low=0, jobs=TRAINING),
        _flag("pose_noise", 0.5, "numbers of the pose code whose variance is larger than this once the rates begin to fall (lr_update_step) are closed for good, 0 to the generator; 0: none is", low=0, jobs=TRAINING),
        _flag("pose_augment", "colour,tone,blur,stretch", "what changes the pose encoder's input, so that its code cannot hold the person: colour, tone, blur, stretch, with commas between (after Burkov et al. 2020); augment_strength says how far", jobs=TRAINING),
        _flag("pose_dataset", "", "faces, folder under data_dir, in whose poses every person is shown; '': random poses", jobs=("generate", "test"), path="one"),
        _flag("identity_image", "", "with pose_image: a photograph whose face is shown in the other's pose", jobs=("generate",), path="one"),
        _flag("pose_image", "", "with identity_image: a photograph whose pose is taken", jobs=("generate",), path="one"),
    ],
}
