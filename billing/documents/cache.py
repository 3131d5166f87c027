"""The PDF of an invoice: rendered once, then answered from the cache (billing-engine §5.3).

The cache is never trusted: a row counts only if it was made from the very same source and its bytes
still have their hash. So nothing has to be invalidated, and a lost row costs one rendering.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, Error, transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.documents.context import Source, invoice_source
from billing.documents.printing import PdfFailed, print_source
from billing.models import Invoice, Party, PdfCache
from billing.services.templates import install_default_templates
from lib import clock, pruning
from lib.compiled import CompiledQuery
from lib.locks import exclusive, impatient
from lib.pdf import RenderedPdf

__all__ = ["CachedPdf", "PdfFailed", "clear", "file_name", "invoice_pdf", "purge", "ready_pdf"]

log = logging.getLogger(__name__)

TOUCH_EVERY = timedelta(minutes=1)
# A rendering takes up to 65 s of processor time; whoever waits longer is told to come back.
WAIT_SECONDS = 60.0
MAX_READINGS = 5


# One row, as _store keeps it; whether it is still the right one its source_hash tells.
_PDFS = CompiledQuery(
    lambda invoice_id: PdfCache.objects.filter(invoice_id=invoice_id).values_list(
        "id", "data", "content_hash", "pages", "last_accessed", "source_hash"
    )
)


@dataclass(frozen=True)
class CachedPdf:
    """A PDF ready to be sent. `fresh` tells that it was rendered just now."""

    data: bytes
    content_hash: str
    filename: str
    pages: int
    fresh: bool


def invoice_pdf(invoice_id: int, *, account: Account) -> CachedPdf:
    """The PDF of an invoice, rendered if need be. Never call it inside a transaction.

    Simultaneous first requests render once; the others wait for it. Raises NotFound or PdfFailed.
    """
    source = _source(invoice_id, account)
    found = _stored(source)
    if found is not None:
        return found
    with exclusive("pdf", invoice_id, wait_seconds=WAIT_SECONDS) as ours:
        if not ours:
            raise PdfFailed(
                "ele ainda está sendo gerado; tente de novo em instantes", kind="in_progress"
            )
        source = _settled(invoice_id, account)  # it may have changed while we waited
        return _stored(source) or _make(source)


def ready_pdf(invoice_id: int, *, account: Account) -> CachedPdf | None:
    """The PDF if it is in the cache; None when it would have to be rendered. Raises NotFound."""
    return _stored(_source(invoice_id, account))


def _settled(invoice_id: int, account: Account) -> Source:
    """The source, read until two readings agree: one alone may have seen half of a change."""
    source = _source(invoice_id, account)
    for _ in range(MAX_READINGS):
        again = _source(invoice_id, account)
        if again.hash == source.hash:
            break
        source = again
    return source


def _source(invoice_id: int, account: Account) -> Source:
    """The invoice's source; its organization gets the shipped templates if it has none."""
    source = invoice_source(invoice_id, account)
    if source.version is None:
        install_default_templates(Party.objects.get(pk=source.organization_id))
        source = invoice_source(invoice_id, account)
    return source


# --- answering from the cache ------------------------------------------------------------------


def _stored(source: Source) -> CachedPdf | None:
    """The cached PDF if it was made from this source and is intact (PDF-3, PDF-4)."""
    rows = [row for row in _PDFS.rows(source.invoice_id) if row[-1] == source.hash]
    if not rows:
        return None
    pk, stored, content_hash, pages, last_accessed, _ = rows[0]
    data = bytes(stored)
    if hashlib.sha256(data).hexdigest() != content_hash:
        _drop_corrupt(pk, source.invoice_id)
        return None
    _touch(pk, last_accessed)
    return CachedPdf(data, content_hash, file_name(source.invoice_id), pages, fresh=False)


def _drop_corrupt(pk: int, invoice_id: int) -> None:
    log.warning("pdf_cache.corrupt", extra={"invoice_id": invoice_id})
    with suppress(DatabaseError), transaction.atomic():
        PdfCache.objects.filter(pk=pk).delete()


def _touch(pk: int, last_accessed: datetime) -> None:
    """Note the access, at most once a minute. It must not delay or spoil the answer (PDF-2)."""
    now = clock.now()
    if now - last_accessed < TOUCH_EVERY:
        return
    try:
        with impatient(), transaction.atomic():
            PdfCache.objects.filter(pk=pk, last_accessed=last_accessed).update(last_accessed=now)
    except DatabaseError:
        log.info("pdf_cache.not_touched")


# --- rendering ---------------------------------------------------------------------------------


def _make(source: Source) -> CachedPdf:
    """Render and keep. The answer counts more than the cache: a full disk costs only the latter."""
    rendered = print_source(source)
    content_hash = hashlib.sha256(rendered.pdf).hexdigest()
    try:
        _store(source, rendered, content_hash)
    except Error as error:
        log.warning(
            "pdf_cache.store_failed",
            extra={"invoice_id": source.invoice_id, "error": type(error).__name__},
        )
    name = file_name(source.invoice_id)
    return CachedPdf(rendered.pdf, content_hash, name, rendered.pages, fresh=True)


@transaction.atomic
def _store(source: Source, rendered: RenderedPdf, content_hash: str) -> None:
    """Keep the PDF as the invoice's only one: those of other versions are never asked for again."""
    if source.version is None:
        return
    now = clock.now()
    key = {"template_version_id": source.version.id, "language": source.version.language}
    PdfCache.objects.filter(invoice_id=source.invoice_id).exclude(**key).delete()
    row = PdfCache(
        invoice_id=source.invoice_id,
        **key,
        source_hash=source.hash,
        content_hash=content_hash,
        data=rendered.pdf,
        size=len(rendered.pdf),
        pages=rendered.pages,
        created_at=now,
        last_accessed=now,
    )
    PdfCache.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["invoice", "template_version", "language"],
        update_fields=[
            "source_hash", "content_hash", "data", "size", "pages", "created_at", "last_accessed",
        ],
    )  # fmt: skip


def file_name(invoice_id: int) -> str:
    """PDF-7: `Invoice_01234.pdf`."""
    return f"Invoice_{invoice_id:05d}.pdf"


# --- keeping it small --------------------------------------------------------------------------


def purge() -> int:
    """Delete old and unread PDFs, then the least recently read ones beyond the size limit (PDF-5).

    Answers how many. Each batch commits by itself; safe to run twice and to be cut.
    """
    count = pruning.prune(PdfCache, now=clock.now())
    log.info("pdf_cache.purged", extra={"n_rows": count})
    return count


def clear(
    account: Account,
    *,
    invoice_id: int | None = None,
    organization_id: int | None = None,
    actor: Actor = SYSTEM,
) -> int:
    """Delete the PDFs of one invoice, of one organization or of the account; answers how many.

    They are rendered again when somebody asks. Audited. Raises NotFound.
    """
    rows = PdfCache.objects.filter(invoice__account=account)
    target: Invoice | Party | None = None
    if invoice_id is not None:
        target = Invoice.objects.get_of(account, pk=invoice_id)
        rows = rows.filter(invoice_id=invoice_id)
    if organization_id is not None:
        target = target or Party.objects.get_of(account, pk=organization_id)
        rows = rows.filter(invoice__organization_id=organization_id)
    count = pruning.delete(rows)
    record(account, actor=actor, action="cache_pdf.limpo", target=target, after={"count": count})
    return count
