"""The time that threads spend in a place, all together."""

from __future__ import annotations

import time

from lib.occupancy import Occupancy


def test_each_thread_inside_counts_also_before_it_comes_out(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    place = Occupancy()

    now = 110.0
    assert place.seconds() == 0
    with place:
        now = 112.0
        assert place.seconds() == 2
        with place:
            now = 115.0
        now = 116.0
    now = 200.0

    assert place.seconds() == 2 + 2 * 3 + 1
