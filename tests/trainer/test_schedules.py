import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer import schedules


def test_published_run_halves_where_the_published_code_does():
    assert schedules.halving_steps(128000, 248000) == [127999, 191999, 223999, 239999, 247999]


@given(st.integers(1, 300), st.integers(1, 1000))
def test_halving_steps_equal_the_published_loop(interval, max_step):
    current, expected = interval, []
    for step in range(max_step):
        if current and step % current == current - 1:
            expected.append(step)
            current //= 2
    assert schedules.halving_steps(interval, max_step) == expected


def test_rate_halves_after_the_step_and_stops_at_the_floor():
    rate = schedules.halved_rate(8.0, 4, 3.0, 8)  # halvings after steps 3, 5 and 6
    assert [float(rate(step)) for step in (0, 3, 4, 5, 6, 7)] == [8, 8, 4, 4, 3, 3]


def test_average_decay_ramps_to_its_limit():
    assert float(schedules.average_decay(0)) == pytest.approx(0.1)
    assert float(schedules.average_decay(10**7)) == pytest.approx(0.9999)
