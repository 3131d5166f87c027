"""What was issued against the companies: an inbox, and the recipient's word on it (DIS-6)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join

from accounts.admin_display import Tone, chip
from fiscal import access_key
from fiscal.admin.acts import Act, ActingScreen
from fiscal.admin.chips import state_chip
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import BoundedPaginator, CompanyFilter, EnvironmentFilter
from fiscal.admin.received_acts import ACTS, deadline_of, word_of
from fiscal.admin.received_batch import ManifestPage
from fiscal.admin.received_lists import (
    DeadlineFilter,
    PendingFilter,
    SearchedList,
    WordFilter,
)
from fiscal.admin.sections import ISSUING
from fiscal.api.danfe import pdf_response
from fiscal.api.received_common import xml_answer
from fiscal.models import Manifestation, ReceivedNfe
from fiscal.services import archive
from fiscal.services.received import files
from lib import clock
from lib.errors import DomainError
from lib.templatetags.br import EMPTY, chave, data_hora, documento

_SHOWN = {
    "autorizada": ("success", "check"),
    "cancelada": ("neutral", "stop"),
    "denegada": ("danger", "stop"),
}  # type: dict[str, tuple[Tone, str]]
_M = ReceivedNfe.Manifestacao
_WORDS: dict[str, tuple[Tone, str]] = {
    _M.CIENCIA: ("info", "check"),
    _M.CONFIRMACAO: ("success", "check"),
    _M.DESCONHECIMENTO: ("danger", "stop"),
    _M.NAO_REALIZADA: ("danger", "stop"),
}


@admin.register(ReceivedNfe)
class ReceivedNfeAdmin(Columns, SearchedList, ManifestPage, ActingScreen):
    section = ISSUING
    acts: ClassVar[tuple[Act, ...]] = ACTS
    actions = ("ciencia", "confirmacao", "desconhecimento", "nao_realizada")
    paginator = BoundedPaginator
    change_form_template = "admin/fiscal/acting_form.html"
    change_list_template = "admin/fiscal/receivednfe/change_list.html"
    list_display = ("issuer_of", "note", "stands", "total", "issued_at", "deadline", "receiver")
    list_filter = (
        PendingFilter, DeadlineFilter, WordFilter, "situacao", "is_complete", CompanyFilter,
        EnvironmentFilter,
    )  # fmt: skip
    list_select_related = ("company",)
    search_fields = ("chave",)  # shows the box; `search` finds
    search_help_text = "Chave, número ou CNPJ do emitente por inteiro, ou parte do nome"
    empty_text = (
        "Nenhuma NF-e aqui. Mude os filtros ou a busca; as notas chegam a cada duas horas para as "
        "empresas com o recebimento ligado."
    )
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

    @admin.display(description="nota", ordering="chave")
    def note(self, row: ReceivedNfe) -> str:
        if not access_key.is_valid(row.chave):
            return EMPTY
        parts = access_key.parse(row.chave)
        return format_html("{}<br><small>série {}</small>", parts.numero, parts.serie)

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
        return chip(*_WORDS[row.manifestacao], row.get_manifestacao_display())

    @admin.display(description="situação", ordering="manifestacao")
    def stands(self, row: ReceivedNfe) -> str:
        """For the list, where nearly every note is authorized and only the word is news."""
        if row.situacao == ReceivedNfe.Situacao.AUTORIZADA:
            return self.word(row)
        return format_html("{} {}", self.situation(row), self.word(row))

    @admin.display(description="prazo", ordering="authorized_at")
    def deadline(self, row: ReceivedNfe) -> str:
        now = clock.now()
        due = deadline_of(row, now=now)
        if due is None or row.situacao != ReceivedNfe.Situacao.AUTORIZADA:
            return EMPTY
        word, until = due
        passed = " (vencido)" if until < now else ""
        return format_html("{}{}<br><small>{}</small>", data_hora(until), passed, word)

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

    @admin.display(description="histórico")
    def manifested(self, row: ReceivedNfe) -> str:
        lines = [
            (
                word_of(one),
                state_chip(one.state, one.get_state_display()),
                data_hora(one.registered_at or one.dh_evento),
                " – ".join(filter(None, _said_of(one))),
            )
            for one in row.manifestations.order_by("-pk").defer("xml", "proc")
        ]
        return format_html_join("", "<p>{} {}<br><small>{} · {}</small></p>", lines) or EMPTY

    @admin.display(description="assinatura e protocolo")
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


def _said_of(one: Manifestation) -> tuple[str, ...]:
    return (
        one.c_stat,
        one.x_motivo,
        f"protocolo {one.protocolo}" if one.protocolo else "",
        one.justificativa,
        "por outro programa da empresa" if one.is_adopted else "",
    )
