"""Bodies of the API Pix 2.8 of Banco Central, both ways (boleto-pix §7)."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.gateways.pix.provider import (
    Debtor,
    Kind,
    Lateness,
    Order,
    PixUnavailable,
    Received,
    Registered,
    Return,
    ReturnStatus,
    Status,
)
from lib.br import is_cpf

_MONEY = re.compile(r"[0-9]{1,10}\.[0-9]{2}\Z")
_MAX_NAME = 200
_MAX_TEXT = 140  # RemittanceInformation of pacs.008
FIXED_FINE, PERCENT_FINE = 1, 2
DAILY_INTEREST, MONTHLY_INTEREST = 1, 3  # in calendar days
_GARBLED = "O banco respondeu algo que não se entende."


def of_order(order: Order) -> dict[str, Any]:
    """CobSolicitada or CobVSolicitada."""
    body: dict[str, Any] = {
        "calendario": _calendar(order),
        "valor": {"original": money(order.amount), **_late(order.lateness)},
        "chave": order.key,
    }
    if order.debtor is not None:
        body["devedor"] = _debtor(order.debtor, order.kind)
    if order.text:
        body["solicitacaoPagador"] = order.text[:_MAX_TEXT]
    return body


def of_return(amount: Decimal, text: str) -> dict[str, Any]:
    """DevolucaoSolicitada."""
    return {"valor": money(amount), **({"descricao": text[:_MAX_TEXT]} if text else {})}


def money(amount: Decimal) -> str:
    """`123.45`."""
    return f"{amount:.2f}"


def _calendar(order: Order) -> dict[str, Any]:
    if order.due_on is None:
        return {"expiracao": order.seconds}
    return {
        "dataDeVencimento": order.due_on.isoformat(),
        "validadeAposVencimento": order.valid_days,
    }


def _late(lateness: Lateness) -> dict[str, Any]:
    """valor.multa and valor.juros of a cobv."""
    fine = _mode(FIXED_FINE, lateness.fine_value) or _mode(PERCENT_FINE, lateness.fine_percent)
    interest = _mode(DAILY_INTEREST, lateness.daily_value)
    interest = interest or _mode(MONTHLY_INTEREST, lateness.monthly_percent)
    return {**({"multa": fine} if fine else {}), **({"juros": interest} if interest else {})}


def _mode(number: int, value: Decimal | None) -> dict[str, Any]:
    return {"modalidade": number, "valorPerc": money(value)} if value else {}


def _debtor(debtor: Debtor, kind: Kind) -> dict[str, Any]:
    name = "cpf" if is_cpf(debtor.document) else "cnpj"
    body = {name: debtor.document, "nome": debtor.name[:_MAX_NAME]}
    if kind == Kind.DUE:
        address = {
            "logradouro": debtor.street[:_MAX_NAME],
            "cidade": debtor.city[:_MAX_NAME],
            "uf": debtor.state,
            "cep": debtor.zipcode,
        }
        body |= {field: value for field, value in address.items() if value}
    return body


def registered(body: Any, kind: Kind) -> Registered:
    """CobGerada, CobVGerada or the complete ones. Raises PixUnavailable."""
    with _believed():
        return Registered(
            txid=_text(body["txid"]),
            kind=kind,
            status=Status(body["status"]),
            amount=_amount(body["valor"]["original"]),
            location=_text(body.get("location") or (body.get("loc") or {}).get("location") or ""),
            brcode=_text(body.get("pixCopiaECola") or ""),
            received=tuple(received(each) for each in body.get("pix") or ()),
        )


def received(body: Any) -> Received:
    """Pix. Raises PixUnavailable."""
    with _believed():
        return Received(
            end_to_end_id=_text(body["endToEndId"]),
            txid=_text(body.get("txid") or ""),
            amount=_amount(body["valor"]),
            at=_moment(body["horario"]),
            returns=tuple(returned(each) for each in body.get("devolucoes") or ()),
        )


def returned(body: Any) -> Return:
    """Devolucao. Raises PixUnavailable."""
    with _believed():
        return Return(
            id=_text(body["id"]),
            return_id=_text(body.get("rtrId") or ""),
            amount=_amount(body["valor"]),
            status=ReturnStatus(body["status"]),
            nature=_text(body.get("natureza") or "ORIGINAL"),
            reason=_text(body.get("motivo") or ""),
        )


def page(body: Any) -> tuple[list[Received], int]:
    """The Pix of PixConsultados, and how many pages there are. Raises PixUnavailable."""
    with _believed():
        pages = int(body["parametros"]["paginacao"]["quantidadeDePaginas"])
        return [received(each) for each in body.get("pix") or ()], pages


class _believed:
    """Whatever is not as the contract says is an answer that tells nothing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError | InvalidOperation):
            raise PixUnavailable(_GARBLED) from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text was promised")
    return value


def _amount(value: Any) -> Decimal:
    if not _MONEY.match(_text(value)):
        raise ValueError("an amount was promised")
    return Decimal(value)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("a moment has an offset")
    return moment
