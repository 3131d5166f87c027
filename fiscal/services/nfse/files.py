"""The files of service notes: as signed, sent or received, kept once (KEEP-1, KEEP-2)."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from fiscal.documents.service import NFSEN
from fiscal.models import Archive, ServiceNote, ServiceOrder
from fiscal.selectors import service_notes
from fiscal.services import archive
from fiscal.services.signing_step import local_time
from lib.compiled import CompiledInsert

Kind = Archive.Kind
_INSERT = CompiledInsert(Archive)
_UNUSUAL = re.compile(r"[^0-9A-Za-z-]+")


def note_xml(note: ServiceNote) -> bytes | None:
    """The NFS-e as the authority gave it, byte for byte; None while there is none."""
    return _content(service_notes.last_file(note, Kind.NOTE))


def cancellation_xml(note: ServiceNote) -> bytes | None:
    """The proof of the cancellation; None without one."""
    return _content(service_notes.last_file(note, Kind.EVENT))


def declared_xml(note: ServiceNote) -> bytes:
    """The signed declaration that the note stands by. Raises LookupError when there is none."""
    return _signed(note, declared_name(note))


def order_xml(order: ServiceOrder) -> bytes:
    """The signed bytes of an order. Raises LookupError when there are none."""
    return _signed(order.note, order_name(order))


def _signed(note: ServiceNote, name: str) -> bytes:
    rows = Archive.objects.filter(service_note=note, kind=Kind.DECLARED, name=name)
    content = _content(rows.order_by("-id").first())
    if content is None:
        raise LookupError(f"service note {note.pk} has no {name}")
    return content


def digests_of(note: ServiceNote) -> list[str]:
    """Every DigestValue that declarations of this note were signed with."""
    found = [note.digest_value] if note.digest_value else []
    rows = Archive.objects.filter(service_note=note, kind=Kind.DECLARED).order_by("-id")
    for row in rows:
        xml = archive.read(row)
        found += [one.decode() for one in re.findall(rb"<DigestValue>([^<]+)</DigestValue>", xml)]
    return list(dict.fromkeys(found))


def keep(
    note: ServiceNote, kind: str, name: str, content: bytes, *, at: datetime, is_first: bool = False
) -> None:
    """Keep a file of the note; the same bytes under the same name are kept once.

    `is_first`: the caller knows that there is no such file yet, and nothing is looked up.
    """
    digest = hashlib.sha256(content).hexdigest()
    if not is_first:
        same = Archive.objects.filter(service_note=note, kind=kind, name=name, sha256=digest)
        if same.exists():
            return
    row = Archive(
        account_id=note.account_id,
        company_id=note.company_id,
        service_note_id=note.pk,
        kind=kind,
        name=name,
        ambiente=note.ambiente,
        month=month_of(note, at=at),
        content=archive.packed(content),
        size=len(content),
        sha256=digest,
        created_at=at,
    )
    _INSERT.insert(row)


def month_of(note: ServiceNote, *, at: datetime) -> str:
    """AAAAMM of the note's issue on the issuer's clock, so that its files lie together."""
    return f"{local_time(note.company, note.dh_emi or at):%Y%m}"


# --- names (fiscal-api §1.10) ------------------------------------------------------------------


def stem(note: ServiceNote) -> str:
    """What the published names of the note's files begin with."""
    if note.key:
        return note.key
    series = _UNUSUAL.sub("", note.series)
    return f"{note.company.document}-{note.municipality}-{series}-{note.rps_number}"


def note_name(note: ServiceNote) -> str:
    return f"{stem(note)}-nfse.xml"


def cancellation_name(note: ServiceNote) -> str:
    return f"{stem(note)}-can.xml"


def declared_name(note: ServiceNote) -> str:
    kind = "dps" if note.tipo == NFSEN else "rps"
    return f"{_UNUSUAL.sub('', note.sent_id)[:100]}-{kind}.xml"


def order_name(order: ServiceOrder) -> str:
    return f"{order.note_id}-pedido-{order.pk}.xml"


def _content(found: Archive | None) -> bytes | None:
    return archive.read(found) if found else None
