"""How much arithmetic a traced function does: its convolutions and matrix products, counted from its graph."""

import math
from collections import Counter

PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
BRANCHES = ("If", "StatelessIf")
LOOPS = ("While", "StatelessWhile")
KINDS = ("Conv", "MatMul", "Einsum")  # an operation with one of these in its name multiplies


def count_flops(function):
    """Floating-point operations of one call: two for each multiply-add, those of a padded border included.

    What the graph holds but no output or assignment needs is left out, as TensorFlow leaves it out: the gradients of
    frozen kernels, for one. Additions, activations and norms are not counted. Of two branches the lesser counts: what
    every call does.

    Args:
        function: tf.types.experimental.ConcreteFunction, traced on batches of known size.

    Returns:
        Counter: {name of the dtype computed in: operations}.

    Raises:
        ValueError: a loop, a size that is not known, or a product that is not in the table.
    """
    return _count(function.graph, range(len(function.graph.outputs)))


def _count(graph, outputs):
    total = Counter()
    for operation, used in _needed(graph, outputs).items():
        total += _count_operation(graph, operation, used)
    return total


def _needed(graph, outputs):
    """{operation: indexes of its used outputs} of all that the outputs, and the assignments, of a graph need."""
    needed = {}
    waiting = [(graph.outputs[i].op, graph.outputs[i].value_index) for i in outputs]
    waiting += [(operation, None) for operation in graph.control_outputs]
    while waiting:
        operation, index = waiting.pop()
        if operation not in needed:
            needed[operation] = set()
            waiting += [(tensor.op, tensor.value_index) for tensor in operation.inputs]
            waiting += [(control, None) for control in operation.control_inputs]
        if index is not None:
            needed[operation].add(index)
    return needed


def _count_operation(graph, operation, used):
    kind = operation.type
    if kind in LOOPS:
        raise ValueError(f"cannot count {operation.name}: how often a loop runs is not in the graph")
    if kind in CALLS:
        return _count(_body(graph, operation, "f"), used)
    if kind in BRANCHES:
        branches = (_count(_body(graph, operation, name), used) for name in ("then_branch", "else_branch"))
        return min(branches, key=Counter.total)
    if any(part in kind for part in KINDS):
        return Counter({operation.inputs[-1].dtype.name: 2 * _multiply_adds(operation)})
    return Counter()


def _body(graph, operation, attribute):
    return graph._get_function(operation.get_attr(attribute).name).graph  # TensorFlow has no public way to it


def _multiply_adds(operation):
    """A convolution and both its gradients: each number of its output meets a window of each input channel."""
    kind, inputs, output = operation.type, operation.inputs, operation.outputs[0]
    if kind in PRODUCTS:
        turned = operation.get_attr("transpose_a" if kind == "MatMul" else "adj_x")
        return _numbers(operation, output) * _shape(operation, inputs[0])[-2 if turned else -1]
    of_convolution, kernel = {
        "Conv2D": (output, inputs[1]),
        "DepthwiseConv2dNative": (output, inputs[1]),
        "Conv2DBackpropInput": (inputs[-1], inputs[1]),
        "DepthwiseConv2dNativeBackpropInput": (inputs[-1], inputs[1]),
        "Conv2DBackpropFilter": (inputs[-1], output),
        "DepthwiseConv2dNativeBackpropFilter": (inputs[-1], output),
    }.get(kind, (None, None))
    if kernel is None:
        raise ValueError(f"cannot count {operation.name}: {kind} is not in the table")
    window = _shape(operation, kernel)[: 2 if kind.startswith("Depthwise") else 3]  # height, width, input channels
    return _numbers(operation, of_convolution) * math.prod(window)


def _numbers(operation, tensor):
    return math.prod(_shape(operation, tensor))


def _shape(operation, tensor):
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"cannot count {operation.name} ({operation.type}): the shape {tensor.shape} is not known")
    return tensor.shape.as_list()
