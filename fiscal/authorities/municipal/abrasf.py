"""Cities of the ABRASF model 1.00, 2.02, 2.04: one Provider, differences are data (ABR-1…9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from fiscal.authorities.base import Credentials, Lost
from fiscal.authorities.municipal import abrasf_reading as reading
from fiscal.authorities.municipal import messages, soap
from fiscal.authorities.municipal.abrasf_values import of_declaration, of_note
from fiscal.authorities.municipal.checks import check, refuse_code, rehearse
from fiscal.authorities.municipal.profiles import Profile
from fiscal.authorities.municipal.soap import ASKING, CHANGING, Answered
from fiscal.authorities.municipal.tree import checked, written
from fiscal.authorities.municipal.values import of_period, only_alphanumeric, summary
from fiscal.authorities.provider import Kind, Outcome, ReceivedPage
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

# What codes mean to the engine (ABR-6, abrasf_erros.csv).
DUPLICATE = frozenset({"E10", "E71"})
UNKNOWN_RPS = frozenset({"E4", "E89", "E91"})
UNPROCESSED = frozenset({"E92"})
UNKNOWN_LOT = frozenset({"E86", "E87"})
ALREADY_CANCELLED = frozenset({"E79"})
NO_NOTES = UNKNOWN_RPS | frozenset({"E78"})  # of a question for many
_WAITING = ("1", "2")  # Situacao of a lot: not received, not processed
_OPERATIONS = {
    "GerarNfse": "GerarNfseEnvio",
    "RecepcionarLoteRpsSincrono": "EnviarLoteRpsSincronoEnvio",
    "RecepcionarLoteRps": "EnviarLoteRpsEnvio",
}


class Abrasf:
    """A city of the model, in one environment."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._family = profile.family
        self._version: dict[str, Any] = yaml_table("nfse/abrasf.yaml")["versoes"][
            self._family.version
        ]
        self.slug = self._family.slug
        self.municipality, self.ambiente = profile.municipality, profile.ambiente
        self.features = profile.features

    @property
    def route(self) -> str:
        return self._profile.route

    # --- issuing -----------------------------------------------------------------------------

    def check(self, declared: Declared) -> Sequence[FieldError]:
        return check(declared, self._family) or rehearse(declared, self)

    def build(self, declared: Declared, identity: RpsIdentity, *, signer: Signer) -> Prepared:
        """The message of the best operation that the city has, valid and signed inside out."""
        values = of_declaration(
            declared, identity, family=self._family, municipality=self.municipality
        )
        rps_id = only_alphanumeric(f"R{identity.kind}S{identity.series}N{identity.number}")
        signs = signer if "rps" in self._family.signs else None
        inf = self._element(self._version["inf"], rps_id, written(self._version["rps"], values))
        rps, digest = self._signed(inf, rps_id, signs)
        xml, lot_digest = self._message(f"<Rps>{rps}</Rps>", values, signer)
        checked(xml, self._version["esquema"], self._version["rps"], below=self._version["inf"])
        return Prepared(rps_id, xml, digest or lot_digest, summary(values))

    def _message(self, rps: str, values: dict[str, str], signer: Signer) -> tuple[bytes, str]:
        operation = self._family.operations[0]
        root = _OPERATIONS[operation]
        if operation == "GerarNfse":
            return self._document(root, rps), ""
        content = written(self._version["lote"], values) + f"<ListaRps>{rps}</ListaRps>"
        lot_id = f"L{values['lote']}"
        version = f' versao="{self._family.version}"' if self._version["atributo_versao"] else ""
        lot = self._element("LoteRps", lot_id, content, more=version)
        signs = signer if "lote" in self._family.signs else None
        signed, digest = self._signed(lot, lot_id, signs)
        return self._document(root, signed), digest

    def _element(self, tag: str, element_id: str, content: str, *, more: str = "") -> str:
        return f'<{tag} {self._version["id"]}="{element_id}"{more}>{content}</{tag}>'

    def _signed(self, element: str, element_id: str, signer: Signer | None) -> tuple[str, str]:
        """The element with its signature behind it, and the digest; unsigned without a signer."""
        if signer is None:
            return element, ""
        tag = element[1 : element.index(" ")]
        space = f'<{tag} xmlns="{self._version["namespace"]}"'
        canonical = element.replace(f"<{tag}", space, 1).encode()
        signature, digest = signer.signature(canonical, element_id=element_id)
        return element + signature.decode(), digest

    def _document(self, root: str, content: str) -> bytes:
        return f'<{root} xmlns="{self._version["namespace"]}">{content}</{root}>'.encode()

    def send(self, prepared: Prepared, *, credentials: Credentials) -> Outcome:
        operation = _operation(prepared.xml)
        answer = self._call(operation, prepared.xml.decode(), credentials, CHANGING)
        return self._sent(answer, identity=None)

    def _sent(self, answer: Answered, *, identity: RpsIdentity | None) -> Outcome:
        """A note, errors or a protocol, in this order of belief."""
        comp = reading.note_of(answer.root, identity)
        if comp is not None:
            return self._noted(answer, comp, identity or _anonymous(self.ambiente))
        faults = reading.faults(answer.root)
        if faults:
            kind = Kind.DUPLICATE if messages.has(faults, DUPLICATE) else Kind.REJECTED
            return _outcome(answer, kind, messages=faults)
        protocol = reading.value(answer.root, "Protocolo")
        if not protocol:
            raise _lost(answer, "sem nota, erro nem protocolo")
        return _outcome(answer, Kind.IN_PROCESS, protocol=protocol)

    def _noted(self, answer: Answered, comp: Any, identity: RpsIdentity) -> Outcome:
        try:
            note = reading.issued(comp, identity=identity)
        except ValueError as error:
            raise _lost(answer, str(error)) from error
        alerts = reading.alerts(answer.root)
        replaced_by = reading.replaced_by(comp)
        proof = reading.cancellation(comp)
        if replaced_by:
            return _outcome(answer, Kind.REPLACED, note=note, replaced_by=replaced_by)
        if proof is None:
            return _outcome(answer, Kind.AUTHORIZED, note=note, messages=alerts)
        return _outcome(
            answer,
            Kind.CANCELLED,
            note=note,
            event_xml=proof.bytes(default=None),
            registered_at=reading.cancelled_at(proof),
        )

    # --- asking ------------------------------------------------------------------------------

    def find(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        """By the protocol of its lot while there is one, else by its RPS (ABR-5, ABR-6)."""
        if not note.protocol:
            return self._by_rps(note, credentials)
        found = self._by_lot(note, credentials)
        return found or self._by_rps(note, credentials)

    def _by_lot(self, note: NoteRef, credentials: Credentials) -> Outcome | None:
        """None where the city does not know the lot, or says that the RPS was used before."""
        asked = self._version["situacao_do_lote"]
        if asked:
            answer = self._ask(asked, "consulta_lote", note, credentials)
            if reading.value(answer.root, "Situacao") in _WAITING:
                return _outcome(answer, Kind.IN_PROCESS, protocol=note.protocol)
        answer = self._ask("ConsultarLoteRps", "consulta_lote", note, credentials)
        if reading.value(answer.root, "Situacao") in _WAITING:
            return _outcome(answer, Kind.IN_PROCESS, protocol=note.protocol)
        faults = reading.faults(answer.root)
        if messages.has(faults, UNPROCESSED):
            return _outcome(answer, Kind.IN_PROCESS, protocol=note.protocol)
        if messages.has(faults, UNKNOWN_LOT | DUPLICATE):
            return None
        return self._sent(answer, identity=note.identity)

    def _by_rps(self, note: NoteRef, credentials: Credentials) -> Outcome:
        answer = self._ask("ConsultarNfsePorRps", "consulta_rps", note, credentials)
        comp = reading.note_of(answer.root, note.identity)
        if comp is not None:
            return self._noted(answer, comp, note.identity)
        faults = reading.faults(answer.root)
        if messages.has(faults, UNKNOWN_RPS):
            return _outcome(answer, Kind.NOT_FOUND, messages=faults)
        if messages.has(faults, UNPROCESSED):
            return _outcome(answer, Kind.IN_PROCESS, protocol=note.protocol, messages=faults)
        # Refused for another reason, the question says nothing about the note.
        raise _lost(answer, "; ".join(f"{each.code} {each.text}" for each in faults) or "vazia")

    # --- cancelling --------------------------------------------------------------------------

    def build_cancellation(
        self, note: NoteRef, *, code: str, reason: str, now: datetime, signer: Signer
    ) -> Prepared:
        """CancelarNfseEnvio; `reason` has no place in the model and stays with us.

        Raises InvalidRequest for a code that the city does not take (ABR-7).
        """
        refuse_code(code, self._family)
        values = of_note(note, code=code or self._family.cancel_codes[0])
        order_id = f"C{only_alphanumeric(note.number)}"
        content = written(self._version["cancelamento"], values)
        inf = self._element("InfPedidoCancelamento", order_id, content)
        signs = signer if "cancelamento" in self._family.signs else None
        signed, digest = self._signed(inf, order_id, signs)
        xml = self._document("CancelarNfseEnvio", f"<Pedido>{signed}</Pedido>")
        tree = self._version["cancelamento"]
        checked(xml, self._version["esquema"], tree, below="InfPedidoCancelamento")
        return Prepared(order_id, xml, digest)

    def send_cancellation(
        self, prepared: Prepared, note: NoteRef, *, credentials: Credentials
    ) -> Outcome:
        answer = self._call("CancelarNfse", prepared.xml.decode(), credentials, CHANGING)
        faults = reading.faults(answer.root)
        proof = reading.cancellation(answer.root)
        if proof is not None and not faults:
            return _outcome(
                answer,
                Kind.CANCELLED,
                event_xml=proof.bytes(default=None),
                registered_at=reading.cancelled_at(proof),
            )
        if messages.has(faults, ALREADY_CANCELLED):
            return _outcome(answer, Kind.CANCELLED, messages=faults)
        if messages.has(faults, self._family.pending_codes):
            return _outcome(answer, Kind.CANCEL_PENDING, messages=faults)
        if faults:
            return _outcome(answer, Kind.REJECTED, messages=faults)
        raise _lost(answer, "sem confirmação nem erro")

    def find_cancellation(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        return self._by_rps(replace(note, protocol=""), credentials)

    # --- received ----------------------------------------------------------------------------

    def received(
        self, taker: ServiceIssuer, *, first: date, last: date, page: int, credentials: Credentials
    ) -> ReceivedPage:
        """ConsultarNfseServicoTomado: CompNfse of each note, with its cancellation."""
        operation = "ConsultarNfseServicoTomado"
        values = of_period(taker, first, last, page)
        content = written(self._version["consulta_tomado"], values)
        message = self._document(f"{operation}Envio", content).decode()
        answer = self._call(operation, message, credentials, ASKING)
        notes = tuple(each.bytes(default=None) for each in answer.root.all("CompNfse"))
        faults = reading.faults(answer.root)
        if faults and not messages.has(faults, NO_NOTES):
            raise _lost(answer, "; ".join(f"{each.code} {each.text}" for each in faults))
        return ReceivedPage(notes, reading.next_page(answer.root, page))

    # --- the wire ----------------------------------------------------------------------------

    def _ask(self, operation: str, tree: str, note: NoteRef, credentials: Credentials) -> Answered:
        root = "ConsultarNfseRpsEnvio" if tree == "consulta_rps" else f"{operation}Envio"
        message = self._document(root, written(self._version[tree], of_note(note))).decode()
        return self._call(operation, message, credentials, ASKING)

    def _call(
        self, operation: str, message: str, credentials: Credentials, limits: Limits
    ) -> Answered:
        version, space = self._family.version, self._version["namespace"]
        head = (
            f'<cabecalho xmlns="{space}" versao="{version}">'
            f"<versaoDados>{version}</versaoDados></cabecalho>"
        )
        return soap.call(
            self._profile,
            operation,
            action=self._family.action.format(operacao=operation),
            parts=(head, message),
            credentials=credentials,
            limits=limits,
            is_answer=reading.is_answer,
        )


def _operation(xml: bytes) -> str:
    """The operation that a message is for: profiles may change while it waits."""
    root = xml[1 : xml.index(b" ")].decode()
    return next(name for name, tag in _OPERATIONS.items() if tag == root)


def _anonymous(ambiente: str) -> RpsIdentity:
    return RpsIdentity(ambiente, "", 0)


def _outcome(answer: Answered, kind: Kind, **facts: Any) -> Outcome:
    return Outcome(kind, raw=answer.raw, elapsed_ms=answer.elapsed_ms, **facts)


def _lost(answer: Answered, reason: str) -> Lost:
    return Lost(
        f"A prefeitura não deu resposta utilizável: {reason}",
        raw=answer.raw,
        elapsed_ms=answer.elapsed_ms,
    )
