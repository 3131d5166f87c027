"""Documents: found, looked at from their first moment on, and acted on (ux B13)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator

from accounts.admin_trail import signed_in
from fiscal.admin import document_story
from fiscal.admin.acts import Act, ActingScreen
from fiscal.admin.chips import document_chips
from fiscal.admin.columns import MODELS
from fiscal.admin.document_acts import ACTS, ASKED, UNSENT, is_printable
from fiscal.admin.document_batch import BatchPage
from fiscal.admin.document_files import FilesPage
from fiscal.admin.document_lists import (
    BoundedList,
    BoundedPaginator,
    CompanyFilter,
    ContingencyFilter,
    EnvironmentFilter,
    ModelFilter,
    PeriodFilter,
    StateFilter,
    companies_in_sight,
    search,
)
from fiscal.admin.outlook import Outlook
from fiscal.admin.queue_page import QueuePage
from fiscal.admin.sections import ISSUE, ISSUING, SETUP, may
from fiscal.models import Archive, FiscalDocument, State
from lib import clock
from lib.templatetags.br import EMPTY, chave, data_hora, documento

NAME_SHOWN = 34  # characters of a recipient's name in the list


@admin.register(FiscalDocument)
class FiscalDocumentAdmin(FilesPage, BatchPage, QueuePage, ActingScreen):
    section = ISSUING
    acts: ClassVar[tuple[Act, ...]] = ACTS
    paginator = BoundedPaginator
    change_form_template = "admin/fiscal/fiscaldocument/change_form.html"
    change_list_template = "admin/fiscal/fiscaldocument/change_list.html"
    list_display = ("label", "situation", "parties", "total", "dh_emi", "next_act")
    list_filter = (
        StateFilter, ModelFilter, CompanyFilter, EnvironmentFilter, ContingencyFilter, PeriodFilter,
    )  # fmt: skip
    list_select_related = ("company",)
    search_fields = ("=chave",)  # shows the box; get_search_results searches
    search_help_text = (
        "Chave, número ou referência por inteiro; ou destinatário (nome, CNPJ ou CPF) dos últimos "
        "90 dias, ou do período escolhido"
    )
    actions = ("nudge_chosen",)
    fieldsets = (
        (
            None,
            {"fields": ("company", "kind", "ref", "number", "key", "situation", "environment",
                        "dh_emi", "total", "recipient", "substitutes")},
        ),
        (
            "Autoridade",
            {"fields": ("protocolo", "authorized_at", "code", "reason", "warnings",
                        "recibo")},
        ),
        (
            "Contingência",
            {"fields": ("tp_emis", "dh_cont", "x_just", "is_effected")},
        ),
        (
            "Registro",
            {"classes": ("collapse",),
             "fields": ("n_attempts", "next_attempt_at", "is_imported", "payload", "created_at",
                        "updated_at")},
        ),
    )  # fmt: skip

    # --- the list -----------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[FiscalDocument]:
        rows: QuerySet[FiscalDocument] = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        return rows.defer("payload", "notes") if is_list else rows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedList

    def get_ordering(self, request: HttpRequest) -> Any:
        # Each order has an index behind it: of the account's rows, or of everybody's.
        everybody = signed_in(request).is_superuser and not request.GET.get("conta")
        return ["-pk"] if everybody else ["-created_at", "-pk"]

    def get_sortable_by(self, request: HttpRequest) -> Any:
        return ()  # no other order has an index

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        companies = companies_in_sight(request, self)
        has_period = bool(request.GET.get(PeriodFilter.parameter_name))
        found = search(queryset, search_term, companies=companies, has_period=has_period)
        return found, False

    @admin.display(description="documento")
    def label(self, document: FiscalDocument) -> str:
        kind = MODELS.get(document.modelo, str(document.modelo))
        number = f" {document.serie}/{document.numero}" if document.numero else ""
        return format_html("{}{}<br><small>{}</small>", kind, number, document.ref)

    @admin.display(description="emitente e destinatário")
    def parties(self, document: FiscalDocument) -> str:
        name = Truncator(document.recipient_name or "").chars(NAME_SHOWN)
        return format_html(
            "{}<br><small>{}</small>",
            document.company.nome,
            name or document.recipient_document or "Sem destinatário",
        )

    @admin.display(description="destinatário")
    def recipient(self, document: FiscalDocument) -> str:
        if not document.recipient_name and not document.recipient_document:
            return EMPTY
        number = documento(document.recipient_document) if document.recipient_document else ""
        return format_html("{}<br><small>{}</small>", document.recipient_name or EMPTY, number)

    @admin.display(description="próxima ação")
    def next_act(self, document: FiscalDocument) -> str:
        when = data_hora(document.next_attempt_at)
        if not document.n_attempts:
            return when
        return format_html("{}<br><small>{} envio(s)</small>", when, document.n_attempts)

    @admin.display(description="situação")
    def situation(self, document: FiscalDocument) -> str:
        return format_html_join(" ", "{}", ((one,) for one in document_chips(document)))

    # --- the page -----------------------------------------------------------------------------

    def standing(self, row: FiscalDocument) -> str:
        return str(row.state)

    def standing_label(self, row: FiscalDocument) -> str:
        return str(FiscalDocument.objects.get(pk=row.pk).get_state_display())

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        found = super().get_fieldsets(request, obj)
        if obj is not None and obj.tp_emis == 1 and not obj.dh_cont:
            return [one for one in found if one[0] != "Contingência"]
        return found

    @admin.display(description="tipo")
    def kind(self, document: FiscalDocument) -> str:
        return MODELS.get(document.modelo, str(document.modelo))

    @admin.display(description="série e número")
    def number(self, document: FiscalDocument) -> str:
        return f"{document.serie} / {document.numero}" if document.numero else EMPTY

    @admin.display(description="chave")
    def key(self, document: FiscalDocument) -> str:
        return chave(document.chave)

    @admin.display(description="ambiente")
    def environment(self, document: FiscalDocument) -> str:
        return "Produção" if document.ambiente == "producao" else "Homologação (sem valor fiscal)"

    @admin.display(description="código da resposta (cStat)")
    def code(self, document: FiscalDocument) -> str:
        return document.c_stat or EMPTY

    @admin.display(description="resposta (xMotivo)")
    def reason(self, document: FiscalDocument) -> str:
        return document.x_motivo or EMPTY

    @admin.display(description="avisos")
    def warnings(self, document: FiscalDocument) -> str:
        lines = [(one.get("campo") or one.get("codigo") or "", one.get("mensagem", ""))
                 for one in document.notes]  # fmt: skip
        return format_html_join("", "{} {}<br>", lines) or EMPTY

    @admin.display(description="substituição")
    def substitutes(self, document: FiscalDocument) -> str:
        links = []
        if document.superseded_by_id:
            links.append(("Substituído por", self.page_url(document.superseded_by), "outro"))
        earlier = FiscalDocument.objects.filter(superseded_by=document).only("pk", "chave", "ref")
        links += [("Tomou o lugar de", self.page_url(row), str(row)) for row in earlier]
        return format_html_join("", '{} <a href="{}">{}</a><br>', links) or EMPTY

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        document = kwargs.get("obj")
        if document is not None:
            number = f"nº {document.numero}, série {document.serie}" if document.numero else ""
            kind = self.kind(document)
            context |= self._told(request, document)
            context |= {"title": f"{kind} {number or document.ref}".strip(), "subtitle": None}
            context["chips"] = document_chips(document)
        return super().render_change_form(request, context, *args, **kwargs)

    def _told(self, request: HttpRequest, document: FiscalDocument) -> dict[str, Any]:
        now = clock.now()
        sees_setup = may(request, document.account_id, SETUP)
        waits = document.state in (*ASKED, *UNSENT)
        outlook = Outlook([document.company], now=now) if waits else None
        reasons = (
            outlook.reasons(document.company, ambiente=document.ambiente, modelo=document.modelo)
            if outlook
            else []
        )
        advice = document_story.advice(document, reasons, now=now)
        return {
            "steps": document_story.steps(document, sees_setup=sees_setup),
            "reasons": reasons,
            "advice": advice,
            "button": self._button(request, document, advice),
            "act_in_box": advice.act if advice else "",
            "files": self._files(document),
            "is_printable": is_printable(document),
            "void_url": self._void_url(request, document),
        }

    def _button(
        self, request: HttpRequest, document: FiscalDocument, advice: document_story.Advice | None
    ) -> tuple[str, str] | None:
        """Label and address of the one thing to do, if this person may do it."""
        if advice is None:
            return None
        if advice.opens == "empresa" and may(request, document.account_id, SETUP):
            url = reverse("admin:fiscal_company_change", args=(document.company_id,))
            return ("Abrir emitente", url)
        found = next((a for a in self.open_acts(request, document) if a.slug == advice.act), None)
        return (found.label, self.act_url(document, found.slug)) if found else None

    def _files(self, document: FiscalDocument) -> list[Archive]:
        rows = document.archives.only("pk", "name", "kind", "size", "created_at").order_by("-id")
        return list(rows[: document_story.MOST])

    def _void_url(self, request: HttpRequest, document: FiscalDocument) -> str:
        """A refused document that will not be corrected lets its number go."""
        if document.state != State.REJEITADO or not document.numero:
            return ""
        if not may(request, document.account_id, ISSUE):
            return ""
        url = reverse("admin:fiscal_inutilizacao_void")
        query = f"empresa={document.company_id}&ambiente={document.ambiente}"
        query += f"&modelo={document.modelo}&serie={document.serie}"
        return f"{url}?{query}&inicial={document.numero}&final={document.numero}"
