"""The job `demo`: everything once, small, from nothing to generated faces, with the commands that did it.

First faces in colour, by the trained model that comes with the code. Then a training, of a smaller grey model on grey
photographs that anyone can fetch: begun with weights that come with the code too, so that there are faces at once.
"""

import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from data_loader import assets, licences
from data_loader.folders import UnreadableImage, decode_whole
from utils import runs
from utils.errors import UserError
from utils.files import atomic_write, check_writable, read_json
from utils.flags import FLAGS
from utils.images import save_grid

MAIN = Path(__file__).resolve().parents[2] / "main.py"
SIZE = 64
# Where the command line names no others: what is rendered, and processes that fit and render.
PEOPLE = {"n_id": 100, "images_per_id": 8}
PROCESSES = 2
GRID_IDENTITIES, GRID_IMAGES = 5, 8
COLOUR, FIRST, LAST = "generated_colour", "generated_first", "generated"  # data sets: in colour; before, after training
COLOUR_RENDERS, RENDERS = "syn_colour", "syn"
# Each folder's README says how it was made.
COLOUR_MODEL, GREY_MODEL = (MAIN.parent / "pretrained" / name for name in ("portraits64", "att64"))
COLOUR_SEED = 31  # other people than that model was trained on, which were drawn with 123
# What att64's training ended with. Ours: gamma and lambda_k keep the equilibrium from starving the adversarial loss,
# lambda_p keeps the faces from all turning the same way; the published identity loss would be 0 for most batches.
LEARN = (
    "--batch_size 8 --g_lr 5e-5 --d_lr 5e-5 --gamma 1.3 --lambda_k 0.005 --lambda_p 0.2 --lambda_c 0.1 --random_flip "
    "--paper_variance --vary_photographs --max_step 40000 --lr_update_step 20000 --lr_lower_boundary 1e-5 "
    "--num_log_id 8"
).split()


def run(options):
    """Render and generate in colour; then fetch photographs, fit, render, generate, train on, generate again; print
    where to look. What is done already is reused.

    Args:
        options: demo_dir, demo_minutes, asset_dir; where the command line names them n_id, images_per_id, num_worker.

    Raises:
        UserError: a job failed, or demo_dir holds a demo of other numbers of people or images.
    """
    demo = Demo(Path(options.demo_dir).expanduser(), options)
    for title, stage in (
        (f"render {demo.n_id} people x {demo.images_per_id} images", demo.render_colour),
        ("photographs of them, by the colour model that comes with the code", demo.generate_colour),
        ("something to train on: AT&T faces, grey", demo.photographs),
        ("pairs: the face model fitted to these photographs", demo.pair),
        (f"render {demo.n_id} people x {demo.images_per_id} images, posed and lit as in those fits", demo.render),
        ("generate with the grey model that comes with the code", demo.generate),
        (f"train it on for {options.demo_minutes * 0.75:g} minutes", demo.train),
        (f"resume and train {options.demo_minutes * 0.25:g} minutes more", demo.resume),
        ("generate again", demo.generate_again),
    ):
        demo.timed(title, stage)
    demo.tell()


