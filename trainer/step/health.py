"""Signs that a training goes wrong."""

from collections import Counter

PATIENCE = 40  # log lines in a row before a bad sign is told; ours
IMPATIENCE = 3  # the same for one that does not go away by itself; ours
BLANK = 1.0  # error of images in [-1, 1] that an empty picture does not exceed
WON = 0.1  # of a discriminator's loss, which is 2 (hinge) or 1.39 where it knows nothing; ours
UNBOUNDED = 100.0  # scores of a discriminator; ours
EMPTY = 0.01  # deviation of a pose code over a batch, of which a random one has 1; ours
WORSE = 10.0  # times the cross entropy of a guess; ours
BLOWN_UP = "training has blown up; go back to a checkpoint from before (--keep_step) and lower"


class _Health:
    """What all that look at players share.

    Args:
        rate_flags: the flags to lower where errors have no bound, for the message.
    """

    def __init__(self, rate_flags):
        self.rate_flags, self.signs = rate_flags, _Signs()


class BeganHealth(_Health):
    """Looks at each logged step of BEGAN's players and warns of signs that last."""

    def warning(self, values):
        """Warn of fakes that stay all alike, a k_t that stays at one end of [0, 1], and errors without bound.

        Args:
            values: {tag: float} of one logged step: misc/diversity, misc/measure, and the k_t's that there are.

        Returns:
            The warnings whose sign has just lasted long enough, or None.
        """
        measure = values["misc/measure"]
        bad = (f"D_R reconstructs photographs worse than an empty picture would (measure {measure:.2f}): {BLOWN_UP} "
               f"{self.rate_flags}")
        return self.signs.lasting({
            "alike": _alike(values, "raise --gamma or lower --g_lr"),
            "blown up": (measure > BLANK, IMPATIENCE, bad),
            **{tag: _stuck(values, tag) for tag in ("misc/k_t", "misc/k_t2") if tag in values},
        })  # fmt: skip


class PatchHealth(_Health):
    """The same for a discriminator that scores patches.

    Args:
        name: what messages call it.
        keeping: the flag of the loss that keeps fakes apart, for the message.
    """

    def __init__(self, rate_flags, name="D_R", keeping="--lambda_c"):
        super().__init__(rate_flags)
        self.name, self.keeping = name, keeping

    def warning(self, values):
        """As BeganHealth: fakes that stay alike, a discriminator that has won, scores without bound, a k_t2 that stays.

        Args:
            values: {tag: float} of one logged step: misc/diversity, loss/d_loss_real, loss/d_loss_fake, misc/d_real,
                misc/d_fake, and misc/k_t2 where there is one.
        """
        return self.signs.lasting({
            "alike": _alike(values, f"raise {self.keeping} or --r1, lower --g_lr"),
            **_of_patches(values, self.name, self.rate_flags),
            **{tag: _stuck(values, tag) for tag in ("misc/k_t2",) if tag in values},
        })  # fmt: skip


class ConditionalHealth(_Health):
    """The same for discriminators that also name the person (trainer/step/conditional.py)."""

    def warning(self, values):
        """As BeganHealth: fakes that stay alike, scores without bound.

        Args:
            values: {tag: float} of one logged step: misc/diversity, loss/real_loss_<discriminator>.
        """
        scores = [abs(value) for tag, value in values.items() if tag.startswith("loss/real_loss_")]
        largest = max(scores, default=0.0)
        bad = (f"scores of photographs reach {largest:.0f}: {BLOWN_UP} {self.rate_flags}, raise --lambda_gp or --r1; "
               "--fakes sum lets them drift")
        return self.signs.lasting({
            "alike": _alike(values, "lower --lambda_cls or --g_lr"),
            "blown up": (largest > 10 * UNBOUNDED, IMPATIENCE, bad),
        })  # fmt: skip


class RecombinationHealth(_Health):
    """The same for IP-GAN: a discriminator of patches, and a pose code (trainer/systems/ipgan.py)."""

    def warning(self, values):
        """As PatchHealth's, and a pose code that stays the same for all.

        Args:
            values: {tag: float} of one logged step: misc/diversity, misc/pose_spread, loss/d_loss_real,
                loss/d_loss_fake, misc/d_real, misc/d_fake.
        """
        spread = values["misc/pose_spread"]
        empty = f"all faces have one pose code (spread {spread:.4f}): lower --lambda_kl, raise --lambda_pixel"
        return self.signs.lasting({
            "alike": _alike(values, "raise --r1, lower --g_lr"),
            **_of_patches(values, "the discriminator", self.rate_flags),
            "empty": (spread < EMPTY, PATIENCE, empty),
        })  # fmt: skip


class SoftmaxHealth:
    """Looks at each logged step of a classifier and warns where it is far worse than a guess.

    Args:
        guesses: {tag of a cross entropy: what a guess has}.
        rate_flags: the flags to lower, for the message.
    """

    def __init__(self, guesses, rate_flags):
        self.guesses, self.rate_flags, self.signs = guesses, rate_flags, _Signs()

    def warning(self, values):
        """As BeganHealth's, of {tag: float} with the tags of `guesses`."""
        signs = {}
        for tag, guess in self.guesses.items():
            text = f"{tag} is {values[tag]:.3g}, that of a guess {guess:.2f}: {BLOWN_UP} {self.rate_flags}"
            signs[tag] = values[tag] > WORSE * guess, IMPATIENCE, text
        return self.signs.lasting(signs)


def _alike(values, cure):
    spread = values["misc/diversity"]
    text = f"the fakes stay alike (spread {spread:.3f} of the photographs'): mode collapse; {cure}"
    return spread < 0.05, PATIENCE, text


def _of_patches(values, name, rate_flags):
    """Signs of a discriminator that scores patches: it has won, its scores are without bound."""
    loss = values["loss/d_loss_real"] + values["loss/d_loss_fake"]
    won = f"{name} knows photographs from fakes nearly always (loss {loss:.3f}): lower --d_lr, raise --r1, --augment"
    largest = max(abs(values["misc/d_real"]), abs(values["misc/d_fake"]))
    bad = f"{name}'s scores reach {largest:.0f}: {BLOWN_UP} {rate_flags}, or raise --r1"
    return {"won": (loss < WON, PATIENCE, won), "blown up": (largest > UNBOUNDED, IMPATIENCE, bad)}


def _stuck(values, tag):
    return values[tag] in (0.0, 1.0), PATIENCE, f"{tag} stays at {values[tag]:.0f}: one player has won; change --gamma"


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
