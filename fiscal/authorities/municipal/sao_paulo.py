"""The city of São Paulo: a protocol of its own, layouts 1 and 2 (ABR-8).

An RPS that is sent again after it became a note cancels that note and makes another (alert 217):
nothing is ever repeated here before the city has been asked, and then only by a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from fiscal.authorities.base import Credentials, Lost, Misconfigured, NotSent
from fiscal.authorities.municipal import messages, soap
from fiscal.authorities.municipal import sao_paulo_reading as reading
from fiscal.authorities.municipal.checks import check, rehearse
from fiscal.authorities.municipal.profiles import Profile
from fiscal.authorities.municipal.sao_paulo_checks import reform_faults
from fiscal.authorities.municipal.sao_paulo_values import layout_of, of_declaration, of_note
from fiscal.authorities.municipal.soap import ASKING, CHANGING, Answered
from fiscal.authorities.municipal.tree import checked, written
from fiscal.authorities.municipal.values import of_period, only_alphanumeric, summary
from fiscal.authorities.provider import IssuedNote, Kind, Outcome, ReceivedPage
from fiscal.authorities.transport import Limits
from fiscal.documents.service import (
    Declared,
    NoteRef,
    Prepared,
    RpsIdentity,
    ServiceIssuer,
)
from fiscal.signing import Signer
from fiscal.tables.loaders import yaml_table
from lib.errors import FieldError

NAMESPACE = "http://www.prefeitura.sp.gov.br/nfe"
NOT_PROCESSED_AGAIN = frozenset({"216"})  # the RPS is a note already, and stays that note
UNKNOWN = frozenset({"1105", "1106"})
ALREADY_CANCELLED = frozenset({"1301"})
PAGE = 50
_ACTIONS = {
    "EnvioRPS": "envioRPS",
    "EnvioLoteRPS": "envioLoteRPS",
    "ConsultaNFe": "consultaNFe",
    "CancelamentoNFe": "cancelamentoNFe",
    "ConsultaNFeRecebidas": "consultaNFeRecebidas",
}


class SaoPaulo:
    """The city in one environment."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._family = profile.family
        self.slug = self._family.slug
        self.municipality, self.ambiente = profile.municipality, profile.ambiente
        self.features = profile.features

    @property
    def route(self) -> str:
        return self._profile.route

    # --- issuing -----------------------------------------------------------------------------

    def check(self, declared: Declared) -> Sequence[FieldError]:
        layout = layout_of(declared, self._family)
        found = [*check(declared, self._family), *reform_faults(declared, layout)]
        return found or rehearse(declared, self)

    def build(self, declared: Declared, identity: RpsIdentity, *, signer: Signer) -> Prepared:
        """PedidoEnvioRPS, or a lot of one where the profile prefers lots; signed and valid."""
        layout = layout_of(declared, self._family)
        values = of_declaration(declared, identity, layout=layout, signer=signer)
        trees = _trees()["layouts"][layout]
        operation = self._family.operations[0]
        head = trees["remetente" if operation == "EnvioRPS" else "lote"]
        root = f"Pedido{operation}"
        body = _head(written(head, values), layout) + _bare("RPS", written(trees["rps"], values))
        xml, digest = _signed(root, body, signer)
        checked(xml, f"sp{root}{layout}", trees["rps"], below="RPS")
        rps_id = only_alphanumeric(f"R{identity.kind}S{identity.series}N{identity.number}")
        return Prepared(rps_id, xml, digest, summary(values))

    def send(self, prepared: Prepared, *, credentials: Credentials) -> Outcome:
        """A success tells only the keys, so the note itself is asked for at once."""
        operation = _operation(prepared.xml)
        answer = self._call(operation, prepared.xml, credentials, CHANGING)
        alerts, faults = reading.alerts(answer.root), reading.faults(answer.root)
        note = reading.key_issued(answer.root, ambiente=self.ambiente)
        if messages.has((*alerts, *faults), NOT_PROCESSED_AGAIN):
            return _outcome(answer, Kind.DUPLICATE, messages=alerts + faults)
        if reading.is_success(answer.root) and note is not None:
            issued = self._complete(note, prepared, credentials)
            return _outcome(answer, Kind.AUTHORIZED, note=issued, messages=alerts)
        if faults:
            return _outcome(answer, Kind.REJECTED, messages=faults)
        raise _lost(answer, "sem nota nem erro")

    def _complete(
        self, note: IssuedNote, prepared: Prepared, credentials: Credentials
    ) -> IssuedNote:
        """The note with its date, amounts and XML; as it is where the city does not tell them."""
        sender = _cut(prepared.xml, "CPFCNPJRemetente")
        inscricao = _cut(prepared.xml, "InscricaoPrestador")
        key = f"<ChaveNFe>{inscricao}<NumeroNFe>{note.number}</NumeroNFe></ChaveNFe>"
        note = replace(note, url=self._page(_cut_text(inscricao), note))
        try:
            answer = self._query(sender, key, credentials)
            nfe = next((each for each in answer.root.children if each.local == "NFe"), None)
            found = reading.issued(nfe, ambiente=self.ambiente) if nfe else note
        except (NotSent, Lost, Misconfigured, ValueError):
            return note  # it is issued: what is missing here is asked for another time
        return replace(found, url=note.url) if found.number == note.number else note

    # --- asking ------------------------------------------------------------------------------

    def find(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        """By series and number of the RPS."""
        values = of_note(note, _signer(credentials))
        return self._found(note, _trees()["consulta_rps"], values, credentials)

    def find_cancellation(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        values = of_note(note, _signer(credentials))
        tree = _trees()["consulta_nfe" if note.number else "consulta_rps"]
        return self._found(note, tree, values, credentials)

    def _found(
        self, note: NoteRef, tree: Any, values: dict[str, str], credentials: Credentials
    ) -> Outcome:
        sender = written(_trees()["layouts"][self._family.version]["remetente"], values)
        answer = self._query(sender, written(tree, values), credentials)
        faults = reading.faults(answer.root)
        nfe = reading.note_of(answer.root, note.identity)
        if nfe is None:
            if messages.has(faults, UNKNOWN):
                return _outcome(answer, Kind.NOT_FOUND, messages=faults)
            raise _lost(answer, "; ".join(f"{each.code} {each.text}" for each in faults) or "vazia")
        try:
            issued = reading.issued(nfe, ambiente=self.ambiente)
        except ValueError as error:
            raise _lost(answer, str(error)) from error
        issued = replace(issued, url=self._page(values["inscricao"], issued))
        if nfe.value("StatusNFe") != "C":
            return _outcome(answer, Kind.AUTHORIZED, note=issued)
        at = reading.moment(nfe.value("DataCancelamento"))
        return _outcome(answer, Kind.CANCELLED, note=issued, event_xml=issued.xml, registered_at=at)

    def _query(self, sender: str, key: str, credentials: Credentials) -> Answered:
        body = _head(sender, self._family.version) + _bare("Detalhe", key)
        xml, _ = _signed("PedidoConsultaNFe", body, _signer(credentials))
        return self._call("ConsultaNFe", xml, credentials, ASKING)

    # --- cancelling --------------------------------------------------------------------------

    def build_cancellation(
        self, note: NoteRef, *, code: str, reason: str, now: datetime, signer: Signer
    ) -> Prepared:
        """PedidoCancelamentoNFe. The city knows neither codes nor reasons: they stay with us."""
        values, layout = {**of_note(note, signer), "verdadeiro": "true"}, self._family.version
        head = written(
            {**_trees()["layouts"][layout]["remetente"], "transacao": "verdadeiro"}, values
        )
        tree = _trees()["cancelamento"]
        body = _head(head, layout) + _bare("Detalhe", written(tree, values))
        xml, digest = _signed("PedidoCancelamentoNFe", body, signer)
        checked(xml, f"spPedidoCancelamentoNFe{layout}", tree, below="Detalhe")
        return Prepared(f"C{only_alphanumeric(note.number)}", xml, digest)

    def send_cancellation(
        self, prepared: Prepared, note: NoteRef, *, credentials: Credentials
    ) -> Outcome:
        answer = self._call("CancelamentoNFe", prepared.xml, credentials, CHANGING)
        faults, alerts = reading.faults(answer.root), reading.alerts(answer.root)
        if messages.has((*faults, *alerts), ALREADY_CANCELLED):
            return _outcome(answer, Kind.CANCELLED, messages=alerts + faults)
        if reading.is_success(answer.root):
            proof = answer.root.bytes(default=None)
            return _outcome(answer, Kind.CANCELLED, event_xml=proof, messages=alerts)
        if faults:
            return _outcome(answer, Kind.REJECTED, messages=faults)
        raise _lost(answer, "sem sucesso nem erro")

    # --- received ----------------------------------------------------------------------------

    def received(
        self, taker: ServiceIssuer, *, first: date, last: date, page: int, credentials: Credentials
    ) -> ReceivedPage:
        """ConsultaNFeRecebidas: at most 31 days (1403) and fifty notes of a page."""
        values = of_period(taker, first, last, page)
        head = written(_trees()["consulta_recebidas"], values)
        body = _head(head, self._family.version)
        xml, _ = _signed("PedidoConsultaNFePeriodo", body, _signer(credentials))
        answer = self._call("ConsultaNFeRecebidas", xml, credentials, ASKING)
        faults = reading.faults(answer.root)
        if faults and not messages.has(faults, UNKNOWN):
            raise _lost(answer, "; ".join(f"{each.code} {each.text}" for each in faults))
        found = [each for each in answer.root.children if each.local == "NFe"]
        notes = tuple(each.bytes(default="") for each in found)
        return ReceivedPage(notes, page + 1 if len(notes) >= PAGE else 0)

    # --- the wire ----------------------------------------------------------------------------

    def _call(
        self, operation: str, xml: bytes, credentials: Credentials, limits: Limits
    ) -> Answered:
        # The layout is what the message says of itself.
        layout = _after(xml.decode(), ' Versao="')
        return soap.call(
            self._profile,
            operation,
            action=self._family.action.format(acao=_ACTIONS[operation]),
            parts=(layout, xml.decode()),
            credentials=credentials,
            limits=limits,
            is_answer=reading.is_answer,
        )

    def _page(self, inscricao: str, note: IssuedNote) -> str:
        return self._family.page.format(
            inscricao=inscricao, numero=note.number, codigo=note.verification_code
        )


def _trees() -> dict[str, Any]:
    trees: dict[str, Any] = yaml_table("nfse/paulistana.yaml")
    return trees


def _signer(credentials: Credentials) -> Signer:
    """Questions are signed too, with the certificate that opens the connection."""
    try:
        return Signer.from_pem(credentials.key_pem, credentials.certificate_pem)
    except ValueError as error:
        raise Misconfigured(f"O certificado não assina: {error}") from error


def _head(content: str, layout: str) -> str:
    # Local elements of these schemas are in no namespace.
    return f'<Cabecalho xmlns="" Versao="{layout}">{content}</Cabecalho>'


def _bare(tag: str, content: str) -> str:
    return f'<{tag} xmlns="">{content}</{tag}>'


def _signed(root: str, body: str, signer: Signer) -> tuple[bytes, str]:
    """The message with its signature, which covers the whole document, and the digest."""
    opening, closing = f'<{root} xmlns="{NAMESPACE}">', f"</{root}>"
    whole = (opening + body + closing).encode()
    signature, digest = signer.signature(whole, element_id="")
    return (opening + body).encode() + signature + closing.encode(), digest


def _operation(xml: bytes) -> str:
    return xml[1 : xml.index(b" ")].decode().removeprefix("Pedido")


def _cut(xml: bytes, tag: str) -> str:
    """The first element of that name, of a message of ours."""
    text = xml.decode()
    start, closing = text.index(f"<{tag}>"), f"</{tag}>"
    return text[start : text.index(closing, start) + len(closing)]


def _cut_text(element: str) -> str:
    return element[element.index(">") + 1 : element.rindex("<")]


def _after(text: str, mark: str) -> str:
    return text.partition(mark)[2].partition('"')[0]


def _outcome(answer: Answered, kind: Kind, **facts: Any) -> Outcome:
    return Outcome(kind, raw=answer.raw, elapsed_ms=answer.elapsed_ms, **facts)


def _lost(answer: Answered, reason: str) -> Lost:
    return Lost(
        f"A prefeitura não deu resposta utilizável: {reason}",
        raw=answer.raw,
        elapsed_ms=answer.elapsed_ms,
    )
