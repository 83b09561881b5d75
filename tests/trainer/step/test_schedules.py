import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.step import schedules
from utils import command_line
from utils.errors import UserError


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


def test_several_devices_rise_to_their_rate():
    words = ["train", "--lr_update_step", "16", "--lr_lower_boundary", "0", "--max_step", "40", "--warm_up", "4"]
    options = command_line.parse(words, {"train": ""})[1]
    one, two = (schedules.of_replicas(1.0, options, count) for count in (1, 2))
    assert [float(one(step)) for step in (0, 15, 16)] == [1.0, 1.0, 0.5]
    assert [float(two(step)) for step in (0, 2, 4, 7, 8)] == [1.0, 1.5, 2.0, 2.0, 1.0]  # interval and end halved


def test_average_decay_ramps_to_its_limit():
    assert float(schedules.average_decay(0)) == pytest.approx(0.1)
    assert float(schedules.average_decay(10**7)) == pytest.approx(0.9999)


def rates(*words):
    return schedules.epoch_rates(command_line.parse(["train_recognizer", *words], {"train_recognizer": ""})[1])


def test_rate_of_each_epoch_decays_in_stairs():
    words = "--learning_rate 0.8 --learning_rate_decay_epochs 2 --learning_rate_decay_factor 0.5 --max_nrof_epochs 5"
    assert rates(*words.split()) == [0.8, 0.8, 0.4, 0.4, 0.2]
    schedule = schedules.RateByEpoch([0.8, 0.4], 3)
    assert [round(float(schedule(step)), 3) for step in range(8)] == [0.8] * 3 + [0.4] * 5


def test_schedule_file(tmp_path):
    path = tmp_path / "rates.txt"
    words = ["--learning_rate", "-1", "--learning_rate_schedule_file", str(path), "--max_nrof_epochs", "9"]
    path.write_text("# FaceNet's\n0: 0.05\n\n2: 0.005 # lower\n5: -\n")
    assert rates(*words) == [0.05, 0.05, 0.005, 0.005, 0.005]
    assert rates(*words, "--max_nrof_epochs", "3") == [0.05, 0.05, 0.005]
    for text in ("0: 0.05\n2: 0.005\n5: -1\n", "\ufeff0:\t0.05\t\r\n2: 0.005;;\r\n5: -1\r\n", "0: .05\r2: .005\r5: -1"):
        path.write_text(text, encoding="utf-8", newline="")
        assert rates(*words) == [0.05, 0.05, 0.005, 0.005, 0.005]
    for text, told in (("", "epoch 0"), ("1: 0.1", "epoch 0"), ("0: x", "line 1"), ("0: 1\n0: 2", "line 2"),
                       ("0: 1\n3", "line 2"), ("0: nan", "line 1"), ("0: -0.1", "epoch 0"), ("0: 0.1\n5: x", "line 2")):
        path.write_text(text)
        with pytest.raises(UserError, match=f"--learning_rate_schedule_file: .*{told}"):
            rates(*words)
    path.unlink()
    with pytest.raises(UserError, match="--learning_rate_schedule_file: cannot read"):
        rates(*words)


RECOGNIZER = "train_recognizer --learning_rate 0.4 --epoch_size 5 --max_nrof_epochs 4 --max_step 18".split()


def recognizer_rates(*words):
    options = command_line.parse([*RECOGNIZER, *words], {"train_recognizer": ""})[1]
    rate = schedules.recognizer_rate(options, 0.5)
    return [float(rate(step)) for step in (0, 1, 2, 10, 18, 30)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [0.2] * 6),
        (["--learning_rate_warm_up", "2"], [0, 0.1, 0.2, 0.2, 0.2, 0.2]),
        # from step 2 to 18: at step 10 half of it is done
        (["--learning_rate_warm_up", "2", "--learning_rate_power", "2"], [0, 0.1, 0.2, 0.2 * 0.25, 0, 0]),
        (["--learning_rate_power", "1"], [0.2, 0.2 * 17 / 18, 0.2 * 16 / 18, 0.2 * 8 / 18, 0, 0]),
        (["--learning_rate_decay_epochs", "2", "--learning_rate_decay_factor", "0.1"], [0.2] * 3 + [0.02] * 3),
    ],
)
def test_recognisers_rates_rise_and_fall_as_insightfaces(words, expected):
    assert recognizer_rates(*words) == pytest.approx(expected, rel=1e-5)
