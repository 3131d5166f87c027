"""What staff may do to a document: the services of the API behind pages of confirmation (B13)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from accounts.services.audit import Actor
from fiscal import xml
from fiscal.admin.acts import Act, ActForm, Done
from fiscal.admin.columns import MODELS
from fiscal.admin.sections import EMIT, ISSUE, MAIL, TELL
from fiscal.authorities.cstat import hint
from fiscal.documents.nfe.event_requests import MAX_CORRECTION
from fiscal.documents.nfe.events import CARTA_CORRECAO, KINDS
from fiscal.errors import InvalidRequest
from fiscal.models import EventState, FiscalDocument, FiscalEvent, State
from fiscal.selectors.documents import shown_xml
from fiscal.selectors.events import corrected_text
from fiscal.services import event_orders, hook_events, mail, recovery
from fiscal.services.event_adoption import LIVE
from fiscal.services.issue import issue_document
from fiscal.services.resuming import resume
from lib import clock
from lib.templatetags.br import brl, data_hora

ASKED = (State.TRANSMITINDO, State.EM_LOTE, State.INDEFINIDO)
UNSENT = (State.RECEBIDO, State.ASSINADO, State.CONTINGENCIA, State.EPEC)
# EVT-5, by default; a UF may give more. The authority decides, we only warn.
DEADLINES = {55: timedelta(hours=24), 65: timedelta(minutes=30)}
LEAST, MOST = 15, 255


def statement_widget(least: int, most: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": 4, "data-min": least, "data-max": most})


def checked_statement(text: str, name: str, *, least: int, most: int) -> str:
    """The text as it goes into the XML. Raises ValidationError, which says how much is missing."""
    found = xml.text(text)
    if least <= len(found) <= most:
        return found
    off = f"faltam {least - len(found)}" if len(found) < least else f"sobram {len(found) - most}"
    raise forms.ValidationError(f"{name} deve ter entre {least} e {most} caracteres; {off}.")


# --- ask, send --------------------------------------------------------------------------------


def _fresh(document: FiscalDocument) -> FiscalDocument:
    found: FiscalDocument = FiscalDocument.objects.select_related("company").get(pk=document.pk)
    return found


def _went(document: FiscalDocument, before: str) -> Done:
    """Where the document stands after a call, in words."""
    row = _fresh(document)
    told = {"situacao": row.state, "cstat": row.c_stat}
    label = row.get_state_display()
    if row.state == before or row.state in (*ASKED, *UNSENT):
        return Done(_still(row), is_good=False, told=told)
    said = f" SEFAZ: {row.c_stat} – {row.x_motivo}" if row.c_stat else f" {row.x_motivo}"
    is_good = row.state in (State.AUTORIZADO, State.CANCELADO)
    return Done(f"Situação agora: {label}.{said if row.x_motivo else ''}", is_good, told=told)


def _still(row: FiscalDocument) -> str:
    label = row.get_state_display()
    if row.state == State.CONFLITO:
        return "A SEFAZ continua com outro documento nesta chave ou neste número."
    if row.next_attempt_at is None:
        return f"Sem resposta definitiva da SEFAZ. Situação: {label}."
    when = data_hora(row.next_attempt_at)
    return f"Sem resposta definitiva da SEFAZ. Situação: {label}; nova tentativa às {when[-5:]}."


def _resume(document: FiscalDocument, data: dict[str, Any], actor: Actor) -> Done:
    resume(document.pk)
    return _went(document, document.state)


def _settle(document: FiscalDocument, data: dict[str, Any], actor: Actor) -> Done:
    recovery.recover(document.pk)
    return _went(document, State.CONFLITO)


def _issue_again(document: FiscalDocument, data: dict[str, Any], actor: Actor) -> Done:
    live = issue_document(
        document.company,
        ambiente=document.ambiente,
        modelo=document.modelo,
        ref=document.ref,
        body=document.payload,
    )
    row = _fresh(live)
    if row.state in (State.RECEBIDO, *UNSENT):
        told = {"situacao": row.state, "numero": row.numero}
        return Done("O documento voltou para a fila de envio.", told=told)
    return _went(row, State.REJEITADO) if row.state != State.REJEITADO else _refused(row)


def _refused(row: FiscalDocument) -> Done:
    text = f"A SEFAZ recusou de novo: {row.c_stat} – {row.x_motivo}"
    return Done(text, is_good=False, told={"situacao": row.state, "cstat": row.c_stat})


def _may_go_again(document: FiscalDocument) -> bool:
    """Refused or voided, and still the document of its ref; what was printed offline is not."""
    if document.superseded_by_id or document.is_imported or not document.payload:
        return False
    if document.state == State.INUTILIZADO:
        return True
    return bool(document.state == State.REJEITADO and not document.is_offline)


def _again_notes(document: FiscalDocument) -> list[str]:
    notes = ["Os mesmos dados são conferidos e enviados outra vez, com a referência que têm."]
    if document.state == State.INUTILIZADO:
        notes.append("O número antigo foi inutilizado: o documento recebe o próximo da série.")
    elif document.numero is not None:
        notes.append(f"O número {document.numero} da série {document.serie} é mantido.")
    if document.c_stat:
        notes.append(f"A última resposta foi {document.c_stat} – {document.x_motivo}")
    advice = hint(document.c_stat) if document.c_stat else ""
    if advice:
        notes.append(advice)
    notes.append("Se o erro está nos dados da nota, corrija-os no sistema que a enviou.")
    return notes


def _ask_notes(document: FiscalDocument) -> list[str]:
    notes = ["A SEFAZ é consultada pela chave; nada é enviado enquanto ela não responder."]
    if document.next_attempt_at:
        notes.append(f"A próxima consulta automática é em {data_hora(document.next_attempt_at)}.")
    return notes


def _send_notes(document: FiscalDocument) -> list[str]:
    notes = ["O documento é enviado agora, sem esperar a vez na fila."]
    notes.append("Se a empresa está parada ou a SEFAZ fora do ar, ele continua esperando.")
    return notes


def _conflict_notes(document: FiscalDocument) -> list[str]:
    return [
        f"A SEFAZ respondeu {document.c_stat} – {document.x_motivo}",
        "Consultamos de novo. Se ela tiver o documento que assinamos, ele passa a autorizado (ou "
        "cancelado); se tiver outro, continua em conflito.",
        "Em conflito: veja se outro sistema emite nesta série. Se a nota de lá vale, importe o "
        "XML dela e emita esta venda com outra referência, que recebe outro número.",
    ]


# --- cancel, correct --------------------------------------------------------------------------


class CancelForm(ActForm):
    justificativa = forms.CharField(
        label="Justificativa",
        widget=statement_widget(LEAST, MOST),
        error_messages={"required": "Informe a justificativa."},
        help_text="De 15 a 255 caracteres. Fica registrada na SEFAZ.",
    )

    def clean_justificativa(self) -> str:
        text = self.cleaned_data["justificativa"]
        return checked_statement(text, "A justificativa", least=LEAST, most=MOST)


def _cancel(document: FiscalDocument, data: dict[str, Any], actor: Actor) -> Done:
    event = event_orders.cancel(document, {"justificativa": data["justificativa"]})
    return _registered(event, "Nota cancelada.")


def _registered(event: FiscalEvent, text: str) -> Done:
    told = {"tipo": event.tp_evento, "sequencia": event.n_seq, "cstat": event.c_stat}
    if event.state == EventState.REGISTRADO:
        return Done(f"{text} SEFAZ: {event.c_stat} – {event.x_motivo}", told=told)
    if event.state in LIVE:
        text = "A SEFAZ ainda não respondeu: o pedido segue sozinho até ela responder."
        return Done(text, is_good=False, told=told)
    advice = hint(event.c_stat) if event.c_stat else ""
    said = f"A SEFAZ recusou: {event.c_stat} – {event.x_motivo}"
    return Done(f"{said} {advice}".strip(), is_good=False, told=told)


def _cancel_notes(document: FiscalDocument) -> list[str]:
    notes = [
        f"{MODELS[document.modelo]} nº {document.numero}, série {document.serie}, "
        f"{brl(document.total)}, {document.recipient_name or 'consumidor não identificado'}.",
        "O cancelamento não tem volta: a venda que continuar precisa de outra nota.",
    ]
    if document.authorized_at is None:
        return notes
    until = document.authorized_at + DEADLINES.get(document.modelo, DEADLINES[55])
    passed = "já passou" if until < clock.now() else "vai até"
    notes.append(
        f"O prazo geral {passed} {data_hora(until)}; a UF pode dar mais. Fora do prazo a SEFAZ "
        "pode recusar (501): veja com a contabilidade nota de devolução."
    )
    return notes


class CorrectionForm(ActForm):
    correcao = forms.CharField(
        label="Correção",
        widget=statement_widget(LEAST, MAX_CORRECTION),
        error_messages={"required": "Informe a correção."},
        help_text="De 15 a 1.000 caracteres. Não corrige valor, imposto, destinatário nem data.",
    )
    substitui_anteriores = forms.BooleanField(
        label="Este texto vale sozinho",
        required=False,
        help_text="Desmarcado: o texto da carta anterior é repetido na frente deste.",
    )

    def clean_correcao(self) -> str:
        text = self.cleaned_data["correcao"]
        return checked_statement(text, "A correção", least=LEAST, most=MAX_CORRECTION)


def _correct(document: FiscalDocument, data: dict[str, Any], actor: Actor) -> Done:
    body = {"correcao": data["correcao"], "substitui_anteriores": data["substitui_anteriores"]}
    return _registered(event_orders.carta_correcao(document, body), "Carta de correção registrada.")


def _correction_notes(document: FiscalDocument) -> list[str]:
    most = KINDS[CARTA_CORRECAO].most
    n = document.events.filter(tp_evento=CARTA_CORRECAO, state=EventState.REGISTRADO).count()
    notes = [f"Esta será a carta nº {n + 1} de até {most}. Só a última vale: ela substitui todas."]
    before = corrected_text(document)
    if before:
        notes.append(f"Texto em vigor: “{before}”")
    return notes


# --- tell -------------------------------------------------------------------------------------


class MailForm(ActForm):
    emails = forms.CharField(
        label="Endereços",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Informe ao menos um endereço."},
        help_text=f"Até {mail.MOST}, separados por vírgula, espaço ou linha.",
    )

    def clean_emails(self) -> list[str]:
        texts = self.cleaned_data["emails"].replace(",", " ").replace(";", " ").split()
        try:
            return mail.read_addresses(texts)
        except InvalidRequest as refusal:
            text = refusal.mensagem.replace('Parâmetro "emails"', "Endereço")
            raise forms.ValidationError(text) from refusal


def _mail(document: FiscalDocument, data: dict[str, Any], actor: Actor) -> Done:
    sent = mail.send_again(document, data["emails"], now=clock.now())
    return Done(f"Na fila de e-mails: {', '.join(sent)}.", told={"enderecos": len(sent)})


def _may_be_mailed(document: FiscalDocument) -> bool:
    if document.state in (State.AUTORIZADO, State.CANCELADO):
        return True
    return bool(document.is_offline and document.state in (State.CONTINGENCIA, *ASKED))


def _tell(document: FiscalDocument, data: dict[str, Any], actor: Actor) -> Done:
    hooks = hook_events.tell_again(document, at=clock.now())
    if not hooks:
        return Done("Nenhum gatilho cadastrado recebe este documento.", is_good=False)
    return Done(f"Aviso na fila para {len(hooks)} gatilho(s).", told={"gatilhos": len(hooks)})


def is_printable(document: FiscalDocument) -> bool:
    """Is there an XML to be published, so a print of it?"""
    if document.state in (State.RECEBIDO, State.ASSINADO, State.REJEITADO):
        return False
    return shown_xml(document) is not None


_KEEP = "Voltar ao documento"
ACTS = (
    Act("consultar", "Consultar agora", "Consultar a SEFAZ agora", _KEEP, EMIT,
        lambda row: row.state in ASKED, _resume, audit="nf.consultada", notes=_ask_notes),
    Act("enviar", "Enviar agora", "Enviar agora", _KEEP, EMIT,
        lambda row: row.state in UNSENT and not row.superseded_by_id, _resume,
        audit="nf.reenviada", notes=_send_notes),
    Act("reenviar", "Enviar de novo", "Enviar de novo", _KEEP, EMIT, _may_go_again,
        _issue_again, audit="nf.reenviada", notes=_again_notes),
    Act("resolver", "Resolver conflito", "Consultar e resolver", _KEEP, ISSUE,
        lambda row: row.state == State.CONFLITO, _settle, audit="nf.conflito_consultado",
        notes=_conflict_notes),
    Act("carta-de-correcao", "Carta de correção", "Registrar carta de correção", _KEEP, ISSUE,
        lambda row: row.state == State.AUTORIZADO and row.modelo == 55, _correct,
        form=CorrectionForm, audit="nf.cce", notes=_correction_notes),
    Act("email", "Enviar por e-mail", "Enviar por e-mail", _KEEP, MAIL, _may_be_mailed, _mail,
        form=MailForm, audit="nf.email",
        initial=lambda row: {"emails": row.recipient_email.replace(";", ", ")}),
    Act("avisar", "Repetir aviso", "Repetir o aviso aos gatilhos", _KEEP, TELL,
        lambda row: row.modelo == 55 or row.is_offline, _tell, audit="nf.aviso_repetido",
        notes=lambda row: ["Cada gatilho do documento recebe a situação de agora."]),
    Act("cancelar", "Cancelar a nota", "Confirmar cancelamento", "Manter a nota", ISSUE,
        lambda row: row.state == State.AUTORIZADO, _cancel, form=CancelForm,
        audit="nf.cancelada", is_danger=True, notes=_cancel_notes),
)  # fmt: skip
