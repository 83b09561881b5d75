"""A second way through a Keras 2 file: its JSON graph, layer by layer as it stands there, by TensorFlow's operations.

Written from the meaning of Keras' layers, without our networks: what they are compared with. Keras 2 itself cannot be
installed beside this TensorFlow, and Keras 3 does not open the file without running its marshalled code.
"""

import json

import h5py
import tensorflow as tf


def run(path, images):
    """Outputs of the network in an .h5 file for float32 images [n, h, w, 3], in inference: dropout does nothing."""
    with h5py.File(path) as file:
        model = json.loads(file.attrs["model_config"])["config"]
        groups = file["model_weights"]
        values = {}
        for layer in model["layers"]:
            name, weights = layer["name"], []
            if name in groups:
                weights = [groups[name][weight][()] for weight in groups[name].attrs["weight_names"]]
            before = [values[source[0]] for node in layer["inbound_nodes"] for source in node]
            values[name] = _layer(layer["class_name"], layer["config"], weights, before or [tf.constant(images)])
    return values[model["output_layers"][0][0]].numpy()


def _layer(kind, config, weights, inputs):
    first = inputs[0]
    if kind in ("InputLayer", "Dropout"):
        return first
    if kind == "Conv2D":
        result = tf.nn.conv2d(first, weights[0], config["strides"], config["padding"].upper())
        return result + weights[1] if config["use_bias"] else result
    if kind == "Dense":
        return first @ weights[0]
    if kind == "BatchNormalization":
        beta, mean, variance = weights  # no gamma: scale is False
        return (first - mean) / tf.sqrt(variance + config["epsilon"]) + beta
    if kind == "Activation":
        return {"relu": tf.nn.relu}[config["activation"]](first)
    if kind == "MaxPooling2D":
        return tf.nn.max_pool2d(first, config["pool_size"], config["strides"], config["padding"].upper())
    if kind == "GlobalAveragePooling2D":
        return tf.reduce_mean(first, axis=[1, 2])
    if kind == "Concatenate":
        return tf.concat(inputs, axis=config["axis"])
    if kind == "Lambda":
        return first * config["arguments"]["scale"]
    return {"Add": tf.add_n}[kind](inputs)
