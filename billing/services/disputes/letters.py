"""What customers and the team are written about a dispute; each letter once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse

from billing.models import Dispute, DisputeMessage, Party
from billing.services.disputes import terms
from billing.services.emails.letters import send_letter
from lib.br import date_br


def answered_within(days: int) -> str:
    """“Resposta em até 1 dia útil”."""
    return f"Resposta em até {days} dia{'' if days == 1 else 's'} út{'il' if days == 1 else 'eis'}"


def tell_opened(message: DisputeMessage) -> None:
    """The receipt to whoever disputes, and the case to the team."""
    dispute = message.dispute
    within = answered_within(terms.settings_of(dispute.invoice).dispute_answer_days)
    _to_customer(message, "contestacao_recebida", {"prazo": within})
    _to_team(message, "contestacao_equipe")


def tell_written(message: DisputeMessage) -> None:
    """The customer wrote again, or ended it."""
    _to_team(message, "contestacao_equipe_mensagem")


def tell_answer(message: DisputeMessage) -> None:
    """Staff wrote to the customer."""
    _to_customer(message, "contestacao_resposta")


def tell_outcome(message: DisputeMessage) -> None:
    """Staff ended it; `message` is what they wrote to the customer."""
    until = message.dispute.grace_until
    grace = f"Até {date_br(until)} a fatura pode ser paga sem multa e juros." if until else ""
    _to_customer(message, "contestacao_resolvida", {"carencia": grace})


def _to_customer(
    message: DisputeMessage, template: str, more: dict[str, Any] | None = None
) -> None:
    dispute = message.dispute
    send_letter(
        dispute.account,
        customer=dispute.customer,
        recipient=dispute.email,
        template=template,
        context={**_facts(message), **(more or {}), "endereco": portal_url(dispute)},
        key=f"{template}:{message.pk}",
    )


def _to_team(message: DisputeMessage, template: str) -> None:
    dispute = message.dispute
    address = team_address(dispute.invoice.organization)
    if not address:
        return  # it is in the inbox all the same
    send_letter(
        dispute.account,
        customer=dispute.customer,
        recipient=address,
        template=template,
        context={**_facts(message), "endereco": admin_url(dispute)},
        key=f"{template}:{message.pk}",
    )


def _facts(message: DisputeMessage) -> dict[str, Any]:
    dispute = message.dispute
    return {
        "protocolo": dispute.protocol,
        "fatura": dispute.invoice.label,
        "motivo": dispute.get_reason_display(),
        "situacao": dispute.get_state_display(),
        "texto": message.text,
        "autor": message.author_name,
        "responder_ate": date_br(dispute.answer_by),
    }


def team_address(organization: Party) -> str:
    """Where an organization's team reads of disputes; "" when it has no address."""
    profile = getattr(organization, "profile", None)
    return (profile.support_email if profile is not None else "") or organization.email


def portal_url(dispute: Dispute) -> str:
    """The thread's page for customers, absolute."""
    return f"{settings.PUBLIC_URL}/central/contestacoes/{dispute.protocol}/"


def admin_url(dispute: Dispute) -> str:
    return f"{settings.PUBLIC_URL}{reverse('admin:billing_dispute_change', args=[dispute.pk])}"
