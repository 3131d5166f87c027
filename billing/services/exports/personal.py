"""All that is kept of a customer, as one JSON object: LGPD, art. 18 (P19).

Amounts are text in BRL with a decimal point, dates ISO 8601. Staff's notes, other people's data and
secrets are not among it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from accounts.models import Account, AuditEvent
from billing.models import (
    Contact,
    Contract,
    CustomerAccess,
    DisputeMessage,
    EmailMessage,
    Invoice,
    NotificationPreference,
    Party,
    Payment,
    SavedMethod,
)
from billing.selectors.customer_invoices import customer_invoices
from billing.selectors.customer_notes import CustomerNote, customer_notes
from billing.selectors.disputes import customer_disputes
from billing.selectors.situations import Situation, situations

Json = dict[str, Any]
_PARTY = {
    "nome": "name", "razao_social": "company_name", "documento": "document",
    "inscricao_estadual": "state_inscription", "inscricao_municipal": "city_inscription",
    "email": "email", "telefone": "phone", "logradouro": "address", "numero": "number",
    "complemento": "complement", "bairro": "district", "cep": "zipcode", "municipio": "city",
    "uf": "state", "pais": "country", "emails_de_cobranca": "billing_contacts",
    "email_da_nfse": "nfse_email", "dia_de_vencimento": "preferred_due_day",
    "cliente_desde": "client_since",
}  # fmt: skip


def everything(account: Account, customer: Party, *, today: date) -> Json:
    """The customer's record and history; a value for each question of the privacy notice."""
    return {
        "gerado_em": today,
        "cadastro": {key: getattr(customer, name) for key, name in _PARTY.items()},
        "contatos": _rows(
            Contact.objects.of(account).filter(party=customer),
            {"nome": "name", "email": "email", "telefone": "phone"},
        ),
        "usuarios": _users(account, customer),
        "avisos": _rows(
            NotificationPreference.objects.of(account).filter(customer=customer),
            {"aviso": "event", "canal": "channel", "ligado": "is_on"},
        ),
        "contratos": _rows(
            Contract.objects.of(account).filter(party=customer, kind=Contract.Kind.SALE),
            {"titulo": "title", "situacao": "status", "inicio": "init_date", "fim": "end_date",
             "cancelado_em": "cancel_date", "motivo": "cancel_reason"},
        ),
        "faturas": _invoices(account, customer, today),
        "pagamentos": _rows(
            Payment.objects.of(account).filter(customer=customer),
            {"fatura": "invoice__number", "forma": "method", "situacao": "state", "valor": "amount",
             "devolvido": "refunded_total", "pago_em": "received_on", "criado_em": "created_at"},
        ),
        "cartoes": _rows(
            SavedMethod.objects.of(account).filter(customer=customer),
            {"bandeira": "brand", "final": "last4", "titular": "holder", "situacao": "state",
             "cadastrado_em": "created_at", "removido_em": "removed_at"},
        ),
        "contestacoes": _disputes(account, customer),
        "emails_enviados": _rows(
            EmailMessage.objects.of(account).filter(customer=customer),
            {"para": "recipient", "assunto": "subject", "situacao": "state",
             "enviado_em": "sent_at", "aberto_em": "opened_at"},
        ),
        "historico_do_cadastro": _rows(
            AuditEvent.objects.of(account).filter(object_type="party",
                                                  object_id=customer.pk),
            {"quando": "at", "quem": "actor_label", "acao": "action", "antes": "before",
             "depois": "after"},
        ),
    }  # fmt: skip


def _rows(rows: Any, names: Mapping[str, str]) -> list[Json]:
    """One object for each row, oldest first; `names` are key → column."""
    found = rows.order_by("pk").values_list(*names.values())
    return [dict(zip(names, values, strict=True)) for values in found.iterator()]


def _users(account: Account, customer: Party) -> list[Json]:
    rows = CustomerAccess.objects.filter(account=account, customer=customer)
    return _rows(
        rows, {"nome": "user__name", "email": "user__email", "papel": "role",
               "ultimo_acesso": "user__last_login"},
    )  # fmt: skip


def _invoices(account: Account, customer: Party, today: date) -> list[Json]:
    rows = list(customer_invoices(account, customer).order_by("pk"))
    found = situations(rows, today=today)
    notes = customer_notes([row.pk for row in rows])
    return [_invoice(row, found[row.pk], notes.get(row.pk, ())) for row in rows]


def _invoice(invoice: Invoice, now: Situation, notes: Any) -> Json:
    return {
        "numero": invoice.label,
        "titulo": invoice.title,
        "emissao": invoice.issue_date,
        "vencimento": now.due_date,
        "valor": invoice.payment_value,
        "em_aberto": now.open_principal,
        "situacao": now.texto,
        "notas": [_note(note) for note in notes],
    }


def _note(note: CustomerNote) -> Json:
    return {
        "tipo": note.kind, "numero": note.number, "chave": note.key, "situacao": note.status,
        "emitida_em": note.issued_at,
    }  # fmt: skip


def _disputes(account: Account, customer: Party) -> list[Json]:
    found = []
    for dispute in customer_disputes(account, customer):
        told = DisputeMessage.objects.filter(dispute=dispute, is_internal=False)
        found.append(
            {
                "protocolo": dispute.protocol,
                "motivo": dispute.get_reason_display(),
                "situacao": dispute.get_state_display(),
                "aberta_em": dispute.opened_at,
                "mensagens": _rows(
                    told, {"quando": "at", "de": "author", "nome": "author_name", "texto": "text"}
                ),
            }
        )
    return found
