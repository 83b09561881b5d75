"""Which flags each system reads: known without its file, which needs TensorFlow, so that a mistake is told at once."""

FACEGAN_SHAPING = (
    *("input_scale_size", "conv_hidden_num", "conv_hidden_num_back", "conv_hidden_num_res", "num_res_rep"),
    *("z_num", "method_c", "relax_c", "model_def", "embedding_size", "grayscale", "discriminator", "upsample"),
)
RECOGNIZER_SHAPING = ("recognizer", "image_size", "embedding_size", "use_fixed_image_standardization")
SYSTEM_FLAGS = {
    "facegan": (
        *FACEGAN_SHAPING,
        *("dataset", "syn_dataset", "dataset_3dmm", "random_seed", "random_flip", "vary_photographs", "max_step"),
        *("g_lr", "d_lr", "lr_update_step", "lr_lower_boundary", "warm_up", "optimizer", "beta1", "beta2"),
        *("mixed_precision", "sample_weights"),
        *("gamma", "lambda_k", "lambda_d", "lambda_s", "lambda_p", "lambda_c", "pixel_mask"),
        *("gan_loss", "adversarial_weight", "r1", "r1_interval", "augment", "augment_strength"),
        *("center_loss_alfa", "paper_variance", "move_centers", "pretrained_rec", "facenet_scope"),
        *("use_fixed_image_standardization", "data_dir", "asset_dir"),
    ),
    "recognizer": (
        *RECOGNIZER_SHAPING,
        *("dataset", "random_seed", "random_crop", "random_flip", "random_rotate", "keep_probability", "weight_decay"),
        *("center_loss_factor", "center_loss_alfa", "lambda_syn", "beta1", "beta2", "moving_average_decay"),
        *("learning_rate", "learning_rate_decay_epochs", "learning_rate_decay_factor", "learning_rate_schedule_file"),
        *("learning_rate_warm_up", "learning_rate_power", "optimizer", "momentum", "random_erasing"),
        *("head", "margin", "margin_scale"),
        *("trunk_lr_factor", "epoch_size", "max_nrof_epochs", "max_step", "pretrained_rec", "facenet_scope"),
        *("data_dir", "asset_dir"),
    ),
}
