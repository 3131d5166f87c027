"""Reading of a city's note, element by element: what is not there is None."""

from __future__ import annotations

from fiscal.authorities.municipal.abrasf_reading import moment
from fiscal.authorities.wire import Element

YES = ("1", "true", "S")


def first(element: Element | None, local: str) -> Element | None:
    below = element.walk() if element else iter(())
    return next((each for each in below if each.local == local and each is not element), None)


def text(element: Element | None, local: str) -> str | None:
    found = first(element, local)
    return (found.text or None) if found else None


def when(written: str) -> str | None:
    """ISO 8601 with its offset: cities leave it out and mean the time of Brasília."""
    found = moment(written)
    return found.isoformat(timespec="seconds") if found else None
