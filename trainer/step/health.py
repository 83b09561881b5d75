"""Signs that a training goes wrong."""

import math
from collections import Counter

PATIENCE = 40  # log lines in a row before a bad sign is told; ours
IMPATIENCE = 3  # the same for one that does not go away by itself; ours
BLANK = 1.0  # error of images in [-1, 1] that an empty picture does not exceed
WORSE = 10.0  # times the cross entropy of a guess; ours
BLOWN_UP = "training has blown up; go back to a checkpoint from before (--keep_step) and lower"


class BeganHealth:
    """Looks at each logged step of BEGAN's players and warns of signs that last.

    Args:
        rate_flags: the flags to lower where errors have no bound, for the message.
    """

    def __init__(self, rate_flags):
        self.rate_flags, self.signs = rate_flags, _Signs()

    def warning(self, values):
        """Warn of fakes that stay all alike, a k_t that stays at one end of [0, 1], and errors without bound.

        Args:
            values: {tag: float} of one logged step: misc/diversity, misc/measure, misc/k_t, misc/k_t2.

        Returns:
            The warnings whose sign has just lasted long enough, or None.
        """
        spread, measure = values["misc/diversity"], values["misc/measure"]
        alike = (f"the fakes stay alike (spread {spread:.3f} of the photographs'): mode collapse; raise --gamma or "
                 "lower --g_lr")
        bad = (f"D_R reconstructs photographs worse than an empty picture would (measure {measure:.2f}): {BLOWN_UP} "
               f"{self.rate_flags}")
        signs = {"alike": (spread < 0.05, PATIENCE, alike), "blown up": (measure > BLANK, IMPATIENCE, bad)}
        for tag in ("misc/k_t", "misc/k_t2"):
            stuck = f"{tag} stays at {values[tag]:.0f}: one player has won; change --gamma"
            signs[tag] = values[tag] in (0.0, 1.0), PATIENCE, stuck
        return self.signs.lasting(signs)


class SoftmaxHealth:
    """Looks at each logged step of a classifier and warns where it is far worse than a guess.

    Args:
        classes: {tag of a cross entropy: number of classes}.
        rate_flags: the flags to lower, for the message.
    """

    def __init__(self, classes, rate_flags):
        self.guess = {tag: math.log(count) for tag, count in classes.items()}
        self.rate_flags, self.signs = rate_flags, _Signs()

    def warning(self, values):
        """As BeganHealth's, of {tag: float} with the tags of `classes`."""
        signs = {}
        for tag, guess in self.guess.items():
            text = f"{tag} is {values[tag]:.3g}, that of a guess {guess:.2f}: {BLOWN_UP} {self.rate_flags}"
            signs[tag] = values[tag] > WORSE * guess, IMPATIENCE, text
        return self.signs.lasting(signs)


class _Signs:
    """For how many log lines in a row each sign has shown."""

    def __init__(self):
        self.shown = Counter()

    def lasting(self, signs):
        """{name: (whether it shows, patience, text)} -> the texts of those that have just lasted so long, or None."""
        warnings = []
        for name, (shows, patience, text) in signs.items():
            self.shown[name] = self.shown[name] + 1 if shows else 0
            if self.shown[name] == patience:
                warnings.append(text)
        return "; ".join(warnings) or None
