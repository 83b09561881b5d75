"""The only training loop: fetch, step, log, preview, save, stop. It knows no system, only the contract."""

import sys
import time

import tensorflow as tf
from tqdm import tqdm

from trainer.training import checkpoint
from trainer.training.devices import Devices
from trainer.training.events import Events, warn_lost
from utils.errors import UserError
from utils.runs import checkpoint_after, newest_checkpoint
from utils.signals import StopRequest

# What a step ends with where another worker does not answer.
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError, tf.errors.CancelledError)


class Loop:
    """Train a system until `max_step`, a signal, or a loss that is not finite.

    Args:
        system: trainer.systems.system.System.
        folder: run folder; None: nothing is written (a worker beside the chief).
        options: max_step, max_minutes, log_step, save_step, save_secs, keep_step, jit_compile.
        grid: trainer.training.grid.Grid; None: no grid (a system that makes no images).
        devices: trainer.training.devices.Devices, on which the system was built; its number divides `max_step`.
        best: trainer.training.best.Best; None: nothing is measured.
    """

    def __init__(self, system, folder, options, grid=None, devices=None, best=None):
        self.system, self.folder, self.options, self.best = system, folder, options, best
        self.grid, self.devices = grid, devices or Devices()
        self.max_step = options.max_step // self.devices.count
        self.step_function = tf.function(self._guarded_step, jit_compile=options.jit_compile)
        self.events, self.grids_lost = Events(folder), False
        self.first_bad = None  # step at which each scalar was first not finite, -1 for never

    def run(self, batches):
        """Train on an iterable of batches that begins at the system's step. Returns the number of steps done."""
        options = self.options
        step = int(self.system.state["step"].numpy())
        quiet = not sys.stderr.isatty() or self.folder is None
        bar = tqdm(total=self.max_step, initial=step, dynamic_ncols=True, disable=quiet)
        with StopRequest() as stop, bar:
            try:
                step = self._train(step, iter(batches), stop, bar)
            except LOST as error:
                if self.devices.workers == 1:
                    raise
                again = f"start all of them again with --load_path {self.folder or 'and the run folder of worker 0'}"
                reason = str(error).strip().splitlines()[0]
                raise UserError(f"another worker is gone; {again} ({reason})") from error
        self.events.close()
        if self.best and self.best.step is not None:
            path = checkpoint_after(self.folder, self.best.step)
            print(f"best, at step {self.best.step}: {self.best.meaning}: {self.best.value:.6f}; {path}")
        if step < self.max_step and self.folder:
            late = f"--max_minutes {options.max_minutes:g}" if self._out_of_time() else "another worker"
            reason = stop.name or late
            print(f"stopped by {reason} after step {step}; saved. To go on: --load_path {self.folder}")
        return step

    def _train(self, step, iterator, stop, bar):
        options = self.options
        self.started = saved_at = time.monotonic()
        saved_step = None
        while step < self.max_step and not self._stopped(step, stop):
            batch = next(iterator)
            if step % (options.log_step * options.save_step) == 0:
                self._preview(step, batch)
            scalars = self.step_function(self.devices.split(batch))
            if step % options.log_step == 0:
                self._log(step, scalars, bar)
            step += 1
            bar.update()
            kept = options.keep_step and step % options.keep_step == 0
            if kept or time.monotonic() - saved_at >= options.save_secs:
                saved_step = self._save_if_possible(step) or saved_step
                saved_at = time.monotonic()
            if self.best and step % self.best.every == 0:
                saved_step = self._measure(step, saved_step)
        if saved_step != step:
            self._save(step)
        if stop.name is None:
            self._preview(step)
        return step

    def _guarded_step(self, batch):
        """A training step on every device, which notes the first step at which each scalar is not finite."""
        step = self.system.state["step"].read_value()
        scalars = self.devices.run(self.system.train_step.python_function, batch)
        self.tags = sorted(scalars)
        finite = tf.math.is_finite(tf.stack([tf.cast(scalars[tag], tf.float32) for tag in self.tags]))
        if self.first_bad is None:  # in the first tracing, which shows how many there are
            with tf.init_scope():
                self.first_bad = tf.Variable(tf.fill([len(self.tags)], tf.constant(-1, tf.int64)), trainable=False)
        newly = tf.logical_and(tf.logical_not(finite), self.first_bad < 0)
        self.first_bad.assign(tf.where(newly, step, self.first_bad))
        return scalars

    def _check_finite(self):
        if self.first_bad is None:
            return
        bad = self.first_bad.numpy()
        if (bad >= 0).any():
            step = int(bad[bad >= 0].min())
            names = ", ".join(tag for tag, at in zip(self.tags, bad, strict=True) if at == step)
            good = newest_checkpoint(self.folder) if self.folder else None
            kept = f"the last good checkpoint is {good}" if good else f"{self.folder} has no checkpoint yet"
            raise UserError(f"{names} is not finite at step {step}: stopped; {kept}. Lower {self.system.rate_flags}")

    def _log(self, step, scalars, bar):
        self._check_finite()
        values = {tag: float(value) for tag, value in scalars.items()}
        self.events.scalars(values, step)
        losses = self.system.log_line(values)
        if self.folder is None:
            return
        if bar.disable:
            print(f"[{step}/{self.max_step}] {losses}", flush=True)
        else:
            bar.set_description_str(losses, refresh=False)
        warning = self.system.health(values)
        if warning:
            tqdm.write(f"warning: step {step}: {warning}", file=sys.stderr)

    def _preview(self, step, batch=None):
        if self.folder is None:
            return
        if self.grid:
            self._save_grid(step)
        if batch is not None:
            self.events.images(self.system.preview(batch), step)

    def _save_grid(self, step):
        try:
            self.grid.save(self.folder / f"{step}_G.png")
        except OSError as error:
            if not self.grids_lost:
                warn_lost("a grid", self.folder, error.strerror or error)
            self.grids_lost = True

    def _measure(self, step, saved_step):
        """How good it is; where it is best the checkpoint is saved. Returns the step of the newest one."""
        self._check_finite()
        value = self.best.measure()
        self.events.scalars({f"metrics/{self.best.name}": value}, step)
        if self.best.better(value) and saved_step != step:
            saved_step = self._save_if_possible(step) or saved_step
        try:
            self.best.note(self.folder, step, value, saved_step == step)
        except OSError as error:
            warn_lost("best.json", self.folder, error.strerror or error)
        best = "none saved yet" if self.best.step is None else f"{self.best.value:.6f} at step {self.best.step}"
        tqdm.write(f"step {step}: {self.best.name} {value:.6f}; best: {best}", file=sys.stdout)
        return saved_step

    def _save_if_possible(self, step):
        """Save in mid-run: a disk that is full now may have room later. Returns `step`, or None where it did not work.
        """
        try:
            self._save(step)
        except checkpoint.NotSaved as error:
            tqdm.write(f"warning: step {step}: {error}; training goes on and tries again", file=sys.stderr)
            return None
        return step

    def _save(self, step):
        self._check_finite()
        if not self.folder:
            return
        checkpoint.save(self.system, self.folder, step, self.options.keep_step)
        try:
            if self.best:
                self.best.bring(self.folder)
        except OSError as error:
            warn_lost("the best checkpoint so far", self.folder, error.strerror or error)

    def _stopped(self, step, stop):
        """Whether to stop before this step. Several workers must stop at the same one, so they ask now and then."""
        if self.devices.workers > 1 and step % self.options.log_step:
            return False
        return self.devices.any(stop.name is not None or self._out_of_time())

    def _out_of_time(self):
        minutes = self.options.max_minutes
        return minutes > 0 and time.monotonic() - self.started >= 60 * minutes
