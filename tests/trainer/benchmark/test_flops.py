"""Counted work against work counted by hand, and by TensorFlow's profiler."""

import keras
import pytest
import tensorflow as tf

from tests.small import NETWORKS
from tests.yardstick import DirectFaceGan
from trainer.benchmark.data import fresh_system, random_batch
from trainer.benchmark.flops import count_flops
from utils import command_line

IMAGES = tf.TensorSpec([2, 8, 8, 3])


def traced(function, *specs):
    return tf.function(function).get_concrete_function(*(specs or [IMAGES]))


def conv_by_hand(outputs, window, channels):
    """Two for each multiply-add of `outputs` numbers that each see a window of so many channels."""
    return 2 * outputs * window * channels


def test_convolutions_and_their_gradients_by_hand():
    kernel = tf.Variable(tf.ones([3, 3, 3, 5]))

    def forward(images):
        return tf.nn.conv2d(images, kernel, 2, "SAME")

    def gradients(images, of):
        with tf.GradientTape() as tape:
            tape.watch(images)
            hidden = forward(images)
        return tape.gradient(hidden, {"kernel": [kernel], "images": [images], "both": [kernel, images]}[of])

    one = conv_by_hand(2 * 4 * 4 * 5, 3 * 3, 3)
    assert count_flops(traced(forward)) == {"float32": one}
    # TensorFlow makes both gradients; what nobody asks for is never computed, and with neither is the forward pass.
    assert count_flops(traced(lambda images: gradients(images, "kernel"))) == {"float32": one}
    assert count_flops(traced(lambda images: gradients(images, "images"))) == {"float32": one}
    assert count_flops(traced(lambda images: gradients(images, "both"))) == {"float32": 2 * one}


def test_transposed_depthwise_and_products_by_hand():
    transposed = keras.layers.Conv2DTranspose(5, 3, 2, "same")
    transposed.build((None, 8, 8, 3))
    depthwise = tf.ones([3, 3, 3, 2])
    left, right = tf.TensorSpec([4, 6, 7]), tf.TensorSpec([4, 6, 5])
    assert count_flops(traced(transposed.__call__)) == {"float32": conv_by_hand(2 * 8 * 8 * 3, 3 * 3, 5)}
    wide = traced(lambda images: tf.nn.depthwise_conv2d(images, depthwise, [1, 1, 1, 1], "SAME"))
    assert count_flops(wide) == {"float32": conv_by_hand(2 * 8 * 8 * 6, 3 * 3, 1)}
    batched = traced(lambda a, b: tf.matmul(a, b, transpose_a=True), left, right)
    assert count_flops(batched) == {"float32": 2 * 4 * 7 * 6 * 5}
    single = traced(lambda a, b: tf.matmul(a[0], b[0], transpose_a=True), left, right)
    assert count_flops(single) == {"float32": 2 * 7 * 6 * 5}


def test_functions_that_are_called_are_counted_and_types_kept_apart():
    inner = tf.function(lambda a: (tf.matmul(a, a), tf.matmul(a[:1], a)), jit_compile=True)
    half = tf.function(lambda a: tf.matmul(tf.cast(a, tf.float16), tf.cast(a, tf.float16)))
    square = tf.TensorSpec([4, 4])
    found = count_flops(traced(lambda a: (inner(a)[1], half(a)), square))
    assert found == {"float32": 2 * 4**2, "float16": 2 * 4**3}  # what the caller does not use is left out there too


def test_an_assignment_is_work_though_nothing_comes_out():
    total = tf.Variable(tf.zeros([4, 4]))

    def add(a):
        total.assign_add(tf.matmul(a, a))

    assert count_flops(traced(add, tf.TensorSpec([4, 4]))) == {"float32": 2 * 4**3}


