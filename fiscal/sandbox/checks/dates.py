"""Row 15: dhEmi against the moment of reception."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from fiscal.sandbox.document import Document, Refusal
from fiscal.sandbox.world import Call

TOLERANCE = timedelta(minutes=5)
ON_TIME = timedelta(days=7)
DAYS_ACCEPTED = 30  # past it a unit may refuse; 0 in the settings takes the limit away


def check(document: Document, call: Call) -> Iterator[Refusal]:
    """703, 704, 228."""
    age = call.now - document.issued_at
    if age < -TOLERANCE:
        yield Refusal(703)
    if document.modelo == "65" and document.head.text("ide/tpEmis") == "1" and age > TOLERANCE:
        yield Refusal(704)
    days = int(call.setting("dias_de_atraso", DAYS_ACCEPTED))
    if days and age > timedelta(days=days):
        yield Refusal(228)


def is_late(document: Document, call: Call) -> bool:
    """Authorised all the same, with 150, more than seven days after the issue."""
    return call.now - document.issued_at > ON_TIME
