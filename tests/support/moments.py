"""Moments as the API writes them."""

from __future__ import annotations

from datetime import datetime


def moment(text: str) -> datetime:
    """`dd/mm/yyyy HH:MM:SS -03:00` or ISO 8601."""
    if "/" in text:
        return datetime.strptime(text, "%d/%m/%Y %H:%M:%S %z")
    return datetime.fromisoformat(text)
