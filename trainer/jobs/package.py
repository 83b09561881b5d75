"""The job `package`: a finished folder of images in the files that trainers read, with its card and checksums."""

import shutil
from contextlib import suppress
from pathlib import Path

import tensorflow as tf

from trainer.output.packages import open_format
from trainer.output.packed_folder import PackedFolder
from utils.claim import Claim
from utils.errors import UserError
from utils.files import SUMS, atomic_path, atomic_write, lies_in, read_sum_line, sha256_of, sum_line
from utils.progress import Progress
from utils.signals import StopRequest
from utils.tables import TEXT


def run(options):
    """Pack data_dir/save_syn_dataset into package_dir, --package_images to a file; goes on where it was stopped.

    Returns:
        Exit status: 0; 1 where a signal stopped it.

    Raises:
        UserError: a folder that cannot be packed, a format that needs what is not installed, or results of other
            settings.
    """
    folder = PackedFolder(Path(options.data_dir).expanduser() / options.save_syn_dataset, "--save_syn_dataset")
    kind, target = open_format(options.package_format), Path(options.package_dir).expanduser()
    if lies_in(target, folder.folder):
        raise UserError(f"--package_dir: {target} is in the folder that is packed, where nothing is written")
    names = _names(folder, kind, options)
    settings = {"name": folder.folder.resolve().name, "package_format": options.package_format,
                "package_images": options.package_images, "content": _content(folder)}  # fmt: skip
    with Claim(target, "package.json", settings, "--package_dir"), StopRequest() as stop:
        try:
            done = _write_packages(folder, kind, target, names, options.package_images, stop)
        except tf.errors.OpError as error:  # of TensorFlow's own files
            raise UserError(f"--package_dir: cannot write in {target}: {' '.join(error.message.split())}") from error
        if done < len(names):
            print(f"stopped by {stop.name} after {done} of {len(names)} files; the same command goes on there")
            return 1
        _write_beside(folder, target)
    print(f"{folder.count} images of {len(folder.identities)} identities in {len(names)} files in {target}")
    return 0


def _names(folder, kind, options):
    count = -(-folder.count // options.package_images)
    stem = folder.folder.resolve().name
    return [f"{stem}-{number:05d}-of-{count:05d}.{kind.ending}" for number in range(count)]


def _write_packages(folder, kind, target, names, each, stop):
    """Write the files that are not there, in order, and the checksum of each into SHA256SUMS; how many are there.

    Raises:
        UserError: one of an earlier run is not what its checksum says.
    """
    sums = _read_sums(target)
    first = next((number for number, name in enumerate(names) if not (target / name).is_file() or name not in sums),
                 len(names))  # fmt: skip
    for name in names[:first]:
        if sha256_of(target / name) != sums[name]:
            raise UserError(f"--package_dir: {target / name} is damaged: remove it, and the same command goes on there")
    sums = {name: sums[name] for name in names[:first]}
    if first == len(names):
        return first
    images = folder.images(first * each)
    with Progress(folder.count, "package", initial=min(first * each, folder.count)) as progress:
        for number in range(first, len(names)):
            if stop.name:
                return number
            with atomic_path(target / names[number]) as path:
                package = kind(path, folder.columns)
                for _ in range(min(each, folder.count - number * each)):
                    package.add(next(images))
                    progress.update()
                package.close()
                sums[names[number]] = sha256_of(path)
            _write_sums(target, sums)
    return len(names)


def _read_sums(target):
    """{name: SHA-256} of the files in the target that were finished."""
    with suppress(FileNotFoundError), open(target / SUMS, **TEXT) as file:
        return {name: digest for digest, name in map(read_sum_line, file)}
    return {}


def _write_sums(target, sums):
    with atomic_write(target / SUMS, "w", **TEXT) as file:
        file.writelines(sum_line(digest, name) for name, digest in sorted(sums.items()))


def _write_beside(folder, target):
    """The card, run.json, the labels' names; and their checksums too."""
    beside = ["labels.txt"]
    for source in (folder.folder / "README.md", folder.run()):
        if source and source.is_file():
            with atomic_path(target / source.name) as path:
                shutil.copyfile(source, path)
            beside.append(source.name)
    with atomic_write(target / "labels.txt", "w", **TEXT) as file:
        file.writelines(f"{name}\n" for name in folder.identities)
    _write_sums(target, _read_sums(target) | {name: sha256_of(target / name) for name in beside})


def _content(folder):
    """What the packages depend on: the table, and the checksums of the images where there are any."""
    paths = [folder.folder / name for name in ("metadata.csv", SUMS)]
    return {path.name: sha256_of(path) for path in paths if path.is_file()}
