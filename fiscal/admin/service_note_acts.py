"""What staff may do to a service note: the services of the API behind pages of confirmation."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.services.audit import Actor
from fiscal.admin.acts import Act, ActForm, Done
from fiscal.admin.document_acts import (
    LEAST,
    MOST,
    MailForm,
    checked_statement,
    statement_widget,
)
from fiscal.admin.sections import EMIT, ISSUE, MAIL, TELL
from fiscal.errors import InvalidRequest
from fiscal.models import NOTE_LIVE, NoteState, OrderState, ServiceNote, ServiceOrder
from fiscal.services import mail
from fiscal.services.nfse import notices, orders, recovery, sending
from fiscal.services.nfse.cancel import OPEN, cancel_note
from fiscal.services.nfse.issue import issue_note
from lib import clock
from lib.templatetags.br import brl, data_hora

ASKED = (NoteState.TRANSMITINDO, NoteState.EM_LOTE, NoteState.INDEFINIDO)
UNSENT = (NoteState.RECEBIDO, NoteState.ASSINADO)
GOOD = (*NOTE_LIVE, NoteState.CANCELADO, NoteState.SUBSTITUIDO)
_KEEP = "Voltar à nota"


def _fresh(note: ServiceNote) -> ServiceNote:
    found: ServiceNote = ServiceNote.objects.select_related("company").get(pk=note.pk)
    return found


def said(note: ServiceNote) -> str:
    """What the authority, or our own check, told of the note last."""
    told = [
        " – ".join(filter(None, (one.get("codigo"), one.get("mensagem")))) for one in note.errors
    ]
    last = " – ".join(filter(None, (note.last_code, note.last_message)))
    return "; ".join(told) or last


def _went(note: ServiceNote, before: str) -> Done:
    """Where the note stands after a call, in words."""
    row = _fresh(note)
    told = {"situacao": row.state, "codigo": row.last_code}
    label = row.get_state_display()
    if row.state == before or row.state in (*ASKED, *UNSENT):
        return Done(_still(row), is_good=False, told=told)
    number = f" Número {row.number}." if row.number else ""
    reply = "" if row.state in GOOD else f" Resposta: {said(row)}"
    is_good = row.state in GOOD
    return Done(f"Situação agora: {label}.{number}{reply}", is_good, told=told)


def _still(row: ServiceNote) -> str:
    label = row.get_state_display()
    if row.state == NoteState.CONFLITO:
        return "A autoridade continua com outra nota neste número."
    reason = f" {row.last_message}" if row.last_message else ""
    if row.next_attempt_at is None:
        return f"Sem resposta definitiva. Situação: {label}.{reason}"
    when = data_hora(row.next_attempt_at)
    return f"Sem resposta definitiva. Situação: {label}; nova tentativa às {when[-5:]}.{reason}"


# --- ask, send --------------------------------------------------------------------------------


def _resume(note: ServiceNote, data: dict[str, Any], actor: Actor) -> Done:
    sending.resume(note.pk)
    return _went(note, note.state)


def _settle(note: ServiceNote, data: dict[str, Any], actor: Actor) -> Done:
    recovery.recover(note.pk)
    return _went(note, NoteState.CONFLITO)


def issue_again(note: ServiceNote) -> Done:
    """Send a refused note's own data again. Raises DomainError as `issue_note` does."""
    live = issue_note(
        note.company, ambiente=note.ambiente, tipo=note.tipo, ref=note.ref, body=note.payload
    )
    row = _fresh(live)
    if row.state in (*UNSENT, *ASKED):
        return Done("A nota voltou para a fila de envio.", told={"situacao": row.state})
    return _went(row, "")


def _issue_again(note: ServiceNote, data: dict[str, Any], actor: Actor) -> Done:
    return issue_again(note)


def _resend(note: ServiceNote, data: dict[str, Any], actor: Actor) -> Done:
    """The same number once more: nobody has it, and a person answers for that."""
    recovery.allow_resending(note.pk, now=clock.now())
    sending.advance(note.pk)
    return _went(note, NoteState.INDEFINIDO)


