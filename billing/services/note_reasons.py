"""What an invoice tells of its note, and why an authority refused it, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from billing.models import InvoiceNote
from fiscal.models import ServiceNote


def shown(note: InvoiceNote) -> dict[str, Any]:
    """What the invoice tells of its note, by the API's names (billing-api §2.8)."""
    service, document = note.service_note, note.document
    at, zone = None, ZoneInfo(note.account.time_zone)
    if service is not None:
        at, code, url = service.issued_at, service.verification_code, service.url
    elif document is not None:
        at, code, url = document.dh_emi, document.chave or "", ""
    return {
        "nfe_issued": True,
        "nfe_number": note.number,
        # The day on the customer's calendar: past 21:00 that of UTC is tomorrow.
        "nfe_issue_date": at.astimezone(zone).date().isoformat() if at else None,
        "nfe_verification": code or None,
        "nfse_url": url or None,
    }


def reasons(note: InvoiceNote) -> str:
    """Why the authority refused, one reason a line, with what would be right where it says so."""
    if note.service_note is not None:
        return _lines(note.service_note.errors) or note.service_note.last_message
    if note.document is not None:
        return f"{note.document.c_stat} – {note.document.x_motivo}".strip(" –")
    return ""


def cancellation_reasons(note: InvoiceNote) -> str:
    service: ServiceNote | None = note.service_note
    order = service.orders.order_by("-id").first() if service is not None else None
    return _lines(order.errors) if order is not None else ""


def _lines(errors: Sequence[dict[str, Any]]) -> str:
    return "\n".join(_fault(one) for one in errors)


def _fault(error: dict[str, Any]) -> str:
    code, text = error.get("codigo") or "", error.get("mensagem") or ""
    told = f"{code} – {text}" if code and code != "local" else text
    return f"{told} ({error['correcao']})" if error.get("correcao") else told
