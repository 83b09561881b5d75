"""The job `package`: a finished folder of images in the files that trainers read, with its card and checksums."""

import shutil
from pathlib import Path

from trainer.output.packages import open_format
from trainer.output.packed_folder import PackedFolder
from utils.claim import Claim
from utils.errors import UserError
from utils.files import atomic_path, atomic_write, sha256_of
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
    if folder.folder.resolve() in (target.resolve(), *target.resolve().parents):
        raise UserError(f"--package_dir: {target} is in the folder that is packed, where nothing is written")
    names = _names(folder, kind, options)
    settings = {"package_format": options.package_format, "package_images": options.package_images,
                "content": _content(folder)}  # fmt: skip
    with Claim(target, "package.json", settings, "--package_dir"), StopRequest() as stop:
        done = _written(folder, kind, target, names, options.package_images, stop)
        if done < len(names):
            print(f"stopped by {stop.name} after {done} of {len(names)} files; the same command goes on there")
            return 1
        _write_beside(folder, target, names)
    print(f"{folder.count} images of {len(folder.identities)} identities in {len(names)} files in {target}")
    return 0


def _names(folder, kind, options):
    count = -(-folder.count // options.package_images)
    stem = folder.folder.resolve().name
    return [f"{stem}-{number:05d}-of-{count:05d}.{kind.ending}" for number in range(count)]


def _written(folder, kind, target, names, each, stop):
    """Write the files that are not there; how many are."""
    first = next((number for number, name in enumerate(names) if not (target / name).is_file()), len(names))
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
    return len(names)


def _write_beside(folder, target, names):
    """The card, run.json, the labels' names, and SHA256SUMS of all."""
    beside = []
    for source in (folder.folder / "README.md", folder.run()):
        if source and source.is_file():
            with atomic_path(target / source.name) as path:
                shutil.copyfile(source, path)
            beside.append(source.name)
    with atomic_write(target / "labels.txt", "w", **TEXT) as file:
        file.writelines(f"{name}\n" for name in folder.identities)
    with atomic_write(target / "SHA256SUMS", "w", **TEXT) as file:
        file.writelines(f"{sha256_of(target / name)}  {name}\n" for name in sorted([*names, *beside, "labels.txt"]))


def _content(folder):
    """What the packages depend on: the table, and the checksums of the images where there are any."""
    paths = [folder.folder / name for name in ("metadata.csv", "SHA256SUMS")]
    return {path.name: sha256_of(path) for path in paths if path.is_file()}
