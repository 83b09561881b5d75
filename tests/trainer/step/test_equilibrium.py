import pytest

from trainer.step import equilibrium


@pytest.mark.parametrize(("k", "expected"), [(0.5, 0.5 + 0.1 * (0.5 * 0.4 - 0.1)), (1.0, 1.0)])
def test_k_follows_the_balance_up_to_one(k, expected):
    balance = equilibrium.balance(0.4, 0.1, gamma=0.5)
    assert float(equilibrium.next_k(k, balance, 0.1)) == pytest.approx(expected)


def test_k_stays_at_zero_while_the_fakes_are_worse():
    assert float(equilibrium.next_k(0.0, equilibrium.balance(0.1, 0.4, 0.5), 0.1)) == 0.0
