"""What flags are with a system where the command line names none: known without its file, as flags_read.py is."""

DAGAN_PATCHES = {  # what was measured in docs/dagan.md
    "patch_halvings": 2, "conv_hidden_num": 24, "conv_hidden_num_res": 24, "upsample": "nearest", "batch_size": 8,
    "lambda_1": 0.02, "lambda_2": 1.2, "lambda_3": 1.0, "adversarial_weight": 0.1, "gan_loss": "nonsaturating",
    "r1": 1.0, "augment": "colour,shift,flip", "augment_strength": 0.3, "random_flip": True, "beta1": 0.5,
    "g_lr": 2e-5, "d_lr": 3e-4, "lr_update_step": 8000, "lr_lower_boundary": 1e-6, "max_step": 5000,
}  # fmt: skip
CFS = {"z_num": 256, "g_lr": 2e-4, "d_lr": 2e-4, "beta1": 0.5, "gan_loss": "wgan_gp"}  # the paper's
IPGAN = {  # ours
    "z_num": 16, "g_lr": 2e-4, "d_lr": 2e-4, "beta1": 0.5, "lambda_pixel": 1.0, "adversarial_weight": 0.1,
    "lambda_id": 2.0, "lambda_kl": 0.03, "conv_hidden_num": 32, "max_channels": 256,
}  # fmt: skip


def system_defaults(options):
    """{flag: value}, of the flags whose default is not the one of utils/flags.py with these options."""
    if options.system == "dagan" and options.discriminator == "patch":
        return DAGAN_PATCHES
    if options.system in ("cfs", "ipgan"):
        rest = {"lr_update_step": max(1, options.max_step // 2)}  # rates fall from half of the steps on
        return (CFS if options.system == "cfs" else IPGAN) | rest
    return {}
