"""What changes over a training run, as pure functions of the step."""

import keras
import tensorflow as tf

from utils.errors import UserError
from utils.tables import read_text, split_lines


def halving_steps(interval, max_step):
    """Steps after which the published code halves the learning rates: its interval halves with them.

    The code checks `step % interval == interval - 1` and then halves the interval: 128000 gives 127999, 191999,
    223999, 239999 and 247999 in 248,000 steps.

    Args:
        interval: `lr_update_step`.  max_step: steps of the run.

    Returns:
        List of int, ascending. It ends where the interval would reach 0 (the published code divides by it).
    """
    steps, step = [], -1
    while interval > 0:
        step += 1
        step += (interval - 1 - step) % interval
        if step >= max_step:
            break
        steps.append(step)
        interval //= 2
    return steps


def halved_rate(rate, interval, floor, max_step):
    """Learning rate by the optimizer's iterations: `rate`, halved after each of `halving_steps`, not under `floor`."""
    boundaries = halving_steps(interval, max_step)
    rates = [rate]
    for _ in boundaries:
        rates.append(max(rates[-1] * 0.5, floor))
    if not boundaries:  # PiecewiseConstantDecay needs one
        boundaries, rates = [max_step], [rate, rate]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)


def of_replicas(rate, options, count):
    """Learning rate of FaceGAN's optimizers on `count` devices, each with a batch of its own.

    As the published code: rate and floor times `count`, interval and number of steps divided by it. The rate rises to
    that over `warm_up` steps (there the rise was written and never came, docs/published.md D12).

    Args:
        options: lr_update_step, lr_lower_boundary, max_step, warm_up.
    """
    steps = options.max_step // count
    schedule = halved_rate(count * rate, options.lr_update_step // count, count * options.lr_lower_boundary, steps)
    return schedule if count == 1 or not options.warm_up else Rising(schedule, 1.0 / count, options.warm_up)


def linear_of_replicas(rate, options, count, every=1):
    """The same for a rate that stays until lr_update_step and falls evenly from there, to 0 at max_step.

    Args:
        every: the optimizer moves in each so-manieth step.
    """
    parts = count * every
    schedule = Polynomial(lambda step: count * rate, options.lr_update_step // parts, options.max_step // parts, 1.0)
    return schedule if count == 1 or not options.warm_up else Rising(schedule, 1.0 / count, options.warm_up)


class Rising(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule's rate, times a factor that rises evenly from `start` to 1 over so many steps."""

    def __init__(self, schedule, start, steps):
        self.schedule, self.start, self.steps = schedule, start, max(steps, 1)

    def __call__(self, step):
        done = tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)
        return self.schedule(step) * (self.start + (1.0 - self.start) * done)


class Polynomial(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule's rate, times (1 - share of the steps from `start` to `end` that are done) ^ power.

    Before `start` the factor is 1, after `end` 0: insightface's decay, whose warm-up comes before.
    """

    def __init__(self, schedule, start, end, power):
        self.schedule, self.start, self.end, self.power = schedule, start, end, power

    def __call__(self, step):
        done = (tf.cast(step, tf.float32) - self.start) / max(self.end - self.start, 1)
        return self.schedule(step) * tf.pow(1.0 - tf.clip_by_value(done, 0.0, 1.0), self.power)


class RateByEpoch(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate by the optimizer's iterations: one for each epoch, the last ever after.

    Args:
        rates: list of float.  epoch_size: steps of an epoch.
    """

    def __init__(self, rates, epoch_size):
        self.rates, self.epoch_size = tf.constant(rates, tf.float32), epoch_size

    def __call__(self, step):
        epoch = tf.cast(step, tf.int64) // self.epoch_size
        return tf.gather(self.rates, tf.minimum(epoch, len(self.rates) - 1))


def recognizer_rate(options, factor):
    """A recogniser's learning rate by the optimizer's iterations: `factor` times that of its epoch, which rises evenly
    from 0 over learning_rate_warm_up steps and falls from there to 0 at max_step with learning_rate_power.

    Args:
        options: as epoch_rates; epoch_size, max_step, learning_rate_warm_up (0: no rise), learning_rate_power (0: no
            fall).
    """
    schedule = RateByEpoch([factor * rate for rate in epoch_rates(options)], options.epoch_size)
    warm_up = options.learning_rate_warm_up
    if warm_up:
        schedule = Rising(schedule, 0.0, warm_up)
    if options.learning_rate_power:
        schedule = Polynomial(schedule, warm_up, options.max_step, options.learning_rate_power)
    return schedule


def epoch_rates(options):
    """FaceNet's learning rate of each epoch, a list of float: learning_rate, or where that is negative the schedule
    file's, times learning_rate_decay_factor after every learning_rate_decay_epochs. It ends where the file says so.

    Args:
        options: learning_rate, learning_rate_schedule_file, learning_rate_decay_epochs, learning_rate_decay_factor,
            max_nrof_epochs.

    Raises:
        UserError: the file cannot be read, or is no schedule.
    """
    rates = [options.learning_rate] * options.max_nrof_epochs
    if options.learning_rate < 0:
        rates = _rates_of_file(options.learning_rate_schedule_file, options.max_nrof_epochs)
    interval, factor = options.learning_rate_decay_epochs, options.learning_rate_decay_factor
    return [rate * factor ** (epoch // interval) for epoch, rate in enumerate(rates)]


def _rates_of_file(path, epochs):
    """Rates of a FaceNet schedule: lines `first epoch: rate`, from 0 up; # begins a comment; - or -1 ends it."""
    flag = "--learning_rate_schedule_file"
    starts = {}
    for number, line in enumerate(split_lines(read_text(path, flag)), start=1):
        first, colon, rate = (part.strip() for part in line.partition("#")[0].rstrip(" \t;,").partition(":"))
        if not first:
            continue
        try:
            epoch, value = int(first), 0.0 if rate == "-" else max(float(rate), 0.0)
        except ValueError:
            colon = ""
        if not colon or epoch <= max(starts, default=-1) or not 0 <= value < float("inf"):
            raise UserError(f"{flag}: {path}, line {number}: not `epoch: rate` with rising epochs: {line.strip()!r}")
        starts[epoch] = value
    if 0 not in starts or not starts[0]:
        raise UserError(f"{flag}: {path} gives no rate for epoch 0")
    rates = []
    for epoch in range(epochs):
        rates.append(starts.get(epoch, rates[-1] if rates else None))
        if not rates[-1]:
            return rates[:-1]
    return rates


def average_decay(step, limit=0.9999):
    """Decay of the averaged weights: min(limit, (1 + step) / (10 + step)), as TF1's ExponentialMovingAverage."""
    step = tf.cast(step, tf.float32)
    return tf.minimum(limit, (1.0 + step) / (10.0 + step))
