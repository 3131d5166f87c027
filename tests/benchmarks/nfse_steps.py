"""The cases of `nfse`: what runs in the processes that it starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from benchmarks import fiscal_steps, seeding
from benchmarks.fiscal_build import rate

BARE = "assinatura RSA-2048 pura"
MADE = "DPS construída, assinada e validada"
MODERN = "DPS com RSA-SHA256"
REQUEST = "do JSON à DPS assinada, com duas validações"
PATIENCE = 600.0  # seconds for a whole queue
STILL = 60.0  # seconds without one more note


def rates(rounds: int, seconds: float) -> dict[str, float]:
    """Runs per second of each subject, in turn: the best of `rounds`, of `seconds` each."""
    subjects = _subjects()
    best = dict.fromkeys(subjects, 0.0)
    for run in subjects.values():
        run()  # schema, tables, generated code
    for _ in range(rounds):
        for name, run in subjects.items():
            best[name] = max(best[name], rate(run, seconds))
    return best


def _subjects() -> dict[str, Callable[[], Any]]:
    from support.a1 import signer
    from support.national_notes import ADDRESS, CNPJ, FEDERAL, IDENTITY, REFORM, read

    from fiscal.documents.nfsen import make
    from fiscal.signing import MODERN as SHA256

    key = signer(CNPJ)
    note = read(**ADDRESS, **FEDERAL, **REFORM)

    def sent() -> Any:
        declared = read(**ADDRESS, **FEDERAL, **REFORM)
        make.rehearse(declared, ambiente="homologacao")
        return make.make(declared, IDENTITY, signer=key)

    return {
        BARE: lambda: key.sha1_rsa(b"the bytes of a SignedInfo"),
        MADE: lambda: make.make(note, IDENTITY, signer=key),
        MODERN: lambda: make.make(note, IDENTITY, signer=key, profile=SHA256),
        REQUEST: sent,
    }


# --- the run -----------------------------------------------------------------------------------


def seed(*, ca: str, n: int) -> dict[str, int]:
    """A new account whose month has `n` invoices that ask for national notes, IR and CSRF withheld.

    Its company is certified by the authority of the folder `ca`.
    """
    from factories import FiscalCompanyFactory, cnpj
    from support.invoice_notes import make_template

    from accounts.models import Account
    from billing.models import InvoiceRule, Party

    at = seeding.tenant(f"notas-{Account.objects.count()}", customers=n)
    company = FiscalCompanyFactory(
        account=at.account, cnpj=at.organization.document, habilita_nfsen_homologacao=True
    )
    fiscal_steps.certify(company, ca)
    customers = list(Party.objects.filter(pk__in=at.customers))
    for customer in customers:
        customer.document, customer.ibge_code = cnpj(customer.pk), "3550308"
    Party.objects.bulk_update(customers, ["document", "ibge_code"], batch_size=1_000)
    rules = seeding.recurring(at)
    template = make_template(at.organization)
    InvoiceRule.objects.filter(pk__in=rules).update(issue_nfse=True, nfse_template_ref=template.pk)
    return {"account": at.account.pk, "company": company.pk}


def bill(*, account: int, n: int) -> float:
    """Make and emit the account's `n` invoices; the moment of the beginning."""
    from accounts.models import Account
    from billing.services.emission import emit_due
    from billing.services.materialise import extend

    found = Account.objects.get(pk=account)
    started = time.time()
    extend(found, until=seeding.TODAY, today=seeding.TODAY)
    done = emit_due(found, until=seeding.ISSUE, today=seeding.TODAY)
    assert (done.count, done.refused) == (n, []), done
    return started


def wait(*, account: int, n: int, since: float) -> float:
    """Until the notes of all `n` invoices are authorised; seconds from `since` to the last answer.

    Raises RuntimeError when nothing moves for a minute, or one is refused.
    """
    from django.db.models import Max

    from billing.models import InvoiceNote
    from billing.models.invoice_note import NoteStage
    from fiscal.models import NoteState, ServiceNote

    asked = InvoiceNote.objects.filter(account=account)
    done = ServiceNote.objects.filter(account=account, state=NoteState.AUTORIZADO)
    last, moved, limit = -1, time.monotonic(), time.monotonic() + PATIENCE
    while (count := done.count()) < n:
        refused = asked.filter(state=NoteStage.REFUSED).first()
        if refused is not None:
            raise RuntimeError(f"{refused.ref}: {refused.error}")
        if count != last:
            last, moved = count, time.monotonic()
        if time.monotonic() > min(moved + STILL, limit):
            raise RuntimeError(f"parado em {count} de {n}")
        time.sleep(0.25)
    answered: datetime = done.aggregate(last=Max("updated_at"))["last"]
    return answered.timestamp() - since
