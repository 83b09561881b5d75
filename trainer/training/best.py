"""The best checkpoint of a run by a measure of what its system makes: kept beside the newest two."""

import json
import shutil

from utils.files import atomic_write
from utils.runs import BEST, checkpoint_after, read_best, steps_done


class Best:
    """Measures a system every so many steps, and remembers in RUN/best.json when it was best.

    Args:
        measure: function of nothing -> float, low is good; it leaves the system as it was. Its attributes: `meaning`,
            what it is, for best.json and messages; `content`, a hex name of the images it looks at.
        name: of the measure, for logs.
        every: steps between two measurements.

    Attributes:
        step, value: of the best so far; None where nothing was measured.
    """

    def __init__(self, measure, name, every):
        self.measure, self.name, self.every = measure, name, every
        self.meaning = measure.meaning
        self.step = self.value = self._source = None
        self.history = []

    def carry_over(self, run, step):
        """Take over what a resumed run found up to `step`, and its best checkpoint, where both are there.

        Nothing is written: the checkpoint comes with the first one that is saved (`bring`), so that a run that ends
        before does not pass for one that ended at its best step.

        Raises:
            UserError: its best.json is damaged.
        """
        found = read_best(run)
        if not found:
            return
        if found["measure"] != self.meaning or found.get("content", self.measure.content) != self.measure.content:
            print(f"{run} was measured otherwise ({found['measure']}, of other images): its best does not count here")
            return
        self.history = [entry for entry in found["history"] if entry[0] <= step]
        source = checkpoint_after(run, found["step"])
        if found["step"] > step:
            return
        if not source.is_file():
            print(f"{run / BEST} names step {found['step']}, whose checkpoint is gone: the best is sought anew")
            return
        self.step, self.value, self._source = found["step"], found["value"], source

    def bring(self, folder):
        """Copy the best checkpoint of the resumed run into a run folder, once. Raises OSError."""
        if self._source is None:
            return
        if steps_done(self._source) == self.step:
            with atomic_write(folder / "checkpoints" / self._source.name) as file, open(self._source, "rb") as old:
                shutil.copyfileobj(old, file)
        self._source = None
        self._write(folder)

    def better(self, value):
        """Whether a value is better than all before."""
        return self.value is None or value < self.value

    def note(self, folder, step, value, saved):
        """Remember what was measured at a step; it is the best where it is better and its checkpoint was saved."""
        if saved and self.better(value):
            self.step, self.value = step, value
        self.history.append([step, value])
        self._write(folder)

    def _write(self, folder):
        about = {"measure": self.meaning, "content": self.measure.content, "step": self.step, "value": self.value,
                 "history": self.history}  # fmt: skip
        with atomic_write(folder / BEST) as file:
            file.write(json.dumps(about).encode())
