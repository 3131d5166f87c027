"""Cancellation of a city's note: done at once, refused, late, or left to a person."""

from __future__ import annotations

import sqlite3

from lxml import etree

from fiscal.sandbox import city_profiles, note_books
from fiscal.sandbox.city_profiles import Profile
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused
from fiscal.sandbox.services import abrasf_note, abrasf_sending, national_events
from fiscal.sandbox.services.abrasf_rps import Rps

PENDING = "A01"
KIND = "cancelamento"


def ordered(call: NoteCall, profile: Profile, order: etree._Element) -> sqlite3.Row:
    """The live note that an element Pedido is about. Raises NoteRefused."""
    inf = order.find(f"{{{profile.namespace}}}InfPedidoCancelamento")
    if inf is None:
        raise NoteRefused(Fault("E160"))
    told = Rps(profile, order, inf)
    path = "IdentificacaoNfse"
    document = (
        told.text(f"{path}/CpfCnpj/Cnpj")
        or told.text(f"{path}/CpfCnpj/Cpf")
        or told.text(f"{path}/Cnpj")
    )
    parent = order.getparent()
    # Inside of a substitution the order may go without a signature of its own.
    is_alone = parent is not None and etree.QName(parent).localname == "CancelarNfseEnvio"
    wanted = is_alone and "cancelamento" in profile.signs
    abrasf_sending.check_signature(call, order, inf, document, wanted=wanted)
    row = note_books.by_number(call, document, int(told.text(f"{path}/Numero") or 0))
    if row is None or told.text(f"{path}/CodigoMunicipio") != call.municipality:
        raise NoteRefused(Fault("E78"))
    settle(call, row)
    row = note_books.by_id(call, row["id"]) or row
    check_live(row)
    if told.text("CodigoCancelamento") not in profile.codes:
        raise NoteRefused(Fault("E160", detail=f"CodigoCancelamento: {sorted(profile.codes)}"))
    return row


def check_live(row: sqlite3.Row) -> None:
    """E79 for a cancelled note, E7 for a replaced one."""
    if row["situacao"] == note_books.CANCELLED:
        raise NoteRefused(Fault("E79"))
    if row["situacao"] == note_books.REPLACED:
        raise NoteRefused(Fault("E7"))


def cancel(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """CancelarNfse."""
    order = message.find(f"{{{profile.namespace}}}Pedido")
    if order is None:
        raise NoteRefused(Fault("E160"))
    with call.world.store.transaction():
        row = ordered(call, profile, order)
        _check(call, row)
        raw = etree.tostring(order, encoding="unicode", with_tail=False)
        if call.fault("cancelamento_pendente"):
            pending = _wait(call, row, raw)
        else:
            text = _done(call, profile, row, raw)
            return _answered(profile, text)
    raise pending


def _check(call: NoteCall, row: sqlite3.Row) -> None:
    if call.fault("cancelamento_recusado"):
        raise NoteRefused(Fault("E6"))
    if call.fault("cancelamento_tardio") or national_events.is_late(call, row):
        text = "Prazo para cancelamento da NFS-e expirado; solicite por processo administrativo"
        raise NoteRefused(Fault("E6", text))
    if _waiting(call, row) is not None:
        raise NoteRefused(_pending_fault(PENDING))


def _pending_fault(code: str) -> Fault:
    return Fault(code, "Pedido de cancelamento recebido e em análise pela fiscalização")


def _answered(profile: Profile, text: str) -> str:
    if profile.is_first:
        return text.replace("<NfseCancelamento", "<Cancelamento").replace(
            "</NfseCancelamento", "</Cancelamento"
        )
    return f"<RetCancelamento>{text}</RetCancelamento>"


def _done(call: NoteCall, profile: Profile, row: sqlite3.Row, raw: str) -> str:
    text = abrasf_note.cancellation(call, profile, raw, row["numero"])
    note_books.enter_event(
        call,
        abrasf_note.event_key(row["documento"], row["numero"]),
        KIND,
        request=raw.encode(),
        xml=text.encode(),
        author=row["documento"],
    )
    note_books.end(call, row, note_books.CANCELLED)
    return text


def _wait(call: NoteCall, row: sqlite3.Row, raw: str) -> NoteRefused:
    """Enter the order for a person; it is decided by the control or by itself after a time."""
    fault = call.fault("cancelamento_pendente")
    told = fault.parameters if fault is not None else {}
    seconds = told.get("segundos")
    note_books.enter_event(
        call,
        abrasf_note.event_key(row["documento"], row["numero"]),
        KIND,
        state="pendente",
        decided_at=None if seconds is None else call.later(float(seconds)),
        request=raw.encode(),
        author=str(told.get("resultado", "deferido")),
    )
    return NoteRefused(_pending_fault(str(told.get("codigo", PENDING))))


def _waiting(call: NoteCall, row: sqlite3.Row) -> sqlite3.Row | None:
    key = abrasf_note.event_key(row["documento"], row["numero"])
    found = [each for each in note_books.events_of(call, key) if each["situacao"] == "pendente"]
    return found[-1] if found else None


def settle(call: NoteCall, row: sqlite3.Row) -> None:
    """Decide what was to be decided by itself by now."""
    event = _waiting(call, row)
    due = None if event is None else event["decide_em"]
    if event is not None and due is not None and due <= call.now.timestamp():
        _decided(call, row, event, granted=event["autor"] != "indeferido")


def _decided(call: NoteCall, row: sqlite3.Row, event: sqlite3.Row, *, granted: bool) -> None:
    profile = city_profiles.of(call)
    note_books.settle(call, event, "deferido" if granted else "indeferido")
    if granted:
        _done(call, profile, row, bytes(event["pedido"]).decode())


def decide(call: NoteCall, document: str, number: int, *, granted: bool) -> None:
    """The city's answer, told by the control. Raises ValueError when nothing waits."""
    with call.world.store.transaction():
        row = note_books.by_number(call, document, number)
        event = None if row is None else _waiting(call, row)
        if row is None or event is None:
            raise ValueError(f"nenhum cancelamento pendente: {document} {number}")
        _decided(call, row, event, granted=granted)
