import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loader.morphable import sampling
from data_loader.morphable.glasses import FRAMES
from data_loader.morphable.hair import PAINTED, STYLES
from data_loader.morphable.texture import HAIR, IRIS

numbers = st.integers(0, 2 ** 31 - 1)


def plain(value):
    """Nested dictionaries without arrays, which compare."""
    return {key: (item.tolist() if isinstance(item, np.ndarray) else plain(item) if isinstance(item, dict) else item)
            for key, item in (value if isinstance(value, dict) else dataclasses.asdict(value)).items()}


@settings(max_examples=20, deadline=None)
@given(seed=numbers, calls=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4))
def test_order_does_not_matter(model, seed, calls):
    def sample(person, index):
        return (plain(sampling.identity(model, seed, person)),
                plain(sampling.image(model, seed, person, index, 30, 10, 5)))
    assert [sample(*call) for call in calls] == [sample(*call) for call in reversed(calls)][::-1]


@settings(max_examples=30, deadline=None)
@given(seed=numbers, person=numbers, index=numbers)
def test_values_keep_to_their_ranges(model, seed, person, index):
    who, shot = sampling.identity(model, seed, person), sampling.image(model, seed, person, index, 30, 10, 5)
    macro = dict(zip(model.macro.names, who.macro, strict=True))
    for start in (("african", "asian", "caucasian"), ("universal",)):
        np.testing.assert_allclose(sum(weight for name, weight in macro.items() if name.startswith(start)), 1)
    assert 18 <= who.age <= 80 and 0 <= who.male <= 1 and who.look.hair in HAIR and who.look.iris in IRIS
    assert who.look.glasses in ("none", *FRAMES) and who.look.hair_style in (*PAINTED, *STYLES)
    assert who.shape.min() >= 0 and who.shape.max() <= 0.9
    assert abs(shot.yaw) <= 30 and abs(shot.pitch) <= 10 and abs(shot.roll) <= 5
    assert shot.expression.min() >= 0 and shot.expression.max() <= 1
    np.testing.assert_allclose(np.linalg.norm(shot.light.direction), 1, rtol=1e-5)


def test_opposite_targets_are_never_mixed(model):
    who = dict(zip(model.shape.names, sampling.identity(model, 3, 1).shape, strict=True))
    for name, weight in who.items():
        stem, _, direction = name.rpartition("-")
        if direction in sampling.OPPOSITES:
            assert weight == 0 or who[f"{stem}-{sampling.OPPOSITES[direction]}"] == 0
    assert abs(who["l-eye-height2-incr"] - who["l-eye-height2-decr"]
               - who["r-eye-height2-incr"] + who["r-eye-height2-decr"]) < 0.3


def test_people_and_pictures_differ(model):
    shapes = [sampling.identity(model, 0, person).shape for person in range(1, 6)]
    assert len({shape.tobytes() for shape in shapes}) == 5
    yaws = {sampling.image(model, seed, person, index, 30, 10, 5).yaw
            for seed in (0, 1) for person in (1, 2) for index in (1, 2)}
    assert len(yaws) == 8
