"""Signs that the training of BEGAN's players goes wrong."""

from collections import Counter

PATIENCE = 40  # log lines in a row before a bad sign is told; ours
IMPATIENCE = 3  # the same for one that does not go away by itself; ours
BLANK = 1.0  # error of images in [-1, 1] that an empty picture does not exceed


class Health:
    """Looks at each logged step and remembers for how many in a row each bad sign has shown.

    Args:
        rate_flags: the flags to lower where errors have no bound, for the message.
    """

    def __init__(self, rate_flags):
        self.rate_flags, self.shown = rate_flags, Counter()

    def warning(self, values):
        """Warn of fakes that stay all alike, a k_t that stays at one end of [0, 1], and errors without bound.

        Args:
            values: {tag: float} of one logged step: misc/diversity, misc/measure, misc/k_t, misc/k_t2.

        Returns:
            The warnings whose sign has just lasted long enough, or None.
        """
        spread, measure, warnings = values["misc/diversity"], values["misc/measure"], []
        alike = (f"the fakes stay alike (spread {spread:.3f} of the photographs'): mode collapse; raise --gamma or "
                 "lower --g_lr")
        blown_up = (f"D_R reconstructs photographs worse than an empty picture would (measure {measure:.2f}): training "
                    f"has blown up; go back to a checkpoint from before (--keep_step) and lower {self.rate_flags}")
        signs = {"alike": (spread < 0.05, PATIENCE, alike), "blown up": (measure > BLANK, IMPATIENCE, blown_up)}
        for tag in ("misc/k_t", "misc/k_t2"):
            stuck = f"{tag} stays at {values[tag]:.0f}: one player has won; change --gamma"
            signs[tag] = values[tag] in (0.0, 1.0), PATIENCE, stuck
        for name, (bad, patience, text) in signs.items():
            self.shown[name] = self.shown[name] + 1 if bad else 0
            if self.shown[name] == patience:
                warnings.append(text)
        return "; ".join(warnings) or None
