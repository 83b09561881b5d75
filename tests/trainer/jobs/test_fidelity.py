"""The published code's numbers, replayed through the command line. tests/test_main.py replays a whole run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import main

REFERENCE = Path(__file__).parents[2] / "data" / "facegan_64_nn4"


@pytest.fixture
def one_step(tmp_path):
    """The reference, shortened to its first step."""
    description = json.loads(REFERENCE.with_suffix(".json").read_text())
    description["settings"]["steps"] = 1
    (tmp_path / "short.json").write_text(json.dumps(description))
    shutil.copy(REFERENCE.with_suffix(".npz"), tmp_path / "short.npz")
    return tmp_path / "short", description


def test_another_value_is_noticed(one_step, capsys):
    path, description = one_step
    description["settings"]["k_t"][0] += 0.01
    path.with_suffix(".json").write_text(json.dumps(description))
    assert main.main(["fidelity", "--reference", str(path)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["step0.out.k"]["relative"] > 1e-2
    assert report["step0.out.x"]["relative"] < 1e-5


@pytest.mark.parametrize("method", ["none", "softmax", "center"])
def test_other_identity_losses_replay(one_step, method, capsys):
    """No run of these is at hand; every number that does not depend on the identity loss must stay."""
    path, description = one_step
    description["settings"]["method_c"] = method
    path.with_suffix(".json").write_text(json.dumps(description))
    main.main(["fidelity", "--reference", str(path)])
    report = json.loads(capsys.readouterr().out)
    assert max(entry["relative"] for key, entry in report.items() if ".c_" not in key) < 1e-5


def test_missing_or_damaged_reference_is_one_line(tmp_path, capsys):
    assert main.main(["fidelity", "--reference", str(tmp_path / "none")]) == 2
    (tmp_path / "bad.json").write_text("{}")
    np.savez(tmp_path / "bad.npz", a=1)
    assert main.main(["fidelity", "--reference", str(tmp_path / "bad")]) == 2
    assert main.main(["fidelity"]) == 2
    assert all(line.startswith("error: --reference") for line in capsys.readouterr().err.splitlines())
