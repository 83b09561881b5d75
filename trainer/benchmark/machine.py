"""What this machine is and can do: its name, the peak of its arithmetic, memory, and how long a call takes."""

import platform
import statistics
import time
from pathlib import Path

import tensorflow as tf

from trainer.training.devices import name_of
from utils.memory import most_used

PEAK_SECONDS, PEAK_REPEATS = 1.0, 5  # a peak is looked for so long, and so often, at least
SIDES = {"CPU": 2048, "GPU": 8192}  # of the matrices: large enough for the peak


def gpu():
    """The first GPU that TensorFlow sees, or None."""
    return next(iter(tf.config.list_physical_devices("GPU")), None)


def device_name():
    """Name of the GPU, or of the processor."""
    if gpu():
        return name_of(gpu())
    table = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in table.read_text().splitlines() if "model name" in line] \
        if table.is_file() else []
    return names[0] if names else platform.processor() or platform.machine()


def matmul_peak(dtype):
    """Floating-point operations a second of one large matrix product: the best of several, a float.

    Args:
        dtype: name of the type computed in, e.g. "float32" (on a GPU with TensorFlow's TF32, as the networks).
    """
    side = SIDES["GPU" if gpu() else "CPU"]
    left, right = (tf.cast(tf.random.stateless_normal([side, side], [0, i]), dtype) for i in range(2))
    product = tf.function(lambda a, b: tf.linalg.trace(tf.matmul(a, b)))

    def call():
        return float(product(left, right))

    call()
    seconds, started = [], time.perf_counter()
    while len(seconds) < PEAK_REPEATS or time.perf_counter() - started < PEAK_SECONDS:
        seconds.append(timed(call))
    return 2.0 * side**3 / min(seconds)


def timed(call):
    """Seconds that `call()` takes; it must wait for its result itself."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def summary(seconds):
    """{"median", "mean", "min", "max"} of a list of seconds."""
    return {"median": statistics.median(seconds), "mean": statistics.fmean(seconds), "min": min(seconds),
            "max": max(seconds)}  # fmt: skip


def peak_memory():
    """Bytes at their most so far: {"resident": of this process, "device": of the GPU, since forget_peak_memory}."""
    return {
        "resident": most_used(),
        "device": tf.config.experimental.get_memory_info("GPU:0")["peak"] if gpu() else None,
    }


def forget_peak_memory():
    """Count the GPU's peak anew from here; that of the process cannot be."""
    if gpu():
        tf.config.experimental.reset_memory_stats("GPU:0")
