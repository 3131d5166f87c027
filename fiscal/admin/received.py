"""What was issued against the companies: an inbox, and the recipient's word on it (DIS-6)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join

from accounts.admin_display import Tone, chip
from fiscal.admin.acts import Act, ActingScreen
from fiscal.admin.chips import state_chip
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import BoundedPaginator, CompanyFilter, EnvironmentFilter
from fiscal.admin.received_acts import ACTS, deadline_of
from fiscal.admin.sections import ISSUING
from fiscal.api.danfe import pdf_response
from fiscal.api.received_common import xml_answer
from fiscal.models import (
    ReceivedNfe,
)
from fiscal.services import archive
from fiscal.services.received import files
from fiscal.services.received.manifested import (
    NAMES,
)
from lib import clock
from lib.errors import DomainError
from lib.templatetags.br import EMPTY, chave, data_hora, documento

_SHOWN = {
    "autorizada": ("success", "check"),
    "cancelada": ("neutral", "stop"),
    "denegada": ("danger", "stop"),
}  # type: dict[str, tuple[Tone, str]]
_M = ReceivedNfe.Manifestacao


class PendingFilter(admin.SimpleListFilter):
    """What the company still has to say."""

    title, parameter_name = "pendência", "pendencia"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("ciencia", "Sem ciência"),
            ("conclusiva", "Sem manifestação conclusiva"),
            ("feita", "Manifestada"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        pending = {"ciencia": ("",), "conclusiva": ("", _M.CIENCIA)}.get(self.value() or "")
        if pending is not None:
            return queryset.filter(manifestacao__in=pending).exclude(situacao="cancelada")
        if self.value() == "feita":
            return queryset.exclude(manifestacao__in=("", _M.CIENCIA))
        return queryset


# --- NF-e --------------------------------------------------------------------------------------


@admin.register(ReceivedNfe)
class ReceivedNfeAdmin(Columns, ActingScreen):
    section = ISSUING
    acts: ClassVar[tuple[Act, ...]] = ACTS
    paginator = BoundedPaginator
    change_form_template = "admin/fiscal/acting_form.html"
    list_display = ("issuer_of", "situation", "word", "total", "issued_at", "deadline", "issuer")
    list_filter = (PendingFilter, "situacao", "is_complete", CompanyFilter, EnvironmentFilter)
    list_select_related = ("company",)
    search_fields = ("chave__exact", "issuer_document__exact", "issuer_name")
    search_help_text = "Chave ou CNPJ do emitente por inteiro, ou parte do nome"
    ordering = ("-pk",)
    fields = (
        "issuer", "environment", "key", "issuer_of", "situation", "word", "deadline", "total",
        "issued_at", "authorized_at", "protocolo", "is_complete", "files", "cancelled_at",
        "cancellation_reason", "correction", "manifested", "checked", "versao", "nsu",
        "created_at", "updated_at",
    )  # fmt: skip

    def standing(self, row: ReceivedNfe) -> str:
        return f"{row.situacao} {row.manifestacao}".strip()

    def standing_label(self, row: ReceivedNfe) -> str:
        word = row.get_manifestacao_display() if row.manifestacao else "sem manifestação"
        return f"{row.get_situacao_display()}, {word}"

    @admin.display(description="emitente", ordering="issuer_name")
    def issuer_of(self, row: ReceivedNfe) -> str:
        name = row.issuer_name or EMPTY
        number = documento(row.issuer_document) if row.issuer_document else ""
        return format_html("{}<br><small>{}</small>", name, number)

    @admin.display(description="empresa", ordering="company__nome")
    def issuer(self, row: Any) -> str:
        return str(row.company.nome)

    @admin.display(description="chave")
    def key(self, row: ReceivedNfe) -> str:
        return chave(row.chave)

    @admin.display(description="situação", ordering="situacao")
    def situation(self, row: ReceivedNfe) -> str:
        return chip(*_SHOWN[row.situacao], row.get_situacao_display())

    @admin.display(description="manifestação", ordering="manifestacao")
    def word(self, row: ReceivedNfe) -> str:
        if not row.manifestacao:
            return chip("warning", "clock", "Sem manifestação")
        tone: Tone = "info" if row.manifestacao == _M.CIENCIA else "success"
        return chip(tone, "check", row.get_manifestacao_display())

    @admin.display(description="prazo")
    def deadline(self, row: ReceivedNfe) -> str:
        until = deadline_of(row)
        if until is None or row.situacao != ReceivedNfe.Situacao.AUTORIZADA:
            return EMPTY
        return f"{data_hora(until)}{' (vencido)' if until < clock.now() else ''}"

    @admin.display(description="arquivos")
    def files(self, row: ReceivedNfe) -> str:
        links = [
            (reverse(f"admin:fiscal_receivednfe_{name}", args=(row.pk,)), label)
            for name, label, kept in (
                ("xml", "XML da nota", files.whole(row)),
                ("pdf", "DANFE (PDF)", files.whole(row)),
                ("cancelamento", "XML do cancelamento", files.cancellation(row)),
                ("correcao", "XML da carta de correção", files.correction(row)),
            )
            if kept is not None
        ]
        return format_html_join(" · ", '<a href="{}">{}</a>', links) or EMPTY

    @admin.display(description="carta de correção")
    def correction(self, row: ReceivedNfe) -> str:
        if row.correction_number is None:
            return EMPTY
        return f"Nº {row.correction_number}: {row.correction_text or 'texto ainda não recebido'}"

    @admin.display(description="manifestações enviadas")
    def manifested(self, row: ReceivedNfe) -> str:
        lines = [
            (
                _M(NAMES[one.tp_evento]).label,
                state_chip(one.state, one.get_state_display()),
                " – ".join(filter(None, (one.c_stat, one.x_motivo, one.justificativa))),
                "por outro programa da empresa" if one.is_adopted else "",
            )
            for one in row.manifestations.order_by("-pk").defer("xml", "proc")
        ]
        return format_html_join("", "<p>{} {} {} {}</p>", lines) or EMPTY

    @admin.display(description="conferência da assinatura e do protocolo")
    def checked(self, row: ReceivedNfe) -> str:
        lines = [(fault,) for fault in row.faults]
        good = "Confere." if row.is_complete else "Só o resumo chegou."
        return format_html_join("", "<p>{}</p>", lines) or good

    # --- files --------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        own = [
            path("<path:object_id>/danfe.pdf", view(self.pdf_view), name="fiscal_receivednfe_pdf"),
            *(
                path(
                    f"<path:object_id>/{name}.xml",
                    view(self.xml_view),
                    {"name": name},
                    name=f"fiscal_receivednfe_{name}",
                )
                for name in ("xml", "cancelamento", "correcao")
            ),
        ]
        return [*own, *super().get_urls()]

    def _readable(self, request: HttpRequest, object_id: str) -> ReceivedNfe:
        row: Any = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row  # type: ignore[no-any-return]

    def pdf_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        row = self._readable(request, object_id)
        try:
            content = files.danfe(row)
        except DomainError as error:
            messages.error(request, error.mensagem)
            return redirect(self.page_url(row))
        if content is None:
            raise Http404
        return pdf_response(content, f"{row.chave}.pdf")

    def xml_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        row = self._readable(request, object_id)
        of = {"xml": files.whole, "cancelamento": files.cancellation, "correcao": files.correction}
        kept = of[name](row)
        if kept is None:
            raise Http404
        end = {"xml": "nfe", "cancelamento": "can", "correcao": "cce"}[name]
        return xml_answer(archive.unpacked(kept.content), f"{row.chave}-{end}.xml")
