"""SEFIN nacional: a DPS becomes an NFS-e; what became of it can be asked by key and by Id."""

from __future__ import annotations

import re
import sqlite3

from lxml import etree

from fiscal.sandbox import note_books, note_signature
from fiscal.sandbox.certificates import Fault as Wrong
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused, scripted
from fiscal.sandbox.services import (
    national_events,
    national_note,
    national_rules,
    national_substitution,
    national_values,
    national_wire,
)
from fiscal.sandbox.services.national_values import Dps
from fiscal.sandbox.wire import Reply

_KEY = re.compile(r"[0-9]{9}[0-9A-Z]{12}[0-9]{29}")
_NOTHING = Reply(404, "application/json; charset=utf-8", b"")


def answer(call: NoteCall) -> Reply:
    """One request below `/SEFIN`."""
    try:
        national_wire.check_sender(call)
        scripted(call)
        return _routed(call)
    except NoteRefused as refusal:
        is_event = "eventos" in call.parts or call.request.method == "GET"
        return national_wire.refused(call, refusal, one=is_event)


def _routed(call: NoteCall) -> Reply:
    method, parts = call.request.method, call.parts
    match parts:
        case ("nfse",) if method == "POST":
            return _issue(call)
        case ("nfse", key) if method == "GET":
            return _note(call, key)
        case ("dps", identity) if method in ("GET", "HEAD"):
            return _dps(call, identity)
        case ("nfse", key, "eventos", *rest):
            return national_events.answer(call, checked_key(key), rest)
        case ("DANFSe" | "danfse" | "ParametrosMunicipais" | "parametros_municipais", *_):
            return national_wire.answered(call, 501)
    return Reply(404, "text/plain; charset=utf-8", "Serviço inexistente".encode())


def checked_key(key: str) -> str:
    """E2406 for what is no key."""
    if not _KEY.fullmatch(key):
        raise NoteRefused(Fault("E2406"))
    return key


# --- questions ---------------------------------------------------------------------------------


def _note(call: NoteCall, key: str) -> Reply:
    row = note_books.by_key(call, checked_key(key))
    if row is None:
        raise NoteRefused(Fault("E2404"), status=404)
    if not _is_party(call, row):
        raise NoteRefused(Fault("E1200", "Acesso não permitido a esta NFS-e."), status=403)
    if call.fault("resposta_trocada"):
        row = note_books.another(call, row) or row
    xml = national_wire.packed(bytes(row["xml"]))
    return national_wire.answered(call, 200, chaveAcesso=row["chave"], nfseXmlGZipB64=xml)


def _dps(call: NoteCall, identity: str) -> Reply:
    row = note_books.by_identity(call, identity)
    if row is None:
        return Reply(_NOTHING.status, _NOTHING.content_type, b"")
    if call.request.method == "HEAD":
        return Reply(200, _NOTHING.content_type, b"")
    if not _is_party(call, row):
        raise NoteRefused(Fault("E1200", "Acesso permitido só aos atores da NFS-e."), status=403)
    return national_wire.answered(call, 200, idDps=identity, chaveAcesso=row["chave"])


def _is_party(call: NoteCall, row: sqlite3.Row) -> bool:
    parties = (row["documento"], row["tomador"], row["intermediario"])
    sender = call.sender
    return sender is not None and any(sender.base_is(each) for each in parties if each)


# --- issuing -----------------------------------------------------------------------------------


def _issue(call: NoteCall) -> Reply:
    raw = national_wire.message(call, "dpsXmlGZipB64")
    root = national_wire.parsed(raw, "DPS")
    dps = Dps(root)
    digest = check_signature(call, root, dps)
    with call.world.store.transaction():
        replaced = _judged(call, dps)
        row = _entered(call, dps, raw, digest)
        if replaced is not None:
            national_substitution.replace(call, replaced, row, dps)
    if call.fault("resposta_trocada"):
        row = note_books.another(call, row) or row
    return national_wire.answered(
        call,
        201,
        idDps=row["identidade"],
        chaveAcesso=row["chave"],
        nfseXmlGZipB64=national_wire.packed(bytes(row["xml"])),
        alertas=None,
    )


def _judged(call: NoteCall, dps: Dps) -> sqlite3.Row | None:
    """The note that it replaces, if any. Raises NoteRefused with every fault."""
    faults = national_rules.judge(dps, call)
    replaced, more = national_substitution.judge(dps, call)
    faults += more
    used = note_books.by_rps(
        call,
        document=dps.document("prest"),
        series=str(int(dps.text("serie"))),
        rps=int(dps.text("nDPS")),
        municipality=dps.text("cLocEmi"),
    )
    if used is not None or call.fault("duplicado_fantasma"):
        faults.append(Fault("E0014"))
    if faults:
        raise NoteRefused(*faults)
    return replaced


def check_signature(call: NoteCall, root: etree._Element, dps: Dps) -> str:
    """E0714…E0718; the digest of what was signed."""
    signature = note_signature.of(root)
    if signature is None:
        raise NoteRefused(Fault("E0717"))
    try:
        verified = note_signature.verify(signature, dps.inf)
    except note_signature.Bad as error:
        raise NoteRefused(Fault("E0714", detail=str(error))) from error
    wrong = call.world.trust.judge(verified.certificate, call.now, call.world.revoked())
    if wrong in (Wrong.NO_DOCUMENT, Wrong.NOT_ICP):
        raise NoteRefused(Fault("E0716"))
    if wrong is not None:
        raise NoteRefused(Fault("E0715"))
    if not verified.certificate.base_is(dps.document("prest")):
        raise NoteRefused(Fault("E0718"))
    return verified.digest


def _entered(call: NoteCall, dps: Dps, raw: bytes, digest: str) -> sqlite3.Row:
    document, city = dps.document("prest"), dps.text("cLocEmi")
    nnfse = call.world.store.next_number(f"nnfse {call.ambiente} {city} {document}")
    key = national_note.new_key(call, dps, nnfse)
    values = national_values.compute(dps, call)
    reform = national_values.reform(dps, values)
    xml = national_note.compose(call, dps, raw, key=key, nnfse=nnfse, values=values, reform=reform)
    row = note_books.enter(
        call,
        note_books.Entry(
            document=document,
            registration=dps.text("prest/IM"),
            municipality=city,
            series=str(int(dps.text("serie"))),
            rps=int(dps.text("nDPS")),
            rps_type=1,
            identity=dps.inf.get("Id", ""),
            number=nnfse,
            key=key,
            taker=dps.document("toma"),
            intermediary=dps.document("interm"),
            amount=dps.text("valores/vServPrest/vServ"),
            digest=digest,
            request=raw,
            xml=xml,
            replaces=dps.text("subst/chSubstda"),
        ),
    )
    parties = {row["documento"], row["tomador"], row["intermediario"]}
    note_books.deliver(call, parties, key=key, tipo="NFSE", xml=xml)
    return row
