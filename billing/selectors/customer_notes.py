"""The fiscal documents of invoices as their customer sees them, and their files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Account
from billing.models import Invoice, InvoiceNote
from billing.models.invoice_note import NoteStage
from fiscal.models import FiscalDocument, ServiceNote
from fiscal.selectors.documents import shown_xml
from fiscal.services import archive
from fiscal.services.nfse.files import note_xml
from fiscal.services.nfse_printing import note_pdf
from fiscal.services.printing import danfe
from lib.errors import Conflict, NotFound

PDF, XML = "pdf", "xml"
NOT_NOW = (
    "A nota existe, mas o arquivo não está disponível agora. Tente mais tarde ou peça ao suporte."
)
# As ux §1.2 words them; what is wrong with a refused note is staff's matter.
_WORDS = {
    NoteStage.SCHEDULED: "Agendada",
    NoteStage.QUEUED: "Na fila",
    NoteStage.SENT: "Processando autorização",
    NoteStage.REFUSED: "Em emissão",
    NoteStage.ISSUED: "Autorizada",
    NoteStage.CANCELLING: "Autorizada",
    NoteStage.CANCELLED: "Cancelada",
    NoteStage.REPLACED: "Substituída",
}
_ON_ITS_WAY = (NoteStage.QUEUED, NoteStage.SENT, NoteStage.REFUSED)
_ISSUED = (NoteStage.ISSUED, NoteStage.CANCELLING, NoteStage.CANCELLED, NoteStage.REPLACED)


class FileNotReady(Conflict):
    codigo = "nota_indisponivel"
    mensagem = NOT_NOW


@dataclass(frozen=True)
class CustomerNote:
    """A note of an invoice. `is_live` tells the one that counts from cancelled and replaced ones.

    `code` is the verification code, `key` the access key (44 characters, 50 of the national NFS-e);
    each "" where there is none.
    """

    id: int
    invoice_id: int
    kind: str
    number: str
    issued_at: datetime | None
    status: str
    is_live: bool
    is_issued: bool
    is_on_its_way: bool
    code: str
    key: str


@dataclass(frozen=True)
class NoteFile:
    """A file of a note; `url` in place of `content` where the city keeps the print."""

    name: str
    content_type: str
    content: bytes = b""
    url: str = ""


def customer_notes(invoices: Collection[int]) -> dict[int, list[CustomerNote]]:
    """The notes of these invoices (ids), oldest first; what was given up is not told. One query."""
    rows = (
        InvoiceNote.objects.filter(invoice__among=list(invoices), state__in=_WORDS)
        .select_related("service_note", "document")
        .only(
            "invoice_id", "kind", "state", "slot", "generation",
            "service_note__state", "service_note__number", "service_note__verification_code",
            "service_note__key",
            "service_note__issued_at", "service_note__dh_emi",
            "document__state", "document__numero", "document__chave", "document__authorized_at",
            "document__dh_emi",
        )
        .order_by("invoice_id", "generation")
    )  # fmt: skip
    found: dict[int, list[CustomerNote]] = {}
    for row in rows:
        found.setdefault(row.invoice_id, []).append(_shown(row))
    return found


def _shown(row: InvoiceNote) -> CustomerNote:
    service, goods = row.service_note, row.document
    return CustomerNote(
        id=row.pk,
        invoice_id=row.invoice_id,
        kind="NF-e" if row.kind == "nfe" else "NFS-e",
        number=row.number,
        issued_at=_issued_at(service, goods),
        status=_WORDS[NoteStage(row.state)],
        is_live=row.slot is not None,
        is_issued=row.state in _ISSUED and bool(row.number),
        is_on_its_way=row.state in _ON_ITS_WAY,
        code=service.verification_code if service is not None else "",
        key=(service.key if service is not None else goods.chave if goods is not None else "")
        or "",
    )


def _issued_at(service: ServiceNote | None, goods: FiscalDocument | None) -> datetime | None:
    if service is not None:
        return service.issued_at or service.dh_emi
    return (goods.authorized_at or goods.dh_emi) if goods is not None else None


def note_file(account: Account, invoice: Invoice, note_id: int, kind: str) -> NoteFile:
    """A file (PDF or XML) of one of the invoice's issued notes; never inside a transaction.

    Raises NotFound; FileNotReady and other DomainErrors where it cannot be made or found now.
    """
    rows = InvoiceNote.objects.select_related("service_note__company", "document__company", "nfse")
    note: InvoiceNote = rows.get_of(account, pk=note_id, invoice_id=invoice.pk)
    if note.state not in _ISSUED or not note.number:
        raise NotFound()
    name = f"nota-{note.number}.{kind}"
    if kind == XML:
        content = _xml(note)
        if content is None:
            raise FileNotReady()
        return NoteFile(name, "application/xml", content)
    if note.nfse is not None and note.nfse.pdf_url:
        return NoteFile(name, "application/pdf", url=note.nfse.pdf_url)
    return NoteFile(name, "application/pdf", _pdf(note))


def _xml(note: InvoiceNote) -> bytes | None:
    if note.service_note is not None:
        return note_xml(note.service_note)
    assert note.document is not None
    found = shown_xml(note.document)
    return archive.read_file(found) if found is not None else None


def _pdf(note: InvoiceNote) -> bytes:
    if note.service_note is not None:
        return note_pdf(note.service_note)
    assert note.document is not None
    return danfe(note.document)
