"""The PDF of an invoice for somebody who waits, but not for long (P07)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

from django.db import connection

from accounts.models import Account
from billing.documents.cache import CachedPdf, invoice_pdf, ready_pdf

_AT_ONCE = 4  # the renderer takes about as many; others wait their turn
_pool: ThreadPoolExecutor | None = None
_running: dict[int, Future[CachedPdf]] = {}
_lock = threading.Lock()


def pdf_within(seconds: float, *, invoice_id: int, account: Account) -> CachedPdf | None:
    """The PDF, or None when it takes longer: it goes on being made, and asking again finds it.

    Never inside a transaction. Raises NotFound, PdfFailed.
    """
    found = ready_pdf(invoice_id, account=account)
    if found is not None:
        return found
    work = _work(invoice_id, account)
    try:
        made = work.result(timeout=seconds)
    except NotYet:
        return None
    finally:
        if work.done():
            _forget(invoice_id, work)
    return made


def _work(invoice_id: int, account: Account) -> Future[CachedPdf]:
    """The rendering of this process that is under way, or a new one."""
    with _lock:
        if invoice_id not in _running:
            _running[invoice_id] = begin(lambda: invoice_pdf(invoice_id, account=account))
        return _running[invoice_id]


def _forget(invoice_id: int, work: Future[CachedPdf]) -> None:
    with _lock:
        if _running.get(invoice_id) is work:
            del _running[invoice_id]


def begin(call: Callable[[], CachedPdf]) -> Future[CachedPdf]:
    """Do it in a thread, with a connection of its own that ends with it."""
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pdf")

    def run() -> CachedPdf:
        try:
            return call()
        finally:
            connection.close()

    return _pool.submit(run)
