"""RPS taken by a city: one, a lot at once, a lot for later, one that replaces a note."""

from __future__ import annotations

import json
import secrets
import sqlite3

from lxml import etree

from fiscal.sandbox import note_books, note_signature
from fiscal.sandbox.city_profiles import Profile
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused
from fiscal.sandbox.services import abrasf_cancelling, abrasf_note, abrasf_rps
from fiscal.sandbox.services.abrasf_note import tag
from fiscal.sandbox.services.abrasf_rps import Rps


def _ns(profile: Profile, path: str) -> str:
    return "/".join(f"{{{profile.namespace}}}{step}" for step in path.split("/"))


def read(call: NoteCall, profile: Profile, element: etree._Element) -> Rps:
    """The RPS of an element `Rps`, its signature verified. Raises NoteRefused E1, E157."""
    inf = element.find(_ns(profile, profile.inf))
    if inf is None:
        raise NoteRefused(Fault("E160"))
    rps = Rps(profile, element, inf)
    check_signature(call, element, inf, rps.issuer, wanted="rps" in profile.signs)
    return rps


def check_signature(
    call: NoteCall, parent: etree._Element, target: etree._Element, issuer: str, *, wanted: bool
) -> None:
    """One that is wanted must be there; one that is there must be right and the issuer's."""
    signature = note_signature.of(parent)
    if signature is None:
        if wanted:
            raise NoteRefused(Fault("E1", detail="Assinatura obrigatória"))
        return
    try:
        verified = note_signature.verify(signature, target)
    except note_signature.Bad as error:
        raise NoteRefused(Fault("E1", detail=str(error))) from error
    wrong = call.world.trust.judge(verified.certificate, call.now, call.world.revoked())
    if wrong is not None:
        raise NoteRefused(Fault("E1", detail=f"certificado: {wrong.name}"))
    if issuer and not verified.certificate.base_is(issuer):
        raise NoteRefused(Fault("E157"))


# --- one ---------------------------------------------------------------------------------------


