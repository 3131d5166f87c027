"""Sefin nacional as a provider of service notes (fiscal-engine §12.2)."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

from fiscal.authorities.base import Credentials, NotOffered
from fiscal.authorities.national import answers, hosts
from fiscal.authorities.provider import (
    Features,
    IssuedNote,
    Kind,
    Outcome,
    ProviderMessage,
)
from fiscal.authorities.transport import Limits, Reply
from fiscal.documents.nfsen import events, keys, make, neutral, showing
from fiscal.documents.nfsen.showing import NationalEvent, NationalNote
from fiscal.documents.service import NFSE, Declared, NoteRef, Prepared, RpsIdentity
from fiscal.errors import SchemaInvalid
from fiscal.signing import Signer
from fiscal.tables import places
from fiscal.xml import BadXml
from lib.errors import FieldError

log = logging.getLogger(__name__)

SLUG = "nacional"
ROUTE = "SEFIN"
_NEVER = datetime.min.replace(tzinfo=UTC)
# TLS-5: asking waits less than what changes something.
ASKING, CHANGING = Limits(read=30), Limits(read=60)
_CREATED = frozenset((200, 201))
_NOT_FOUND = 404
_DUPLICATE = frozenset(("E0014",))
_ALREADY = frozenset(("E0802", "E0840"))  # that event, or one that cancels, was registered before
_BAD_SIGNATURE = "E0714"
_TOO_LATE = "E0822"
_CANCELLED_BY = frozenset((events.CANCELLATION, events.GRANTED, events.BY_OFFICE))
_CORRECTIONS = {
    _BAD_SIGNATURE: "Há outro perfil de assinatura: peça ao suporte que troque NFSEN_SIGNATURE.",
    _TOO_LATE: (
        "Passado o prazo, peça a análise fiscal do cancelamento (evento 101103); "
        'pela API, repita o pedido com "analise_fiscal": true.'
    ),
}


def provider(slug: str, *, municipality: str, ambiente: str) -> Sefin:
    """The national system for the notes of a city. Raises NotOffered for another name."""
    if slug not in (SLUG, ""):
        raise NotOffered(f"Não há provedor {slug} no sistema nacional.")
    return Sefin(municipality, ambiente, features=_features())


@cache
def _features() -> Features:
    return Features(analyses=True, carries=neutral.carried())


@dataclass(frozen=True)
class Sefin:
    """The national system, for the notes of one city, in one environment."""

    municipality: str
    ambiente: str
    features: Features
    slug: str = SLUG

    @property
    def route(self) -> str:
        return ROUTE

    # --- building ----------------------------------------------------------------------------

    def check(self, declared: Declared) -> Sequence[FieldError]:
        """What the schema would refuse, of either body."""
        try:
            return make.rehearse(_national(declared), ambiente=self.ambiente)
        except SchemaInvalid as refused:
            return list(refused.erros)

    def build(self, declared: Declared, identity: RpsIdentity, *, signer: Signer) -> Prepared:
        profile = hosts.signature_profile(self.ambiente)
        return make.make(_national(declared), identity, signer=signer, profile=profile)

    def build_cancellation(
        self, note: NoteRef, *, code: str, reason: str, now: datetime, signer: Signer
    ) -> Prepared:
        """Event 101101; `code` 1 error of issue, 2 service not rendered, 9 other."""
        return self._event(events.CANCELLATION, note, code, reason, now, signer)

    def build_analysis(
        self, note: NoteRef, *, code: str, reason: str, now: datetime, signer: Signer
    ) -> Prepared:
        """Event 101103, past the deadline of the city; sent as a cancellation is."""
        return self._event(events.ANALYSIS, note, code, reason, now, signer)

    def _event(
        self, kind: str, note: NoteRef, code: str, reason: str, now: datetime, signer: Signer
    ) -> Prepared:
        known = places.municipality(note.municipality)
        zone = places.zone(known.uf if known else note.issuer.uf, note.municipality)
        made = events.request(
            kind,
            key=note.key,
            author=note.issuer.document,
            ambiente=self.ambiente,
            code=code,
            reason=reason,
            moment=now.astimezone(zone),
            signer=signer,
            profile=hosts.signature_profile(self.ambiente),
        )
        return Prepared(made.id, made.xml, made.digest_value)

    # --- notes -------------------------------------------------------------------------------

    def send(self, prepared: Prepared, *, credentials: Credentials) -> Outcome:
        """POST the DPS: the answer is the NFS-e (NAC-1)."""
        reply = self._post("nfse", "dpsXmlGZipB64", prepared.xml, credentials)
        if reply.status not in _CREATED:
            found = answers.refusal(reply)
            is_known = any(message.code in _DUPLICATE for message in found)
            return _refused(reply, found, Kind.DUPLICATE if is_known else Kind.REJECTED)
        note = _note_in(reply)
        if note.dps_id != prepared.id:
            raise answers.lost(reply, f"a NFS-e não é da nossa DPS ({note.dps_id})")
        body = answers.body_of(reply) or answers.Body()
        return _authorized(reply, note, answers.alerts(body))

    def find(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        """NAC-9: the key of our DPS, then the NFS-e, then whether it still stands."""
        key = note.key
        if not key:
            reply = self._get(f"dps/{note.id or _id_of(note)}", credentials)
            if reply.status == _NOT_FOUND:
                return Outcome(Kind.NOT_FOUND, raw=reply.body, elapsed_ms=reply.elapsed_ms)
            key = _key_in(reply)
        reply = self._get(f"nfse/{key}", credentials)
        if reply.status == _NOT_FOUND and note.key:
            return Outcome(Kind.NOT_FOUND, raw=reply.body, elapsed_ms=reply.elapsed_ms)
        found = _note_in(reply)
        if found.key != key or (note.id and found.dps_id != note.id):
            raise answers.lost(reply, "a NFS-e é de outra DPS")
        standing = self.find_cancellation(replace(note, key=key), credentials=credentials)
        return replace(standing, note=issued(found), raw=reply.body)

    # --- cancellations -----------------------------------------------------------------------

    def send_cancellation(
        self, prepared: Prepared, note: NoteRef, *, credentials: Credentials
    ) -> Outcome:
        """POST an event; what is registered already counts as done (E0840, E0802)."""
        path = f"nfse/{note.key}/eventos"
        reply = self._post(path, "pedidoRegistroEventoXmlGZipB64", prepared.xml, credentials)
        if reply.status in _CREATED:
            event = _event_in(reply)
            if event.request_id != prepared.id:
                raise answers.lost(reply, "o evento não é o nosso pedido")
            return _standing(reply, [event])
        found = answers.refusal(reply)
        if any(message.code in _ALREADY for message in found):
            standing = self.find_cancellation(note, credentials=credentials)
            if standing.kind != Kind.AUTHORIZED:
                return standing
        return _refused(reply, found, Kind.REJECTED)

    def find_cancellation(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        """What the events of a note say of it; without any it is live."""
        reply = self._get(f"nfse/{note.key}/eventos", credentials)
        return _standing(reply, _events_in(reply))

    # --- calls -------------------------------------------------------------------------------

    def _post(self, path: str, name: str, xml: bytes, credentials: Credentials) -> Reply:
        body = json.dumps({name: answers.packed(make.DECLARATION + xml)}).encode("ascii")
        rest = hosts.service(hosts.SEFIN, ambiente=self.ambiente, credentials=credentials)
        return self._told(path, rest.post(path, body, limits=CHANGING))

    def _get(self, path: str, credentials: Credentials) -> Reply:
        rest = hosts.service(hosts.SEFIN, ambiente=self.ambiente, credentials=credentials)
        return self._told(path, rest.get(path, limits=ASKING))

    def _told(self, path: str, reply: Reply) -> Reply:
        about = {"service": path.partition("/")[0], "authority": ROUTE, "ambiente": self.ambiente}
        elapsed = {"status": reply.status, "elapsed": reply.elapsed_ms}
        log.info("sefin.answered", extra={**about, **elapsed, "received": len(reply.body)})
        return reply


def issued(note: NationalNote) -> IssuedNote:
    """An NFS-e as the engine knows notes: its verification code is its key (fiscal-api §5.3)."""
    return IssuedNote(
        number=note.number,
        verification_code=note.key,
        issued_at=note.issued_at,
        key=note.key,
        url=note.url,
        identity=RpsIdentity(note.ambiente, note.series, note.dps_number),
        xml=note.xml,
        service_amount=note.service,
        base=note.base,
        iss=note.iss,
        net=note.net,
        taker_document=note.taker_document,
        replaces=note.replaces,
        code=note.c_stat,
    )


def _national(declared: Declared) -> Declared:
    return neutral.to_national(declared) if declared.tipo == NFSE else declared


def _id_of(note: NoteRef) -> str:
    return keys.dps_id(
        city=note.municipality,
        document=note.issuer.document,
        series=note.identity.series,
        number=note.identity.number,
    )


# --- reading answers ---------------------------------------------------------------------------


def _refused(reply: Reply, found: tuple[ProviderMessage, ...], kind: Kind) -> Outcome:
    told = tuple(replace(m, correction=_CORRECTIONS.get(m.code, m.correction)) for m in found)
    return Outcome(kind, messages=told, raw=reply.body, elapsed_ms=reply.elapsed_ms)


def _authorized(
    reply: Reply, note: NationalNote, alerts: tuple[ProviderMessage, ...] = ()
) -> Outcome:
    return Outcome(
        Kind.AUTHORIZED,
        note=issued(note),
        messages=alerts,
        raw=reply.body,
        elapsed_ms=reply.elapsed_ms,
    )


def _note_in(reply: Reply) -> NationalNote:
    """The NFS-e of an answer. A success without one proves nothing."""
    if reply.status not in _CREATED:
        _refuse(reply)
    body = answers.body_of(reply)
    try:
        return showing.read_note(answers.document((body or answers.Body()).text("nfseXmlGZipB64")))
    except (ValueError, BadXml) as error:
        raise answers.lost(reply, f"HTTP {reply.status} sem NFS-e legível: {error}") from error


def _key_in(reply: Reply) -> str:
    if reply.status not in _CREATED:
        _refuse(reply)
    key = (answers.body_of(reply) or answers.Body()).text("chaveAcesso")
    if not keys.has_form(key):
        raise answers.lost(reply, f"HTTP {reply.status} sem chave de acesso")
    return key


def _event_in(reply: Reply) -> NationalEvent:
    body = answers.body_of(reply) or answers.Body()
    try:
        return showing.read_event(answers.document(body.text("eventoXmlGZipB64")))
    except (ValueError, BadXml) as error:
        raise answers.lost(reply, f"HTTP {reply.status} sem evento legível: {error}") from error


def _events_in(reply: Reply) -> list[NationalEvent]:
    """The events of a note, oldest first; 404 says that there are none."""
    if reply.status == _NOT_FOUND:
        return []
    if reply.status not in _CREATED:
        _refuse(reply)
    body = answers.body_of(reply)
    if body is None:
        raise answers.lost(reply, f"HTTP {reply.status} sem lista de eventos")
    found = []
    for row in body.rows("eventos"):
        try:
            text = row.text("arquivoXml") or row.text("eventoXmlGZipB64")
            found.append(showing.read_event(answers.document(text)))
        except (ValueError, BadXml) as error:
            raise answers.lost(reply, f"evento ilegível: {error}") from error
    return sorted(found, key=lambda event: event.registered_at or _NEVER)


def _refuse(reply: Reply) -> None:
    """Raise what a refused question means: nothing is known by it."""
    found = answers.refusal(reply)
    told = "; ".join(f"{message.code} {message.text}" for message in found)
    raise answers.lost(reply, f"HTTP {reply.status} {told}")


def _standing(reply: Reply, found: list[NationalEvent]) -> Outcome:
    """What the events of a note make of it; the last word about an analysis counts."""
    kind, said = Kind.AUTHORIZED, None
    for event in found:
        if event.kind in _CANCELLED_BY:
            kind, said = Kind.CANCELLED, event
            break
        if event.kind == events.REPLACEMENT:
            kind, said = Kind.REPLACED, event
            break
        if event.kind == events.ANALYSIS:
            kind, said = Kind.CANCEL_PENDING, event
        elif event.kind == events.DENIED:
            kind, said = Kind.AUTHORIZED, event
    return Outcome(
        kind,
        raw=reply.body,
        elapsed_ms=reply.elapsed_ms,
        event_xml=said.xml if said else b"",
        registered_at=said.registered_at if said else None,
        replaced_by=said.replaced_by if said else "",
    )
