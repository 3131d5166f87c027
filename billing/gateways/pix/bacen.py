"""The API Pix of Banco Central (github.com/bacen/pix-api, 2.8), as the banks offer it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote

from billing.gateways.pix import bodies
from billing.gateways.pix.provider import (
    Kind,
    Order,
    PixUnavailable,
    Received,
    Registered,
    Return,
    Status,
)
from billing.gateways.pix.wire import NotThere, Wire

_PER_PAGE = 100  # some 60 KB of an answer
_MAX_PAGES = 1000


@dataclass(frozen=True)
class BacenPix:
    """PixProvider over the wire of one set of credentials."""

    wire: Wire

    def create(self, order: Order) -> Registered:
        body = self.wire.order("PUT", _charge(order.kind, order.txid), bodies.of_order(order))
        return bodies.registered(body, order.kind)

    def read(self, kind: Kind, txid: str) -> Registered | None:
        body = self.wire.ask(_charge(kind, txid))
        return None if body is None else bodies.registered(body, kind)

    def update(self, order: Order) -> Registered:
        body = self.wire.order("PATCH", _charge(order.kind, order.txid), bodies.of_order(order))
        return bodies.registered(body, order.kind)

    def cancel(self, kind: Kind, txid: str) -> Registered:
        status = {"status": str(Status.REMOVED_BY_US)}
        return bodies.registered(self.wire.order("PATCH", _charge(kind, txid), status), kind)

    def received(self, end_to_end_id: str) -> Received | None:
        body = self.wire.ask(f"/pix/{quote(end_to_end_id, safe='')}")
        return None if body is None else bodies.received(body)

    def received_between(
        self, since: datetime, until: datetime, *, only_returned: bool = False
    ) -> list[Received]:
        query = {"inicio": _moment(since), "fim": _moment(until)}
        if only_returned:
            query["devolucaoPresente"] = "true"
        found: list[Received] = []
        for number in range(_MAX_PAGES):
            paging = {
                "paginacao.paginaAtual": str(number),
                "paginacao.itensPorPagina": str(_PER_PAGE),
            }
            part, pages = bodies.page(self.wire.ask("/pix", {**query, **paging}))
            found += part
            if number + 1 >= pages:
                return sorted(found, key=lambda each: each.at)
        raise PixUnavailable("O banco listou Pix demais para o período.")

    def give_back(self, end_to_end_id: str, return_id: str, amount: Decimal, text: str) -> Return:
        body = bodies.of_return(amount, text)
        return bodies.returned(self.wire.order("PUT", _return(end_to_end_id, return_id), body))

    def returned(self, end_to_end_id: str, return_id: str) -> Return | None:
        body = self.wire.ask(_return(end_to_end_id, return_id))
        return None if body is None else bodies.returned(body)

    def register_hook(self, key: str, url: str) -> None:
        self.wire.order("PUT", _hook(key), {"webhookUrl": url})

    def hook(self, key: str) -> str | None:
        body = self.wire.ask(_hook(key))
        return str(body["webhookUrl"]) if isinstance(body, dict) and "webhookUrl" in body else None

    def remove_hook(self, key: str) -> None:
        try:
            self.wire.order("DELETE", _hook(key))
        except NotThere:
            return


def _charge(kind: Kind, txid: str) -> str:
    return f"/{kind}/{quote(txid, safe='')}"


def _return(end_to_end_id: str, return_id: str) -> str:
    return f"/pix/{quote(end_to_end_id, safe='')}/devolucao/{quote(return_id, safe='')}"


def _hook(key: str) -> str:
    return f"/webhook/{quote(key, safe='')}"


def _moment(at: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
