"""Which flags each system reads: known without its file, which needs TensorFlow, so that a mistake is told at once."""

from utils.errors import UserError

FACEGAN_SHAPING = (
    *("input_scale_size", "conv_hidden_num", "conv_hidden_num_back", "conv_hidden_num_res", "num_res_rep"),
    *("z_num", "method_c", "centroids", "relax_c", "model_def", "embedding_size", "grayscale", "discriminator"),
    *("upsample", "patch_halvings"),
)
DAGAN_SHAPING = (
    *("input_scale_size", "conv_hidden_num", "conv_hidden_num_res", "num_res_rep", "z_num", "upsample"),
    *("identity_perception", "residual", "discriminator", "patch_halvings", "lambda_3", "model_def", "embedding_size"),
)
CFS_SHAPING = (
    *("input_scale_size", "conv_hidden_num", "conv_hidden_num_res", "max_channels", "z_num", "lambda_id", "model_def"),
    *("embedding_size", "baseline"),
)
IPGAN_SHAPING = (
    *("input_scale_size", "conv_hidden_num", "conv_hidden_num_res", "max_channels", "z_num", "model_def"),
    *("embedding_size", "use_fixed_image_standardization", "identity_code", "injection"),
    "patch_halvings",
)
ANY, OFF = None, ("", "none")
READ_WITH = (  # flags, the flag that decides whether they are read, values with which they are; ANY but those of OFF
    (("gan_loss", "adversarial_weight", "r1", "r1_interval", "patch_halvings"), "discriminator", ("patch",)),
    (("generator_weight",), "discriminator", ("began",)),
    (("margin", "margin_scale"), "head", ("arcface", "cosface")),
    (("beta1", "beta2"), "optimizer", ("adam",)),
    (("momentum",), "optimizer", ("sgd",)),
    (("lambda_1", "label_photographs"), "identity_perception", ANY),
    (("pretrained_rec", "facenet_scope"), "method_c", ANY),
    # of method_c none a line tells that the identity loss is off
    (("centroids",), "method_c", ("magnet", "center", "none")),
    (("paper_variance",), "method_c", ("magnet", "none")),
    (("move_centers",), "method_c", ("center", "none")),
    (("center_loss_alfa", "move_centers"), "centroids", ("moving",)),
    (("augment_strength",), "augment", ANY),
)
CFS_READ_WITH = (
    (("r1", "r1_interval"), "gan_loss", ("hinge", "nonsaturating")),
    (("lambda_gp",), "gan_loss", ("wgan_gp",)),
    (("augment_strength",), "augment", ANY),
)
# Of the face network of a loss, without which nobody reads them.
LOOKING = ("model_def", "embedding_size", "pretrained_rec", "facenet_scope", "use_fixed_image_standardization")
RECOGNIZER_SHAPING = ("recognizer", "image_size", "embedding_size", "use_fixed_image_standardization")
SYSTEM_FLAGS = {
    "facegan": (
        *FACEGAN_SHAPING,
        *("dataset", "syn_dataset", "dataset_3dmm", "random_seed", "random_flip", "vary_photographs", "max_step"),
        *("g_lr", "d_lr", "lr_update_step", "lr_lower_boundary", "warm_up", "optimizer", "beta1", "beta2"),
        *("mixed_precision", "sample_weights"),
        *("gamma", "lambda_k", "lambda_d", "lambda_s", "lambda_p", "lambda_c", "identity_blur", "pixel_mask"),
        *("gan_loss", "adversarial_weight", "r1", "r1_interval", "augment", "augment_strength"),
        *("center_loss_alfa", "paper_variance", "move_centers", "pretrained_rec", "facenet_scope"),
        *("use_fixed_image_standardization", "data_dir", "asset_dir"),
    ),
    "dagan": (
        *DAGAN_SHAPING,
        *("dataset", "syn_dataset", "random_seed", "random_flip", "max_step", "g_lr", "d_lr", "lr_update_step"),
        *("lr_lower_boundary", "warm_up", "optimizer", "beta1", "beta2", "mixed_precision", "sample_weights"),
        *("gamma", "lambda_k", "lambda_1", "lambda_2", "label_photographs", "generator_weight", "sum_errors"),
        *("update", "gan_loss", "adversarial_weight", "r1", "r1_interval", "augment", "augment_strength"),
        *("pretrained_rec", "facenet_scope", "use_fixed_image_standardization", "data_dir", "asset_dir"),
    ),
    "cfs": (
        *CFS_SHAPING,
        *("dataset", "random_seed", "random_flip", "max_step", "g_lr", "d_lr", "lr_update_step", "optimizer", "beta1"),
        *("beta2", "mixed_precision", "sample_weights", "gan_loss", "fakes", "lambda_gp", "lambda_cls", "lambda_fm"),
        *("lambda_pixel", "lambda_kl", "people_start", "n_critic", "r1", "r1_interval", "augment", "augment_strength"),
        "warm_up",
        *("pretrained_rec", "facenet_scope", "use_fixed_image_standardization", "data_dir", "asset_dir"),
    ),
    "ipgan": (
        *IPGAN_SHAPING,
        *("dataset", "random_seed", "random_flip", "max_step", "g_lr", "d_lr", "lr_update_step", "optimizer", "beta1"),
        *("beta2", "mixed_precision", "sample_weights", "gan_loss", "adversarial_weight", "r1", "r1_interval"),
        *("augment", "augment_strength", "pose_augment", "lambda_pixel", "lambda_unpaired", "lambda_id", "lambda_pose"),
        *("lambda_icc", "lambda_kl", "pose_noise", "warm_up", "pretrained_rec", "facenet_scope", "data_dir"),
        "asset_dir",
    ),
    "recognizer": (
        *RECOGNIZER_SHAPING,
        *("dataset", "random_seed", "random_crop", "random_flip", "random_rotate", "keep_probability", "weight_decay"),
        *("center_loss_factor", "center_loss_alfa", "lambda_syn", "beta1", "beta2", "moving_average_decay"),
        *("learning_rate", "learning_rate_decay_epochs", "learning_rate_decay_factor", "learning_rate_schedule_file"),
        *("learning_rate_warm_up", "learning_rate_power", "optimizer", "momentum", "random_erasing"),
        *("head", "margin", "margin_scale", "shared_people", "mixed_precision"),
        *("trunk_lr_factor", "epoch_size", "max_nrof_epochs", "max_step", "pretrained_rec", "facenet_scope"),
        *("data_dir", "asset_dir"),
    ),
}


