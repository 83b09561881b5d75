"""Name in TF1's or Keras 2's files <-> our weight, for FaceNet's networks; kernels: height, width, in, out in all."""

from models.inception_resnet_v1 import Branches, Chain, LinearNorm, Residual

REPEAT_SCOPES = {"block35": "Repeat", "block17": "Repeat_1", "block8": "Repeat_2"}


def inception_resnet_v1_names(network, scope="InceptionResnetV1"):
    """Names of an InceptionResnetV1's weights in FaceNet's checkpoints, moving statistics included.

    Args:
        network: models.inception_resnet_v1.InceptionResnetV1.
        scope: the variable scope in the checkpoint, which also holds what is not C's under other scopes.

    Returns:
        {TF1 name: variable}, 490 of them.
    """
    names = {}
    for part in network.body:
        block = part.name.split("_")[0]
        outer = f"{scope}/{REPEAT_SCOPES[block]}" if block in REPEAT_SCOPES else scope
        for path, layer in _leaves(part, outer if part.name == "stem" else f"{outer}/{part.name}"):
            names |= _slim_names(path, layer)
    return names | _slim_names(f"{scope}/Bottleneck", network.bottleneck)


def keras_layers(network):
    """Our layers by their names in the Keras 2 file of Inception-ResNet-v1 (facenet_keras_2024.h5).

    Args:
        network: models.inception_resnet_v1.InceptionResnetV1.

    Returns:
        {Keras' name: layer}, 133 of them: a LinearNorm, whose norm is the layer <name>_BatchNorm there, or the last
        convolution of a residual block.
    """
    names = {}
    for part in network.body:
        outer = "Block8_6" if part.name == "Block8" else part.name.capitalize()
        for path, layer in _leaves(part, "" if part.name == "stem" else outer):
            names[path.strip("/").replace("/", "_")] = layer
    return names | {"Bottleneck": network.bottleneck}


def nn4_names(network, scope="InceptionResnetV1"):
    """Names of an NN4's weights in the checkpoints of FaceGAN's FaceNet fork, moving statistics included.

    Args:
        network: models.nn4.NN4.
        scope: the variable scope in the checkpoint; the fork keeps the name of the other network.

    Returns:
        {TF1 name: variable}, 332 of them.
    """
    names = {}
    for part in network.body:
        for path, layer in _leaves(part, scope if part.name == "stem" else f"{scope}/{part.name}"):
            names |= _nn4_names(path, layer)
    bottleneck = network.bottleneck
    return names | {f"{scope}/Bottleneck/weights": bottleneck.kernel, f"{scope}/Bottleneck/biases": bottleneck.bias}


def _leaves(layer, path):
    """(TF1 path, layer) of every layer with weights at or below this one."""
    if isinstance(layer, Residual):
        yield from _leaves(layer.branches, path)
        yield f"{path}/{layer.up.name}", layer.up
    elif isinstance(layer, (Chain, Branches)):
        for part in layer.parts:
            yield from _leaves(part, f"{path}/{part.name}")
    elif layer.weights:  # a pooling has none
        yield path, layer


def _slim_names(path, layer):
    if not isinstance(layer, LinearNorm):
        return {f"{path}/weights": layer.kernel, f"{path}/biases": layer.bias}
    return {
        f"{path}/weights": layer.kernel,
        f"{path}/BatchNorm/beta": layer.beta,
        f"{path}/BatchNorm/moving_mean": layer.moving_mean,
        f"{path}/BatchNorm/moving_variance": layer.moving_variance,
    }


def _nn4_names(path, layer):
    # TF1 names the average of an op by the op's whole path, inside the scope that already is that path
    moments = f"{path}/batch_norm/{path}/batch_norm/moments"
    return {
        f"{path}/weights": layer.kernel,
        f"{path}/biases": layer.bias,
        f"{path}/batch_norm/batch_norm/beta": layer.beta,
        f"{path}/batch_norm/batch_norm/gamma": layer.gamma,
        f"{moments}/Squeeze/ExponentialMovingAverage": layer.moving_mean,
        f"{moments}/Squeeze_1/ExponentialMovingAverage": layer.moving_variance,
    }