class Demo:
    """The stages, each of which looks first whether its result is there.

    Args:
        folder: where everything goes: data/, logs/, colour.png, before_after.png, stages.json.
        options: as `run` takes them.
    """

    def __init__(self, folder, options):
        check_writable(folder, "--demo_dir")
        self.folder, self.options = folder, options
        self.data, self.logs = folder / "data", folder / "logs"
        self.data.mkdir(parents=True, exist_ok=True)
        self.record = folder / "stages.json"  # stage -> the run folder it made; "people" -> n_id, images_per_id
        self.done = self._read_record() if self.record.is_file() else {}
        self.times = []
        people = {name: self._named(name, default) for name, default in PEOPLE.items()}
        self.n_id, self.images_per_id = people.values()
        self.processes = self._named("num_worker", PROCESSES)
        self._claim(people)

    def timed(self, title, stage):
        """Run one stage, with its title before and its time after."""
        print(f"\n== {title}", flush=True)
        start = time.monotonic()
        reused = stage()
        seconds = time.monotonic() - start
        self.times.append((title, seconds, reused))
        print(f"   {'was there already' if reused else f'{seconds:.0f} s'}", flush=True)

    def render_colour(self):
        self._render(COLOUR_RENDERS, "--statistics_dir", COLOUR_MODEL / "fits", "--random_seed", COLOUR_SEED)

    def generate_colour(self):
        self._generate(COLOUR_MODEL, COLOUR_RENDERS, COLOUR)
        self._show("colour.png", COLOUR_RENDERS, COLOUR)

    def photographs(self):
        target = self.data / "att"
        if target.is_dir():
            return True
        source = assets.fetch("att_faces", self.options.asset_dir)
        partial = self.data / ".att.partial"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        licences.write(partial, ["att_faces"])
        partial.rename(target)
        return False

    def pair(self):
        self._main("pair", "--dataset", "att", "--dataset_3dmm", "pairs", "--size", SIZE, "--pair_crop", "centre",
                   "--image_format", "png", "--num_worker", self.processes)  # fmt: skip

    def render(self):
        self._render(RENDERS, "--statistics_dir", self.data / "pairs")

    def generate(self):
        self._generate(GREY_MODEL, RENDERS, FIRST)
        self._show("before_after.png", RENDERS, FIRST)

    def train(self):
        return self._train("train", 0.75, ["--pretrained_gen", GREY_MODEL, "--syn_dataset", RENDERS, "--dataset", "att",
                                           "--dataset_3dmm", "pairs", "--task", "demo", *LEARN])  # fmt: skip

    def resume(self):
        return self._train("resume", 0.25, ["--load_path", self.done["train"]])

    def generate_again(self):
        self._generate(self.done["resume"], RENDERS, LAST)
        self._show("before_after.png", RENDERS, FIRST, LAST)

    def tell(self):
        """Where to look, what it means, how long it took."""
        run_folder = self.done["resume"]
        print(f"\n{'stage':<64}{'seconds':>8}")
        for title, seconds, _ in self.times:
            print(f"{title:<64}{seconds:8.0f}")
        print(f"{'all':<64}{sum(seconds for _, seconds, _ in self.times):8.0f}")
        print(
            f"\nLook at {self.folder / 'colour.png'}: rows in pairs, renders and photographs of people who do not "
            "exist.\n"
            f"Labelled data set, with scores: {self.data / COLOUR}\n"
            f"Then at {self.folder / 'before_after.png'}: grey, rows in threes: renders, what the small model made of "
            "them, and what it makes of them now.\n"
            f"Labelled data set, with scores: {self.data / LAST}\n"
            f"How training went: {run_folder}/*_G.png and tensorboard --logdir {self.logs}\n"
            "A few minutes show that training runs and resumes; they change little. To go on:\n"
            f"  python main.py train --load_path {run_folder}"
        )

    def _render(self, folder, *flags):
        self._main("render", "--syn_dataset", folder, "--n_id", self.n_id, "--images_per_id", self.images_per_id,
                   "--syn_scale_size", SIZE, "--image_format", "png", "--num_worker", self.processes,
                   *flags)  # fmt: skip

    def _generate(self, weights, renders, folder):
        self._main("generate", "--pretrained_gen", weights, "--syn_dataset", renders, "--save_syn_dataset", folder,
                   "--image_format", "png")  # fmt: skip

    def _show(self, picture, renders, *folders):
        """The grid: for each person a row of renders and one from each folder of generated faces."""
        images = []
        for person in sorted(path for path in (self.data / renders).iterdir() if path.is_dir())[:GRID_IDENTITIES]:
            names = [path.name for path in sorted(person.glob("*.png"))[:GRID_IMAGES]]
            for folder in (renders, *folders):
                images += [_pixels(self.data / folder / person.name / name) for name in names]
        save_grid(np.stack(images), self.folder / picture, min(GRID_IMAGES, self.images_per_id))
        print(f"   {self.folder / picture}: renders, and below each row what became of it")

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
        self._write_record()
        return False

    def _named(self, flag, default):
        return getattr(self.options, flag) if flag in self.options.explicit else default

    def _claim(self, people):
        """Note how many people and images the folder holds, or refuse other numbers than those noted there."""
        noted = self.done.setdefault("people", people)
        if noted != people:
            told = " ".join(f"--{name} {number}" for name, number in noted.items())
            raise UserError(f"{self.folder} holds a demo of {told}: give these, or another --demo_dir")
        self._write_record()

    def _read_record(self):
        try:
            done = read_json(self.record)
            wrong = [name for name, value in done.items() if not isinstance(value, dict if name == "people" else str)]
            if wrong:
                raise ValueError(f"{wrong[0]} is {done[wrong[0]]!r}")
        except (ValueError, AttributeError) as error:
            raise UserError(f"--demo_dir: {self.record} is damaged ({error}): remove it, and the demo trains anew; or "
                            "name another --demo_dir") from error  # fmt: skip
        return done

    def _write_record(self):
        with atomic_write(self.record, "w") as file:
            json.dump(self.done, file)

    def _main(self, job, *flags):
        folders = ["--data_dir", self.data, "--asset_dir", self.options.asset_dir]
        folders += ["--log_dir", self.logs] if job in FLAGS["log_dir"].jobs else []
        words = [str(word) for word in (job, *folders, *flags)]
        print(f"   python main.py {shlex.join(words)}", flush=True)
        status = subprocess.run([sys.executable, str(MAIN), *words]).returncode
        if status:
            raise UserError(f"demo: the job {job} ended with status {status}; run the demo again to go on from here")


def _pixels(path):
    try:
        return decode_whole(path)
    except UnreadableImage as error:
        raise UserError(f"--demo_dir: {error}: remove its folder {path.parents[1]}, and it is made anew") from error
