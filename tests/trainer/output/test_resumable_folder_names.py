"""The rows of an output folder whose images have any names that a file system takes."""

import hashlib
import os
import shutil
import subprocess

from data_loader.generated_folder import read_scores
from trainer.output.resumable_folder import OutputFolder

NAMES = [os.fsdecode(name) for name in (b"a/\xe9.png", b"a/b\rc.png", b"a/d\ne.png", b"a/\xc2\x85.png", b"b/\\,;\".png",
                                       "b/\u2028\x0c.png".encode())]  # fmt: skip


def folder(path, content="x"):
    run = {"job": "generate", "settings": {"n": 1}, "finished": False, "checkpoint": "", "content": content}
    return OutputFolder(path, run, "--out", ("d_score",))


def row(path, name):
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(os.fsencode(name))
    return [name, name.partition("/")[0], "0.5", hashlib.sha256(os.fsencode(name)).hexdigest(), ""]


def test_every_name_has_one_row_and_one_sum(tmp_path):
    with folder(tmp_path) as first:
        assert first.begin(1) == []
        with first.open_rows() as file:
            first.append(file, [row(tmp_path, name) for name in NAMES[:4]])
    with folder(tmp_path) as again:
        assert [done[0] for done in again.begin(1)] == NAMES[:4]
        with again.open_rows() as file:
            again.append(file, [row(tmp_path, name) for name in NAMES[4:]])
        assert again.finish() == (len(NAMES), 0)
    assert read_scores(tmp_path, "--out").paths == NAMES
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)
