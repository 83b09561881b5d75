"""The `render` job: labelled pictures of people who do not exist, drawn from a morphable face model."""

import json
import multiprocessing
import re
from pathlib import Path

from data_loader.crops import FORMATS, save
from data_loader.morphable import parameters
from data_loader.morphable.sources import open_source
from utils.errors import UserError
from utils.files import atomic_write
from utils.progress import Progress

# What a picture depends on: a folder holds pictures of one setting of these only. The number of people may grow.
# Of morphable_model and statistics_dir it is the content that counts: source.settings.
SETTINGS = ("random_seed", "syn_scale_size", "published_pose", "yaw_range", "pitch_range", "roll_range", "image_format")


def run(options):
    """Draw n_id people, images_per_id pictures of each, into data_dir/syn_dataset/<person>/<picture>.<image_format>.

    Picture and parameters depend on (random_seed, person, picture) and the settings alone, so that any shard, any order
    and a run that goes on after an interruption give the same bytes. <person>/metadata.csv holds the person's
    parameters, a row a picture; metadata.csv all of them, written by the run that finds every person complete;
    render.json the settings.

    Args:
        options: data_dir, syn_dataset, n_id, images_per_id, syn_scale_size (pixels), image_format, random_seed,
            morphable_model, statistics_dir, published_pose, yaw_range, pitch_range, roll_range (degrees, half-widths),
            shard ("2/8": the second of eight parts of the people; "": all), num_worker (processes), asset_dir.

    Raises:
        UserError: a value out of range, or a folder that holds pictures of other settings.
    """
    _check(options)
    people = _people(options)
    folder = Path(options.data_dir).expanduser() / options.syn_dataset
    source = open_source(options)
    _claim(folder, {**source.settings, **{name: getattr(options, name) for name in SETTINGS}})
    artist = _Artist(source, folder, options)
    missing = [(person, images) for person in people if (images := artist.missing(person))]
    total = len(people) * options.images_per_id
    with Progress(total, "render", initial=total - sum(len(images) for _, images in missing)) as progress:
        if options.num_worker == 1 or len(missing) <= 1:
            for work in missing:
                artist.draw_all(work, progress.update)
        else:
            _draw_in_processes(source, folder, options, missing, progress)
    _merge(artist)


class _Artist:
    """Draws any picture of a run into its file.

    Args:
        source: of sources.open_source. folder: the data set's. options: as `run` takes them.
    """

    def __init__(self, source, folder, options):
        self.source, self.folder, self.options = source, folder, options
        self.header = parameters.csv_line([*parameters.PICTURE, *source.columns])

    def person_folder(self, person):
        return self.folder / f"{person:05d}"

    def path(self, person, index):
        """Where a picture lies below the folder; people and pictures count from 1."""
        return f"{person:05d}/{index:05d}.{self.options.image_format}"

    def missing(self, person):
        """Pictures of a person that are not there yet, or are but have no row."""
        there = {f"{person:05d}/{path.name}" for path in self.person_folder(person).glob("*")}
        rows = self.rows(person)
        return [index for index in range(1, self.options.images_per_id + 1)
                if self.path(person, index) not in there or index not in rows]

    def rows(self, person):
        """{index: line} of the person's metadata.csv; empty where that is missing or of other columns."""
        try:
            lines = (self.person_folder(person) / parameters.METADATA).read_text(encoding="utf-8").splitlines(True)
        except (FileNotFoundError, UnicodeDecodeError):
            return {}
        except OSError as error:
            raise UserError(f"{self.person_folder(person)}: cannot be read ({error})") from error
        if not lines or lines[0] != self.header:
            return {}
        rows = {}
        for line in lines[1:]:
            path, number, index = (line.split(",", 3) + ["", "", ""])[:3]
            if index.isdecimal() and (path, number) == (self.path(person, int(index)), str(person)):
                rows[int(index)] = line
        return rows

    def draw_all(self, work, done=lambda: None):
        """Draw the pictures of (person, [index, ...]), then write their rows; those that are there keep their bytes."""
        person, images = work
        try:
            self.person_folder(person).mkdir(exist_ok=True)
            rows = self.rows(person)
            for index in images:
                path = self.path(person, index)
                pixels, about = self.source.draw(person, index)
                if not (self.folder / path).exists():
                    save(pixels, self.folder / path)
                rows[index] = parameters.csv_line([path, person, index, *about])
                done()
            with _text(self.person_folder(person) / parameters.METADATA) as file:
                file.writelines([self.header, *(rows[index] for index in sorted(rows))])
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be written ({error})") from error
        return len(images)


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
    if options.published_pose and not options.statistics_dir:
        raise UserError("--published_pose: needs --statistics_dir, whose poses it sets to yaw 0")


def _people(options):
    """The numbers of the people of this shard: k, k + n, k + 2n ... of shard "k/n"."""
    if not options.shard:
        return range(1, options.n_id + 1)
    match = re.fullmatch(r"(\d+)/(\d+)", options.shard, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"--shard {options.shard}: must be k/n with k from 1 to n, e.g. 2/8")
    return range(int(match[1]), options.n_id + 1, int(match[2]))


def _claim(folder, settings):
    """Make the folder and note the settings in it, or check them against those noted there."""
    note = folder / "render.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not note.is_file():
            used = any(not path.name.startswith(".") for path in folder.iterdir())
            if used and not note.is_file():  # another shard may have noted them just now
                raise UserError(f"{folder} is not empty and holds no render.json: give another --syn_dataset")
            with _text(note) as file:
                json.dump(settings, file, indent=2)
        earlier = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{folder}: cannot be used for renders ({error})") from error
    changed = [name for name in settings if not isinstance(earlier, dict) or earlier.get(name) != settings[name]]
    if changed:
        was = earlier.get(changed[0]) if isinstance(earlier, dict) else None
        raise UserError(f"{folder} holds renders with --{changed[0]} {was}, not {settings[changed[0]]}: give another "
                        f"--syn_dataset or delete the folder")


def _text(path):
    return atomic_write(path, "w", encoding="utf-8", newline="")


def _draw_in_processes(source, folder, options, missing, progress):
    """Spread people over processes that are started afresh: forking after TensorFlow has threads can hang."""
    context = multiprocessing.get_context("spawn")
    processes = min(options.num_worker, len(missing))
    with context.Pool(processes, _start, (source.fits, folder, options)) as pool:
        for count in pool.imap_unordered(_work, missing):
            progress.update(count)


_artist = None


def _start(fits, folder, options):
    global _artist
    _artist = _Artist(open_source(options, fits), folder, options)


def _work(work):
    return _artist.draw_all(work)


def _merge(artist):
    """Write metadata.csv of all people, in order, once all of them are complete.

    Whoever finds them complete does so, several at once perhaps: they write the same bytes.
    """
    options, waiting = artist.options, 0
    for person in range(1, options.n_id + 1):
        waiting += bool(artist.missing(person))
    if waiting:
        print(f"render: {waiting} people of other shards are not there yet; the last one to end writes "
              f"{artist.folder / parameters.METADATA}")
        return
    with _text(artist.folder / parameters.METADATA) as file:
        file.write(artist.header)
        for person in range(1, options.n_id + 1):
            rows = artist.rows(person)
            file.writelines(rows[index] for index in sorted(rows))
