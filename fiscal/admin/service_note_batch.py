"""Acts on several service notes at once: ask or send, send refused ones again, take the files."""

from __future__ import annotations

from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase

from accounts.admin_base import TenantAdmin
from accounts.admin_trail import actor_in
from accounts.services.audit import Actor, record
from fiscal.admin.batches import Batch, batch_page, is_confirmed
from fiscal.admin.sections import EMIT, accounts_acting, may
from fiscal.admin.service_note_acts import ASKED, UNSENT, issue_again, may_go_again, said
from fiscal.models import ServiceNote
from fiscal.services import nfse_printing
from fiscal.services.nfse import files
from lib import clock
from lib.errors import DomainError
from lib.queue import enqueue
from lib.templatetags.br import brl

RESUME = "fiscal.tasks.resume_service_note"
AT_ONCE = 200  # notes of one choice
FILES_AT_ONCE = 50  # of one archive: a print that nobody read before is made while one waits
IN_MEMORY = 8 << 20  # bytes; a bigger archive goes to the disk
_READ_ME = "LEIA-ME.txt"


class NoteBatchPage(TenantAdmin):
    """Part of the screen of service notes."""

    def has_emit_permission(self, request: HttpRequest) -> bool:
        accounts = accounts_acting(request, EMIT)
        return accounts is None or bool(accounts)

    @admin.action(description="Consultar ou enviar agora", permissions=["emit"])
    def nudge_chosen(
        self, request: HttpRequest, chosen: QuerySet[ServiceNote]
    ) -> HttpResponseBase | None:
        """Queue the chosen ones that wait, once confirmed; blocks and breakers still hold them."""
        rows, waiting = _split(request, chosen, lambda row: row.state in (*ASKED, *UNSENT))
        if not is_confirmed(request):
            return batch_page(self, request, _nudging(waiting), chosen=[row.pk for row in rows])
        for row in waiting:
            enqueue(RESUME, row.pk)
            record(row.account, actor=actor_in(request), action="nfse.reenviada", target=row)
        messages.success(request, f"{len(waiting)} nota(s) na fila para agora.")
        return None

    @admin.action(description="Enviar de novo as recusadas", permissions=["emit"])
    def reissue_chosen(
        self, request: HttpRequest, chosen: QuerySet[ServiceNote]
    ) -> HttpResponseBase | None:
        """The same data once more, as after a correction of the company or of the city's table."""
        rows, refused = _split(request, chosen, may_go_again)
        if not is_confirmed(request):
            return batch_page(self, request, _reissuing(refused), chosen=[row.pk for row in rows])
        faults = [found for row in refused if (found := _again(row, actor_in(request)))]
        if done := len(refused) - len(faults):
            messages.success(request, f"{done} nota(s) na fila de envio.")
        for fault in faults:
            messages.error(request, fault)
        return None

    @admin.action(description="Baixar XML e PDF (zip)")
    def download_chosen(
        self, request: HttpRequest, chosen: QuerySet[ServiceNote]
    ) -> HttpResponseBase | None:
        rows = list(chosen.select_related("company").order_by("pk")[: FILES_AT_ONCE + 1])
        if len(rows) > FILES_AT_ONCE:
            messages.error(request, f"Escolha até {FILES_AT_ONCE} notas por vez.")
            return None
        issued = [row for row in rows if row.number]
        if not issued:
            messages.warning(request, "Nenhuma das notas escolhidas foi emitida: não há arquivos.")
            return None
        name = f"notas-{clock.today():%Y%m%d}.zip"
        return FileResponse(_zipped(issued), as_attachment=True, filename=name)


def _split(
    request: HttpRequest, chosen: QuerySet[ServiceNote], fits: Callable[[ServiceNote], bool]
) -> tuple[list[ServiceNote], list[ServiceNote]]:
    """All chosen rows, and those that the person may act on now."""
    rows = list(chosen.select_related("account", "company")[:AT_ONCE])
    return rows, [row for row in rows if fits(row) and may(request, row.account_id, EMIT)]


def _headline(rows: list[ServiceNote]) -> str:
    return f"{len(rows)} nota(s), {brl(sum(row.total for row in rows))}"


def _nudging(waiting: list[ServiceNote]) -> Batch:
    return Batch(
        action="nudge_chosen",
        title="Consultar ou enviar agora",
        button=f"Consultar ou enviar {len(waiting)} agora",
        headline=_headline(waiting),
        lines=[f"{row.ref} · {brl(row.total)} · {row.get_state_display()}" for row in waiting],
        none="Nenhuma das notas escolhidas espera por envio ou resposta.",
        skipped="já têm resposta definitiva.",
    )


def _reissuing(refused: list[ServiceNote]) -> Batch:
    return Batch(
        action="reissue_chosen",
        title="Enviar de novo as recusadas",
        button=f"Enviar {len(refused)} de novo",
        headline=_headline(refused),
        lines=[f"{row.ref} · {brl(row.total)} · {said(row)}" for row in refused],
        none="Nenhuma das notas escolhidas foi recusada.",
        skipped="não foram recusadas.",
        about=(
            "Os mesmos dados são conferidos e enviados outra vez, com a referência e o número que "
            "têm. Se o erro está nos dados da nota, corrija-os no sistema que a enviou.",
        ),
    )


def _again(row: ServiceNote, actor: Actor) -> str:
    """Send it again; "" when it is on its way, else why not."""
    try:
        done = issue_again(row)
    except DomainError as error:
        first = f" {error.erros[0].campo}: {error.erros[0].mensagem}" if error.erros else ""
        return f"{row.ref}: {error.mensagem}{first}"
    record(row.account, actor=actor, action="nfse.reenviada", target=row, after=done.told)
    return ""


def _zipped(notes: list[ServiceNote]) -> Any:
    """An archive of each note's XML and PDF; what could not be printed is told in a text."""
    target = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  FileResponse closes it
    missing: list[str] = []
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for note in notes:
            folder = note.company.document
            if (xml := files.note_xml(note)) is not None:
                archive.writestr(f"{folder}/{files.note_name(note)}", xml)
            try:
                pdf = nfse_printing.note_pdf(note)
                archive.writestr(f"{folder}/{nfse_printing.pdf_name(note)}", pdf)
            except DomainError as error:
                missing.append(f"{note.number} ({note.ref}): {error.mensagem}")
        if missing:
            archive.writestr(_READ_ME, "\n".join(["Notas sem PDF:", *missing, ""]))
    target.seek(0)
    return target
