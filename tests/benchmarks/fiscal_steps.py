"""The cases of `fiscal_issue`: what runs in the processes that it starts."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import fiscal_lab, seeding
from django.conf import settings
from django.db import connection
from django.db.models import Max, Min
from django.test.utils import CaptureQueriesContext
from factories import FiscalCompanyFactory, cnpj
from support.issuing import nfce_body, nfe_body
from support.v2 import fiscal_token, v2

from accounts.services.audit import SYSTEM
from fiscal.models import Company, FiscalDocument, State
from fiscal.sandbox.ca import make_authority
from fiscal.services import certificates, senders
from fiscal.services.delivery import advance
from lib import clock

PASSWORD = "senha-do-pfx"
PATIENCE = 600.0  # seconds for a whole queue
_WRITES = ("INSERT", "UPDATE", "DELETE")


def seed(*, ca: str) -> dict[str, Any]:
    """A new company that the authority of the folder `ca` certifies, and its token."""
    number = Company.objects.count()
    company = FiscalCompanyFactory(cnpj=cnpj(71_000_000 + number))
    certify(company, ca)
    return {"company": company.pk, "cnpj": company.cnpj, "token": fiscal_token(company)}


def certify(company: Company, ca: str) -> None:
    """Give the company a certificate of the authority of the folder `ca`."""
    now = clock.now()
    made = make_authority(Path(ca)).issue_pfx(
        company.document,
        "EMPRESA DA MEDICAO",
        PASSWORD,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=365),
    )
    opened = certificates.read_upload(company, made.pfx, PASSWORD, at=now)
    certificates.keep(company, opened, actor=SYSTEM, at=now)


def queries(*, token: str, company: int, base_url: str, ca_file: str) -> dict[str, Any]:
    """What one document of each kind asks of the database, in the request and in the queue.

    `statements` are all, transactions among them; the rest are writes to the document's row.
    """
    logging.disable(logging.WARNING)
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.FISCAL_ENDPOINTS_BASE, settings.FISCAL_CA_FILE = base_url, ca_file
    client = v2(token)

    def sale(ref: str) -> None:
        answer = client.post("nfce", nfce_body(), ref=ref)
        assert answer.json().get("status") == "autorizado", answer.content

    def accept(ref: str) -> None:
        answer = client.post("nfe", nfe_body(), ref=ref)
        assert answer.status_code == 202, answer.content

    def deliver() -> None:
        rows = FiscalDocument.objects.filter(company=company, modelo=55, ref="medida-2")
        done = advance(rows.values_list("pk", flat=True)[0])
        assert done.state == State.AUTORIZADO, done.x_motivo

    sale("medida-1")  # opens the certificate and the connection
    accept("medida-1")
    return {
        "nfce": _counted(lambda: sale("medida-2")),
        "nfe_request": _counted(lambda: accept("medida-2")),
        "nfe_queue": _counted(deliver),
    }


def _counted(work: Any) -> dict[str, int]:
    with CaptureQueriesContext(connection) as captured:
        work()
    texts = [str(query["sql"]) for query in captured.captured_queries]
    own = Counter(
        text.split()[0] for text in texts if text.startswith(_WRITES) and _table(text) == "document"
    )
    return {"statements": len(texts), "inserts": own["INSERT"], "updates": own["UPDATE"]}


def _table(text: str) -> str:
    return "document" if "fiscal_fiscaldocument" in text.split("(")[0].split("SET")[0] else ""


def analyse() -> None:
    seeding.analyse()


def at_once() -> int:
    """Documents that one worker of the queue has on their way at once."""
    return senders.most()


def database() -> int:
    """The process that all processes of the database come from; 0 when there is none."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return fiscal_lab.parent_of(cursor.fetchone()[0])


def keys(*, company: int, modelo: int) -> dict[str, str]:
    """ref → key of the company's authorised documents."""
    rows = FiscalDocument.objects.filter(company=company, modelo=modelo, state=State.AUTORIZADO)
    return dict(rows.values_list("ref", "chave"))


def wait(*, company: int, prefix: str, n: int) -> dict[str, float]:
    """Until `n` documents of the company, of refs that begin with `prefix`, are authorised.

    Seconds from the first that was accepted to the last answer, and from the first answer to the
    last. Raises RuntimeError when nothing moves for a minute, or one is refused.
    """
    rows = FiscalDocument.objects.filter(company=company, ref__startswith=prefix)
    done = rows.filter(state=State.AUTORIZADO)
    last, moved, limit = -1, time.monotonic(), time.monotonic() + PATIENCE
    while (count := done.count()) < n:
        refused = rows.filter(state__in=(State.REJEITADO, State.CONFLITO)).first()
        if refused is not None:
            raise RuntimeError(f"{refused.ref}: {refused.c_stat} {refused.x_motivo}")
        if count != last:
            last, moved = count, time.monotonic()
        if time.monotonic() > min(moved + 60, limit):
            raise RuntimeError(f"parado em {count} de {n}")
        time.sleep(0.25)
    at = done.aggregate(accepted=Min("created_at"), first=Min("updated_at"), last=Max("updated_at"))
    return {
        "whole": (at["last"] - at["accepted"]).total_seconds(),
        "queue": (at["last"] - at["first"]).total_seconds(),
    }
