"""The job `demo`: everything once, small, from nothing to generated faces, with the commands that did it."""

import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from data_loader import assets
from utils import runs
from utils.errors import UserError
from utils.files import atomic_write
from utils.images import save_grid

MAIN = Path(__file__).resolve().parent.parent / "main.py"
SIZE = 64
IDENTITIES, IMAGES = 100, 8
GRID_IDENTITIES = 5
# Small networks that learn fast. Ours: gamma and lambda_k keep the equilibrium from starving the adversarial loss,
# lambda_p keeps the faces from all turning the same way, and the grey photographs cannot carry the renders' colour.
SMALL = (
    "--conv_hidden_num 16 --conv_hidden_num_back 16 --conv_hidden_num_res 16 --batch_size 8 --g_lr 8e-4 --d_lr 8e-4 "
    "--gamma 0.95 --lambda_k 0.005 --lambda_p 0.5 --grayscale --random_flip "
    "--max_step 40000 --lr_update_step 20000 --lr_lower_boundary 5e-5 --num_log_id 8"
).split()


def run(options):
    """Fetch, render, train, resume, generate; print where to look. What is done already is reused."""
    demo = Demo(Path(options.demo_dir).expanduser(), options)
    for title, stage in (
        ("photographs: AT&T faces", demo.photographs),
        ("pairs: the face model fitted to the photographs", demo.pair),
        (f"render {IDENTITIES} people x {IMAGES} images, posed and lit as in those fits", demo.render),
        (f"train {options.demo_minutes * 0.75:g} minutes", demo.train),
        (f"resume and train {options.demo_minutes * 0.25:g} minutes more", demo.resume),
        ("generate", demo.generate),
        ("before/after grid", demo.compare),
    ):
        demo.timed(title, stage)
    demo.tell()


class Demo:
    """The stages, each of which looks first whether its result is there.

    Args:
        folder: where everything goes: data/, logs/, before_after.png, stages.json.
        options: asset_dir, demo_minutes, n_id is not read (100 people are drawn).
    """

    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.data, self.logs = folder / "data", folder / "logs"
        self.data.mkdir(parents=True, exist_ok=True)
        self.record = folder / "stages.json"  # stage -> the run folder it made
        self.done = json.loads(self.record.read_text()) if self.record.is_file() else {}
        self.times = []

    def timed(self, title, stage):
        """Run one stage, with its title before and its time after."""
        print(f"\n== {title}", flush=True)
        start = time.monotonic()
        reused = stage()
        seconds = time.monotonic() - start
        self.times.append((title, seconds, reused))
        print(f"   {'was there already' if reused else f'{seconds:.0f} s'}", flush=True)

    def photographs(self):
        target = self.data / "att"
        if target.is_dir():
            return True
        source = assets.fetch("att_faces", self.options.asset_dir)
        partial = self.data / ".att.partial"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        partial.rename(target)
        return False

    def pair(self):
        self._main("pair", "--dataset", "att", "--dataset_3dmm", "pairs", "--size", SIZE, "--pair_crop", "centre",
                   "--image_format", "png", "--num_worker", 2)  # fmt: skip

    def render(self):
        self._main("render", "--syn_dataset", "syn", "--n_id", IDENTITIES, "--images_per_id", IMAGES,
                   "--statistics_dir", self.data / "pairs", "--syn_scale_size", SIZE, "--image_format", "png",
                   "--num_worker", 2)  # fmt: skip

    def train(self):
        return self._train("train", 0.75, ["--syn_dataset", "syn", "--dataset", "att", "--dataset_3dmm", "pairs",
                                           "--method_c", "none", "--task", "demo", "--input_scale_size", SIZE, *SMALL])

    def resume(self):
        return self._train("resume", 0.25, ["--load_path", self.done["train"]])

    def generate(self):
        self._main("generate", "--pretrained_gen", self.done["resume"], "--save_syn_dataset", "generated",
                   "--image_format", "png")  # fmt: skip

    def compare(self):
        people = sorted(path for path in (self.data / "generated").iterdir() if path.is_dir())[:GRID_IDENTITIES]
        images = []
        for person in people:
            after = sorted(person.glob("*.png"))[:IMAGES]
            images += [_pixels(self.data / "syn" / person.name / path.name) for path in after]
            images += [_pixels(path) for path in after]
        save_grid(np.stack(images), self.folder / "before_after.png", IMAGES)

    def tell(self):
        """Where to look, what it means, how long it took."""
        run_folder = self.done["resume"]
        print(f"\n{'stage':<64}{'seconds':>8}")
        for title, seconds, _ in self.times:
            print(f"{title:<64}{seconds:8.0f}")
        print(f"{'all':<64}{sum(seconds for _, seconds, _ in self.times):8.0f}")
        print(
            f"\nLook at {self.folder / 'before_after.png'}: rows in pairs, renders above, what became of them below.\n"
            f"Labelled data set, with scores: {self.data / 'generated'}\n"
            f"How training went: {run_folder}/*_G.png and tensorboard --logdir {self.logs}\n"
            "A few minutes show that training runs and resumes; they do not make a finished model. To go on:\n"
            f"  python main.py train --load_path {run_folder}"
        )

    def _train(self, stage, share, flags):
        finished = self.done.get(stage)
        if finished and runs.newest_checkpoint(finished):
            return True
        before = set(self.logs.glob("*")) if self.logs.is_dir() else set()
        self._main("train", *flags, "--max_minutes", self.options.demo_minutes * share)
        made = sorted(set(self.logs.glob("demo_gen_*")) - before)
        if not made or not runs.newest_checkpoint(made[-1]):
            raise UserError(f"demo: training left no checkpoint in {self.logs}")
        self.done[stage] = str(made[-1])
        with atomic_write(self.record, "w") as file:
            json.dump(self.done, file)
        return False

    def _main(self, job, *flags):
        folders = ["--data_dir", self.data, "--log_dir", self.logs, "--asset_dir", self.options.asset_dir]
        words = [str(word) for word in (job, *folders, *flags)]
        print(f"   python main.py {shlex.join(words)}", flush=True)
        status = subprocess.run([sys.executable, str(MAIN), *words]).returncode
        if status:
            raise UserError(f"demo: the job {job} ended with status {status}; run the demo again to go on from here")


def _pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
