"""What the job `benchmark` measures: training, generation, reading, rendering. Each prints lines for people too."""

import tempfile
import time

import tensorflow as tf

from data_loader import pipeline
from data_loader.morphable.sources import open_source
from data_loader.training_sources import read_sources
from trainer.benchmark import data, machine
from trainer.benchmark.flops import count_flops
from trainer.systems import system_class
from trainer.training import setup
from utils.errors import UserError
from utils.progress import Progress

PIPELINE_SECONDS = 3.0
WARM_UP = 2  # batches or calls that are not counted


def training(options):
    """Steps on one random batch, beside the peak of a matrix product before and after them: others may use the machine.

    Which peak is right cannot be known then; the larger one is nearer to it.
    """
    system = data.fresh_system(options)
    batch = data.random_batch(system, options)
    step = tf.function(system.train_step.python_function, jit_compile=options.jit_compile)  # as the loop does
    traced = machine.timed(lambda: step.get_concrete_function(batch))
    flops = count_flops(step.get_concrete_function(batch))
    dtype = flops.most_common(1)[0][0]
    before = machine.matmul_peak(dtype)
    machine.forget_peak_memory()
    first, seconds = time_calls(step, batch, options.steps, "step")
    memory, peak = machine.peak_memory(), max(before, after := machine.matmul_peak(dtype))
    found, total = machine.summary(seconds), flops.total()
    median = found["median"]
    print(f"a step: {median:.3f} s (mean {found['mean']:.3f}, {min(seconds):.3f} to {max(seconds):.3f}), "
          f"{options.batch_size / median:.1f} images/s; the first was done after {traced + first:.1f} s")
    print(f"{total / 1e9:.1f} GFLOP a step, {total / median / 1e9:.1f} GFLOP/s: {total / median / peak:.0%} of the "
          f"{peak / 1e9:.1f} of a matrix product ({dtype}: {before / 1e9:.1f} before, {after / 1e9:.1f} after)")
    print(f"{memory['resident'] / 2**20:.0f} MiB of memory at most")
    return {
        "train_step_s": found,
        "images_per_s": options.batch_size / median,
        "trace_s": traced + first,
        "peak_memory_bytes": memory,
        "flops_per_step": total,
        "flops_per_s": total / median,
        "dtype": dtype,
        "matmul_peak_flops_per_s": peak,
        "matmul_peaks": {"before": before, "after": after},
        "share_of_peak": total / median / peak,
    }


def generation(options):
    """Batches through what the job `generate` runs: with all scores, and images alone."""
    system = data.fresh_system(options)
    if "generate" not in system.makers:
        raise UserError(f"--what generate: --system {options.system} makes no images; only train is timed")
    maker = system.makers["generate"]
    batch = data.random_arguments(system, maker, options)
    report = {"generate_s": {}, "images_per_s": {}, "trace_s": {}}
    for name, scores in generations(maker).items():
        first, seconds = time_calls(maker.make, batch, options.steps, f"generate: {name}", scores=scores)
        found = machine.summary(seconds)
        report["generate_s"][name], report["trace_s"][name] = found, first
        report["images_per_s"][name] = options.batch_size / found["median"]
        print(f"generate, {name}: {found['median']:.3f} s a batch, {options.batch_size / found['median']:.1f} images/s")
    return report | {"peak_memory_bytes": machine.peak_memory()}


def generations(maker):
    """{name in the report: scores}."""
    return {"scores": tuple(maker.scores), "images": ()}


def reading(options):
    """Batches as training reads them: from the folders that the command line names, else from made-up ones."""
    if data.named_folders(options):
        return _read(options, made_up=False)
    with tempfile.TemporaryDirectory() as folder:
        return _read(data.with_made_up_folders(folder, options), made_up=True)


def _read(options, made_up):
    sources = system_class(options.system).sources_of(options)
    skipped, indexes, size = pipeline.SkippedFiles(), read_sources(sources, options), options.input_scale_size
    opened = setup.open_data(indexes, {}, size, options)
    batches = pipeline.checked(pipeline.training_batches(
        sources, indexes, options.batch_size, size, options.random_seed, skipped, workers=options.num_worker,
        readers=opened.readers,
    ), skipped)  # fmt: skip
    for _ in range(WARM_UP):
        next(batches)
    count, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < PIPELINE_SECONDS:
        next(batches)
        count += 1
    batches.close()
    print(f"read: {count / passed:.1f} batches/s of {options.batch_size}, {options.num_worker} threads, "
          f"{'made-up JPEGs' if made_up else options.data_dir}")
    return {
        "batches_per_s": count / passed,
        "images_per_s": options.batch_size * count / passed,  # of each source
        "seconds": passed,
        "num_worker": options.num_worker,
        "made_up": made_up,
    }


def rendering(options):
    """`--steps` pictures in this one process, as `render` draws them: a new person after each images_per_id."""
    source = open_source(options.changed(syn_scale_size=options.input_scale_size))
    first = machine.timed(lambda: source.draw(1, 1))  # compiles the rasterizer
    people = [(2 + i // options.images_per_id, 1 + i % options.images_per_id) for i in range(options.steps)]
    seconds = []
    with Progress(options.steps, "render") as progress:
        for person, index in people:
            seconds.append(machine.timed(lambda person=person, index=index: source.draw(person, index)))
            progress.update()
    print(f"render: {len(seconds) / sum(seconds):.1f} images/s in one process, {options.images_per_id} of a person")
    return {"render_s": machine.summary(seconds), "images_per_s": len(seconds) / sum(seconds), "first_s": first}


def time_calls(function, batch, steps, label, **arguments):
    """Time a traced function on one batch, waiting for each call's first result.

    Args:
        function: tf.function: batch -> {name: tensor}.
        steps: calls to time.  label: for the bar.
        arguments: more of them for the function.

    Returns:
        (seconds of the first call, list of the seconds of each later one); WARM_UP calls lie between.
    """
    def call():
        next(iter(function(batch, **arguments).values())).numpy()

    first = machine.timed(call)
    for _ in range(WARM_UP):
        call()
    traces, seconds = function.experimental_get_tracing_count(), []
    with Progress(steps, label) as progress:
        for _ in range(steps):
            seconds.append(machine.timed(call))
            progress.update()
    if function.experimental_get_tracing_count() != traces:
        raise RuntimeError(f"{label}: traced again while it was timed")
    return first, seconds


MEASURES = {"train": training, "generate": generation, "pipeline": reading, "render": rendering}  # by --what