def is_left_to_people(note: ServiceNote) -> bool:
    """The city says that it has no such note, and does not bear a repeated number (ABR-6)."""
    return bool(note.state == NoteState.INDEFINIDO and note.last_message == recovery.NOT_FOUND)


def _ask_notes(note: ServiceNote) -> list[str]:
    notes = ["Perguntamos pelo número que demos à nota; nada é enviado enquanto ela não aparecer."]
    if note.next_attempt_at:
        notes.append(f"A próxima consulta automática é em {data_hora(note.next_attempt_at)}.")
    return notes


def _send_notes(note: ServiceNote) -> list[str]:
    return [
        "A nota é enviada agora, sem esperar a vez na fila.",
        "Se o sistema da prefeitura ou o nacional estiver fora do ar, ela continua esperando.",
    ]


def _again_notes(note: ServiceNote) -> list[str]:
    notes = ["Os mesmos dados são conferidos e enviados outra vez, com a referência que têm."]
    if note.rps_number is not None:
        notes.append(f"O número {note.rps_number} da série {note.series} é mantido.")
    if told := said(note):
        notes.append(f"A última resposta foi: {told}")
    notes += [f"Correção: {one['correcao']}" for one in note.errors if one.get("correcao")]
    notes.append("Se o erro está nos dados da nota, corrija-os no sistema que a enviou.")
    return notes


def _resend_notes(note: ServiceNote) -> list[str]:
    return [
        f"A consulta não achou a nota do RPS {note.rps_number}, série {note.series}.",
        "Confira antes no portal da prefeitura: se a nota existir, este envio pode cancelá-la e "
        "criar outra no lugar (em São Paulo, alerta 217).",
        "Se ela não existir, o mesmo RPS é enviado de novo.",
    ]


def _conflict_notes(note: ServiceNote) -> list[str]:
    return [
        f"Resposta: {said(note)}",
        "Consultamos de novo. Se a nota for a que declaramos, ela passa a autorizada (ou "
        "cancelada); se for outra, continua em conflito.",
        "Em conflito: veja se outro sistema emite nesta série e emita este serviço com outra "
        "referência, que recebe outro número.",
    ]


# --- cancel -----------------------------------------------------------------------------------

_CODES = (
    ("", "O usual do provedor"),
    ("1", "1 – Erro na emissão"),
    ("2", "2 – Serviço não prestado"),
    ("4", "4 – Duplicidade da nota (municipal)"),
    ("9", "9 – Outros (nacional)"),
)


class NoteCancelForm(ActForm):
    codigo = forms.ChoiceField(label="Motivo", choices=_CODES, required=False)
    justificativa = forms.CharField(
        label="Justificativa",
        widget=statement_widget(LEAST, MOST),
        error_messages={"required": "Informe a justificativa."},
        help_text="De 15 a 255 caracteres. O padrão nacional a registra; outras prefeituras, não.",
    )

    def clean_justificativa(self) -> str:
        text = self.cleaned_data["justificativa"]
        return checked_statement(text, "A justificativa", least=LEAST, most=MOST)


def _cancel(note: ServiceNote, data: dict[str, Any], actor: Actor) -> Done:
    order = cancel_note(note, justificativa=data["justificativa"], codigo=data.get("codigo", ""))
    return _ordered(order)


def _ordered(order: ServiceOrder) -> Done:
    told = {"pedido": order.pk, "situacao": order.state}
    if order.state == OrderState.REGISTRADO:
        return Done("Nota cancelada.", told=told)
    if order.state == OrderState.EM_ANALISE:
        text = "O pedido está em análise na prefeitura: consultamos até ela decidir."
        return Done(text, is_good=False, told=told)
    if order.state == OrderState.REJEITADO:
        return Done(f"O cancelamento foi recusado: {faults(order)}", is_good=False, told=told)
    text = "Ainda não há resposta: o pedido segue sozinho até ela chegar."
    return Done(text, is_good=False, told=told)


def faults(order: ServiceOrder) -> str:
    """Why an order was refused, with what to correct."""
    return "; ".join(
        " – ".join(filter(None, (one.get("codigo"), one.get("mensagem"), one.get("correcao"))))
        for one in order.errors
    )


