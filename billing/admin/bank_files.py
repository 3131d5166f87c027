"""Bank files: remessas to take to the bank, retornos that came from it, and their lines (B17)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join

from accounts.access import Capability
from accounts.admin_trail import actor_in
from accounts.models import Account, User
from accounts.services.audit import Actor
from billing.admin.bank_lines import LINE_ACTS
from billing.admin.links import list_link
from billing.admin.sections import COLLECTION
from billing.models import CnabFile, CnabRecord
from billing.services.bank_files import applying, remessa, retorno
from billing.services.bank_files.report import report
from billing.services.bank_files.results import MONEY
from billing.services.bank_files.retorno import MAX_BYTES, TOO_BIG, receive
from fiscal.admin.acts import Act, ActForm, ActingScreen, Done
from fiscal.admin.sections import Right
from lib.errors import DomainError
from lib.money import brl

CNAB = Right(Capability.CNAB)
_State, _Direction = CnabFile.State, CnabFile.Direction


class UploadForm(forms.Form):
    """A retorno, and whose it is."""

    account = forms.ModelChoiceField(
        label="Conta", queryset=Account.objects.none(), empty_label=None
    )
    file = forms.FileField(label="Arquivo de retorno")

    def __init__(self, *args: Any, accounts: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]
        if len(accounts) == 1:
            self.fields["account"].initial = accounts[0]
            self.fields["account"].widget = forms.HiddenInput()

    def clean_file(self) -> Any:
        given = self.cleaned_data["file"]
        if given.size > MAX_BYTES:
            raise forms.ValidationError(TOO_BIG)
        return given


def _may_discard(file: CnabFile) -> bool:
    return file.state in (_State.GENERATED, _State.READ)


def _is_generated(file: CnabFile) -> bool:
    return file.direction == _Direction.REMESSA and file.state == _State.GENERATED


def _send(file: CnabFile, data: dict[str, Any], actor: Actor) -> Done:
    remessa.mark_sent(file.pk, account=file.account, actor=actor)
    return Done("Remessa marcada como enviada.")


def _discard(file: CnabFile, data: dict[str, Any], actor: Actor) -> Done:
    if file.direction == _Direction.RETORNO:
        retorno.discard(file.pk, account=file.account, actor=actor)
        return Done("Retorno descartado; nada dele foi aplicado.")
    remessa.discard(file.pk, account=file.account, actor=actor)
    return Done("Remessa descartada; os boletos dela vão na próxima.")


def _apply(file: CnabFile, data: dict[str, Any], actor: Actor) -> Done:
    user = User.objects.filter(pk=actor.id).first() if actor.id is not None else None
    applying.start(file.pk, account=file.account, user=user, confirmed=True)
    return Done("A aplicação foi para a fila; acompanhe em Tarefas.")


def _apply_notes(file: CnabFile) -> list[str]:
    rows = applying.applicable(file).filter(result__in=MONEY)
    total = sum(rows.values_list("paid", flat=True))
    told = [f"Aplicar {rows.count()} baixas ({brl(total)})."]
    waiting = report(file)["waiting"]
    if waiting:
        told.append(f"{waiting} linha(s) esperam uma decisão e ficam na fila.")
    return told + [str(fault["text"]) for fault in file.faults]


ACTS = (
    Act(
        "enviada", "Marcar como enviada", "Marcar como enviada", "Ainda não", CNAB,
        _is_generated, _send,
    ),
    Act(
        "descartar", "Descartar", "Descartar arquivo", "Manter arquivo", CNAB, _may_discard,
        _discard, is_danger=True,
    ),
    Act(
        "aplicar", "Aplicar", "Aplicar", "Ainda não", CNAB, applying.may_start, _apply,
        form=ActForm, notes=_apply_notes,
    ),
)  # fmt: skip


@admin.register(CnabFile)
class CnabFileAdmin(ActingScreen):
    section = COLLECTION
    acts = ACTS
    change_form_template = "admin/fiscal/acting_form.html"
    may_add = True
    list_display = ("filename", "direction", "agreement", "sequence", "state", "created_at")
    list_filter = ("direction", "state")
    list_select_related = ("agreement__financial_account",)
    search_fields = ("filename",)
    ordering = ("-pk",)
    fields = (
        "direction", "agreement", "layout", "sequence", "state", "bytes_link", "records_link",
        "totals", "declared_total", "told_faults", "sha256", "recorded_by", "created_at",
        "closed_at",
    )  # fmt: skip

    def standing(self, row: Any) -> str:
        return str(row.state)

    def standing_label(self, row: Any) -> str:
        return str(row.get_state_display())

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("content")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.content_view)
        return [
            path("<path:object_id>/arquivo/", view, name="billing_cnabfile_content"),
            *super().get_urls(),
        ]

    def content_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The bytes, as they were generated or received."""
        file: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, file):
            raise PermissionDenied
        name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in str(file))
        response = HttpResponse(bytes(file.content), content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def add_view(self, request: Any, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Sending a retorno: read at once, with nothing done; its page shows what it would do."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        accounts = self.visible_accounts(request, write=True)
        form = UploadForm(request.POST or None, request.FILES or None, accounts=accounts)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data["file"]
            try:
                file = receive(
                    given.read(), filename=given.name, account=form.cleaned_data["account"],
                    actor=actor_in(request),
                )  # fmt: skip
            except DomainError as error:
                form.add_error("file", error.mensagem)
            else:
                messages.success(request, "Arquivo lido. Nada foi aplicado ainda.")
                return redirect(self.page_url(file))
        return self._upload_page(request, form)

    def _upload_page(self, request: HttpRequest, form: UploadForm) -> HttpResponse:
        listed = reverse("admin:billing_cnabfile_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": "Enviar arquivo de retorno",
            "opts": self.opts,
            "act": {"button": "Ler arquivo", "keep": "Voltar", "is_danger": False},
            "notes": ["O arquivo é lido e mostrado linha a linha; aplicar é o passo seguinte."],
            "form": form,
            "back_url": listed,
            "list_url": listed,
        }
        return TemplateResponse(request, "admin/fiscal/confirmar.html", context)

    @admin.display(description="arquivo")
    def bytes_link(self, file: CnabFile) -> str:
        url = reverse("admin:billing_cnabfile_content", args=[file.pk])
        return format_html('<a href="{}">Baixar {}</a>', url, file.filename)

    @admin.display(description="linhas")
    def records_link(self, file: CnabFile) -> str:
        return list_link(CnabRecord, "Ver linha a linha", file__id__exact=file.pk)

    @admin.display(description="por resultado")
    def totals(self, file: CnabFile) -> str:
        rows = report(file)["results"]
        return format_html_join("; ", "{}: {}", ((row["label"], row["records"]) for row in rows))

    @admin.display(description="avisos")
    def told_faults(self, file: CnabFile) -> str:
        return format_html_join(" ", "{}", ((fault["text"],) for fault in file.faults)) or "—"


@admin.register(CnabRecord)
class CnabRecordAdmin(ActingScreen):
    """The lines of a file; of those that found no boleto a person says whose they are."""

    acts = LINE_ACTS
    change_form_template = "admin/fiscal/acting_form.html"
    secondary = True
    list_display = (
        "line", "nosso_numero", "payer", "due_date", "value", "paid", "credited_on", "result",
        "message", "resolution", "applied_at",
    )  # fmt: skip
    list_filter = ("result", "resolution")
    search_fields = ("nosso_numero", "document_number", "payer")
    ordering = ("-file", "line")
    fields = (
        "file", "line", "result", "message", "occurrence", "reasons", "nosso_numero",
        "document_number", "company_use", "payer", "due_date", "value", "paid", "credited", "fee",
        "additions", "discount", "occurred_on", "credited_on", "charge", "payment", "resolution",
        "receivable", "customer", "note", "applied_at", "key",
    )  # fmt: skip

    def standing(self, row: Any) -> str:
        return f"{row.result}:{row.resolution}:{bool(row.applied_at)}"

    def standing_label(self, row: Any) -> str:
        return str(row.get_resolution_display() if row.resolution else row.get_result_display())
