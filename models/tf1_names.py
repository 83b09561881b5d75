"""Old variable name <-> our weight, for every network whose weights were published as a TF1 checkpoint."""


def generator_names(network, scope):
    """Names of a Generator's weights in the published FaceGAN checkpoints.

    Args:
        network: models.generator.Generator.
        scope: "G_inf" for G, "G_inv" for G'.

    Returns:
        {TF1 name: variable}; kernels are height, width, in, out (transposed ones: out, in) on both sides.
    """
    names = {
        f"{scope}/{old}/weights": layer.kernel
        for old, layer in {
            "c7s1_32": network.first,
            "d64": network.down_1,
            "d128": network.down_2,
            "u64": network.up_1,
            "u32": network.up_2,
            "output": network.last,
        }.items()
    }
    for number, block in enumerate(network.blocks, start=1):
        prefix = f"{scope}/R{4 * network.filters}_{number}"
        for layer, (conv, norm) in enumerate(((block.conv_1, block.norm_1), (block.conv_2, block.norm_2)), start=1):
            names[f"{prefix}/layer{layer}/weights{layer}"] = conv.kernel
            names[f"{prefix}/layer{layer}/instance_norm/scale"] = norm.gamma
            names[f"{prefix}/layer{layer}/instance_norm/offset"] = norm.beta
    return names


def autoencoder_names(network, scope):
    """Names of an Autoencoder's weights in the published FaceGAN checkpoints.

    Args:
        network: models.autoencoder.Autoencoder.
        scope: "D_forw" for D_R, "D_back" for D_S.

    Returns:
        {TF1 name: variable}.
    """
    convolutions = [*network.encoder, *network.decoder, network.last]
    layers = {f"Conv_{i}" if i else "Conv": layer for i, layer in enumerate(convolutions)}
    layers |= {"fully_connected": network.code, "fully_connected_1": network.from_code}
    names = {f"{scope}/{old}/weights": layer.kernel for old, layer in layers.items()}
    return names | {f"{scope}/{old}/biases": layer.bias for old, layer in layers.items()}
