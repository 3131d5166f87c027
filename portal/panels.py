"""What the fourth area of the home page can show (P05), and what each panel needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accounts.access import Capability
from portal.access import Portal, PortalRequest


@dataclass(frozen=True)
class Panel:
    """A panel: its heading, its template and the whole page that shows the same."""

    title: str
    template: str
    route: str
    needs: Capability | None = None  # in full, or the person sees the first panel instead


PANELS = {
    "faturas": Panel("Faturas", "portal/_painel_faturas.html", "portal-faturas"),
    "contratos": Panel("Contratos", "portal/_painel_contratos.html", "portal-contratos"),
    "vencimento": Panel("Dia de vencimento", "portal/_painel_vencimento.html", "portal-vencimento"),
    "dados": Panel("Dados de faturamento", "portal/_painel_dados.html", "portal-dados"),
    "cancelamento": Panel(
        "Cancelamento",
        "portal/_painel_cancelamento.html",
        "portal-cancelamento",
        Capability.CANCEL_CONTRACT,
    ),
}
FIRST = "faturas"


def panel_name(asked: str, portal: Portal) -> str:
    """The panel that is asked for, where there is such a one and the person may use it."""
    found = PANELS.get(asked)
    if found is None or (found.needs is not None and not portal.can(found.needs)):
        return FIRST
    return asked


def panel_context(name: str, request: PortalRequest) -> dict[str, Any]:
    """What the panel's template needs besides the person."""
    found = _CONTEXTS.get(name)
    return found(request) if found is not None else {}


def _contracts(request: PortalRequest) -> dict[str, Any]:
    from portal.views.contracts import list_context

    return list_context(request)


_CONTEXTS: dict[str, Callable[[PortalRequest], dict[str, Any]]] = {"contratos": _contracts}
