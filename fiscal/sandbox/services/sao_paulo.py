"""São Paulo (Nota do Milhão): layouts 1 and 2, the strings that are signed, repeated RPS."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from fiscal.sandbox import city_errors, note_signature
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused, scripted
from fiscal.sandbox.schemas import first_fault
from fiscal.sandbox.services import city_wire, sao_paulo_queries, sao_paulo_sending
from fiscal.sandbox.services.sao_paulo_message import NAMESPACE, Message, event
from fiscal.sandbox.wire import Reply

MOST = 500_000
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_ACTION = f"{NAMESPACE}/ws/"


@dataclass(frozen=True)
class Operation:
    """One operation: its SOAPAction, the roots of question and answer, and who does it."""

    action: str
    question: str
    answer: str
    handle: Callable[[NoteCall, Message], str]


OPERATIONS = {
    "EnvioRPS": Operation("envioRPS", "PedidoEnvioRPS", "RetornoEnvioRPS", sao_paulo_sending.one),
    "EnvioLoteRPS": Operation(
        "envioLoteRPS", "PedidoEnvioLoteRPS", "RetornoEnvioLoteRPS", sao_paulo_sending.lot
    ),
    "TesteEnvioLoteRPS": Operation(
        "testeenvio", "PedidoEnvioLoteRPS", "RetornoEnvioLoteRPS", sao_paulo_sending.test
    ),
    "CancelamentoNFe": Operation(
        "cancelamentoNFe",
        "PedidoCancelamentoNFe",
        "RetornoCancelamentoNFe",
        sao_paulo_sending.cancel,
    ),
    "ConsultaNFe": Operation(
        "consultaNFe", "PedidoConsultaNFe", "RetornoConsulta", sao_paulo_queries.by_keys
    ),
    "ConsultaNFeEmitidas": Operation(
        "consultaNFeEmitidas",
        "PedidoConsultaNFePeriodo",
        "RetornoConsulta",
        sao_paulo_queries.issued,
    ),
    "ConsultaNFeRecebidas": Operation(
        "consultaNFeRecebidas",
        "PedidoConsultaNFePeriodo",
        "RetornoConsulta",
        sao_paulo_queries.received,
    ),
}


def answer(call: NoteCall) -> Reply:
    """One SOAP request to `/M3550308`."""
    version = "1.1"
    try:
        refused = city_wire.certificate_fault(call)
        if refused:
            return city_wire.fault(version, refused)
        envelope = city_wire.opened(call)
        version = envelope.version
        return _operated(call, envelope)
    except city_wire.NotSoap as error:
        call.remarks.append(str(error))
        return city_wire.fault(version, str(error))


def _operated(call: NoteCall, envelope: city_wire.Envelope) -> Reply:
    name = etree.QName(envelope.body)
    operation = OPERATIONS.get(name.localname.removesuffix("Request"))
    if operation is None or name.namespace != NAMESPACE or not name.localname.endswith("Request"):
        raise city_wire.NotSoap(f"operação desconhecida: {name.text}")
    wanted = _ACTION + operation.action
    if envelope.action != wanted and (envelope.version == "1.1" or envelope.action):
        raise city_wire.NotSoap(f"SOAPAction {envelope.action!r}; esperada {wanted!r}")
    layout = city_wire.part(envelope.body, "VersaoSchema", NAMESPACE).strip()
    text = city_wire.part(envelope.body, "MensagemXML", NAMESPACE)
    told = _said(call, operation, layout, text)
    return city_wire.sealed(
        envelope.version,
        response=f"{name.localname.removesuffix('Request')}Response",
        namespace=NAMESPACE,
        answer="RetornoXML",
        text="" if call.fault("retorno_vazio") else told,
        form="escaped",
        bare=False,
    )


def _said(call: NoteCall, operation: Operation, layout: str, text: str) -> str:
    shown = layout if layout in ("1", "2") else "1"
    try:
        scripted(call)
        inner = operation.handle(call, _message(call, operation, layout, text))
        is_done = True
    except NoteRefused as refusal:
        call.codes += [fault.code for fault in refusal.faults]
        inner, is_done = "".join(_error(fault) for fault in refusal.faults), False
    head = f"<Sucesso>{str(is_done).lower()}</Sucesso>"
    # The schemas of the city leave local elements without a namespace.
    name = f"p:{operation.answer}"
    return (
        f'<{name} xmlns:p="{NAMESPACE}"><Cabecalho Versao="{shown}">{head}</Cabecalho>'
        f"{inner}</{name}>"
    )


def _error(fault: Fault) -> str:
    code = fault.code if re.fullmatch("[0-9]{3,4}", fault.code) else "1304"
    text = fault.text or city_errors.sao_paulo(fault.code)
    return event("Erro", code, f"{text} {fault.detail}".strip())


def _message(call: NoteCall, operation: Operation, layout: str, text: str) -> Message:
    """The question, valid and signed by who the head names. Raises NoteRefused."""
    if layout not in ("1", "2"):
        raise NoteRefused(Fault("1002", "Versão do schema inválida."))
    if not text.strip():
        raise NoteRefused(Fault("1100", "Mensagem XML vazia."))
    if len(text.encode()) > MOST:
        raise NoteRefused(Fault("1101"))
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(_DECLARATION.sub("", text).encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NoteRefused(Fault("1001", detail=str(error))) from error
    name = operation.question
    wrong = first_fault(root, f"paulistana_v0{layout}/{name}_v0{layout}.xsd")
    if wrong or root.tag != f"{{{NAMESPACE}}}{name}":
        raise NoteRefused(Fault("1001", detail=wrong[:200]))
    return _signed(call, root, layout)


def _signed(call: NoteCall, root: etree._Element, layout: str) -> Message:
    signature = note_signature.of(root)
    if signature is None:
        raise NoteRefused(Fault("1050"))
    try:
        verified = note_signature.verify(signature, root, (note_signature.SHA1_C14N,))
    except note_signature.Bad as error:
        raise NoteRefused(Fault("1050", detail=str(error))) from error
    wrong = call.world.trust.judge(verified.certificate, call.now, call.world.revoked())
    if wrong is not None:
        raise NoteRefused(Fault("1057", detail=wrong.name))
    message = Message(root, layout, verified.certificate)
    if not verified.certificate.base_is(message.sender):
        raise NoteRefused(Fault("1201"))
    return message
