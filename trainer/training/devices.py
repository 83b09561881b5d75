"""One device, several, or several workers: how training steps are spread over them (tf.distribute)."""

import os
import shutil
from pathlib import Path

import tensorflow as tf

from utils.errors import UserError


class Devices:
    """The devices that train, each with a part of every batch. Made before anything else touches TensorFlow.

    One: TensorFlow's default. Several of this machine: MirroredStrategy. Where TF_CONFIG is set, each worker starts the
    same command, and MultiWorkerMirroredStrategy joins them.

    Args:
        num_gpu: devices of this machine: GPUs, or where there are none logical CPUs. None: one, TF_CONFIG or not.

    Attributes:
        count: devices in all; `local` of them on this machine.
        worker, workers: number of this worker, from 0, and how many there are.
        chief: whether this worker keeps the run folder.

    Raises:
        UserError: there are fewer devices, or TF_CONFIG is no cluster's.
    """

    def __init__(self, num_gpu=None):
        clustered = num_gpu is not None and os.environ.get("TF_CONFIG")
        self.strategy = _workers(num_gpu) if clustered else _mirrored(num_gpu or 1)
        self.worker, self.workers = 0, 1
        if clustered:
            resolver = self.strategy.cluster_resolver
            self.worker, self.workers = resolver.task_id, len(resolver.cluster_spec().as_dict()["worker"])
        self.count = self.strategy.num_replicas_in_sync
        self.local = self.count // self.workers
        self.chief = self.worker == 0

    def scope(self):
        """A context in which a system is built and restored, so that each device has its own copy."""
        return self.strategy.scope()

    def split(self, batch):
        """{name: [local * n, …]} -> what `run` takes: each device its n."""
        if self.count == 1:
            return batch

        def part(context):
            place = context.replica_id_in_sync_group - self.worker * self.local
            size = {name: value.shape[0] // self.local for name, value in batch.items()}
            return {name: value[place * size[name] : (place + 1) * size[name]] for name, value in batch.items()}

        return self.strategy.experimental_distribute_values_from_function(part)

    def run(self, step, batch):
        """A step on every device, inside a tf.function: {tag: scalar}, meaned over the devices."""
        if self.count == 1:
            return step(batch)
        scalars = self.strategy.run(step, (batch,))
        return {tag: self.strategy.reduce("MEAN", value, axis=None) for tag, value in scalars.items()}

    def any(self, flag):
        """Whether `flag` is true on any worker; every worker must ask at the same step."""
        return bool(self._total(tf.constant(float(flag))) > 0) if self.workers > 1 else flag

    @tf.function
    def _total(self, value):
        def total(value):
            return tf.distribute.get_replica_context().all_reduce("SUM", tf.identity(value))

        return self.strategy.experimental_local_results(self.strategy.run(total, (value,)))[0]


def tell_device(options, file=None):
    """Print which device computes, and where a GPU is there and does not, why. Starts nothing of TensorFlow.

    Args:
        options: use_gpu, num_gpu.  file: where to; None: stdout.
    """
    gpus = tf.config.list_physical_devices("GPU")
    print(f"device: {_device(options, [name_of(gpu) for gpu in gpus], gpus_of_machine())}", file=file, flush=True)


def name_of(gpu):
    """The name of one of tf.config.list_physical_devices("GPU")."""
    return tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")


def gpus_of_machine(drivers=Path("/proc/driver/nvidia/gpus")):
    """Names of the NVIDIA GPUs that the system's driver shows, whether or not TensorFlow can use them."""
    tables = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(drivers.glob("*/information"))]
    names = [line.partition(":")[2].strip() for table in tables for line in table.splitlines() if "Model" in line]
    return names or (["an NVIDIA GPU"] if shutil.which("nvidia-smi") else [])


def _device(options, seen, there):
    """What computes, in words: of GPUs that TensorFlow sees, and those that are there."""
    if seen:
        used = min(len(seen), options.num_gpu)
        return f"{used} of {len(seen)} GPUs (--num_gpu), {seen[0]}" if len(seen) > 1 else f"GPU, {seen[0]}"
    if not there:
        return "CPU; no GPU found"
    if not options.use_gpu:
        reason = "--use_gpu False"
    elif "CUDA_VISIBLE_DEVICES" in os.environ:
        reason = f"CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']} hides it"
    elif not tf.test.is_built_with_cuda():
        reason = "this TensorFlow is built without CUDA"
    else:
        reason = f"TensorFlow finds no CUDA libraries for it; pip install 'tensorflow[and-cuda]=={tf.__version__}'"
    return f"CPU; {there[0]} is not used: {reason}"


def _mirrored(num_gpu):
    if num_gpu == 1:
        return tf.distribute.get_strategy()
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(found) < num_gpu:
        raise UserError(f"--num_gpu {num_gpu}: this machine shows TensorFlow {len(found)} {kind} only")
    return tf.distribute.MirroredStrategy(found[:num_gpu])


def _workers(num_gpu):
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and len(gpus) < num_gpu:
        raise UserError(f"--num_gpu {num_gpu}: this machine shows TensorFlow {len(gpus)} GPU only")
    tf.config.set_visible_devices(gpus[:num_gpu], "GPU")
    try:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        if not resolver.cluster_spec().as_dict().get("worker") or resolver.task_type != "worker":
            raise ValueError("a cluster of workers alone is wanted, and a task among them")
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"TF_CONFIG: {str(error).splitlines()[0]}") from error