def test_the_lesser_of_two_branches_counts_and_equal_ones_once():
    square = tf.TensorSpec([4, 4])
    sometimes = traced(lambda a: tf.matmul(a, tf.cond(a[0, 0] > 0, lambda: tf.matmul(a, a), lambda: a)), square)
    assert count_flops(sometimes) == {"float32": 2 * 4**3}
    equal = traced(lambda a: tf.cond(a[0, 0] > 0, lambda: tf.matmul(a, a), lambda: tf.matmul(-a, a)), square)
    assert count_flops(equal) == {"float32": 2 * 4**3}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: tf.while_loop(lambda b: b[0, 0] < 9, lambda b: [tf.matmul(b, b)], [a])[0], "how often a loop runs"),
        (lambda a: tf.matmul(tf.boolean_mask(a, a[0] > 0), a), "is not known"),
        (lambda a: tf.einsum("ab,bc->c", a, a), "Einsum is not in the table"),
    ],
)
def test_what_cannot_be_counted_is_an_error(function, message):
    with pytest.raises(ValueError, match=message):
        count_flops(traced(function, tf.TensorSpec([4, 4])))


def test_a_network_counts_as_by_the_profiler():
    """TensorFlow's own float_operation counts all that is in the graph: a network's forward pass wastes nothing."""
    network = fresh_system(options("--method_c", "none")).discriminator_real
    concrete = traced(lambda images: network(images), tf.TensorSpec([2, 16, 16, 3]))
    profiler = tf.compat.v1.profiler
    settings = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    profile = profiler.profile(concrete.graph, cmd="op", options=settings.with_empty_output().build())
    products = {"Conv2D", "Conv2DBackpropInput", "MatMul"}
    told = sum(node.float_ops for node in leaves(profile) if node.name in products)
    assert count_flops(concrete) == {"float32": told}


def leaves(profile):
    for child in profile.children:
        yield child
        yield from leaves(child)


def options(*flags):
    return command_line.parse(["benchmark", *NETWORKS, *flags], {"benchmark": ""})[1]


@pytest.mark.slow
def test_a_step_counts_as_its_passes_by_hand():
    """The direct port's step: backward to inputs, and backward to kernels, are each as much work as forward.

    Both G' and the discriminators see two batches at once. Backward: G's loss goes through D_R and G' to G's kernels;
    that of G' through D_S to the kernels of G'; that of the discriminators to their kernels. A network whose kernels
    are wanted, and whose images are not, leaves its first layer's inputs out.
    """
    chosen = options("--method_c", "none")
    direct, size = DirectFaceGan(chosen, {"synthetic": chosen.n_id}), chosen.input_scale_size
    batch = random_batch(direct, chosen)
    found = count_flops(direct.train_step.get_concrete_function(batch))["float32"]

    def forward(network):
        return count_flops(traced(lambda images: network(images), tf.TensorSpec([2, size, size, 3])))["float32"]

    generator, back, judge = map(forward, (direct.generator, direct.generator_back, direct.discriminator_real))
    first_of_generator, first_of_judge = (conv_by_hand(2 * size * size * 4, window**2, 3) for window in (7, 3))
    by_hand = {
        "forward": generator + 2 * back + 4 * judge,
        "for G": 2 * judge + 2 * back + 2 * generator - first_of_generator,
        "for G'": 2 * judge + 2 * (2 * back - first_of_generator),
        "for both D": 4 * (2 * judge - first_of_judge),
    }
    assert found == sum(by_hand.values())


@pytest.mark.slow
def test_work_grows_with_the_batch_and_with_pairs():
    def work(*flags):
        chosen = options("--method_c", "none", *flags)
        system = fresh_system(chosen)
        batch = random_batch(system, chosen)
        return count_flops(system.train_step.get_concrete_function(batch))["float32"]

    two, four = (work("--batch_size", size) for size in ("2", "4"))
    assert 0.99 < (four - two) / two < 1  # but for the sums of weights in ConvOfDoubled
    assert 0 < work("--dataset_3dmm", "") < two
