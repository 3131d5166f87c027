"""What staff may do to a received NF-e: the services of the API behind pages of confirmation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms

from accounts.services.audit import Actor
from fiscal.admin.acts import Act, ActForm, Done
from fiscal.admin.document_acts import checked_statement, statement_widget
from fiscal.admin.sections import EMIT, ISSUE, TELL
from fiscal.authorities.cstat import hint
from fiscal.documents.nfe import events as kinds
from fiscal.models import EventState, Manifestation, ReceivedNfe
from fiscal.services.event_adoption import LIVE
from fiscal.services.received import distribution, manifestation, telling
from fiscal.services.received.manifested import (
    CIENCIA,
    CONFIRMACAO,
    DESCONHECIMENTO,
    NAMES,
    NAO_REALIZADA,
    TIPOS,
)
from lib import clock
from lib.templatetags.br import brl, data_hora, documento

# §10, counted from the authorization.
TO_KNOW = timedelta(days=10)
TO_JUDGE = timedelta(days=180)
_M = ReceivedNfe.Manifestacao


class ReasonForm(forms.Form):
    """What "operação não realizada" demands."""

    justificativa = forms.CharField(
        label="Justificativa",
        widget=statement_widget(manifestation.LEAST, manifestation.MOST),
        error_messages={"required": "Informe a justificativa."},
        help_text="De 15 a 255 caracteres. Fica registrada na SEFAZ.",
    )

    def clean_justificativa(self) -> str:
        text = self.cleaned_data["justificativa"]
        least, most = manifestation.LEAST, manifestation.MOST
        return checked_statement(text, "A justificativa", least=least, most=most)


class NotDoneForm(ReasonForm, ActForm):
    """Of one note."""


def _manifest(tipo: str) -> Any:
    def run(row: ReceivedNfe, data: dict[str, Any], actor: Actor) -> Done:
        text = data.get("justificativa", "")
        return _told(manifestation.manifest(row.pk, tipo=tipo, justificativa=text))

    return run


def word_of(row: Manifestation) -> str:
    """The kind as people call it: a manifestação, or another event of the recipient."""
    if row.tp_evento in NAMES:
        return str(_M(NAMES[row.tp_evento]).label)
    return kinds.KINDS[row.tp_evento].description


def facts(row: Manifestation) -> dict[str, str]:
    """For the trail."""
    return {"tipo": NAMES[row.tp_evento], "cstat": row.c_stat, "protocolo": row.protocolo}


def _told(row: Manifestation) -> Done:
    told = facts(row)
    if row.state == EventState.REGISTRADO:
        return Done(f"Manifestação registrada. SEFAZ: {row.c_stat} – {row.x_motivo}", told=told)
    if row.state in LIVE:
        text = "A SEFAZ ainda não respondeu: o pedido segue sozinho até ela responder."
        return Done(text, is_good=False, told=told)
    advice = hint(row.c_stat) if row.c_stat else ""
    said = f"A SEFAZ recusou: {row.c_stat} – {row.x_motivo}"
    return Done(f"{said} {advice}".strip(), is_good=False, told=told)


def takes(row: ReceivedNfe, tipo: str) -> bool:
    """May that word still be said of the note, as far as the row tells?"""
    if row.situacao != ReceivedNfe.Situacao.AUTORIZADA:
        return False
    if tipo == CIENCIA and row.manifestacao:
        return False
    same = row.manifestations.filter(tp_evento=TIPOS[tipo], state=EventState.REGISTRADO)
    return not same.exists()


def _may(tipo: str) -> Any:
    return lambda row: takes(row, tipo)


def _notes(tipo: str) -> Any:
    def notes(row: ReceivedNfe) -> list[str]:
        about = f"NF-e de {row.issuer_name or documento(row.issuer_document)}"
        total = f", {brl(row.total)}" if row.total is not None else ""
        return [f"{about}{total}.", *MEANING[tipo], *_deadline(row, tipo)]

    return notes


def _deadline(row: ReceivedNfe, tipo: str) -> list[str]:
    if row.authorized_at is None:
        return []
    until = row.authorized_at + term_of(tipo)
    passed = "terminou em" if until < clock.now() else "vai até"
    return [f"O prazo {passed} {data_hora(until)}; fora dele a SEFAZ pode recusar (596)."]


def term_of(tipo: str) -> timedelta:
    """How long that word is taken, from the authorization on."""
    return TO_KNOW if tipo == CIENCIA else TO_JUDGE


def deadline_of(row: ReceivedNfe, *, now: datetime) -> tuple[str, datetime] | None:
    """(word, until when) that is due next: ciência while it is taken, then the conclusive one."""
    if row.manifestacao not in ("", _M.CIENCIA) or row.authorized_at is None:
        return None
    to_know = row.authorized_at + TO_KNOW
    if not row.manifestacao and now <= to_know:
        return "ciência", to_know
    return "conclusiva", row.authorized_at + TO_JUDGE


def _fetch_xml(row: ReceivedNfe, data: dict[str, Any], actor: Actor) -> Done:
    if distribution.fetch_whole(row):
        return Done("O XML completo chegou.")
    text = "A SEFAZ não tem nada novo desta nota. O XML completo vem depois da manifestação."
    return Done(text, is_good=False)


def _tell(row: ReceivedNfe, data: dict[str, Any], actor: Actor) -> Done:
    hooks = telling.tell_nfe(row, at=clock.now())
    if not hooks:
        return Done("Nenhum gatilho cadastrado recebe esta nota.", is_good=False)
    return Done(f"Aviso na fila para {len(hooks)} gatilho(s).", told={"gatilhos": len(hooks)})


_KEEP = "Voltar à nota"
_LAST = "Vale a última manifestação conclusiva; a mesma não pode ser repetida."
# What the person should know before each word.
MEANING = {
    CIENCIA: ("A empresa sabe da nota e ainda não a julgou; o XML completo é liberado.",),
    CONFIRMACAO: (
        "A operação aconteceu como a nota diz. O emitente não pode mais cancelá-la.", _LAST,
    ),
    DESCONHECIMENTO: ("A empresa não reconhece esta operação.", _LAST),
    NAO_REALIZADA: ("A operação foi combinada e não aconteceu (recusa, devolução).", _LAST),
}  # fmt: skip
AUDIT = {
    CIENCIA: "nfe_recebida.ciencia",
    CONFIRMACAO: "nfe_recebida.confirmada",
    DESCONHECIMENTO: "nfe_recebida.desconhecida",
    NAO_REALIZADA: "nfe_recebida.nao_realizada",
}


def _word(slug: str, label: str, button: str, tipo: str, **more: Any) -> Act:
    return Act(
        slug, label, button, _KEEP, ISSUE, _may(tipo), _manifest(tipo), audit=AUDIT[tipo],
        notes=_notes(tipo), **more,
    )  # fmt: skip


ACTS = (
    _word("ciencia", "Dar ciência", "Registrar ciência", CIENCIA),
    _word("confirmar", "Confirmar a operação", "Confirmar a operação", CONFIRMACAO),
    _word("desconhecer", "Desconhecer a operação", "Registrar desconhecimento", DESCONHECIMENTO,
          is_danger=True),
    _word("nao-realizada", "Operação não realizada", "Registrar operação não realizada",
          NAO_REALIZADA, form=NotDoneForm, is_danger=True),
    Act("buscar-xml", "Buscar o XML", "Buscar o XML agora", _KEEP, EMIT,
        lambda row: not row.is_complete, _fetch_xml, audit="nfe_recebida.consultada",
        notes=lambda row: ["A SEFAZ aceita poucas consultas por chave em cada hora."]),
    Act("avisar", "Repetir aviso", "Repetir o aviso aos gatilhos", _KEEP, TELL,
        lambda row: True, _tell, audit="nfe_recebida.aviso_repetido",
        notes=lambda row: ["Cada gatilho da empresa recebe a situação de agora."]),
)  # fmt: skip
