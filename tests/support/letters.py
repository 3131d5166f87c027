"""What people of the portal found in their mail."""

from __future__ import annotations

import re

from billing.models import EmailMessage
from billing.services.emails.letters import opened

_LINK = re.compile(r"http://\S+(/central/\S+)")


def letters_to(address: str, *, about: str = "") -> list[str]:
    """The texts for an address as it reads them, the oldest first; `about` is in the subject."""
    rows = EmailMessage.objects.filter(recipient=address, trigger="portal", subject__contains=about)
    return [opened(row.body) for row in rows.order_by("pk")]


def last_link(address: str, *, about: str = "") -> str:
    """The path of the link in the last letter to the address."""
    found = _LINK.search(letters_to(address, about=about)[-1])
    assert found is not None
    return found[1]
