"""What must be true when a soak of service notes is over: the sandbox's books against ours."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable
from typing import Any

from soak.fiscal_proof import Wrong

from fiscal.models import NoteState, ServiceAttempt, ServiceNote, ServiceOrder, ServiceSeries
from fiscal.services.nfse import files

Tell = Callable[..., Any]
Key = tuple[str, str, str, str, int]
FINAL = (NoteState.AUTORIZADO, NoteState.CANCELADO)


def prove(tell: Tell, notes: int) -> None:
    """Raise Wrong for the first thing that is not as it must be."""
    rows = list(ServiceNote.objects.select_related("company").order_by("pk"))
    refs = Counter(row.ref for row in rows)
    if set(refs) != {f"s{n}" for n in range(notes)} or max(refs.values()) > 1:
        raise Wrong(f"{len(refs)} refs respondem por {notes}")
    if odd := Counter(row.state for row in rows if row.state not in FINAL):
        raise Wrong(f"sem situação final: {dict(odd)}")
    there = tell("GET", "notas?xml=1")
    _same_notes(there, rows)
    _same_files(there, rows)
    _every_number_has_one_use(rows)
    _nothing_is_open(rows)


def _authority(row: ServiceNote) -> str:
    return "SEFIN" if row.provider == "nacional" else f"M{row.municipality}"


def _key(row: ServiceNote) -> Key:
    number = row.rps_number or 0
    return (row.ambiente, _authority(row), row.company.document, row.series, number)


def _their_key(row: dict[str, Any]) -> Key:
    return (
        row["ambiente"],
        row["autorizador"],
        row["documento"],
        row["serie"],
        row["numero_rps"],
    )


def _same_notes(there: list[dict[str, Any]], rows: list[ServiceNote]) -> None:
    """One note of each declaration there, and the same number, code and standing here."""
    uses = Counter(_their_key(row) for row in there)
    if repeated := [key for key, n in uses.items() if n > 1]:
        raise Wrong(f"emitidas mais de uma vez: {repeated[:3]}")
    theirs = {_their_key(row): (str(row["numero"]), row["chave"], row["situacao"]) for row in there}
    ours = {
        _key(row): (row.number, row.key or row.verification_code, str(row.state)) for row in rows
    }
    only_there, only_here = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    differ = [(key, theirs[key], ours[key]) for key in set(theirs) & set(ours)]
    differ = [each for each in differ if each[1] != each[2]]
    if only_there or only_here or differ:
        raise Wrong(
            f"notas: só lá {len(only_there)} {only_there[:3]}, só aqui {len(only_here)} "
            f"{only_here[:3]}, diferentes {len(differ)} {differ[:3]}"
        )


def _same_files(there: list[dict[str, Any]], rows: list[ServiceNote]) -> None:
    """The file that clients get holds the note as it was issued, signature and all."""
    issued = {_their_key(row): base64.b64decode(row["xml"]) for row in there}
    for row in rows:
        content = files.note_xml(row) or b""
        wanted = b"<SignatureValue>" + _last_signature(issued[_key(row)])
        if _authority(row) != "M3550308" and wanted not in content:
            raise Wrong(f"{row.ref}: o XML guardado não é o da nota emitida")
        if row.number.encode() not in content:
            raise Wrong(f"{row.ref}: o XML guardado não tem o número da nota")


def _last_signature(xml: bytes) -> bytes:
    return xml.rpartition(b"<SignatureValue>")[2].partition(b"</SignatureValue>")[0]


def _every_number_has_one_use(rows: list[ServiceNote]) -> None:
    """The numbers of a series, from the first to the one before the next, each once."""
    for series in ServiceSeries.objects.all():
        mine = [
            row.rps_number
            for row in rows
            if (row.company_id, row.ambiente, row.tipo, row.series)
            == (series.company_id, series.ambiente, series.tipo, series.series)
            and (not series.municipality or row.municipality == series.municipality)
        ]
        if Counter(mine) != Counter(range(1, series.next_number)):
            raise Wrong(f"{series}: {len(mine)} notas, próximo {series.next_number}")


def _nothing_is_open(rows: list[ServiceNote]) -> None:
    open_ = ServiceAttempt.objects.filter(outcome=ServiceAttempt.Outcome.OPEN).count()
    waiting = [row.ref for row in rows if row.next_attempt_at is not None]
    orders = ServiceOrder.objects.filter(
        state__in=["assinado", "transmitindo", "em_analise", "indefinido"]
    ).count()
    if open_ or waiting or orders:
        raise Wrong(f"{open_} tentativas, {orders} pedidos abertos, à espera {waiting[:5]}")


def totals() -> str:
    """Rows by state."""
    found = Counter(ServiceNote.objects.values_list("state", flat=True))
    return ", ".join(f"{n} {state}" for state, n in sorted(found.items()))