def open_order(note: ServiceNote) -> ServiceOrder | None:
    found: ServiceOrder | None = note.orders.filter(state__in=OPEN).first()
    return found


def _ask_order(note: ServiceNote, data: dict[str, Any], actor: Actor) -> Done:
    order = open_order(note)
    if order is None:
        raise InvalidRequest("O pedido de cancelamento já teve resposta.")
    orders.resume(order.pk)
    return _ordered(orders.current(order.pk))


def _cancel_notes(note: ServiceNote) -> list[str]:
    return [
        f"NFS-e nº {note.number}, {brl(note.total)}, {note.taker_name or 'sem tomador'}.",
        "O cancelamento não tem volta: o serviço que continuar precisa de outra nota.",
        "O prazo é do município. Fora dele o pedido pode ser recusado ou ir para análise: veja com "
        "a contabilidade a substituição.",
    ]


# --- tell -------------------------------------------------------------------------------------


def _mail(note: ServiceNote, data: dict[str, Any], actor: Actor) -> Done:
    sent = mail.send_note_again(note, data["emails"], now=clock.now())
    return Done(f"Na fila de e-mails: {', '.join(sent)}.", told={"enderecos": len(sent)})


def _tell(note: ServiceNote, data: dict[str, Any], actor: Actor) -> Done:
    hooks = notices.tell_hooks(_fresh(note), at=clock.now())
    if not hooks:
        return Done("Nenhum gatilho cadastrado recebe esta nota.", is_good=False)
    return Done(f"Aviso na fila para {len(hooks)} gatilho(s).", told={"gatilhos": len(hooks)})


def may_go_again(note: ServiceNote) -> bool:
    return bool(note.state == NoteState.REJEITADO and note.payload)


def _may_be_cancelled(note: ServiceNote) -> bool:
    return note.state == NoteState.AUTORIZADO and open_order(note) is None


def _has_open_order(note: ServiceNote) -> bool:
    return note.state in NOTE_LIVE and open_order(note) is not None


ACTS = (
    Act("consultar", "Consultar agora", "Consultar agora", _KEEP, EMIT,
        lambda row: row.state in ASKED, _resume, audit="nfse.consultada", notes=_ask_notes),
    Act("enviar", "Enviar agora", "Enviar agora", _KEEP, EMIT,
        lambda row: row.state in UNSENT, _resume, audit="nfse.reenviada", notes=_send_notes),
    Act("reenviar", "Enviar de novo", "Enviar de novo", _KEEP, EMIT, may_go_again,
        _issue_again, audit="nfse.reenviada", notes=_again_notes),
    Act("reenviar-rps", "Reenviar o mesmo RPS", "Reenviar o mesmo RPS", _KEEP, ISSUE,
        is_left_to_people, _resend, audit="nfse.rps_reenviado", is_danger=True,
        notes=_resend_notes),
    Act("resolver", "Resolver conflito", "Consultar e resolver", _KEEP, ISSUE,
        lambda row: row.state == NoteState.CONFLITO, _settle, audit="nfse.conflito_consultado",
        notes=_conflict_notes),
    Act("consultar-cancelamento", "Consultar o cancelamento", "Consultar agora", _KEEP, EMIT,
        _has_open_order, _ask_order, audit="nfse.cancelamento_consultado",
        notes=lambda row: ["Perguntamos à autoridade o que foi feito do pedido."]),
    Act("email", "Enviar por e-mail", "Enviar por e-mail", _KEEP, MAIL,
        lambda row: row.state in GOOD, _mail, form=MailForm, audit="nfse.email",
        initial=lambda row: {"emails": row.taker_email.replace(";", ", ")}),
    Act("avisar", "Repetir aviso", "Repetir o aviso aos gatilhos", _KEEP, TELL,
        lambda row: True, _tell, audit="nfse.aviso_repetido",
        notes=lambda row: ["Cada gatilho da nota recebe a situação de agora."]),
    Act("cancelar", "Cancelar a nota", "Confirmar cancelamento", "Manter a nota", ISSUE,
        _may_be_cancelled, _cancel, form=NoteCancelForm, audit="nfse.cancelada", is_danger=True,
        notes=_cancel_notes),
)  # fmt: skip
