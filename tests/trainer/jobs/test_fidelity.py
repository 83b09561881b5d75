"""The published code's numbers, replayed through the command line. tests/test_main.py replays a whole run."""

import json
from pathlib import Path

import numpy as np
import pytest

import main

REFERENCE = Path(__file__).parents[2] / "data" / "facegan_64_nn4"
pytestmark = pytest.mark.usefixtures("untraced")


def one_step(folder, method="magnet", **changed):
    """Write the reference, shortened to its first step, with some of its arrays changed; its path."""
    description = json.loads(REFERENCE.with_suffix(".json").read_text())
    description["settings"] |= {"steps": 1, "method_c": method}
    (folder / "short.json").write_text(json.dumps(description))
    with np.load(REFERENCE.with_suffix(".npz")) as file:
        np.savez(folder / "short.npz", **{name: file[name] for name in file.files} | changed)
    return folder / "short"


def replay(path, capsys):
    """(exit status, the report)."""
    status = main.main(["fidelity", "--reference", str(path)])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_one_changed_number_is_noticed_and_all_others_hold(tmp_path, capsys):
    with np.load(REFERENCE.with_suffix(".npz")) as file:
        decoded = file["step0.out.AE_x"]
    decoded[0, 3, 4, 1] += 2e-5 * np.abs(decoded).max()
    status, report = replay(one_step(tmp_path, **{"step0.out.AE_x": decoded}), capsys)
    assert status == 1 and len(report) > 10
    assert {key for key, entry in report.items() if entry["relative"] >= 1e-5} == {"step0.out.AE_x"}
    assert report["step0.out.AE_x"]["relative"] == pytest.approx(2e-5, rel=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["none", "softmax", "center"])
def test_other_identity_losses_change_their_own_numbers_only(method, tmp_path, capsys):
    """No run of these is at hand: what is the identity loss's alone must be another number, every other the same."""
    status, report = replay(one_step(tmp_path, method), capsys)
    assert status == 1
    different = {key for key, entry in report.items() if entry["relative"] >= 1e-5}
    assert different == {"step0.out.c_loss", "step0.out.c_score"}


def test_missing_or_damaged_reference_is_one_line(tmp_path, capsys):
    assert main.main(["fidelity", "--reference", str(tmp_path / "none")]) == 2
    (tmp_path / "bad.json").write_text("{}")
    np.savez(tmp_path / "bad.npz", a=1)
    assert main.main(["fidelity", "--reference", str(tmp_path / "bad")]) == 2
    assert main.main(["fidelity"]) == 2
    assert all(line.startswith("error: --reference") for line in capsys.readouterr().err.splitlines())
