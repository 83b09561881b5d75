"""How cost grows with the number of files: indexing, reading and generating, each in a process of its own.

    python -m tests.compare_size 1000 10000 100000

Files are 16x16 PNGs, ten to a person; the network is tiny, so that what is timed is all the rest. The first row warms
up.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import main as command
from data_loader import folders, pipeline
from tests.small import SOURCES, make_data, only_run, train_words
from trainer.benchmark.machine import peak_memory, timed

BATCHES, BATCH = 500, 16


def main(words):
    """Print a row for each number of files."""
    if words and words[0] == "--part":
        return print(json.dumps(PARTS[words[1]](*words[2:]) | {"peak": peak_memory()["resident"] / 2**20}))
    heads = ('index', 9), ('again', 9), ('MiB', 7), ('batches/s', 11), ('MiB', 7), ('generate', 10), ('images/s', 10)
    print(f"{'files':>8}" + ''.join(f'{head:>{width}}' for head, width in (*heads, ('MiB', 7))))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make_data(folder / "data")
        run = trained(folder)
        for count in [100, *map(int, words)]:
            make_files(folder / "data" / f"syn{count}", count)
            indexed, read, made = (part(name, folder, count, run) for name in PARTS)
            print(f"{count:8}{indexed['first']:8.2f}s{indexed['again']:8.2f}s{indexed['peak']:7.0f}"
                  f"{read['batches_per_s']:11.1f}{read['peak']:7.0f}"
                  f"{made['seconds']:9.1f}s{count / made['seconds']:10.0f}{made['peak']:7.0f}", flush=True)


def trained(folder):
    """The run folder of a tiny network, two steps old."""
    quietly = {"stdout": subprocess.DEVNULL, "check": True}
    words = train_words(folder / "data", folder / "logs", "--max_step", "2")
    subprocess.run([sys.executable, command.__file__, *words], **quietly)
    return only_run(folder / "logs")


def make_files(folder, count):
    """Hard links to one PNG would be one inode; each file is its own."""
    png = next((folder.parent / "syn").glob("*/*.png")).read_bytes()
    for number in range(count):
        path = folder / f"{number // 10:06d}" / f"{number % 10}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)


def part(name, folder, count, run):
    """Run one part in a child process: its numbers, with `peak`, MiB of memory that it held at most."""
    words = [sys.executable, "-m", "tests.compare_size", "--part", name, str(folder), str(count), str(run)]
    output = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def index(folder, count, run):
    """Seconds to index for the first time, and again from the cache."""
    def whole():
        assert len(open_index(folder, count)) == int(count)

    first, again = (timed(whole) for _ in range(2))
    return {"first": first, "again": again}


def read(folder, count, run):
    """Shuffled batches a second, over many."""
    skipped = pipeline.SkippedFiles()
    index = {"synthetic": open_index(folder, count)}
    batches = pipeline.training_batches(SOURCES, index, BATCH, 16, 1, skipped)
    batches = pipeline.checked(batches, skipped)
    next(batches)
    seconds = timed(lambda: [next(batches) for _ in range(BATCHES)])
    batches.close()
    return {"batches_per_s": BATCHES / seconds}


def generate(folder, count, run):
    """Seconds of the job from its start to its last file."""
    words = ["generate", "--data_dir", f"{folder}/data", "--syn_dataset", f"syn{count}", "--save_syn_dataset",
             f"made{count}", "--pretrained_gen", run, "--asset_dir", f"{folder}/cache", "--scores", "none"]

    def job():
        assert command.main(words) == 0

    return {"seconds": timed(job)}


PARTS = {"index": index, "read": read, "generate": generate}


def open_index(folder, count):
    """The index of the renders, from the cache where it is there."""
    return folders.index_images(Path(folder) / "data" / f"syn{count}", Path(folder) / "cache" / "index", labelled=True)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(sys.argv[1:])
