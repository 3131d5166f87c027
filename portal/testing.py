"""What the acceptance tests switch and read (ux §1.6); reached only with TEST_ROUTES.

Providers fail at their stand-ins, so that the product meets what it would meet outside. The clock
and the fiscal authority are moved in this process alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import requests
from django.conf import settings

from lib.errors import Conflict, NotFound
from lib.trends import Trend, trend

TIMEOUT = 10  # seconds
NOWHERE = "https://127.0.0.1:9"  # the discard port: nobody listens there
# What is asked for → the stand-in and how it fails. A card's outcome stays unknown.
FAULTS = {
    "stripe": ("stripe", "cut"),
    "pix": ("pix", "down"),
    "banco": ("boletos", "down"),
    "email": ("mailjet", "down"),
    "cep": ("cep", "down"),
}
FISCAL = "fiscal"
_working: dict[str, str] = {}


class NoStandIns(Conflict):
    codigo = "sem_provedores_de_teste"
    mensagem = "Não há provedores de teste: PROVIDERS_SANDBOX não está definido."


def fail(service: str, *, on: bool) -> None:
    """Make a back-end fail until it is told otherwise. Raises NotFound, NoStandIns."""
    if service == FISCAL:
        _fail_fiscal(on=on)
        return
    if service not in FAULTS:
        raise NotFound()
    if not settings.PROVIDERS_SANDBOX:
        raise NoStandIns()
    provider, kind = FAULTS[service]
    url = f"{settings.PROVIDERS_SANDBOX}/control/faults"
    requests.delete(url, json={"provider": provider}, timeout=TIMEOUT).raise_for_status()
    if on:
        order = {"provider": provider, "kind": kind, "times": 0}
        requests.post(url, json=order, timeout=TIMEOUT).raise_for_status()


def _fail_fiscal(*, on: bool) -> None:
    if on:
        _working.setdefault(FISCAL, settings.FISCAL_ENDPOINTS_BASE)
        settings.FISCAL_ENDPOINTS_BASE = NOWHERE
    elif FISCAL in _working:
        settings.FISCAL_ENDPOINTS_BASE = _working.pop(FISCAL)


def move_clock(text: str) -> date:
    """Make `text` (aaaa-mm-dd) today. Raises NotFound for what is no date."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise NotFound() from error
    os.environ["UX_TODAY"] = day.isoformat()
    return day


# --- samples of the formats --------------------------------------------------------------------

# ux §1.1: compact money.
COMPACT = (
    "999.99", "1000.00", "1000.01", "1500", "999949", "999950", "2300000", "1100000000",
)  # fmt: skip
# B01-3: (before, now).
TRENDS = (
    ("100", "112.5"), ("100", "90"), ("100", "100"), ("100000", "100020"), ("0", "50"), ("0", "0"),
)  # fmt: skip


@dataclass(frozen=True)
class Moved:
    """A sample of a trend with what it was made of."""

    before: Decimal
    now: Decimal
    trend: Trend


def samples() -> dict[str, Any]:
    """Values of every format, for the page that shows them."""
    return {
        "compactos": [Decimal(text) for text in COMPACT],
        "valores": [Decimal("1234.56"), Decimal("-10"), Decimal("0")],
        "dia": date(2026, 8, 12),
        "inicio": date(2026, 7, 1),
        "fim": date(2026, 7, 31),
        "cnpjs": ["12ABC34501DE35", "11222333000181"],
        "cpf": "52998224725",
        "cep": "01001000",
        "telefone": "11912345678",
        "chave": "35260812345678000195550010000000421123456780",
        "tendencias": [
            Moved(Decimal(a), Decimal(b), trend(Decimal(a), Decimal(b))) for a, b in TRENDS
        ],
    }
