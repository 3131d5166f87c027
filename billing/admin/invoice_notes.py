"""The notes of invoices as staff see them: where each stands, why it was refused, how its taxes
were computed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join

from accounts.admin_base import TenantAdmin, TenantInline
from accounts.admin_display import Tone, chip
from accounts.services.audit import Actor
from billing.admin.links import admin_link
from billing.admin.note_batch import NoteBatch
from billing.admin.sections import NOTES
from billing.models import Invoice, InvoiceNote, InvoiceWithholding
from billing.models.invoice_note import NoteStage
from billing.selectors.note_links import pdf_of, xml_of
from billing.services.note_batches import issue_one
from billing.services.note_cancellation import LONGEST, SHORTEST, replace_note
from fiscal.admin.acts import Act, ActForm, ActingScreen, Done
from fiscal.admin.sections import EMIT, ISSUE
from lib.br import date_br
from lib.money import brl

_CHIPS: dict[str, tuple[Tone, str]] = {
    NoteStage.SCHEDULED: ("neutral", "clock"),
    NoteStage.QUEUED: ("info", "clock"),
    NoteStage.SENT: ("info", "half"),
    NoteStage.ISSUED: ("success", "check"),
    NoteStage.REFUSED: ("danger", "alert"),
    NoteStage.CANCELLING: ("info", "clock"),
    NoteStage.CANCELLED: ("neutral", "stop"),
    NoteStage.REPLACED: ("neutral", "back"),
    NoteStage.DROPPED: ("neutral", "stop"),
}
_READY = (NoteStage.SCHEDULED, NoteStage.REFUSED)
_EMITTED = (Invoice.State.TO_RECEIVE, Invoice.State.RECEIVED)


def stage_chip(note: InvoiceNote | None) -> str:
    """Where the note stands; a dash without one."""
    if note is None:
        return "—"
    return chip(*_CHIPS[note.state], note.get_state_display())


def due_text(note: InvoiceNote) -> str:
    """When a scheduled note is issued; one that waits for the receipt says so."""
    if note.state != NoteStage.SCHEDULED:
        return "—"
    if note.due_on is not None:
        return date_br(note.due_on)
    days = note.invoice.days_until_automatic_nfe_emission
    unit = "dia útil" if days == 1 else "dias úteis"
    return f"{days} {unit} após o recebimento"


def file_links(note: InvoiceNote | None) -> str:
    """Links to what was issued: the city's page, PDF, XML."""
    nfse = note.nfse if note is not None else None
    if nfse is None:
        return "—"
    found = {"Página da nota": nfse.city_nfse_url, "PDF": pdf_of(nfse), "XML": xml_of(nfse)}
    links = [(url, name) for name, url in found.items() if url]
    return format_html_join(" · ", '<a href="{}">{}</a>', links) or "—"


def memory_rows(lines: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """What was computed, by which account, result and rule: the rows of the shared table."""
    return [
        (line["tributo"], line["explicacao"], brl(Decimal(line["resultado"])), line["regra"])
        for line in lines
    ]


# --- acts ---------------------------------------------------------------------------------------


class ReasonForm(ActForm):
    motivo = forms.CharField(
        label="Motivo",
        min_length=SHORTEST,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3, "data-min": SHORTEST, "data-max": LONGEST}),
    )


def _may_issue(note: InvoiceNote) -> bool:
    return note.slot == InvoiceNote.CURRENT and note.state in _READY and _is_emitted(note)


def _is_emitted(note: InvoiceNote) -> bool:
    return note.invoice.state in _EMITTED


def _issue(note: InvoiceNote, data: dict[str, Any], actor: Actor) -> Done:
    issue_one(note.invoice_id, account=note.account, actor=actor)
    return Done("A nota voltou para a fila de emissão.")


def _issue_notes(note: InvoiceNote) -> list[str]:
    told = ["A nota é feita dos dados que a fatura, o cliente e o modelo fiscal têm agora."]
    if note.invoice.nfse_template_ref is None:
        told.append("A fatura não tem modelo fiscal. Escolha um pela ação Emitir notas fiscais.")
    if note.error:
        told.append(f"A última recusa foi: {note.error}")
    if note.state == NoteStage.SCHEDULED:
        told.append(f"Estava agendada: {due_text(note)}.")
    return told


def _may_replace(note: InvoiceNote) -> bool:
    is_service = note.service_note_id is not None
    is_current = note.slot == InvoiceNote.CURRENT
    return is_service and is_current and note.state == NoteStage.ISSUED


def _replace(note: InvoiceNote, data: dict[str, Any], actor: Actor) -> Done:
    replace_note(note.invoice_id, account=note.account, actor=actor, reason=data["motivo"])
    return Done("A nota substituta está na fila de emissão.")


