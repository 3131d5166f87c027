"""Service notes: found, looked at from their first moment on, and acted on (ux B13)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator

from accounts.admin_trail import signed_in
from fiscal.admin import service_note_story as story
from fiscal.admin.acts import Act, ActingScreen
from fiscal.admin.document_lists import (
    BoundedList,
    BoundedPaginator,
    CompanyFilter,
    EnvironmentFilter,
    PeriodFilter,
    companies_in_sight,
)
from fiscal.admin.document_story import MOST, Advice
from fiscal.admin.documents import NAME_SHOWN
from fiscal.admin.sections import ISSUING, SETUP, may
from fiscal.admin.service_note_acts import ACTS
from fiscal.admin.service_note_batch import NoteBatchPage
from fiscal.admin.service_note_lists import CityFilter, NoteStateFilter, TypeFilter, search
from fiscal.api.danfe import pdf_response
from fiscal.api.files import xml_response
from fiscal.models import Archive, ServiceNote
from fiscal.selectors.service_notes import last_file
from fiscal.services import nfse_printing
from fiscal.tables import places
from lib import clock
from lib.errors import DomainError
from lib.templatetags.br import EMPTY, data_hora, documento


@admin.register(ServiceNote)
class ServiceNoteAdmin(NoteBatchPage, ActingScreen):
    section = ISSUING
    acts: ClassVar[tuple[Act, ...]] = ACTS
    paginator = BoundedPaginator
    change_form_template = "admin/fiscal/servicenote/change_form.html"
    change_list_template = "admin/fiscal/servicenote/change_list.html"
    list_display = ("label", "situation", "parties", "total", "issued", "next_act")
    list_filter = (
        NoteStateFilter, TypeFilter, CompanyFilter, EnvironmentFilter, CityFilter, PeriodFilter,
    )  # fmt: skip
    list_select_related = ("company",)
    search_fields = ("=number",)  # shows the box; get_search_results searches
    search_help_text = (
        "Chave, número da nota ou do RPS, ou referência por inteiro; ou tomador (nome, CNPJ ou "
        "CPF) dos últimos 90 dias, ou do período escolhido"
    )
    actions = ("nudge_chosen", "reissue_chosen", "download_chosen")
    fieldsets = (
        (
            None,
            {"fields": ("company", "kind", "ref", "number", "code", "situation", "environment",
                        "city", "issued_at", "page", "total", "taker", "replacement")},
        ),
        (
            "Declaração (RPS ou DPS)",
            {"fields": ("declaration", "sent_id", "competence", "dh_emi", "protocol",
                        "provider")},
        ),
        (
            "Última resposta",
            {"fields": ("last_code", "last_message", "warnings")},
        ),
        (
            "Registro",
            {"classes": ("collapse",),
             "fields": ("n_attempts", "next_attempt_at", "payload", "created_at", "updated_at")},
        ),
    )  # fmt: skip

    # --- the list -----------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceNote]:
        rows: QuerySet[ServiceNote] = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        return rows.defer("payload", "memory", "declared", "returned") if is_list else rows

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

    @admin.display(description="nota")
    def label(self, note: ServiceNote) -> str:
        rps = f"RPS {note.series}/{note.rps_number}" if note.rps_number is not None else ""
        title = f"NFS-e {note.number}" if note.number else rps or "NFS-e sem número"
        return format_html("{}<br><small>{}</small>", title, note.ref)

    @admin.display(description="situação")
    def situation(self, note: ServiceNote) -> str:
        return format_html_join(" ", "{}", ((one,) for one in story.note_chips(note)))

    @admin.display(description="prestador e tomador")
    def parties(self, note: ServiceNote) -> str:
        name = Truncator(note.taker_name or "").chars(NAME_SHOWN)
        shown = name or documento(note.taker_document) if note.taker_document or name else ""
        return format_html("{}<br><small>{}</small>", note.company.nome, shown or "Sem tomador")

    @admin.display(description="emissão")
    def issued(self, note: ServiceNote) -> str:
        return data_hora(note.issued_at or note.dh_emi)

    @admin.display(description="próxima ação")
    def next_act(self, note: ServiceNote) -> str:
        when = data_hora(note.next_attempt_at)
        if not note.n_attempts:
            return when
        return format_html("{}<br><small>{} envio(s)</small>", when, note.n_attempts)

    # --- the page -----------------------------------------------------------------------------

    def standing(self, row: ServiceNote) -> str:
        return str(row.state)

    def standing_label(self, row: ServiceNote) -> str:
        return str(ServiceNote.objects.get(pk=row.pk).get_state_display())

    @admin.display(description="tipo")
    def kind(self, note: ServiceNote) -> str:
        return note.get_tipo_display()

    @admin.display(description="código de verificação ou chave")
    def code(self, note: ServiceNote) -> str:
        return note.verification_code or note.key or EMPTY

    @admin.display(description="ambiente")
    def environment(self, note: ServiceNote) -> str:
        return "Produção" if note.ambiente == "producao" else "Homologação (sem valor fiscal)"

    @admin.display(description="município emissor")
    def city(self, note: ServiceNote) -> str:
        place = places.municipality(note.municipality)
        return f"{place.name} – {place.uf}" if place else note.municipality or EMPTY

    @admin.display(description="página da nota")
    def page(self, note: ServiceNote) -> str:
        if not note.url.startswith(("https://", "http://")):
            return EMPTY
        link = '<a href="{}" rel="noopener noreferrer">{}</a>'
        return format_html(link, note.url, Truncator(note.url).chars(70))

    @admin.display(description="tomador")
    def taker(self, note: ServiceNote) -> str:
        if not note.taker_name and not note.taker_document:
            return EMPTY
        number = documento(note.taker_document) if note.taker_document else ""
        return format_html("{}<br><small>{}</small>", note.taker_name or EMPTY, number)

    @admin.display(description="substituição")
    def replacement(self, note: ServiceNote) -> str:
        links = []
        if note.replaces is not None:
            links.append(("Substitui", self.page_url(note.replaces), str(note.replaces)))
        by = note.replaced_by.only("pk", "number", "ref")
        links += [("Substituída por", self.page_url(row), str(row)) for row in by]
        if links:
            return format_html_join("", '{} <a href="{}">{}</a><br>', links)
        return f"Substitui {note.replaces_number}" if note.replaces_number else EMPTY

    @admin.display(description="série e número")
    def declaration(self, note: ServiceNote) -> str:
        return f"{note.series} / {note.rps_number}" if note.rps_number is not None else EMPTY

    @admin.display(description="avisos")
    def warnings(self, note: ServiceNote) -> str:
        lines = [(one.get("mensagem", ""),) for one in note.notes]
        return format_html_join("", "{}<br>", lines) or EMPTY

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        note = kwargs.get("obj")
        if note is not None:
            context |= self._told(request, note)
            number = f"nº {note.number}" if note.number else note.ref
            context |= {"title": f"NFS-e {number}", "subtitle": None}
            context["chips"] = story.note_chips(note)
        return super().render_change_form(request, context, *args, **kwargs)

    def _told(self, request: HttpRequest, note: ServiceNote) -> dict[str, Any]:
        advice = story.advice(note, now=clock.now())
        files = note.archives.only("pk", "name", "kind", "size", "created_at").order_by("-id")
        return {
            "steps": story.steps(note, sees_setup=may(request, note.account_id, SETUP)),
            "advice": advice,
            "button": self._button(request, note, advice),
            "act_in_box": advice.act if advice else "",
            "amounts": story.compared(note),
            "memory": story.memory(note),
            "files": list(files[:MOST]),
            "is_printable": nfse_printing.is_printable(note),
            "has_xml": bool(note.number) and last_file(note, Archive.Kind.NOTE) is not None,
        }

    def _button(
        self, request: HttpRequest, note: ServiceNote, advice: Advice | None
    ) -> tuple[str, str] | None:
        """Label and address of the one thing to do, if this person may do it."""
        if advice is None:
            return None
        if advice.opens and may(request, note.account_id, SETUP):
            company = reverse("admin:fiscal_company_change", args=(note.company_id,))
            series = reverse("admin:fiscal_serviceseries_changelist")
            told = {"empresa": ("Abrir emitente", company), "series": ("Abrir séries", series)}
            return told[advice.opens]
        found = next((a for a in self.open_acts(request, note) if a.slug == advice.act), None)
        return (found.label, self.act_url(note, found.slug)) if found else None

    # --- files --------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/nota.pdf", view(self.print_view),
                 name="fiscal_servicenote_print"),
            path("<path:object_id>/nota.xml", view(self.xml_view),
                 name="fiscal_servicenote_xml"),
            *super().get_urls(),
        ]  # fmt: skip

    def _readable(self, request: HttpRequest, object_id: str) -> ServiceNote:
        note: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, note):
            raise PermissionDenied
        return note  # type: ignore[no-any-return]

    def print_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The print as the taker gets it; a failure is told on the note's page."""
        note = self._readable(request, object_id)
        try:
            return pdf_response(nfse_printing.note_pdf(note), nfse_printing.pdf_name(note))
        except DomainError as error:
            messages.error(request, error.mensagem)
            return redirect(self.page_url(note))

    def xml_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        found = last_file(self._readable(request, object_id), Archive.Kind.NOTE)
        if found is None:
            raise Http404
        return xml_response(found)