def one(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """GerarNfse."""
    element = message.find(_ns(profile, "Rps"))
    if element is None:
        raise NoteRefused(Fault("E160"))
    rps = read(call, profile, element)
    with call.world.store.transaction():
        codes = abrasf_rps.judge(rps, call)
        replaced = _replaced_rps(call, rps)
        if codes:
            raise NoteRefused(*map(Fault, codes))
        row = _issued(call, rps, replaced)
    return f"<ListaNfse>{_shown(call, profile, row)}</ListaNfse>"


def _shown(call: NoteCall, profile: Profile, row: sqlite3.Row) -> str:
    if call.fault("resposta_trocada"):
        row = note_books.another(call, row) or row
    return abrasf_note.complete(call, profile, row)


def _replaced_rps(call: NoteCall, rps: Rps) -> sqlite3.Row | None:
    """The note of the RPS that this one says to replace. Raises NoteRefused E76, E7, E79."""
    path = "RpsSubstituido" if rps.profile.is_first else "Rps/RpsSubstituido"
    if rps.find(path) is None:
        return None
    row = note_books.by_rps(
        call,
        document=rps.issuer,
        series=rps.text(f"{path}/Serie"),
        rps=int(rps.text(f"{path}/Numero")),
        rps_type=int(rps.text(f"{path}/Tipo")),
        municipality=call.municipality,
    )
    if row is None:
        raise NoteRefused(Fault("E76"))
    abrasf_cancelling.check_live(row)
    return row


def _issued(call: NoteCall, rps: Rps, replaced: sqlite3.Row | None) -> sqlite3.Row:
    number = str(replaced["numero"]) if replaced is not None else ""
    row = abrasf_note.issue(call, rps, replaces=number)
    if replaced is not None:
        note_books.end(call, replaced, note_books.REPLACED, replaced_by=str(row["numero"]))
    return row


def substitute(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """SubstituirNfse: the order about the old note and the RPS of the new one, as one act."""
    inside = message.find(_ns(profile, "SubstituicaoNfse"))
    order = message.find(_ns(profile, "SubstituicaoNfse/Pedido"))
    element = message.find(_ns(profile, "SubstituicaoNfse/Rps"))
    if inside is None or order is None or element is None:
        raise NoteRefused(Fault("E160"))
    rps = read(call, profile, element)
    check_signature(call, message, inside, rps.issuer, wanted=False)
    with call.world.store.transaction():
        old = abrasf_cancelling.ordered(call, profile, order)
        codes = abrasf_rps.judge(rps, call)
        if codes:
            raise NoteRefused(*map(Fault, codes))
        new = _issued(call, rps, old)
    before = note_books.by_id(call, old["id"]) or old
    return (
        f"<RetSubstituicao><NfseSubstituida>{abrasf_note.complete(call, profile, before)}"
        f"</NfseSubstituida><NfseSubstituidora>{_shown(call, profile, new)}"
        "</NfseSubstituidora></RetSubstituicao>"
    )


# --- lots --------------------------------------------------------------------------------------


def _lot(call: NoteCall, profile: Profile, message: etree._Element) -> tuple[str, list[Rps]]:
    """Number and RPS of a lot. Raises NoteRefused E1, E69, E70, E71, E159."""
    lot = message.find(_ns(profile, "LoteRps"))
    if lot is None:
        raise NoteRefused(Fault("E160"))
    whole = Rps(profile, lot, lot)
    issuer = whole.issuer or whole.text("CpfCnpj/Cnpj") or whole.text("CpfCnpj/Cpf")
    issuer = issuer or whole.text("Cnpj")
    check_signature(call, message, lot, issuer, wanted="lote" in profile.signs)
    found = [read(call, profile, each) for each in lot.iterfind(_ns(profile, "ListaRps/Rps"))]
    codes = []
    if whole.text("QuantidadeRps") != str(len(found)):
        codes.append("E69")
    if any(each.issuer != issuer for each in found):
        codes.append("E159")
    registration = whole.registration or whole.text("InscricaoMunicipal")
    if registration and any(each.registration not in ("", registration) for each in found):
        codes.append("E70")
    if len({each.identity for each in found}) != len(found):
        codes.append("E71")
    if codes:
        raise NoteRefused(*map(Fault, codes))
    return whole.text("NumeroLote"), found


def lot_at_once(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """RecepcionarLoteRpsSincrono: all of them or none."""
    number, found = _lot(call, profile, message)
    with call.world.store.transaction():
        wrong = [(rps, abrasf_rps.judge(rps, call)) for rps in found]
        replaced = [_replaced_rps(call, rps) for rps in found]
        if not any(codes for _, codes in wrong):
            rows = [_issued(call, *pair) for pair in zip(found, replaced, strict=True)]
            notes = "".join(_shown(call, profile, row) for row in rows)
            return _received(call, number, _protocol()) + f"<ListaNfse>{notes}</ListaNfse>"
    call.codes += [code for _, codes in wrong for code in codes]
    if profile.version == "2.04":
        raise NoteRefused(*(Fault(code) for _, codes in wrong for code in codes))
    return by_rps(wrong)


def by_rps(wrong: list[tuple[Rps, list[str]]]) -> str:
    """ListaMensagemRetornoLote: each fault with the RPS it is about."""
    from fiscal.sandbox import city_errors

    made = ""
    for rps, codes in wrong:
        series, number, kind = rps.identity
        who = tag("Numero", number) + tag("Serie", series) + tag("Tipo", kind)
        for code in codes:
            text = tag("Mensagem", city_errors.abrasf(code)[0][:200])
            made += f"<MensagemRetorno><IdentificacaoRps>{who}</IdentificacaoRps>"
            made += f"{tag('Codigo', code)}{text}</MensagemRetorno>"
    return f"<ListaMensagemRetornoLote>{made}</ListaMensagemRetornoLote>"


def _protocol() -> str:
    return secrets.token_hex(16)


def _received(call: NoteCall, number: str, protocol: str) -> str:
    moment = tag("DataRecebimento", call.local()[:19])
    return tag("NumeroLote", number) + moment + tag("Protocolo", protocol)


def take_lot(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """RecepcionarLoteRps: a protocol now, the notes when the lot is ready."""
    number, found = _lot(call, profile, message)
    told = call.fault("lote_com_erro")
    with call.world.store.transaction():
        codes = [code for rps in found for code in abrasf_rps.judge(rps, call)]
        if told is not None:
            codes.append(str(told.parameters.get("codigo", "E18")))
        replaced = [_replaced_rps(call, rps) for rps in found]
        rows = [] if codes else [_issued(call, *p) for p in zip(found, replaced, strict=True)]
        protocol = _keep(call, number, found[0].issuer, codes, rows)
    return _received(call, number, protocol)


def _keep(
    call: NoteCall, number: str, issuer: str, codes: list[str], rows: list[sqlite3.Row]
) -> str:
    """The lot as its protocol will find it; its notes are hidden until it is ready."""
    protocol = _protocol()
    delay = float(call.setting("atraso_lote", 0))
    polls = call.fault_number("em_processamento", "n", 1)
    held = call.fault("lote_em_processamento")
    if held is not None:
        delay = held.number("segundos", 0 if "n" in held.parameters else 3600)
        polls = held.number("n", 0)
    ready = call.later(delay)
    for row in rows:
        call.world.store.run(
            "UPDATE notas SET visivel_em = max(visivel_em, ?) WHERE id = ?", ready, row["id"]
        )
    call.world.store.insert(
        "notas_lotes",
        protocolo=protocol,
        ambiente=call.ambiente,
        autorizador=call.authority,
        documento=issuer,
        numero=number,
        recebido_em=call.now.timestamp(),
        pronto_em=ready,
        consultas_pendentes=int(polls or 0),
        erros=json.dumps(codes),
        notas=json.dumps([row["id"] for row in rows]),
    )
    return protocol