def _replace_notes(note: InvoiceNote) -> list[str]:
    return [
        f"Uma nota nova, feita dos dados de agora, toma o lugar da nota {note.number}.",
        "A nota atual vale até a nova ser autorizada. Nem toda prefeitura aceita substituição.",
    ]


_ACTS = (
    Act(
        slug="emitir",
        label="Emitir agora",
        button="Emitir",
        keep="Não emitir",
        right=EMIT,
        fits=_may_issue,
        run=_issue,
        notes=_issue_notes,
    ),
    Act(
        slug="substituir",
        label="Substituir nota",
        button="Substituir",
        keep="Manter a nota",
        right=ISSUE,
        fits=_may_replace,
        run=_replace,
        form=ReasonForm,
        notes=_replace_notes,
        is_danger=True,
    ),
)


@admin.register(InvoiceNote)
class InvoiceNoteAdmin(NoteBatch, ActingScreen):
    """Every note that an invoice asked for, with the reason where it was refused."""

    section = NOTES
    acts = _ACTS
    actions = ("issue_notes",)
    change_form_template = "admin/billing/invoicenote/change_form.html"
    list_display = ("invoice", "kind", "situation", "note_number", "due", "error", "created_at")
    list_filter = ("state", "kind")
    list_select_related = ("invoice__series", "service_note", "document")
    search_fields = ("=service_note__number", "invoice__fold", "=invoice__number")
    search_help_text = "Número da nota, número da fatura ou cliente"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "invoice",
                    "situation",
                    "error",
                    "kind",
                    "note_number",
                    "links",
                    "fiscal_row",
                    "nfse",
                    "reference",
                    "generation",
                    "replaces",
                    "reason",
                    "due",
                    "next_attempt_at",
                    "attempts",
                )
            },
        ),
        ("Registro", {"fields": ("created_at", "updated_at")}),
    )

    def standing(self, row: Any) -> str:
        return str(row.state)

    def standing_label(self, row: Any) -> str:
        return str(row.get_state_display())

    @admin.display(description="situação", ordering="state")
    def situation(self, note: InvoiceNote) -> str:
        return stage_chip(note)

    @admin.display(description="número da nota", ordering="service_note__number")
    def note_number(self, note: InvoiceNote) -> str:
        return note.number or "—"

    @admin.display(description="emitir em", ordering="due_on")
    def due(self, note: InvoiceNote) -> str:
        return due_text(note)

    @admin.display(description="arquivos")
    def links(self, note: InvoiceNote) -> str:
        return file_links(note)

    @admin.display(description="documento fiscal")
    def fiscal_row(self, note: InvoiceNote) -> str:
        return fiscal_link(note)

    @admin.display(description="referência")
    def reference(self, note: InvoiceNote) -> str:
        return note.ref

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        note = kwargs.get("obj")
        if note is not None:
            title = f"{note.get_kind_display()} da fatura {note.invoice.label}"
            context |= {"memory": memory_rows(note.memory), "title": title, "subtitle": None}
        return super().render_change_form(request, context, *args, **kwargs)


def fiscal_link(note: InvoiceNote) -> str:
    """To fiscal's own page of it, where it has one."""
    row = note.service_note or note.document
    if row is None or type(row) not in admin.site._registry:
        return str(row) if row is not None else "—"
    return admin_link(row)


class InvoiceNoteInline(TenantInline):
    model = InvoiceNote
    fk_name = "invoice"
    fields = ("kind", "situation", "number_shown", "links", "due", "error")
    ordering = ("-generation",)
    verbose_name_plural = "Notas fiscais"
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("invoice", "service_note", "document", "nfse")
        )

    @admin.display(description="situação")
    def situation(self, note: InvoiceNote) -> str:
        return stage_chip(note)

    @admin.display(description="número")
    def number_shown(self, note: InvoiceNote) -> str:
        return note.number or "—"

    @admin.display(description="emitir em", ordering="due_on")
    def due(self, note: InvoiceNote) -> str:
        return due_text(note)

    @admin.display(description="arquivos")
    def links(self, note: InvoiceNote) -> str:
        return file_links(note)


class WithholdingInline(TenantInline):
    model = InvoiceWithholding
    fields = ("tax", "base", "rate", "withheld", "explanation")
    ordering = ("pk",)
    verbose_name_plural = "Retenções na fonte"


@admin.register(InvoiceWithholding)
class InvoiceWithholdingAdmin(TenantAdmin):
    tenant_path = "invoice__account"
    secondary = True
    list_display = ("invoice", "tax", "base", "rate", "withheld", "month")
    list_select_related = ("invoice__series",)
    list_filter = ("tax",)
    ordering = ("-pk",)
    fields = ("invoice", "tax", "month", "amount", "base", "rate", "withheld", "explanation")
