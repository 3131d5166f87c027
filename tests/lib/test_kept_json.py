"""Numbers of a body survive being kept as JSON."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from lib.kept_json import kept


@pytest.mark.parametrize(
    ("sent", "read_again"),
    [
        ("1e2", 100),
        ("1.0", 1),
        ("-0", 0),
        ("0E+17", 0),
        ("12.50", "12.50"),
        ("1.25e1", "12.5"),
        ("1E-3", "0.001"),
        ("123456789012345678", 123456789012345678),
        ("1E+400", "1E+400"),
        ("NaN", "NaN"),
    ],
)
def test_a_number_is_read_again_as_it_was_written(sent, read_again):
    body = {"a": [{"b": Decimal(sent)}], "c": "1e2", "d": None, "e": True, "f": 3}

    again = json.loads(json.dumps(kept(body)))

    assert again == {"a": [{"b": read_again}], "c": "1e2", "d": None, "e": True, "f": 3}
    assert type(again["a"][0]["b"]) is type(read_again)
