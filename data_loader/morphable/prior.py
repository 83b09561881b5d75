"""Who there may be: our sampled people, their principal components, and how photographed people differ in these.

The method is ours: maximum likelihood of the components' mean and covariance, by expectation maximisation.
"""

from dataclasses import dataclass, replace

import numpy as np

from data_loader.morphable import sampling

PEOPLE, COMPONENTS = 400, 40  # sampled people whose principal components are the identity's prior
# Of expectation maximisation. Few: what the landmarks hardly tell would go astray in many, since the fits are not quite
# the linear model that this takes them for.
ROUNDS = 3
# How much more people differ than sampling's ranges say in what landmarks hardly tell, by the first word of a feature's
# name: lids, lips, bridge and tip of the nose. Chosen by how alike a face network finds rendered people; wide jaws and
# cheeks look like a caricature's long before.
REST = {"eye": 1.8, "eyebrows": 1.8, "nose": 1.8, "mouth": 1.8, "cheek": 1.1, "chin": 1.0, "head": 0.9, "forehead": 1.0,
        "ear": 1.0}
# What a component, in standard deviations, and a weight of the rest come close to at most.
MOST, MOST_WEIGHT = 2.4, 1.0


class People:
    """Sampled people and their principal components at some points.

    Args:
        model: MorphableModel. points: int [p], where the components' geometry is looked at.
        seed: of the people.

    Attributes:
        average: float64 [k], the mean of the weights of the macro and the shape basis.
        to_weights: float64 [COMPONENTS, k], weights per standard deviation of each component.
        mean: float64 [p + 1, 3], geometry of the average. identity: float64 [COMPONENTS, p + 1, 3], per component.
            Both are about the middle of eyes and teeth, which is where the camera looks; the last row is the distance
            of the two.
    """

    def __init__(self, model, points, seed=0):
        self.macros = len(model.macro.names)
        people = [sampling.identity(model, seed, number) for number in range(PEOPLE)]
        weights = np.array([np.concatenate([person.macro, person.shape]) for person in people])
        offsets = np.concatenate([placed(basis.offsets, model, points) for basis in (model.macro, model.shape)])
        flat = offsets.reshape(len(offsets), -1)
        self.average = weights.mean(axis=0)
        spread = (weights - self.average) / np.sqrt(PEOPLE - 1)
        geometry = spread @ flat  # [people, 3 p], far wider than high: its left vectors come cheaper from its square
        left = np.linalg.eigh(geometry @ geometry.T)[1][:, :-COMPONENTS - 1:-1]
        self.to_weights = left.T @ spread
        self.identity = (self.to_weights @ flat).reshape(-1, *offsets.shape[1:])
        mean = placed(model.mean[None], model, points)[0]
        self.mean = mean + (self.average @ flat).reshape(mean.shape)
        self._to_components = np.linalg.pinv(self.to_weights)

    def components(self, weights):
        """Standard deviations of the components float64 [..., COMPONENTS] of weights [..., k]."""
        return (weights - self.average) @ self._to_components


@dataclass(frozen=True)
class Calibration:
    """Mean float64 [c] and covariance float64 [c, c] of people's components, in those of our sampled people."""

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, fitted, seen, noise):
        """The most likely one, of fits whose prior was the standard normal distribution.

        A fit is shrunk towards the prior's mean where the landmarks tell little. Here that is undone: of each person
        is taken what the landmarks said, and where they say nothing our own spread stays.

        Args:
            fitted: float64 [n, c], components as fitted. seen: float64 [c, c], what a fit's landmarks tell of the
                components: the inverse of their covariance without a prior.
            noise: how many times less they tell than the fits assumed, >= 1.
        """
        told = fitted @ (seen + np.eye(len(seen))) / noise
        seen = seen / noise
        mean, covariance = np.zeros(len(seen)), np.eye(len(seen))
        for _ in range(ROUNDS):
            left = np.linalg.inv(seen + np.linalg.inv(covariance))  # of each person, what stays unknown
            people = (told + np.linalg.solve(covariance, mean)) @ left
            mean = people.mean(axis=0)
            covariance = np.cov(people.T, ddof=1) + left
        return cls(mean, (covariance + covariance.T) / 2)

    def beside(self, directions):
        """Calibration [c] in which what lies along `directions` float64 [k, c] has variance 1 and goes with nothing."""
        along = np.linalg.qr(directions.T)[0]
        along = along @ along.T
        across = np.eye(len(along)) - along
        return replace(self, covariance=along + across @ self.covariance @ across)

    @property
    def root(self):
        """Symmetric square root float64 [c, c] of the covariance."""
        values, vectors = np.linalg.eigh(self.covariance)
        return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


class Widened:
    """Draws people: those of sampling, who differ as photographed people do, times a factor.

    What is far out is drawn in, so that a larger factor gives more people at the edge of what is human, not monsters.
    Of the fits the covariance alone is used: who was photographed (members of parliament, say) is not who is drawn.
    It leaves alone what sex, age and ethnicity do to a shape: a person's columns name these, and beard, hair and lines
    are drawn for them.

    Args:
        model: MorphableModel. people: People of it.
        calibration: Calibration in the components of `people`; None: as sampling's ranges say.
        spread: factor on how much people differ; 1 as calibrated.
    """

    def __init__(self, model, people, calibration, spread):
        self.model, self.people, self.spread = model, people, spread
        features = (name.removeprefix("l-").removeprefix("r-").split("-")[0] for name in model.shape.names)
        self.factors = spread * np.array([REST[feature] for feature in features])
        self.root = np.eye(len(people.to_weights)) if calibration is None else calibration.beside(self._named()).root

    def __call__(self, seed, number):
        """sampling.Identity of the person `number` of `seed`."""
        who, people = sampling.identity(self.model, seed, number), self.people
        away = np.concatenate([who.macro, who.shape]) - people.average
        components = people.components(away + people.average)
        rest = away - components @ people.to_weights
        rest[people.macros:] = _drawn_in(self.factors * rest[people.macros:], MOST_WEIGHT)
        components = _drawn_in(self.spread * components, MOST) @ self.root
        weights = people.average + components @ people.to_weights + rest
        return replace(who, macro=weights[:people.macros], shape=weights[people.macros:])

    def _named(self):
        """How sex, age and ethnicity, as a macro's weights hold them, change by each component: [4, COMPONENTS]."""
        words = [name.split("-") for name in self.model.macro.names]
        shares = [[word in name for name in words] for word in ("male", "old", *sampling.ETHNICITIES[:-1])]
        return np.array(shares, np.float64) @ self.people.to_weights[:, :self.people.macros].T


def _drawn_in(values, most):
    """Values that stay between -most and most; small ones hardly change."""
    return most * np.tanh(values / most)


def placed(geometry, model, points):
    """Geometry [k, n, 3] at `points`, about the middle of eyes and teeth, and last their distance: [k, p + 1, 3]."""
    eyes = np.mean([geometry[:, eye].mean(axis=1) for eye in model.eyes], axis=0)
    teeth = geometry[:, model.teeth].mean(axis=1)
    about = geometry[:, points] - ((eyes + teeth) / 2)[:, None]
    return np.concatenate([about, (eyes - teeth)[:, None]], axis=1).astype(np.float64)
