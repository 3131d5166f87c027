"""What a person decides about a line of a retorno that found no boleto (B17, step 2)."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.access import Capability
from accounts.services.audit import Actor
from billing.models import CnabRecord
from billing.selectors.parcels import customer_named, parcel_named, suggestions
from billing.services.bank_files import resolving
from fiscal.admin.acts import Act, ActForm, Done
from fiscal.admin.sections import Right
from lib.money import brl

CNAB = Right(Capability.CNAB)
NEXT = "Aplique o arquivo para lançar."


def _note(*, required: bool) -> forms.CharField:
    label = "Motivo" if required else "Observação"
    return forms.CharField(label=label, required=required, max_length=500)


class LinkForm(ActForm):
    fatura = forms.CharField(
        label="Número da fatura", max_length=100, help_text="De uma parcela: 01234-2"
    )
    observacao = _note(required=False)


class CreditForm(ActForm):
    documento = forms.CharField(label="CPF ou CNPJ do cliente", max_length=20)
    observacao = _note(required=False)


class IgnoreForm(ActForm):
    motivo = _note(required=True)


def _is_money(line: CnabRecord) -> bool:
    return resolving.waits(line) and line.paid > 0


def _link(line: CnabRecord, data: dict[str, Any], actor: Actor) -> Done:
    parcel = parcel_named(line.account, data["fatura"])
    resolving.link(
        line.pk, account=line.account, actor=actor, receivable_id=parcel.pk,
        note=data["observacao"],
    )  # fmt: skip
    return Done(f"Linha vinculada à fatura {parcel.invoice.label}. {NEXT}")


def _credit(line: CnabRecord, data: dict[str, Any], actor: Actor) -> Done:
    customer = customer_named(line.account, data["documento"])
    resolving.credit(
        line.pk, account=line.account, actor=actor, customer_id=customer.pk,
        note=data["observacao"],
    )  # fmt: skip
    return Done(f"O valor será crédito de {customer.name}. {NEXT}")


def _ignore(line: CnabRecord, data: dict[str, Any], actor: Actor) -> Done:
    resolving.ignore(line.pk, account=line.account, actor=actor, note=data["motivo"])
    return Done("Linha ignorada; nada será feito com ela.")


def _told(line: CnabRecord) -> list[str]:
    payer = f" de {line.payer}" if line.payer else ""
    return [
        f"{line.message} Pago {brl(line.paid)}{payer}.",
        *(suggestions(line.account, line.paid) if line.paid else ()),
    ]


LINE_ACTS = (
    Act(
        "vincular", "Vincular fatura…", "Vincular à fatura", "Ainda não", CNAB, _is_money, _link,
        form=LinkForm, notes=_told,
    ),
    Act(
        "creditar", "Gerar crédito", "Gerar crédito", "Ainda não", CNAB, _is_money, _credit,
        form=CreditForm, notes=_told,
    ),
    Act(
        "ignorar", "Ignorar", "Ignorar a linha", "Ainda não", CNAB, resolving.waits, _ignore,
        form=IgnoreForm, notes=_told, is_danger=True,
    ),
)  # fmt: skip
