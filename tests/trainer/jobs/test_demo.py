"""A demo's folder that was damaged: one line, before anything is done. That it works, tests/test_main.py tests."""

import pytest

import main
from trainer.jobs import demo
from utils.errors import UserError


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"train": 5}', b'{"people": "many"}'])
def test_a_damaged_record_is_one_line(tmp_path, content, capsys):
    (tmp_path / "stages.json").write_bytes(content)
    assert main.main(["demo", "--demo_dir", str(tmp_path)]) == 2
    told, error = capsys.readouterr()
    assert "--demo_dir" in error and "stages.json is damaged" in error and error.count("\n") == 1
    assert "==" not in told and (tmp_path / "stages.json").read_bytes() == content


def test_an_image_that_cannot_be_read_is_told_with_its_folder(tmp_path):
    path = tmp_path / "syn" / "00001" / "00001.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of an im")
    with pytest.raises(UserError, match=f"00001.png.*remove its folder {tmp_path / 'syn'},"):
        demo._pixels(path)