# Of `generate`: systems whose makers read them.
MAKING_FLAGS = {
    **dict.fromkeys(("n_id", "person", "strips"), ("cfs",)),
    **dict.fromkeys(("images_per_id", "same_latents"), ("cfs", "ipgan")),
    **dict.fromkeys(("pose_dataset", "identity_image", "pose_image"), ("ipgan",)),
}


def refuse_beside_photographs(options):
    """An error where cfs is told whom to make, and how many, beside photographs to draw again, or of whom without."""
    photographs = "dataset" in options.explicit
    for name in ("n_id", "images_per_id", "same_latents") if photographs else ("person",):
        if name in options.explicit:
            raise UserError(f"--{name}: --dataset names photographs to draw again" if photographs else
                            f"--{name}: of --dataset, whose photographs are drawn again")  # fmt: skip


def refuse_idle_flags(options):
    """An error where the command line names a flag that another flag's value, the run's perhaps, has no use for."""
    rows = CFS_READ_WITH if options.system == "cfs" else READ_WITH
    for name in sorted(options.explicit):
        for names, chooser, values in rows:
            value = getattr(options, chooser)
            read = value not in OFF if values is ANY else value in values
            if name in names and not read:
                shown = value or "''"
                raise UserError(f"--{name}: --{chooser} {shown} does not read it")


def refuse_looking(options, how):
    """An error where the command line names the face network, or its weights, of a system that with `how` has none."""
    for name in sorted(options.explicit & set(LOOKING)):
        raise UserError(f"--{name}: --system {options.system} {how} looks through no face network")
