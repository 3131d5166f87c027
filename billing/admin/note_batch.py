"""Issuing the notes of many invoices, confirmed on a page (ux §1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.html import format_html

from accounts.admin_base import TenantAdmin
from accounts.admin_trail import signed_in
from accounts.models import Account
from billing.admin.links import admin_link
from billing.models import Invoice, InvoiceNote, NfseTemplate
from billing.services.note_batches import issuable, start_batch
from fiscal.admin.batches import Batch, batch_page, is_confirmed
from fiscal.admin.sections import EMIT, accounts_acting, may
from lib.errors import DomainError
from lib.money import brl

AT_ONCE = 5_000  # invoices of one choice
NONE = "Nenhuma das faturas escolhidas tem nota a emitir."
SKIPPED = "não foram emitidas, ou a nota delas já foi emitida ou está em processamento."
ABOUT = (
    "A emissão roda em segundo plano; acompanhe em Tarefas. Uma nota emitida só sai por "
    "cancelamento ou substituição.",
)
WITHOUT_TEMPLATE = (
    "{} sem modelo fiscal. O modelo escolhido aqui vale para elas; as parcelas já emitidas não "
    "mudam, mesmo que ele retenha tributos."
)
LEFT_OUT = "{} fatura(s) sem modelo fiscal ficaram de fora: escolha um modelo para elas."


class TemplateForm(forms.Form):
    """The fiscal template of the invoices that have none."""

    modelo = forms.ModelChoiceField(
        NfseTemplate.objects.none(),
        label="Modelo fiscal das faturas sem modelo",
        required=False,
        empty_label="Deixar essas faturas de fora",
    )

    def __init__(self, rows: Sequence[Invoice], data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        self.fields["modelo"].queryset = NfseTemplate.objects.filter(  # type: ignore[attr-defined]
            organization__in={row.organization_id for row in rows}
        ).order_by("name")
        self.fields["modelo"].help_text = WITHOUT_TEMPLATE.format(len(rows))


class NoteBatch(TenantAdmin):
    """Part of the screens of invoices and of their notes."""

    def has_notes_permission(self, request: HttpRequest) -> bool:
        accounts = accounts_acting(request, EMIT)
        return accounts is None or bool(accounts)

    @admin.action(description="Emitir notas fiscais", permissions=["notes"])
    def issue_notes(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        """One job for each account among the chosen ones, once confirmed."""
        rows = _invoices(chosen)
        waiting = _issuable(request, rows)
        bare = _without_template(waiting)
        form = TemplateForm(bare, request.POST if is_confirmed(request) else None) if bare else None
        if not is_confirmed(request) or (form is not None and not form.is_valid()):
            # The ids of the list's own rows: a note's list posts notes.
            ids = list(chosen.values_list("pk", flat=True)[:AT_ONCE])
            return batch_page(self, request, _batch(waiting), chosen=ids, form=form)
        template = form.cleaned_data["modelo"] if form is not None else None
        _start(request, waiting, bare, template)
        return None


def _start(
    request: HttpRequest,
    waiting: Sequence[Invoice],
    bare: Sequence[Invoice],
    template: NfseTemplate | None,
) -> None:
    """Queue the jobs and tell of each; what has no template, not even now, is left out."""
    fits = template.organization_id if template is not None else None
    left = {row.pk for row in bare if row.organization_id != fits}
    ready = [row for row in waiting if row.pk not in left]
    for account in {row.account_id: row.account for row in ready}.values():
        mine = [row.pk for row in ready if row.account_id == account.pk]
        try:
            job = start_batch(account, mine, user=signed_in(request), template=template)
        except DomainError as error:  # somebody else was quicker
            messages.error(request, error.mensagem)
            continue
        text = format_html("Emissão de {} nota(s): {}.", len(mine), admin_link(job))
        messages.success(request, text)
    if left:
        messages.warning(request, LEFT_OUT.format(len(left)))
    elif not ready:
        messages.warning(request, NONE)


def _invoices(chosen: QuerySet[Any]) -> list[Invoice]:
    """The chosen invoices, or those of the chosen notes, each once."""
    if chosen.model is InvoiceNote:
        ids = chosen.order_by().values_list("invoice_id", flat=True)[:AT_ONCE]
        chosen = Invoice.objects.filter(pk__in=list(ids)).order_by("-pk")
    return list(chosen.select_related("account", "customer", "series")[:AT_ONCE])


def _batch(waiting: Sequence[Invoice]) -> Batch:
    total = brl(sum((row.gross_value for row in waiting), Decimal("0.00")))
    return Batch(
        action="issue_notes",
        title="Emitir notas fiscais",
        button=f"Emitir {len(waiting)} nota(s)",
        headline=f"{len(waiting)} nota(s), {total}",
        lines=[f"{row.label} · {row.customer} · {brl(row.gross_value)}" for row in waiting],
        none=NONE,
        skipped=SKIPPED,
        about=ABOUT,
    )


def _without_template(rows: Sequence[Invoice]) -> list[Invoice]:
    """Those that name no template, or one that is there no more."""
    named = {row.nfse_template_ref for row in rows if row.nfse_template_ref is not None}
    there = set(NfseTemplate.objects.filter(pk__in=named).values_list("account_id", "pk"))
    return [row for row in rows if (row.account_id, row.nfse_template_ref) not in there]


def _issuable(request: HttpRequest, rows: Sequence[Invoice]) -> list[Invoice]:
    """Those whose note may be issued, in accounts where the person may do that."""
    accounts: dict[int, Account] = {row.account_id: row.account for row in rows}
    found: set[int] = set()
    for account_id, account in accounts.items():
        if may(request, account_id, EMIT):
            mine = [row.pk for row in rows if row.account_id == account_id]
            found.update(issuable(account, mine).values_list("pk", flat=True))
    return [row for row in rows if row.pk in found]
