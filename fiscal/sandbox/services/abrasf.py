"""A city that speaks ABRASF: envelope, header, operation, schema, answer."""

from __future__ import annotations

import re
from collections.abc import Callable

from lxml import etree

from fiscal.sandbox import city_errors, city_profiles
from fiscal.sandbox.city_profiles import ROOTS, Profile
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused, scripted
from fiscal.sandbox.schemas import first_fault
from fiscal.sandbox.services import (
    abrasf_cancelling,
    abrasf_queries,
    abrasf_sending,
    city_wire,
)
from fiscal.sandbox.services.abrasf_note import tag
from fiscal.sandbox.wire import Reply

decide = abrasf_cancelling.decide
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_VERSION = re.compile(r"<versaoDados>\s*([^<]*?)\s*</versaoDados>")
Handler = Callable[[NoteCall, Profile, etree._Element], str]
_HANDLERS: dict[str, Handler] = {
    "RecepcionarLoteRps": abrasf_sending.take_lot,
    "RecepcionarLoteRpsSincrono": abrasf_sending.lot_at_once,
    "GerarNfse": abrasf_sending.one,
    "SubstituirNfse": abrasf_sending.substitute,
    "CancelarNfse": abrasf_cancelling.cancel,
    "ConsultarLoteRps": abrasf_queries.lot,
    "ConsultarSituacaoLoteRps": abrasf_queries.state_of_lot,
    "ConsultarNfsePorRps": abrasf_queries.by_rps,
    "ConsultarNfse": abrasf_queries.issued,
    "ConsultarNfseServicoPrestado": abrasf_queries.issued,
    "ConsultarNfseServicoTomado": abrasf_queries.taken,
    "ConsultarNfsePorFaixa": abrasf_queries.issued,
}


def answer(call: NoteCall) -> Reply:
    """One SOAP request to `/M{ibge}`."""
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
    profile = city_profiles.of(call)
    operation = _operation(profile, envelope)
    head, data = (
        city_wire.part(envelope.body, name, profile.parts_namespace) for name in profile.parts
    )
    text = _said(call, profile, operation, head, data)
    if call.fault("retorno_vazio"):
        text = ""
    return city_wire.sealed(
        envelope.version,
        response=f"{operation}Response",
        namespace=profile.body_namespace,
        answer=profile.answer.format(operation=operation),
        text=text,
        form=profile.form,
        bare=not profile.parts_namespace,
    )


def _operation(profile: Profile, envelope: city_wire.Envelope) -> str:
    """The operation of the body. Raises NotSoap where envelope, element and action disagree."""
    name = etree.QName(envelope.body)
    known = {profile.request.format(operation=each): each for each in profile.operations}
    found = known.get(name.localname, "")
    if not found or name.namespace != profile.body_namespace:
        raise city_wire.NotSoap(f"operação desconhecida: {name.text}")
    if envelope.version not in profile.envelopes:
        raise city_wire.NotSoap(f"SOAP {envelope.version} não é aceito aqui")
    wanted = profile.action.format(operation=found)
    if envelope.action != wanted and (envelope.version == "1.1" or envelope.action):
        raise city_wire.NotSoap(f"SOAPAction {envelope.action!r}; esperada {wanted!r}")
    return found


def _said(call: NoteCall, profile: Profile, operation: str, head: str, data: str) -> str:
    root = ROOTS[operation]
    try:
        scripted(call)
        _check_head(profile, head)
        message = _parsed(profile, root, data)
        inner = _HANDLERS[operation](call, profile, message)
    except NoteRefused as refusal:
        call.codes += [fault.code for fault in refusal.faults]
        inner = told(refusal.faults)
        if operation == "ConsultarLoteRps" and not profile.is_first:
            inner = tag("Situacao", 1) + inner
    return f'<{root}Resposta xmlns="{profile.namespace}">{inner}</{root}Resposta>'


def _check_head(profile: Profile, head: str) -> None:
    found = _VERSION.search(head)
    if found is None or found.group(1) != profile.version:
        raise NoteRefused(Fault("E160", detail=f"versaoDados {profile.version}"))


def _parsed(profile: Profile, root: str, data: str) -> etree._Element:
    """The message, valid against the published schema. Raises NoteRefused E160."""
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        message = etree.fromstring(_DECLARATION.sub("", data).encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NoteRefused(Fault("E160", detail=str(error))) from error
    if message.tag != f"{{{profile.namespace}}}{root}Envio":
        raise NoteRefused(Fault("E160", detail=f"raiz {etree.QName(message).text}"))
    wrong = first_fault(message, profile.schema)
    if wrong:
        raise NoteRefused(Fault("E160", detail=wrong))
    return message


def told(faults: tuple[Fault, ...]) -> str:
    """ListaMensagemRetorno; what a fault adds goes to the correction."""
    return f"<ListaMensagemRetorno>{''.join(map(_message, faults))}</ListaMensagemRetorno>"


def _message(fault: Fault) -> str:
    text, correction = city_errors.abrasf(fault.code)
    inner = tag("Codigo", fault.code) + tag("Mensagem", (fault.text or text)[:200])
    inner += tag("Correcao", (fault.detail or correction)[:200])
    return f"<MensagemRetorno>{inner}</MensagemRetorno>"
