"""What goes along with an e-mail: found by the flags of its text, read again when it is sent.

Rows keep names and sizes, not bytes: everything here is in a cache or can be made again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.core.files.storage import default_storage
from django.db.models import F

from accounts.models import Account
from billing.documents.cache import file_name, invoice_pdf
from billing.gateways.mail.base import File
from billing.models import Attachment, Charge, Invoice, InvoiceLink, InvoiceNote
from billing.models.invoice_note import NoteStage
from billing.models.receivable import Receivable
from billing.selectors.attachments import lasting_url
from billing.selectors.note_links import pdf_of, xml_of
from billing.services import links
from billing.services.boletos.printing import charge_boleto
from fiscal.models import ServiceNote
from fiscal.services.nfse.files import note_xml
from fiscal.services.nfse_printing import note_pdf
from lib import clock
from lib.errors import Conflict

LIMIT = 15_000_000  # bytes of one e-mail as it travels: providers take 15 MB (EM-4)
_PDF, _XML = "application/pdf", "application/xml"
_ISSUED = (NoteStage.ISSUED, NoteStage.CANCELLING)


class Kind(StrEnum):
    """What a file is, as rows keep it."""

    INVOICE = "fatura"
    BOLETO = "boleto"
    NFSE_PDF = "nfse_pdf"
    NFSE_XML = "nfse_xml"
    ATTACHMENT = "anexo"


class FileMissing(Conflict):
    codigo = "email_file_missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"O arquivo {name} não foi encontrado; nada foi enviado.")


@dataclass(frozen=True)
class Enclosure:
    """A file of an e-mail. `id` is of the row that it is made of."""

    kind: Kind
    id: int
    name: str
    content: bytes = field(repr=False)
    content_type: str = _PDF

    @property
    def as_row(self) -> dict[str, Any]:
        return {"name": self.name, "size": len(self.content), "kind": self.kind, "id": self.id}


def encoded_size(size: int) -> int:
    """Bytes that `size` bytes take in base64, broken into lines of 76 (RFC 2045, §6.8)."""
    encoded = -(-size // 3) * 4
    return encoded + 2 * -(-encoded // 76)


def enclosures_of(
    invoice: Invoice, include: Collection[Kind], *, charges: Sequence[Charge] | None = None
) -> list[Enclosure]:
    """The files that the flags ask for and that there are; `charges` in place of all open boletos.

    Renders what is not in the cache: never inside a transaction. Raises PdfFailed and other
    DomainErrors: without its files an e-mail is not sent.
    """
    return [
        _read(kind, pk, invoice.account)
        for kind in Kind
        if kind in include
        for pk in _ids(kind, invoice, charges)
    ]


def files_of(rows: Sequence[dict[str, Any]], account: Account) -> tuple[File, ...]:
    """The files that a row lists, read anew. Raises DomainError."""
    found = (_read(Kind(row["kind"]), row["id"], account) for row in rows)
    return tuple(File(one.name, one.content, one.content_type) for one in found)


def _ids(kind: Kind, invoice: Invoice, charges: Sequence[Charge] | None) -> list[int]:
    if kind == Kind.INVOICE:
        return [invoice.pk]
    if kind == Kind.BOLETO:
        return [charge.pk for charge in (open_boletos(invoice) if charges is None else charges)]
    if kind == Kind.ATTACHMENT:
        rows = Attachment.objects.of(invoice.account).filter(invoice=invoice).order_by("pk")
        return list(rows.values_list("pk", flat=True))
    notes = _notes(invoice.account).filter(invoice=invoice)
    return list(notes.values_list("pk", flat=True))


def _notes(account: Account) -> Any:
    """Live notes that were issued here."""
    return InvoiceNote.objects.of(account).filter(
        slot=InvoiceNote.CURRENT, state__in=_ISSUED, service_note__isnull=False
    )


def open_boletos(invoice: Invoice) -> list[Charge]:
    """The registered boletos of what is still open, in the order of the instalments."""
    return list(
        Charge.objects.of(invoice.account)
        .filter(
            receivable__invoice=invoice,
            receivable__state=Receivable.State.TO_RECEIVE,
            kind=Charge.Kind.BOLETO,
            state=Charge.State.OPEN,
            principal=F("receivable__open_principal"),  # the rest was paid: it asks for too much
        )
        .exclude(limit_date__lt=clock.today(invoice.account.time_zone))
        .order_by("receivable__position")
    )


def _read(kind: Kind, pk: int, account: Account) -> Enclosure:
    return _READERS[kind](pk, account)


def _invoice(pk: int, account: Account) -> Enclosure:
    return Enclosure(Kind.INVOICE, pk, file_name(pk), invoice_pdf(pk, account=account).data)


def _boleto(pk: int, account: Account) -> Enclosure:
    printed = charge_boleto(pk, account=account)
    return Enclosure(Kind.BOLETO, pk, printed.filename, printed.data)


def _note(pk: int, account: Account) -> tuple[ServiceNote, str]:
    """The note and the beginning of its files' names."""
    row = _notes(account).filter(pk=pk).select_related("service_note__company").first()
    if row is None:
        raise FileMissing("da nota fiscal")
    return row.service_note, f"nota-{row.number}"


def _note_pdf(pk: int, account: Account) -> Enclosure:
    note, name = _note(pk, account)
    return Enclosure(Kind.NFSE_PDF, pk, f"{name}.pdf", note_pdf(note))


def _note_xml(pk: int, account: Account) -> Enclosure:
    note, name = _note(pk, account)
    data = note_xml(note)
    if data is None:
        raise FileMissing(f"{name}.xml")
    return Enclosure(Kind.NFSE_XML, pk, f"{name}.xml", data, _XML)


def _attachment(pk: int, account: Account) -> Enclosure:
    row = Attachment.objects.of(account).filter(pk=pk).first()
    if row is None:
        raise FileMissing("anexado à fatura")
    try:
        with default_storage.open(row.storage_key) as file:
            data = file.read()
    except FileNotFoundError as error:
        raise FileMissing(row.filename) from error
    return Enclosure(Kind.ATTACHMENT, pk, row.filename, data, row.content_type)


_READERS: dict[Kind, Callable[[int, Account], Enclosure]] = {
    Kind.INVOICE: _invoice,
    Kind.BOLETO: _boleto,
    Kind.NFSE_PDF: _note_pdf,
    Kind.NFSE_XML: _note_xml,
    Kind.ATTACHMENT: _attachment,
}


# --- as links -----------------------------------------------------------------------------------


def linked(rows: Sequence[dict[str, Any]], link: InvoiceLink) -> list[dict[str, Any]]:
    """The same rows, each with the address that the recipient may fetch it from."""
    return [{**row, "url": _url(Kind(row["kind"]), row["id"], link)} for row in rows]


def _url(kind: Kind, pk: int, link: InvoiceLink) -> str:
    page = links.address(link)
    if kind == Kind.INVOICE:
        return f"{page}pdf/"
    if kind == Kind.BOLETO:
        position = Charge.objects.values_list("receivable__position", flat=True).get(pk=pk)
        return f"{page}boleto/{position}.pdf"
    if kind == Kind.ATTACHMENT:
        return lasting_url(Attachment.objects.get(pk=pk), link)
    if kind in (Kind.NFSE_PDF, Kind.NFSE_XML):
        note = InvoiceNote.objects.select_related("nfse").get(pk=pk)
        if note.nfse is not None:
            return (pdf_of if kind == Kind.NFSE_PDF else xml_of)(note.nfse) or page
    return page
