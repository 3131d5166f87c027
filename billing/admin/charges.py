"""What boletos are issued with, and the charges that receivables have."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count

from accounts.access import Capability
from accounts.admin_base import TenantAdmin, TenantForm
from accounts.services.audit import Actor
from billing.admin.sections import COLLECTION
from billing.models import BankAgreement, Charge, GatewayAccount, NossoNumeroRange
from billing.services.bank_files import remessa
from billing.services.bank_files.titles import layout_of
from fiscal.admin.acts import Act, ActingScreen, Done
from fiscal.admin.sections import Right
from lib.money import brl

OTHER_ORGANIZATION = "A conta em provedor é de outra organização."


class BankAgreementForm(TenantForm):
    """Numbers as the bank takes them (the model's own check), and a provider that may be used."""

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        gateway = data.get("gateway")
        bank = data.get("financial_account") or getattr(self.instance, "financial_account", None)
        owner = getattr(gateway, "organization_id", None)  # None: good for all
        if owner is not None and bank is not None and owner != bank.organization_id:
            self.add_error("gateway", OTHER_ORGANIZATION)
        return data


def _may_generate(agreement: BankAgreement) -> bool:
    return layout_of(agreement) is not None and remessa.waiting(agreement).exists()


def _generate(agreement: BankAgreement, data: dict[str, Any], actor: Actor) -> Done:
    file = remessa.generate(agreement.pk, account=agreement.account, actor=actor)
    n = file.records.count()
    left = f" {len(file.faults)} boleto(s) ficaram de fora: veja os avisos." if file.faults else ""
    text = (
        f"Remessa {file.sequence} gerada com {n} título(s), {brl(file.declared_total or 0)}.{left} "
        "Baixe-a em Arquivos CNAB e, depois de enviá-la ao banco, marque-a como enviada."
    )
    return Done(text, is_good=not file.faults)


def _what_waits(agreement: BankAgreement) -> list[str]:
    """How many, what for, and the first of them (ux §1.3)."""
    rows = remessa.waiting(agreement)
    orders = rows.values_list("instruction").annotate(n=Count("id")).order_by("instruction")
    first = [f"{one}, {brl(one.amount)}" for one in rows[:SHOWN]]
    n = rows.count()
    more = [f"… e mais {n - SHOWN}."] if n > SHOWN else []
    return [f"{_ORDERS.get(name, name)}: {count}" for name, count in orders] + first + more


SHOWN = 10
_ORDERS = {"entry": "Entradas", "write_off": "Pedidos de baixa", "change": "Alterações"}
AGREEMENT_ACTS = (
    Act(
        "remessa", "Gerar remessa", "Gerar remessa", "Ainda não", Right(Capability.CNAB),
        _may_generate, _generate, notes=_what_waits,
    ),
)  # fmt: skip


@admin.register(BankAgreement)
class BankAgreementAdmin(ActingScreen):
    """The numbers of boletos already issued do not change with it."""

    acts = AGREEMENT_ACTS
    change_form_template = "admin/fiscal/acting_form.html"
    section = COLLECTION
    form = BankAgreementForm
    may_add = True
    only_on_add = ("financial_account",)
    list_display = (
        "__str__",
        "registration",
        "carteira",
        "limit_days",
        "next_file",
        "is_active",
    )
    list_filter = ("registration", "is_active")
    list_select_related = ("financial_account",)
    search_fields = ("code",)
    ordering = ("pk",)
    editable = (
        "code",
        "agency",
        "agency_dv",
        "account_number",
        "account_dv",
        "carteira",
        "variation",
        "modality",
        "post",
        "has_free_number",
        "species",
        "registration",
        "gateway",
        "limit_days",
        "registers_daily_interest",
        "protest_days",
        "is_active",
    )
    fields = ("financial_account", *editable, "next_file", "created_at")

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "gateway":
            # Also for who may not open the screen of the accounts with providers.
            field.queryset = GatewayAccount.objects.filter(
                provider=GatewayAccount.Provider.BOLETO,
                account__in=self.visible_accounts(request, write=True),
            )
        return field


@admin.register(NossoNumeroRange)
class NossoNumeroRangeAdmin(TenantAdmin):
    """Counted by the boletos themselves: for reading only (BO-2)."""

    secondary = True
    list_display = ("agreement", "series", "next_number")
    list_select_related = ("agreement__financial_account",)
    ordering = ("-pk",)
    fields = ("agreement", "series", "next_number")


@admin.register(Charge)
class ChargeAdmin(TenantAdmin):
    """Boletos and Pix as they stand; acts upon them belong to their invoice."""

    section = COLLECTION
    list_display = (
        "__str__",
        "receivable",
        "state",
        "amount",
        "due_date",
        "instruction",
        "attempts",
        "reason",
    )
    list_filter = ("kind", "state", "instruction")
    list_select_related = ("receivable__invoice__series",)
    search_fields = ("nosso_numero", "document_number", "linha_digitavel", "txid")
    ordering = ("-pk",)
    fields = (
        "receivable",
        "kind",
        "state",
        "reason",
        "agreement",
        "gateway",
        "amount",
        "principal",
        "fine",
        "interest",
        "issued_on",
        "due_date",
        "limit_date",
        "instructions",
        "document_number",
        "nosso_numero_printed",
        "linha_digitavel",
        "txid",
        "brcode",
        "instruction",
        "replaces",
        "attempts",
        "next_attempt_at",
        "created_at",
        "registered_at",
        "closed_at",
    )
