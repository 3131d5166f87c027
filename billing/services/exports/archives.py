"""XML files of notes and PDFs of invoices, in a ZIP; what cannot be had is told as an error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from accounts.models import Account
from accounts.services.jobs import Progress
from billing.documents.cache import invoice_pdf
from billing.models import Invoice
from billing.selectors.customer_notes import XML, customer_notes, note_file
from billing.selectors.customer_standing import Standing
from lib.errors import DomainError


@dataclass(frozen=True)
class Entry:
    """A file to be: `item` is its name for people, `read` answers its name and bytes."""

    item: str
    read: Callable[[], tuple[str, bytes]]


def note_entries(rows: Sequence[Standing], *, account: Account) -> Iterator[Entry]:
    """The XML of every issued note of these invoices."""
    notes = customer_notes([row.pk for row in rows])
    for row in rows:
        for note in notes.get(row.pk, ()):
            if note.is_issued:
                yield Entry(f"NF {note.number}", _xml(account, row, note.id))


def _xml(account: Account, row: Standing, note_id: int) -> Callable[[], tuple[str, bytes]]:
    def read() -> tuple[str, bytes]:
        invoice = Invoice.objects.get_of(account, pk=row.pk)
        file = note_file(account, invoice, note_id, XML)
        return f"fatura-{_plain(row.label)}-{file.name}", file.content

    return read


def pdf_entries(rows: Sequence[Standing], *, account: Account) -> Iterator[Entry]:
    """The PDF of each of these invoices."""
    for row in rows:
        yield Entry(f"Fatura {row.label}", _pdf(account, row.pk))


def _pdf(account: Account, invoice_id: int) -> Callable[[], tuple[str, bytes]]:
    def read() -> tuple[str, bytes]:
        found = invoice_pdf(invoice_id, account=account)
        return found.filename, found.data

    return read


def write(
    path: Path, entries: Collection[Entry], progress: Progress, *, only: Collection[str] = ()
) -> int:
    """Add the entries (of `only`: items, where there are any) to the ZIP; answers how many.

    Never inside a transaction: a file may have to be made.
    """
    wanted = [entry for entry in entries if not only or entry.item in only]
    progress.set_total(len(wanted))
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        for entry in wanted:
            try:
                name, content = entry.read()
            except DomainError as error:
                progress.failed(entry.item, error.mensagem)
                continue
            archive.writestr(_free(name, archive), content)
            progress.ok()
        return len(archive.namelist())


def _free(name: str, archive: ZipFile) -> str:
    """Two invoices may bear one number: `a.pdf`, then `a-2.pdf`."""
    stem, dot, suffix = name.rpartition(".")
    taken, number, found = set(archive.namelist()), 1, name
    while found in taken:
        number += 1
        found = f"{stem}-{number}{dot}{suffix}"
    return found


def _plain(label: str) -> str:
    """A number that people typed, as part of a file's name."""
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in label)
