"""The areas of the home page (P05): each is put together and drawn for itself.

What fails in one is told in its place; the others are shown all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from accounts.access import Capability
from billing.selectors.customer_contracts import Estado as Contrato
from billing.selectors.customer_contracts import contract_counts
from billing.selectors.customer_standing import Standings, customer_standings
from billing.selectors.help import shown_articles
from billing.selectors.situations import Action, Estado
from billing.services.emails.recipients import billing_addresses
from lib import clock
from portal.access import PortalRequest
from portal.invoice_list import Row, chart_of, rows_of
from portal.panels import FIRST, PANELS, panel_context, panel_name

log = logging.getLogger(__name__)

LAST = 6  # rows of the list that the panel shows


@dataclass(frozen=True)
class Area:
    """A part of the page, drawn; `number` counts from 1."""

    number: int
    html: SafeString


class Home:
    """What the areas have in common, each read when it is first asked for."""

    def __init__(self, request: PortalRequest) -> None:
        self.request = request
        self.portal = request.portal
        self.panel = panel_name(request.GET.get("painel", ""), self.portal)

    @property
    def today(self) -> date:
        return clock.today(self.portal.account.time_zone)

    @cached_property
    def standings(self) -> Standings:
        return customer_standings(self.portal.account, self.portal.customer, today=self.today)

    @cached_property
    def rows(self) -> list[Row]:
        """The newest ones, as the list shows them; only the last where no list is shown."""
        is_listed = self.panel == FIRST
        newest = self.standings.shown()[: LAST if is_listed else 1]
        return rows_of(self.portal, self.standings, newest, notes=is_listed)

    @cached_property
    def panel_data(self) -> dict[str, Any]:
        return panel_context(self.panel, self.request)

    @cached_property
    def overdue(self) -> tuple[int, Decimal]:
        """How many invoices are late, and what they cost today."""
        late = self.standings.in_state(Estado.VENCIDA)
        return len(late), self.standings.late_today() if late else Decimal("0.00")

    def areas(self) -> list[Area]:
        """The five, in order."""
        return [
            Area(n, self.drawn(f"portal/_area_{n}.html", context, n))
            for n, context in enumerate(
                (self._contracts, self._last_invoice, self._settings, self._panel, self._links),
                start=1,
            )
        ]

    def alert(self) -> SafeString:
        """What is overdue, above the areas; "" when nothing is."""
        return self.drawn("portal/_alerta_vencidas.html", self._overdue, 0)

    def drawn(
        self, template: str, context: Callable[[], dict[str, Any]], number: int
    ) -> SafeString:
        """The part, or that it could not be loaded: whatever went wrong is in the log (P05)."""
        try:
            return render_to_string(template, {**self._common, **context()}, self.request)
        except Exception:
            log.exception("portal.area_failed", extra={"area": number})
            return render_to_string("portal/_area_falhou.html", {"number": number}, self.request)

    @property
    def _common(self) -> dict[str, Any]:
        return {
            "painel": self.panel,
            "portal": self.portal,
            "may_change_day": self.portal.can(Capability.DUE_DAY),
            "may_edit": self.portal.can(Capability.CUSTOMERS),
        }

    def _overdue(self) -> dict[str, Any]:
        n_late, total = self.overdue
        url = f"{reverse('portal-faturas')}?situacao={Estado.VENCIDA.value}"
        return {"n_late": n_late, "total": total, "url": url}

    def _contracts(self) -> dict[str, Any]:
        if self.panel == "contratos":  # its rows are read anyhow
            estados = [row.estado for row in self.panel_data["contratos"]]
            active, begun = estados.count(Contrato.ATIVO), estados.count(Contrato.INICIADO)
        else:
            active, begun = contract_counts(self.portal.account, self.portal.customer)
        return {"ativos": active, "iniciados": begun}

    def _last_invoice(self) -> dict[str, Any]:
        row = self.rows[0] if self.rows else None
        return {"row": row, "primary": primary_action(row) if row else ""}

    def _settings(self) -> dict[str, Any]:
        customer = self.portal.customer
        return {"customer": customer, "emails": billing_addresses(customer)}

    def _panel(self) -> dict[str, Any]:
        chosen = PANELS[self.panel]
        if self.panel == FIRST:
            more = {"rows": self.rows, "chart": chart_of(self.standings)}
        else:
            more = self.panel_data
        return {"panel": chosen, "page_url": reverse(chosen.route), **more}

    def _links(self) -> dict[str, Any]:
        return {
            "articles": shown_articles(self.portal.account),
            "may_cancel": self.portal.can(Capability.CANCEL_CONTRACT),
        }


def primary_action(row: Row) -> str:
    """What the last invoice asks for first: “Pagar”, “2ª via” or “Recibo” (P05)."""
    for action in (Action.PAY, Action.SECOND_COPY, Action.RECEIPT):
        if action in row.actions:
            return action.value
    return ""
