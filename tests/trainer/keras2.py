"""FaceNet as Keras 2 saves it: files of that layout with made-up weights, and a second way through such a file.

Keras 2 itself cannot be installed beside this TensorFlow, and Keras 3 does not open the file without running its
marshalled code. So `run` goes through the JSON graph, layer by layer as it stands there, by TensorFlow's operations:
written from the meaning of Keras' layers, without our networks, which are compared with it.
"""

import json

import h5py
import numpy as np
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


def write(path, seed=None, change=lambda layers: None):
    """Write a file of FaceNet's layout.

    Args:
        seed: of its weights; None: all are 0.5, which takes no room on the disk.
        change: is given {name: layer of the JSON} before it is written, to do something to it.
    """
    graph = _Graph()
    graph.facenet()
    change(graph.layers)
    config = {"class_name": "Functional", "config": {
        "name": "inception_resnet_v1", "layers": list(graph.layers.values()), "input_layers": [["input_1", 0, 0]],
        "output_layers": [["Bottleneck_BatchNorm", 0, 0]]}}  # fmt: skip
    rng = None if seed is None else np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        for name in graph.layers:
            group = file.create_group(f"model_weights/{name}")
            shapes = graph.weights.get(name, {})
            group.attrs["weight_names"] = [f"{name}/{weight}:0" for weight in shapes]
            for weight, shape in shapes.items():
                values = {"fillvalue": 0.5} if rng is None else {"data": _drawn(rng, weight, shape)}
                group.create_dataset(f"{name}/{weight}:0", shape, "f4", **values)
    return path


def _drawn(rng, weight, shape):
    """Numbers of a size that neither grows nor vanishes from layer to layer; variances are positive."""
    values = rng.standard_normal(shape, np.float32)
    if weight == "kernel":
        return values / np.sqrt(np.prod(shape[:-1]) / 2)
    return np.exp(values / 4) if weight == "moving_variance" else values / 4


