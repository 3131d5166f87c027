"""Every code has the class that the guide gives it, and no code stops the product (§8.4, ANS-6)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fiscal.authorities import cstat
from fiscal.authorities.cstat import Class, classify

GUIDE = {
    Class.AUTHORIZED: [100, 150],
    Class.DENIED: [110, 205],
    Class.PROCESSING: [103, 105],
    Class.READ_INSIDE: [104, 128],
    Class.CANCELLED: [101, 151, 218],
    Class.EVENT_REGISTERED: [135, 136, 155],
    Class.EVENT_DUPLICATE: [573],
    Class.EPEC_REGISTERED: [124],
    Class.VOIDED: [102],
    Class.VOIDED_ALREADY: [563, 256],
    Class.NOT_FOUND: [217],
    Class.RECOVER: [204, 539, 613],
    Class.SERVICE_UP: [107],
    Class.SERVICE_PAUSED: [108],
    Class.SERVICE_DOWN: [109],
    Class.SVC_CLOSING: [113],
    Class.SVC_DISABLED: [114],
    Class.THROTTLED: [656],
    Class.CONFIG_ERROR: [
        *range(280, 287), *range(290, 297), 213, 244, 226, 247, 249, 250, 252, 593, 203, 781,
        462, 463, 464, 395, 878,
    ],
    Class.REJECTED: [
        206, 207, 208, 209, 214, 215, 225, 227, 228, 230, 236, 239, 253, 266, 272, 273, 297, 298,
        391, 394, 396, 397, 404, 410, 452, 467, 468, 489, 490, 502, 521, 523, 528, 531, 532, 533,
        534, 535, 536, 537, 538, 561, 562, 564, 588, 590, 591, 598, 610, 611, 612, 629, 630, 685,
        703, 704, 705, 708, 709, 711, 712, 713, 715, 719, 725, 729, 731, 732, 733, 750, 752, 753,
        767, 778, 783, 897, 1004, 1022, 1026, 1036, 1037, 1115, 1118,
    ],
    Class.UNKNOWN: [106],
    Class.CANNOT_QUERY: [526],
    Class.BLOCKED: [142],
    Class.RETRY: [999, 402, 516],
    Class.EMPTY: [137],
    Class.DOCS: [138],
}  # fmt: skip
OF_EVENTS = [
    201, 219, 221, 222, 224, 241, 485, 493, 494, 501, 572, 574, 575, 577, 578, 579, 580, 587, 589,
    594, 596, 650, 651, 690, 784,
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "expected"), [(code, kind) for kind, codes in GUIDE.items() for code in codes]
)
def test_each_code_of_the_guide_has_its_class(code: int, expected: Class) -> None:
    assert classify(code) is expected
    assert classify(str(code)) is expected
    assert cstat.official(code)


@pytest.mark.parametrize("code", OF_EVENTS)
def test_codes_of_events_and_voidings_are_refusals_with_a_text(code: int) -> None:
    assert classify(code) is Class.REJECTED
    assert classify(code, in_event=True) is Class.EVENT_REJECTED
    assert cstat.official(code).startswith("Rejeição: ")


@pytest.mark.parametrize("code", ["301", "302", "303"])
def test_an_old_denial_is_one_only_with_its_protocol(code: str) -> None:
    assert classify(code) is Class.REJECTED
    assert classify(code, has_protocol=True) is Class.DENIED


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("501", Class.EVENT_REJECTED),
        ("217", Class.EVENT_REJECTED),
        ("205", Class.EVENT_REJECTED),
        ("204", Class.EVENT_REJECTED),
        ("9999", Class.EVENT_REJECTED),
        ("135", Class.EVENT_REGISTERED),
        ("155", Class.EVENT_REGISTERED),
        ("124", Class.EPEC_REGISTERED),
        ("573", Class.EVENT_DUPLICATE),
        ("218", Class.CANCELLED),
        ("656", Class.THROTTLED),
        ("213", Class.CONFIG_ERROR),
        ("999", Class.RETRY),
        ("109", Class.SERVICE_DOWN),
        ("110", Class.DENIED),
    ],
)
def test_a_refused_event_says_nothing_of_its_document(code: str, expected: Class) -> None:
    assert classify(code, in_event=True) is expected


def test_unknown_codes_below_200_are_checked_and_others_are_refusals() -> None:
    assert classify("199") is Class.UNKNOWN
    assert classify("147") is Class.UNKNOWN
    assert classify("1999") is Class.REJECTED
    assert classify("200") is Class.REJECTED


@given(st.one_of(st.text(max_size=8), st.integers()))
def test_nothing_that_an_authority_writes_stops_us(code: str | int) -> None:
    assert classify(code) in Class
    assert classify(code, in_event=True) in Class
    assert isinstance(cstat.hint(code) + cstat.official(code) + cstat.field(code), str)


@pytest.mark.parametrize("code", ["", "abc", "١٠٠", "-1", "0"])
def test_what_is_no_code_is_never_taken_for_success(code: str) -> None:
    assert classify(code) is Class.UNKNOWN


def test_the_table_is_whole() -> None:
    table = cstat.known()

    assert len(table) >= 700
    assert max(Counter(row.code for row in table).values()) == 1
    assert [int(row.code) for row in table] == sorted(int(row.code) for row in table)
    assert all(row.text and row.text == row.text.strip() for row in table)
    assert {row.kind for row in table} == set(Class) - {Class.EVENT_REJECTED}
    assert not [row.code for row in table if int(row.code) < 200 and row.kind is Class.REJECTED]


def test_whoever_must_act_is_told_what_to_do() -> None:
    for row in cstat.known():
        if row.kind in {Class.CONFIG_ERROR, Class.BLOCKED, Class.THROTTLED, Class.REJECTED}:
            assert cstat.hint(row.code), row.code


def test_advice_is_there_for_codes_that_are_not() -> None:
    assert "reenvie" in cstat.hint("1999")
    assert cstat.official("1999") == ""
    assert cstat.field("1999") == ""


def test_fields_are_names_of_the_api() -> None:
    folder = Path(cstat.FOLDER) / "fields"
    names = {"numero_inicial", "justificativa"}  # of voidings and of events
    for kind in ("nfe", "nfce"):
        names |= set(_paths(yaml.safe_load((folder / f"{kind}.yaml").read_text())))

    assert {row.field for row in cstat.known() if row.field} <= names


def _paths(node: Any) -> list[str]:
    if isinstance(node, list):
        return [path for item in node for path in _paths(item)]
    if not isinstance(node, dict):
        return []
    own = [node["path"]] if isinstance(node.get("path"), str) else []
    return own + [path for item in node.values() for path in _paths(item)]
