"""A folder of simulated views: each photograph's face turned to the same yaws, with a table of what is shown."""

from pathlib import Path

import numpy as np

from data_loader import portraits
from data_loader.crops import NoOutput, outputs, read_photograph, save
from data_loader.folders import UnreadableImage
from data_loader.morphable import parameters
from data_loader.morphable.landmarks import turned
from data_loader.morphable.simulation import Simulator
from data_loader.morphable.sources import BEHIND, visible
from data_loader.outcome import FAILED
from utils.files import atomic_write, naming
from utils.tables import TEXT, whole_rows, write_rows

SIMULATOR = 2  # raised whenever the same settings draw other pictures
SETTINGS = ("size", "image_format", "background", "pair_crop", "max_fit_error", "most_frontal")
REASONS = ("file", "reason")


class SimulatedFolder:
    """Views in <folder>/<person>/<photograph>_<yaw>.<image_format>; their parameters and the failures beside them.

    The person is the photograph's first folder below `source`; of one that lies in none, its name without the ending.
    A view depends on the photograph and the settings alone; of a person's photographs --most_frontal takes so many,
    those with the least turned faces of which there are views. <person>/metadata.csv and <person>/failed.csv are
    written after each photograph. It can be pickled: another process opens the model anew.

    Args:
        folder, source: Paths.
        files: relative paths of all photographs, in order.
        yaws: degrees, those of the views.
        options: num_worker, asset_dir, morphable_model and those of SETTINGS.

    Attributes:
        people: {person: [(number from 1, file, path of the output without yaw and ending, or None)]}.
    """

    def __init__(self, folder, source, files, yaws, options):
        self.arguments = folder, source, files, yaws, options
        self.folder, self.source, self.yaws, self.options = folder, source, yaws, options
        self.people, self._opened, self._columns = {}, None, None
        folders = {file.partition("/")[0] for file in files if "/" in file}
        for file, output in outputs(files, options.image_format):
            stem = output and output[:-len(options.image_format) - 1]
            if "/" in file:
                person = file.partition("/")[0]
            else:
                person = Path(file).stem
                stem = stem and (None if person in folders else f"{person}/{stem}")
            of_one = self.people.setdefault(person, [])
            of_one.append((len(of_one) + 1, file, stem))

    def __reduce__(self):
        return SimulatedFolder, self.arguments

    def missing(self, person):
        """The entries of `people` that have neither all views with their rows nor a reason."""
        rows, failed = self._rows(person), self._failed(person)
        return [(number, file, stem) for number, file, stem in self.people[person]
                if file not in failed and not self._complete(stem, rows)]

    def simulate(self, work, done=lambda: None):
        """Write the views of a person's photographs, and what became of each.

        Args:
            work: (person, entries of `people`). done: called after each photograph.

        Returns:
            how many photographs they were.
        """
        person, entries = work
        rows, failed = self._rows(person), self._failed(person)
        most = self.options.most_frontal or len(self.people[person])
        found = sum(self._complete(stem, rows) for *_, stem in self.people[person])
        for number, file, stem in self._frontal_first(entries):
            try:
                if found >= most:
                    raise NoOutput(f"not one of the {most} most frontal of {person}")
                rows |= self._views(person, number, file, stem)
                found += 1
            except UnreadableImage as error:
                failed[file] = error.reason
            except NoOutput as error:
                failed[file] = str(error)
            with naming(self.folder / person):
                (self.folder / person).mkdir(exist_ok=True)
                self._write(person, rows, failed)
            done()
        return len(entries)

    def finish(self):
        """Write metadata.csv and failed.csv of all once every person is complete.

        Returns:
            (people who are not, views, photographs without).
        """
        waiting = sum(bool(self.missing(person)) for person in self.people)
        rows, failed = {}, {}
        for person in self.people:
            rows |= self._rows(person)
            failed |= self._failed(person)
        if not waiting:
            self._write("", rows, failed)
        return waiting, len(rows), len(failed)

    @property
    def columns(self):
        """Names of metadata.csv."""
        return [*parameters.PICTURE, *parameters.POSE, *parameters.FRAMING, "shown", *parameters.LANDMARKS]

    def _frontal_first(self, entries):
        """Entries by how far their faces are turned, where --most_frontal asks for it; those without a face last."""
        if not self.options.most_frontal:
            return entries
        fitter, turns = self._open()[0], {}
        for _, file, _ in entries:
            try:
                face = fitter.detect(read_photograph(self.source / file, portraits.LONGEST))
            except (UnreadableImage, NoOutput):
                face = None
            turns[file] = np.inf if face is None else turned(face.landmarks)
        return sorted(entries, key=lambda entry: turns[entry[1]])

    def _path(self, stem, yaw):
        return f"{stem}_{yaw:+03g}.{self.options.image_format}"

    def _complete(self, stem, rows):
        paths = [self._path(stem, yaw) for yaw in self.yaws] if stem else [None]
        return all(path in rows and (self.folder / path).is_file() for path in paths)

    def _views(self, person, number, file, stem):
        """Write the views of a photograph that are not there yet; their rows by path."""
        if stem is None:
            raise NoOutput("another photograph, or a folder, has the same name but for its ending")
        fitter, simulator = self._open()
        pixels = read_photograph(self.source / file, portraits.LONGEST)
        _, square, _, fit = fitter.fit(pixels)
        subject, rows = simulator(pixels, square, fit), {}
        for place, yaw in enumerate(self.yaws):
            path = self._path(stem, yaw)
            picture, view, shown = subject(yaw)
            if not (self.folder / path).exists():
                save(picture, self.folder / path)
            index = (number - 1) * len(self.yaws) + place + 1
            marks = visible(view, fitter.model.landmarks, BEHIND * subject.height)
            numbers = [float(yaw), fit.pitch, fit.roll, fit.zoom, *fit.shift, shown]
            rows[path] = [path, person, index, *map(parameters.short, numbers), *parameters.landmark_numbers(*marks)]
        return rows

    def _open(self):
        if self._opened is None:
            fitter = portraits.FaceFitter(self.options, *portraits.fetch(self.options))
            self._opened = fitter, Simulator(fitter.model, self.options.size, self.options.background)
        return self._opened

    def _rows(self, person):
        """{path: row} of a person's metadata.csv; empty where it is missing or of other columns."""
        table = whole_rows(self.folder / person / parameters.METADATA)
        if next(table, []) != self.columns:
            return {}
        return {row[0]: row for row in table if len(row) == len(self.columns)}

    def _failed(self, person):
        return {row[0]: row[1] for row in whole_rows(self.folder / person / FAILED)
                if len(row) == 2 and tuple(row) != REASONS}

    def _write(self, person, rows, failed):
        for name, header, lines in ((parameters.METADATA, self.columns, list(rows.values())),
                                    (FAILED, REASONS, list(failed.items()))):
            if lines or not person:
                with atomic_write(self.folder / person / name, "w", **TEXT) as file:
                    write_rows(file, [header, *lines])


def read_yaws(text):
    """Degrees, as a tuple of numbers, of a list with commas. Raises ValueError: says what is wrong."""
    yaws = []
    for word in text.split(","):
        try:
            yaw = float(word)
        except ValueError:
            raise ValueError(f"{word.strip()!r} is not a number") from None
        if not -90 <= yaw <= 90:
            raise ValueError(f"{word.strip()} is not from -90 to 90 degrees")
        yaw = float(np.round(yaw, 4)) + 0.0  # no -0
        if yaw in yaws:
            raise ValueError(f"{word.strip()} is there twice, as {yaw:g}")
        yaws.append(yaw)
    return tuple(yaws)
