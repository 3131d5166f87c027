"""Customers end contracts themselves: one (P13), all of them (P14), and take it back.

A request only says which day is the last; the contract goes on until that day is over, and is then
cancelled by billing.services.carrying_out. Locks: contracts by id, then the protocol's counter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from accounts.models import Account, User
from accounts.services.audit import Actor, record
from billing.models import CancellationRequest, Contract, Party, ScheduledCancellation
from billing.selectors.customer_contracts import customer_contracts
from billing.selectors.endings import (
    ending_of,
    endings_by_contract,
    open_endings,
    with_endings,
)
from billing.services.carrying_out import locked_end
from billing.services.emails.letters import send_letter
from billing.services.endings import Ending, endings_of, endings_of_all, fingerprint
from billing.services.protocols import CANCELLATION, take_protocol
from lib import clock
from lib.br import date_br
from lib.errors import Conflict, FieldError, InvalidInput, NotFound

LONGEST_COMMENT = 2000
DAY = "Escolha um dos dias oferecidos."
TICK = "Marque a confirmação para continuar."


class ContractChanged(Conflict):
    """The page told something that is not so any more; nothing was done."""

    codigo = "pagina_desatualizada"
    mensagem = "Este contrato mudou enquanto você estava aqui. Nada foi feito."
    http_status = 409


class TooLate(Conflict):
    codigo = "cancelamento_encerrado"
    mensagem = "Este cancelamento não pode mais ser desfeito."
    http_status = 409


@dataclass(frozen=True)
class Asked:
    """Who asks for a cancellation, and why; the reason and the comment may be empty."""

    user: User
    actor: Actor
    reason: str = ""
    comment: str = ""


@dataclass(frozen=True)
class Offer:
    """A contract that may be ended, and its last days, the usual one first."""

    contract: Contract
    endings: tuple[Ending, ...]

    @property
    def usual(self) -> Ending:
        return self.endings[0]

    @property
    def version(self) -> str:
        return fingerprint(self.contract, self.endings)


def offer_of(contract: Contract, *, today: date) -> Offer:
    """What the customer is told before ending this contract."""
    return Offer(contract, tuple(endings_of(contract, today=today)))


def offers_of_all(account: Account, customer: Party, *, today: date) -> list[Offer]:
    """The same for every contract in force that has no end yet, in the order of their numbers."""
    return offers_for(live_contracts(account, customer), today=today)


def live_contracts(account: Account, customer: Party) -> list[Contract]:
    """The contracts in force, in the order of their numbers, with what `ending_of` reads."""
    live = customer_contracts(account, customer).exclude(status=Contract.Status.CANCELLED)
    return list(with_endings(live).order_by("pk"))


def offers_for(contracts: Sequence[Contract], *, today: date) -> list[Offer]:
    """Offers for those of `live_contracts` that have no end yet."""
    return _offers([one for one in contracts if ending_of(one) is None], today)


def _offers(contracts: Sequence[Contract], today: date) -> list[Offer]:
    found = zip(contracts, endings_of_all(contracts, today=today), strict=True)
    return [Offer(contract, tuple(endings)) for contract, endings in found]


def version_of_all(offers: Sequence[Offer]) -> str:
    return "-".join(offer.version for offer in offers)


@transaction.atomic
def request_cancellation(
    contract_id: int,
    *,
    account: Account,
    customer: Party,
    on: date | None,
    seen: str,
    asked: Asked,
) -> CancellationRequest:
    """End one contract with the day `on`, as page `seen` has offered it (P13).

    Raises NotFound, InvalidInput for a day that is not offered, ContractChanged.
    """
    contract = _locked(account, customer, contract_id)
    offer = offer_of(contract, today=clock.today(account.time_zone))
    if not _is_open(contract) or offer.version != seen:
        raise ContractChanged()
    ending = next((one for one in offer.endings if one.on == on), None)
    if ending is None:
        raise InvalidInput(erros=[FieldError("ultimo_dia", DAY)])
    request = _schedule(account, customer, [(contract, ending)], asked, everything=False)
    record(
        account,
        actor=asked.actor,
        action="contrato.cancelamento_pedido",
        target=contract,
        before={"situacao": contract.status},
        after=_told(request, contract, ending),
    )
    _write_letter(request, asked.user)
    return request


@transaction.atomic
def request_everything(
    *, account: Account, customer: Party, is_sure: bool, seen: str, asked: Asked
) -> CancellationRequest:
    """End every contract in force that has no end yet, each on its usual day: all or none (P14).

    Raises InvalidInput without the confirmation, ContractChanged when they are not those of `seen`.
    """
    if not is_sure:
        raise InvalidInput(erros=[FieldError("confirmacao", TICK)])
    found = list(_open_contracts(account, customer).select_for_update(of=("self",), no_key=True))
    today = clock.today(account.time_zone)
    # Read again, now that they are locked: one may have been ended while this waited.
    ending = endings_by_contract(account, [one.pk for one in found])
    offers = _offers([one for one in found if one.pk not in ending], today)
    if not offers or version_of_all(offers) != seen:
        raise ContractChanged("Seus contratos mudaram enquanto você estava aqui. Nada foi feito.")
    parts = [(offer.contract, offer.usual) for offer in offers]
    request = _schedule(account, customer, parts, asked, everything=True)
    record(
        account,
        actor=asked.actor,
        action="conta.cancelamento_pedido",
        target=customer,
        after={
            "protocolo": request.protocol,
            "motivo": request.reason,
            "contratos": [_told(request, contract, ending) for contract, ending in parts],
        },
    )
    _write_letter(request, asked.user)
    return request


@transaction.atomic
def undo_cancellation(
    contract_id: int, *, account: Account, customer: Party, actor: Actor
) -> Contract:
    """The customer keeps the contract after all, up to its last day (P13-4).

    Raises NotFound, TooLate.
    """
    contract = _locked(account, customer, contract_id)
    row = locked_end(contract)
    today = clock.today(account.time_zone)
    cancelled = contract.status == Contract.Status.CANCELLED
    if row is None or cancelled or row.effective_on < today:
        raise TooLate()
    row.undone_at = clock.now()
    row.save(update_fields=["undone_at"])
    record(
        account,
        actor=actor,
        action="contrato.desfeito",
        target=contract,
        before={"protocolo": row.request.protocol, "ultimo_dia": row.effective_on},
        after={"situacao": contract.status},
    )
    return contract


# --- parts ---------------------------------------------------------------------------------------


def _locked(account: Account, customer: Party, contract_id: int) -> Contract:
    contract: Contract | None = (
        customer_contracts(account, customer)
        .select_for_update(of=("self",), no_key=True)
        .filter(pk=contract_id)
        .first()
    )
    if contract is None:
        raise NotFound()
    return contract


def _open_contracts(account: Account, customer: Party) -> Any:
    live = customer_contracts(account, customer).exclude(status=Contract.Status.CANCELLED)
    ending = open_endings(account).values("contract_id")
    return live.exclude(pk__in=ending).order_by("pk")


def _is_open(contract: Contract) -> bool:
    if contract.status == Contract.Status.CANCELLED:
        return False
    return not endings_by_contract(contract.account, [contract.pk])


def _schedule(
    account: Account,
    customer: Party,
    parts: Sequence[tuple[Contract, Ending]],
    asked: Asked,
    *,
    everything: bool,
) -> CancellationRequest:
    today = clock.today(account.time_zone)
    request = CancellationRequest.objects.create(
        account=account,
        customer=customer,
        protocol=take_protocol(account, CANCELLATION, on=today),
        reason=asked.reason[:200],
        comment=asked.comment[:LONGEST_COMMENT],
        is_everything=everything,
        requested_by=asked.user,
        requested_at=clock.now(),
    )
    ScheduledCancellation.objects.bulk_create(
        ScheduledCancellation(
            request=request,
            contract=contract,
            effective_on=ending.on,
            final_amount=ending.total,
        )
        for contract, ending in parts
    )
    return request


def _told(request: CancellationRequest, contract: Contract, ending: Ending) -> dict[str, Any]:
    return {
        "contrato": contract.pk,
        "protocolo": request.protocol,
        "ultimo_dia": ending.on,
        "mensalidade_final": ending.total,
        "motivo": request.reason,
    }


def _write_letter(request: CancellationRequest, user: User) -> None:
    """One letter to whoever asked, about all contracts of the request."""
    items = request.items.select_related("contract").order_by("contract_id")
    send_letter(
        request.account,
        customer=request.customer,
        recipient=user.email,
        template="cancelamento_pedido",
        context={
            "nome": user.name,
            "protocolo": request.protocol,
            "todos": request.is_everything,
            "itens": [
                {
                    "contrato": item.contract,
                    "ultimo_dia": date_br(item.effective_on),
                    "final": item.final_amount,
                }
                for item in items
            ],
        },
        key=f"cancelamento:{request.protocol}",
    )