class _Graph:
    """The layers of the JSON, and the shapes of their weights, in the order of their making."""

    def __init__(self):
        self.layers, self.weights, self.blocks = {}, {}, 0
        self.channels = {}

    def add(self, name, kind, before, channels, **config):
        sources = [[source, 0, 0, {}] for source in before]
        self.layers[name] = {"class_name": kind, "name": name, "config": {"name": name} | config,
                             "inbound_nodes": [sources] if sources else []}  # fmt: skip
        self.channels[name] = channels
        return name

    def conv(self, name, before, filters, size, stride=1, padding="same", bias=False):
        shape = (*size, self.channels[before], filters)
        self.add(name, "Conv2D", [before], filters, strides=[stride] * 2, padding=padding, dilation_rate=[1, 1],
                 use_bias=bias, activation="linear", kernel_size=list(size), filters=filters)  # fmt: skip
        self.weights[name] = {"kernel": shape} | ({"bias": (filters,)} if bias else {})
        return name if bias else self.relu(name, self.norm(name))

    def norm(self, name):
        channels = self.channels[name]
        self.weights[f"{name}_BatchNorm"] = dict.fromkeys(("beta", "moving_mean", "moving_variance"), (channels,))
        return self.add(f"{name}_BatchNorm", "BatchNormalization", [name], channels, epsilon=0.001, center=True,
                        scale=False, momentum=0.995)  # fmt: skip

    def relu(self, name, before):
        return self.add(f"{name}_Activation", "Activation", [before], self.channels[before], activation="relu")

    def pool(self, name, before):
        return self.add(name, "MaxPooling2D", [before], self.channels[before], pool_size=[3, 3], strides=[2, 2],
                        padding="valid")  # fmt: skip

    def joined(self, name, parts):
        return self.add(name, "Concatenate", parts, sum(self.channels[part] for part in parts), axis=3)

    def branch(self, prefix, before, *convs):
        for name, filters, size, *rest in convs:
            before = self.conv(f"{prefix}_{name}", before, filters, size, *rest)
        return before

    def residual(self, name, before, branches, scale, relu=True):
        parts = [self.branch(f"{name}_Branch_{i}", before, *convs) for i, convs in enumerate(branches)]
        up = self.conv(f"{name}_Conv2d_1x1", self.joined(f"{name}_Concatenate", parts), self.channels[before], (1, 1),
                       bias=True)  # fmt: skip
        number = f"_{self.blocks}" if self.blocks else ""
        self.blocks += 1
        scaled = self.add(f"lambda{number}", "Lambda", [up], self.channels[up], function=["4wIAAAA=", None, None],
                          arguments={"scale": scale})  # fmt: skip
        total = self.add(f"add{number}", "Add", [before, scaled], self.channels[before])
        return self.relu(name, total) if relu else total

    def facenet(self):
        one, three, two_valid = (1, 1), (3, 3), (2, "valid")
        at = self.add("input_1", "InputLayer", [], 3, batch_input_shape=[None, 160, 160, 3])
        for name, filters, *rest in (("1a_3x3", 32, three, 2, "valid"), ("2a_3x3", 32, three, 1, "valid"),
                                     ("2b_3x3", 64, three)):  # fmt: skip
            at = self.conv(f"Conv2d_{name}", at, filters, *rest)
        at = self.pool("MaxPool_3a_3x3", at)
        for name, filters, *rest in (("3b_1x1", 80, one, 1, "valid"), ("4a_3x3", 192, three, 1, "valid"),
                                     ("4b_3x3", 256, three, 2, "valid")):  # fmt: skip
            at = self.conv(f"Conv2d_{name}", at, filters, *rest)
        first = ("Conv2d_0a_1x1", 32, one)
        second = ("Conv2d_0b_3x3", 32, three)
        for i in range(1, 6):
            branches = [("Conv2d_1x1", 32, one)], [first, second], [first, second, ("Conv2d_0c_3x3", 32, three)]
            at = self.residual(f"Block35_{i}", at, branches, 0.17)
        at = self.joined("Mixed_6a", [
            self.branch("Mixed_6a_Branch_0", at, ("Conv2d_1a_3x3", 384, three, *two_valid)),
            self.branch("Mixed_6a_Branch_1", at, ("Conv2d_0a_1x1", 192, one), ("Conv2d_0b_3x3", 192, three),
                        ("Conv2d_1a_3x3", 256, three, *two_valid)),
            self.pool("Mixed_6a_Branch_2_MaxPool_1a_3x3", at)])  # fmt: skip
        for i in range(1, 11):
            row = ("Conv2d_0a_1x1", 128, one), ("Conv2d_0b_1x7", 128, (1, 7)), ("Conv2d_0c_7x1", 128, (7, 1))
            at = self.residual(f"Block17_{i}", at, ([("Conv2d_1x1", 128, one)], row), 0.1)
        start, end = ("Conv2d_0a_1x1", 256, one), ("Conv2d_1a_3x3", 256, three, *two_valid)
        at = self.joined("Mixed_7a", [
            self.branch("Mixed_7a_Branch_0", at, start, ("Conv2d_1a_3x3", 384, three, *two_valid)),
            self.branch("Mixed_7a_Branch_1", at, start, end),
            self.branch("Mixed_7a_Branch_2", at, start, ("Conv2d_0b_3x3", 256, three), end),
            self.pool("Mixed_7a_Branch_3_MaxPool_1a_3x3", at)])  # fmt: skip
        for i in range(1, 7):
            row = ("Conv2d_0a_1x1", 192, one), ("Conv2d_0b_1x3", 192, (1, 3)), ("Conv2d_0c_3x1", 192, (3, 1))
            branches = [("Conv2d_1x1", 192, one)], row
            at = self.residual(f"Block8_{i}", at, branches, 0.2 if i < 6 else 1.0, relu=i < 6)
        at = self.add("AvgPool", "GlobalAveragePooling2D", [at], 1792)
        at = self.add("Dropout", "Dropout", [at], 1792, rate=0.2)
        at = self.add("Bottleneck", "Dense", [at], 128, units=128, use_bias=False, activation="linear")
        self.weights[at] = {"kernel": (1792, 128)}
        return self.norm(at)
