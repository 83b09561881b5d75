"""A folder of renders: people of a morphable face model, drawn into files with a table of their parameters."""

from data_loader.crops import save
from data_loader.morphable import parameters
from data_loader.morphable.sources import open_source
from utils.errors import UserError
from utils.files import atomic_write

# The flags that a picture depends on. Of morphable_model and statistics_dir it is the content: source.settings.
SETTINGS = ("random_seed", "syn_scale_size", "published_pose", "yaw_range", "pitch_range", "roll_range", "image_format",
            "identity_spread")
# Raised whenever the same settings draw other people: 2 gave them hair, glasses and wider shapes, 3 with fits the sex,
# age and ethnicity that their columns name.
RENDERER = 3


class RenderFolder:
    """Pictures in <folder>/<person>/<picture>.<image_format>, both counted from 1, and their parameters.

    With --maps, <folder>_maps/<map>/ has a picture of the same name for each, always PNG.
    Picture and parameters depend on `settings`, person and picture alone, so that any order and several processes at
    once give the same bytes. <person>/metadata.csv holds a row for each of the person's pictures.
    It can be pickled: another process opens the model anew.

    Args:
        folder: the data set's, Path.
        options: n_id, images_per_id, image_format, maps, those of sources.open_source and those of SETTINGS.
        fits: the statistics that sources.open_source takes, where they have been read before.

    Attributes:
        settings: {name: value}, what the pictures depend on. The number of people and of their pictures may grow.

    Raises:
        UserError: as sources.open_source.
    """

    def __init__(self, folder, options, fits=None):
        self.folder, self.options = folder, options
        self.maps = [name.strip() for name in options.maps.split(",")] if options.maps else []
        self.maps_folder = folder.with_name(f"{folder.name}_maps")
        self.source = open_source(options, fits)
        self.header = parameters.csv_line([*parameters.PICTURE, *self.source.columns])
        self.settings = {"renderer": RENDERER, **self.source.settings,
                         **{name: getattr(options, name) for name in SETTINGS}}

    def __reduce__(self):
        return RenderFolder, (self.folder, self.options, self.source.fits)

    def missing(self, person):
        """Numbers of a person's pictures that are not there yet, or are but have no row, or lack a map."""
        there = {f"{person:05d}/{path.name}" for path in self._person_folder(person).glob("*")}
        rows = self._rows(person)
        return [index for index in range(1, self.options.images_per_id + 1)
                if self._path(person, index) not in there or index not in rows
                or not all(self._map_path(name, person, index).is_file() for name in self.maps)]

    def draw(self, work, done=lambda: None):
        """Draw pictures of a person, then write their rows; files that are there keep their bytes.

        Args:
            work: (person, numbers of the pictures).
            done: called after each picture.

        Returns:
            how many they were.

        Raises:
            UserError: a file cannot be written.
        """
        person, images = work
        try:
            self._person_folder(person).mkdir(exist_ok=True)
            rows = self._rows(person)
            for index in images:
                path = self._path(person, index)
                pixels, about = self.source.draw(person, index)
                if not (self.folder / path).exists():
                    save(pixels, self.folder / path)
                for name, pixels in self.source.maps(self.maps).items():
                    save(pixels, self._map_path(name, person, index))
                rows[index] = parameters.csv_line([path, person, index, *about])
                done()
            _write_table(self._person_folder(person), self.header, (rows[index] for index in sorted(rows)))
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be written ({error})") from error
        return len(images)

    def finish(self):
        """Write metadata.csv of all people, in order, once those asked for are complete. Returns how many are not.

        Whoever finds them complete does so, several at once perhaps: they write the same bytes.
        """
        people = range(1, self.options.n_id + 1)
        waiting = sum(bool(self.missing(person)) for person in people)
        if not waiting:
            rows = (self._rows(person) for person in (*people, *self.others()))
            _write_table(self.folder, self.header, (of_one[index] for of_one in rows for index in sorted(of_one)))
        return waiting

    def others(self):
        """Numbers, in order, of people that the folder holds beyond n_id: an earlier run was asked for more."""
        names = (path.name for path in self.folder.iterdir() if path.is_dir())
        held = (int(name) for name in names if name.isdecimal() and f"{int(name):05d}" == name)
        return sorted(person for person in held if person > self.options.n_id)

    def _person_folder(self, person):
        return self.folder / f"{person:05d}"

    def _path(self, person, index):
        """Where a picture lies below the folder."""
        return f"{person:05d}/{index:05d}.{self.options.image_format}"

    def _map_path(self, name, person, index):
        return self.maps_folder / name / f"{person:05d}" / f"{index:05d}.png"

    def _rows(self, person):
        """{index: line}, whole ones, of the person's metadata.csv; empty where that is missing or of other columns."""
        try:
            with open(self._person_folder(person) / parameters.METADATA, encoding="utf-8", newline="\n") as file:
                lines = file.readlines()
        except (FileNotFoundError, UnicodeDecodeError):
            return {}
        except OSError as error:
            raise UserError(f"{self._person_folder(person)}: cannot be read ({error})") from error
        if not lines or lines[0] != self.header:
            return {}
        rows = {}
        for line in lines[1:]:
            path, number, index = (line.split(",", 3) + ["", "", ""])[:3]
            whole = line.endswith("\n") and line.count(",") == self.header.count(",")
            if whole and index.isdecimal() and (path, number) == (self._path(person, int(index)), str(person)):
                rows[int(index)] = line
        return rows


def _write_table(folder, header, lines):
    with atomic_write(folder / parameters.METADATA, "w", encoding="utf-8", newline="") as file:
        file.write(header)
        file.writelines(lines)
