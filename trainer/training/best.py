"""The best checkpoint of a run by a measure of what its system makes: kept beside the newest two."""

import json
import shutil

from utils.files import atomic_write
from utils.runs import BEST, read_best


class Best:
    """Measures a system every so many steps, and remembers in RUN/best.json when it was best.

    Args:
        measure: function of nothing -> float, low is good; it leaves the system as it was.
        name: of the measure, for logs.  meaning: what it is, for best.json and messages.
        every: steps between two measurements.
        folder: run folder.

    Attributes:
        step, value: of the best so far; None where nothing was measured.
    """

    def __init__(self, measure, name, meaning, every, folder):
        self.measure, self.name, self.meaning, self.every, self.folder = measure, name, meaning, every, folder
        self.step = self.value = None
        self.history = []

    def carry_over(self, run, step):
        """Take over what a resumed run found up to `step`, and its best checkpoint, where both are there."""
        found = read_best(run)
        if not found or found["step"] > step:
            return
        name = f"step-{found['step']:09d}.npz"
        source, target = run / "checkpoints" / name, self.folder / "checkpoints" / name
        if not source.is_file():
            return
        target.parent.mkdir(exist_ok=True)
        with atomic_write(target) as file, open(source, "rb") as old:
            shutil.copyfileobj(old, file)
        self.step, self.value = found["step"], found["value"]
        self.history = [entry for entry in found["history"] if entry[0] <= step]
        self._write()

    def better(self, value):
        """Whether a value is better than all before."""
        return self.value is None or value < self.value

    def note(self, step, value, saved):
        """Remember what was measured at a step; it is the best where it is better and its checkpoint was saved."""
        if saved and self.better(value):
            self.step, self.value = step, value
        self.history.append([step, value])
        self._write()

    def _write(self):
        about = {"measure": self.meaning, "step": self.step, "value": self.value, "history": self.history}
        with atomic_write(self.folder / BEST) as file:
            file.write(json.dumps(about).encode())
