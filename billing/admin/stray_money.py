"""What staff do with money that names no charge of ours: Pix, and boletos of a bank's API."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from accounts.access import Capability
from accounts.services.audit import Actor
from billing.models import InboundEvent
from billing.selectors.parcels import parcel_named, suggestions
from billing.services.boletos import assigning as of_boletos
from billing.services.boletos.settlements import KIND as BOLETO
from billing.services.pix import assigning as of_pix
from billing.services.pix.unmatched import KIND as PIX
from fiscal.admin.acts import Act, ActForm, Done
from fiscal.admin.sections import Right
from lib.br import date_br
from lib.money import brl


class AssignForm(ActForm):
    fatura = forms.CharField(
        label="Número da fatura", max_length=100, help_text="De uma parcela: 01234-2"
    )


# What of each kind waits for a person, and how it is booked.
_WAITING = {PIX: InboundEvent.State.IGNORED, BOLETO: InboundEvent.State.FAILED}
_ASSIGN = {PIX: of_pix.assign, BOLETO: of_boletos.assign}


def _waits(event: InboundEvent) -> bool:
    is_ours = event.kind in _WAITING and event.state == _WAITING[event.kind]
    return is_ours and "valor" in event.payload


def _assign(event: InboundEvent, data: dict[str, Any], actor: Actor) -> Done:
    parcel = parcel_named(event.account, data["fatura"])
    arrival = _ASSIGN[event.kind](
        event.pk, account=event.account, receivable_id=parcel.pk, actor=actor
    )
    text = f"{brl(arrival.payment.amount)} lançados na fatura {parcel.invoice.label}."
    told = {"fatura": parcel.invoice.label, "valor": str(arrival.payment.amount)}
    return Done(f"{text} {arrival.note}".strip(), told=told)


def _told(event: InboundEvent) -> list[str]:
    amount = Decimal(event.payload.get("valor", "0"))
    said = _of_pix(event) if event.kind == PIX else _of_boleto(event)
    return [f"{brl(amount)}: {said}", *suggestions(event.account, amount)]


def _of_pix(event: InboundEvent) -> str:
    zone = ZoneInfo(event.account.time_zone)
    at = datetime.fromisoformat(event.payload["horario"]).astimezone(zone)
    return f"Pix de {date_br(at.date())}, identificador {event.payload['endToEndId']}."


def _of_boleto(event: InboundEvent) -> str:
    number = event.payload.get("nosso_numero") or "não informado"
    return f"boleto pago em {event.payload.get('pago_em', '')}, nosso número {number}."


STRAY_ACTS = (
    Act(
        "atribuir", "Atribuir a uma fatura", "Atribuir à fatura", "Ainda não",
        Right(Capability.RECORD_PAYMENT), _waits, _assign, form=AssignForm,
        audit="pagamento.atribuido", notes=_told,
    ),
)  # fmt: skip
