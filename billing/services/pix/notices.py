"""What a bank posts about Pix: an intake of `billing.services.inbound` (PX-4).

A bank signs nothing. It knows the secret part of the address, and our own proxy may say that its
certificate was good; and still nothing is booked but what the bank's API then answers.
"""

from __future__ import annotations

import re
from hmac import compare_digest
from typing import Any

from billing.gateways.pix.provider import PixUnavailable
from billing.models import GatewayAccount, InboundEvent
from billing.services.inbound import Forged, Ignored, Notice, Posted, digest, read_json
from billing.services.pix.receipts import charge_of, payment_of, take_in
from billing.services.pix.wiring import has_provider, provider_of
from lib.crypto import Unreadable
from lib.money import brl

_END_TO_END_ID = re.compile(r"[A-Za-z0-9]{1,64}\Z")
_MAX_PIX = 1000
_ASKED = 3  # a bank may tell of a Pix before it finds it itself
UNKNOWN = "O banco não conhece este Pix."
NOT_YET = "O banco ainda não encontra este Pix."
UNMATCHED = "Nenhuma cobrança tem este txid: veja os Pix não identificados."
NO_PROVIDER = "A conta Pix não tem o endereço do banco: o aviso não pode ser conferido."
KNOWN = "Pix já registrado."


def read(gateway: GatewayAccount, posted: Posted) -> list[Notice]:
    """One notice for each Pix, another one when something of it goes back. Raises Forged.

    Banks try an address with an empty body, or one of their own, when it is registered.
    """
    _verify(gateway, posted)
    body = read_json(posted.body) if posted.body.strip() else {}
    found = body.get("pix") if isinstance(body, dict) else None
    if found is None:
        return []
    if not isinstance(found, list) or len(found) > _MAX_PIX:
        raise Forged("pix is not a list")
    return [_notice(each) for each in found]


def _verify(gateway: GatewayAccount, posted: Posted) -> None:
    try:
        token = str(gateway.secrets.get("hook_token", ""))
    except Unreadable as error:
        raise Forged("the token cannot be read") from error
    given = posted.rest.strip("/").removesuffix("/pix")
    if not token or not compare_digest(given.encode(), token.encode()):
        raise Forged("another token")
    wanted = gateway.options.get("hook_header") or {}
    if wanted:
        seen = posted.headers.get(str(wanted["name"]).lower(), "")
        if not compare_digest(seen.encode(), str(wanted["value"]).encode()):
            raise Forged("the certificate of the bank was not seen")


def _notice(pix: Any) -> Notice:
    if not isinstance(pix, dict) or not _END_TO_END_ID.match(str(pix.get("endToEndId", ""))):
        raise Forged("a Pix without endToEndId")
    end_to_end_id = str(pix["endToEndId"])
    # Of all that is told only this is used, to ask: names and texts of payers are not kept.
    kept = {"endToEndId": end_to_end_id, "txid": str(pix.get("txid") or "")[:35]}
    returns = pix.get("devolucoes")
    if not returns:
        return Notice(end_to_end_id, "pix", kept)
    told = digest(repr(returns).encode())[:16]
    return Notice(f"{end_to_end_id}:{told}", "pix.devolucao", kept)


def apply(event: InboundEvent) -> str:
    """Ask the bank for the Pix and book it. Raises Ignored, PixUnavailable or PixRefused."""
    gateway = event.gateway
    if not has_provider(gateway):
        raise Ignored(NO_PROVIDER)
    end_to_end_id = str(event.payload["endToEndId"])
    pix = provider_of(gateway).received(end_to_end_id)
    if pix is None:
        if event.attempts < _ASKED:
            raise PixUnavailable(NOT_YET)
        raise Ignored(UNKNOWN)
    if pix.end_to_end_id != end_to_end_id:
        raise PixUnavailable("O banco respondeu sobre outro Pix.")
    arrival = take_in(gateway, pix)
    if arrival is not None:
        return f"Pix de {brl(pix.amount)} registrado. {arrival.note}".strip()
    if payment_of(gateway, end_to_end_id) is None and charge_of(gateway, pix) is None:
        raise Ignored(UNMATCHED)
    return KNOWN
