"""Processes killed -9 on the way of a card payment: the short version of `./dev soak payments`."""

from __future__ import annotations

from typing import Any

import pytest
from soak import payments
from soak.payment_deaths import DEATHS

# One of each job, where money moves; the soak has all of them.
SHORT = [5, 8, 11, 14, 17, 22, 27, 31, 35]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_and_nothing_is_done_twice(today: Any) -> None:
    today("2026-08-12")
    with payments.stand_in() as url:
        world = payments.make_world(url, seed=1)
        payments.deaths(world, len(SHORT), chosen=[DEATHS[n] for n in SHORT])
