"""What happened to a document, in its order, and what is to be done about it (ux B13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.admin_display import chip
from fiscal.admin.chips import GOOD, attempt_chip, state_chip
from fiscal.admin.document_acts import ASKED, UNSENT
from fiscal.admin.outlook import Reason
from fiscal.authorities import cstat
from fiscal.authorities.cstat import Class
from fiscal.documents.nfe.events import KINDS
from fiscal.models import Attempt, FiscalDocument, FiscalEvent, HookNotice, MailMessage, State
from fiscal.services import archive
from lib.templatetags.br import data_hora

MOST = 50  # of each kind: a document with more has a problem that its last ones show
RAW_SHOWN = 20_000  # characters of a raw answer
DELIVER_WITHIN = timedelta(hours=24)  # CON-6, the safe target
NO_ADVICE = "Ainda não temos orientação para este código."


@dataclass(frozen=True)
class Step:
    """A moment in the life of a document."""

    at: datetime
    title: str
    chip: str = ""
    text: str = ""
    hint: str = ""
    facts: str = ""
    raw: str = ""
    is_error: bool = False  # what `raw` holds
    url: tuple[str, int] | None = None  # name of an admin page, and the row


@dataclass(frozen=True)
class Advice:
    """The four parts of the box: what happened, what to do, who does it, and the button."""

    what: str
    todo: str
    who: str
    act: str = ""  # slug of an act of the document
    opens: str = ""  # or "empresa"


# --- timeline ---------------------------------------------------------------------------------


def steps(document: FiscalDocument, *, sees_setup: bool) -> list[Step]:
    """Created, sent, answered, told: the oldest first, in a fixed number of queries.

    Raw answers are only for who may see the setup.
    """
    attempts = list(document.attempts.order_by("-id")[:MOST])
    events = document.events.defer("xml").order_by("-id")[:MOST]
    mails = document.messages.order_by("-id")[:MOST]
    notices = HookNotice.objects.filter(document=document).select_related("hook")
    found = [
        *(_attempt(one, with_raw=sees_setup) for one in attempts),
        *(_event(one) for one in events),
        *(mail_step(one) for one in mails),
        *(notice_step(one) for one in notices.order_by("-id")[:MOST]),
        *_own(document, attempts),
    ]
    begun = Step(document.created_at, "Recebido", text=f"Referência {document.ref}")
    return [begun, *sorted(found, key=lambda step: step.at)]


def _own(document: FiscalDocument, attempts: list[Attempt]) -> list[Step]:
    """What the row knows, where no attempt tells it."""
    found = []
    if document.dh_cont:
        found.append(Step(document.dh_cont, "Entrada em contingência", text=document.x_just))
    told = any(cstat.classify(one.c_stat or "0") is Class.AUTHORIZED for one in attempts)
    if document.authorized_at and not told:
        text = f"Protocolo {document.protocolo}"
        found.append(Step(document.authorized_at, "Autorizado pela SEFAZ", text=text))
    return found


def _attempt(attempt: Attempt, *, with_raw: bool) -> Step:
    facts = [attempt.authority]
    if attempt.elapsed_ms is not None:
        facts.append(f"{attempt.elapsed_ms} ms")
    if attempt.ended_at is None:
        facts.append("sem resposta até agora")
    fate = _FATES.get(Attempt.Outcome(attempt.outcome), "")
    said = f"{attempt.c_stat} – {attempt.x_motivo}" if attempt.c_stat else fate
    return Step(
        attempt.started_at,
        f"{attempt.get_kind_display()}: enviado",
        attempt_chip(attempt),
        said,
        _hint(attempt.c_stat),
        " · ".join(facts),
        _raw(attempt) if with_raw else "",
        is_error=not attempt.reply,
    )


def _hint(code: str) -> str:
    """Our advice; none where the answer is what was asked for."""
    return "" if not code or cstat.classify(code) in GOOD else cstat.hint(code)


# What became of a call without an answer; the technical error is for who sees the setup.
_FATES: dict[str, str] = {
    Attempt.Outcome.OPEN: "A resposta ainda não chegou.",
    Attempt.Outcome.NOT_SENT: "A conexão não foi feita: nada foi enviado.",
    Attempt.Outcome.LOST: "A resposta se perdeu: só uma consulta diz se o pedido chegou.",
    Attempt.Outcome.NOT_PROCESSED: "A SEFAZ não processou o pedido.",
}


def _raw(attempt: Attempt) -> str:
    if not attempt.reply:
        return attempt.error
    return archive.unpacked(attempt.reply).decode("utf-8", "replace")[:RAW_SHOWN]


def _event(event: FiscalEvent) -> Step:
    said = f"{event.c_stat} – {event.x_motivo}" if event.c_stat else ""
    details: Any = event.details
    own = details.get("xJust") or details.get("xCorrecao") or ""
    return Step(
        event.created_at,
        f"Evento: {event_name(event.tp_evento)} nº {event.n_seq}",
        state_chip(event.state, event.get_state_display()),
        " ".join(filter(None, (f"“{own}”" if own else "", said))),
        _hint(event.c_stat),
        f"Protocolo {event.protocolo}" if event.protocolo else "",
        url=("fiscal_fiscalevent_change", event.pk),
    )


# EVT-2: the schema's enumerations have no accents; people's screens do.
_ACCENTED = {
    "Carta de Correcao": "Carta de correção",
    "Cancelamento por substituicao": "Cancelamento por substituição",
    "Pedido de Prorrogacao": "Pedido de prorrogação",
    "Cancelamento de Pedido de Prorrogacao": "Cancelamento de pedido de prorrogação",
}


def event_name(tp_evento: str) -> str:
    """descEvento, as people write it; the code itself when the kind is unknown."""
    kind = KINDS.get(tp_evento)
    if kind is None:
        return tp_evento
    return _ACCENTED.get(kind.description, kind.description)


def mail_step(message: MailMessage) -> Step:
    tones = {"enviado": ("success", "check"), "falhou": ("danger", "cross")}
    tone, icon = tones.get(message.state, ("info", "clock"))
    return Step(
        message.created_at,
        f"E-mail: {message.get_kind_display()}",
        chip(tone, icon, message.get_state_display()),  # type: ignore[arg-type]
        message.recipient,
        message.last_error,
        url=("fiscal_mailmessage_change", message.pk),
    )


def notice_step(notice: HookNotice) -> Step:
    tones = {"entregue": ("success", "check"), "desistiu": ("danger", "cross")}
    tone, icon = tones.get(notice.state, ("info", "clock"))
    facts = [f"{notice.tries} tentativa(s)"]
    if notice.last_status:
        facts.append(f"HTTP {notice.last_status}")
    return Step(
        notice.created_at,
        "Aviso de gatilho",
        chip(tone, icon, notice.get_state_display()),  # type: ignore[arg-type]
        notice.hook.url,
        notice.last_error,
        " · ".join(facts),
    )


# --- what to do -------------------------------------------------------------------------------

_FISCAL, _REGISTER, _CUSTOMER, _NOBODY = "Fiscal", "Cadastro", "Cliente", "Ninguém – aguarde"


def advice(document: FiscalDocument, reasons: list[Reason], *, now: datetime) -> Advice | None:
    """What is to be done about a document; None when nothing is."""
    state = document.state
    if state == State.REJEITADO:
        return _refused(document)
    if state in ASKED:
        return _unknown(document, now)
    if state in UNSENT:
        return _waiting(document, reasons, now)
    if state == State.CONFLITO:
        return Advice(
            "A SEFAZ tem outro documento com esta chave ou este número. Resposta: "
            f"{_said(document)}",
            "Consulte de novo. Se continuar, veja se outro sistema emite nesta série.",
            _FISCAL, "resolver",
        )  # fmt: skip
    if state == State.DENEGADO:
        return Advice(f"Uso denegado. {_said(document)}", cstat.hint("110"), _FISCAL)
    if state == State.INUTILIZADO:
        return Advice(
            "O número deste documento foi inutilizado: ele nunca será autorizado.",
            "Se a venda continua, envie de novo: o documento recebe o próximo número.",
            _FISCAL, "reenviar",
        )  # fmt: skip
    return None


def _said(document: FiscalDocument) -> str:
    if document.c_stat:
        return f"{document.c_stat} – {document.x_motivo}"
    return document.x_motivo


def _refused(document: FiscalDocument) -> Advice:
    code = document.c_stat
    if not code:
        return Advice(
            f"Os dados não passaram na nossa conferência. {document.x_motivo}",
            "Corrija os dados no sistema que enviou a nota e envie com a mesma referência.",
            _FISCAL,
        )
    known = cstat.official(code)
    todo = cstat.hint(code) if known else NO_ADVICE
    kind = cstat.classify(code)
    if document.is_offline:
        todo += " O comprador já tem o cupom: veja com o fiscal se cabe outra nota."
    if kind is Class.CONFIG_ERROR:
        return Advice(_said(document), todo, _REGISTER, opens="empresa")
    return Advice(_said(document), todo, _who(code), "reenviar")


def _who(code: str) -> str:
    """By the request field that the code is about."""
    about = cstat.field(code)
    if about.endswith("_emitente"):
        return _REGISTER
    return _CUSTOMER if about.endswith("_destinatario") else _FISCAL


def _unknown(document: FiscalDocument, now: datetime) -> Advice:
    what = {
        State.EM_LOTE: "A SEFAZ recebeu o documento e ainda não deu o resultado.",
        State.TRANSMITINDO: "O documento está sendo enviado.",
    }.get(State(document.state), "A resposta da SEFAZ se perdeu: não sabemos se autorizou.")
    if document.is_offline:
        what = f"{what} Emitido em contingência: {hours_left(document, now=now)}."
    todo = "Aguarde. Consultamos de novo automaticamente"
    when = document.next_attempt_at
    todo += f" em {data_hora(when)}." if when else "."
    return Advice(what, todo, _NOBODY, "consultar")


def _waiting(document: FiscalDocument, reasons: list[Reason], now: datetime) -> Advice:
    holding = [one for one in reasons if one.tone != "info"]
    what = "O documento espera para ser enviado."
    if document.state == State.CONTINGENCIA:
        what = f"Emitido em contingência e ainda não transmitido: {hours_left(document, now=now)}."
    when = document.next_attempt_at
    todo = f"Aguarde. Próxima tentativa em {data_hora(when)}." if when else "Aguarde a vez na fila."
    if holding:
        what = f"{what} Motivo: {'; '.join(one.title for one in holding)}."
    kinds = {one.what for one in holding}
    if "certificado" in kinds:
        return Advice(what, "Envie um certificado A1 válido.", _REGISTER, opens="empresa")
    if "parada" in kinds:
        todo = "Corrija o que a SEFAZ recusou no cadastro da empresa e libere a Fila de envio."
        return Advice(what, todo, _REGISTER, opens="empresa")
    return Advice(what, todo, _NOBODY, "enviar")


def hours_left(document: FiscalDocument, *, now: datetime) -> str:
    """Of the 24 hours in which an offline document is to be delivered."""
    if document.dh_emi is None:
        return "prazo desconhecido"
    left = document.dh_emi + DELIVER_WITHIN - now
    minutes = int(abs(left).total_seconds() // 60)
    text = f"{minutes // 60} h {minutes % 60:02d} min"
    if left < timedelta(0):
        return f"o prazo de 24 h passou há {text}"
    return f"faltam {text} das 24 h"
