"""The `render` job: labelled pictures of people who do not exist, drawn from the morphable face."""

import csv
import io
import json
import multiprocessing
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from data_loader import assets
from data_loader.morphable import sampling
from data_loader.morphable.camera import Studio
from data_loader.morphable.model import load_makehuman
from utils.errors import UserError
from utils.files import atomic_write
from utils.progress import Progress

FORMATS = ("jpg", "png")
# What a picture depends on: a folder holds pictures of one setting of these only. The number of people may grow.
SETTINGS = ("random_seed", "syn_scale_size", "yaw_range", "pitch_range", "roll_range", "image_format")


def run(options):
    """Draw n_id people, images_per_id pictures of each, into data_dir/syn_dataset/<person>/<picture>.<image_format>.

    Picture and parameters depend on (random_seed, person, picture) and the ranges alone, so that a run that was
    interrupted goes on to the same bytes. metadata.csv holds the parameters, render.json the settings.

    Args:
        options: data_dir, syn_dataset, n_id, images_per_id, syn_scale_size (pixels), image_format, random_seed,
            yaw_range, pitch_range, roll_range (degrees, half-widths), num_worker (processes), asset_dir.

    Raises:
        UserError: a value out of range, or a folder that holds pictures of other settings.
    """
    _check(options)
    folder = Path(options.data_dir).expanduser() / options.syn_dataset
    asset = assets.fetch("morphable_face", options.asset_dir)
    _claim(folder, {name: getattr(options, name) for name in SETTINGS})
    missing, model = _missing(folder, options), load_makehuman(asset)
    total = options.n_id * options.images_per_id
    with Progress(total, "render", initial=total - sum(len(images) for _, images in missing)) as progress:
        if options.num_worker == 1 or len(missing) <= 1:
            artist = _Artist(model, folder, options) if missing else None
            for person, images in missing:
                for index in images:
                    artist.draw(person, index)
                    progress.update()
        else:
            _draw_in_processes(asset, folder, options, missing, progress)
    _write_metadata(folder, model, options)


class _Artist:
    """Draws any picture of a run into its file; keeps the last person's head."""

    def __init__(self, model, folder, options):
        self.model, self.folder, self.options = model, folder, options
        self.studio, self.person, self.head = Studio(model, options.syn_scale_size), None, None

    def draw(self, person, index):
        if person != self.person:
            self.head = self.studio.head(sampling.identity(self.model, self.options.random_seed, person))
            self.person = person
        pixels = self.studio.picture(self.head, shot(self.model, self.options, person, index))
        _save(pixels, picture_path(self.folder, person, index, self.options.image_format))

    def draw_all(self, work):
        person, images = work
        for index in images:
            self.draw(person, index)
        return len(images)


def shot(model, options, person, index):
    """sampling.Image of picture `index` of `person`."""
    return sampling.image(model, options.random_seed, person, index, options.yaw_range, options.pitch_range,
                          options.roll_range)


def picture_path(folder, person, index, image_format):
    """Where a picture lies; people and pictures count from 1."""
    return folder / f"{person:05d}" / f"{index:05d}.{image_format}"


def _check(options):
    for name, least in (("n_id", 1), ("images_per_id", 1), ("syn_scale_size", 16), ("num_worker", 1),
                        ("random_seed", 0)):
        if getattr(options, name) < least:
            raise UserError(f"--{name} {getattr(options, name)}: must be at least {least}")
    for name, most in (("yaw_range", 90), ("pitch_range", 60), ("roll_range", 180)):
        if not 0 <= getattr(options, name) <= most:
            raise UserError(f"--{name} {getattr(options, name)}: must be 0 to {most} degrees")
    if options.image_format not in FORMATS:
        raise UserError(f"--image_format {options.image_format}: must be one of {', '.join(FORMATS)}")


def _claim(folder, settings):
    """Make the folder and note the settings in it, or check them against those noted there."""
    note = folder / "render.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if note.is_file():
            earlier = json.loads(note.read_text(encoding="utf-8"))
            changed = [name for name in settings if earlier.get(name) != settings[name]]
            if changed:
                name = changed[0]
                raise UserError(f"{folder} holds renders with --{name} {earlier.get(name)}, not {settings[name]}: give "
                                f"another --syn_dataset or delete the folder")
        elif any(folder.iterdir()):
            raise UserError(f"{folder} is not empty and holds no render.json: give another --syn_dataset")
        else:
            with atomic_write(note, "w", encoding="utf-8") as file:
                json.dump(settings, file, indent=2)
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{folder}: cannot be used for renders ({error})") from error


def _missing(folder, options):
    """[(person, [picture, ...])] of the pictures that are not there yet."""
    work = []
    for person in range(1, options.n_id + 1):
        there = {path.name for path in (folder / f"{person:05d}").glob(f"*.{options.image_format}")}
        images = [index for index in range(1, options.images_per_id + 1)
                  if f"{index:05d}.{options.image_format}" not in there]
        if images:
            (folder / f"{person:05d}").mkdir(exist_ok=True)
            work.append((person, images))
    return work


def _save(pixels, path):
    quality = {"quality": 100, "subsampling": 0} if path.suffix == ".jpg" else {}
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, {".jpg": "JPEG", ".png": "PNG"}[path.suffix], **quality)
    with atomic_write(path) as file:
        file.write(encoded.getbuffer())


def _draw_in_processes(asset, folder, options, missing, progress):
    """Spread people over processes that are started afresh: forking after TensorFlow has threads can hang."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(options.num_worker, len(missing)), _start, (asset, folder, options)) as pool:
        for count in pool.imap_unordered(_work, missing):
            progress.update(count)


_artist = None


def _start(asset, folder, options):
    global _artist
    _artist = _Artist(load_makehuman(asset), folder, options)


def _work(work):
    return _artist.draw_all(work)


def _write_metadata(folder, model, options):
    """One row per picture, in order: who, pose in degrees, light, mood and the weight of every face unit."""
    with atomic_write(folder / "metadata.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "identity", "index", "yaw", "pitch", "roll", "zoom", "light_x", "light_y", "light_z",
                         "light_key", "light_ambient", "age", "male", *sampling.ETHNICITIES, "tone", "hair", "iris",
                         "mood", *model.expression.names])
        for person in range(1, options.n_id + 1):
            who = sampling.identity(model, options.random_seed, person)
            about = [*map(_short, (who.age, who.male, *who.mix, who.look.tone)), who.look.hair, who.look.iris]
            for index in range(1, options.images_per_id + 1):
                image = shot(model, options, person, index)
                path = picture_path(folder, person, index, options.image_format).relative_to(folder).as_posix()
                numbers = (image.yaw, image.pitch, image.roll, image.zoom, *image.light.direction, image.light.key,
                           image.light.ambient)
                writer.writerow([path, person, index, *map(_short, numbers), *about, image.mood,
                                 *map(_short, image.expression)])


_short = partial(np.format_float_positional, precision=4, unique=False, trim="-")
