"""The cases of `nfse`: what runs in the processes that it starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks import fiscal_steps
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


def seed(*, ca: str) -> dict[str, Any]:
    """A new company that may issue, certified by the authority of the folder `ca`."""
    from fiscal.models import Company

    found = fiscal_steps.seed(ca=ca)
    Company.objects.filter(pk=found["company"]).update(habilita_nfsen_homologacao=True)
    return found


def accept(*, company: int, prefix: str, n: int, base_url: str, ca_file: str) -> float:
    """Accept `n` notes as a billing run does, one after the other; the seconds it took."""
    from django.conf import settings
    from support.service_notes import national_body

    from fiscal.models import Company
    from fiscal.services.nfse.issue import issue_note

    settings.FISCAL_ENDPOINTS_BASE, settings.FISCAL_CA_FILE = base_url, ca_file
    issuer = Company.objects.get(pk=company)
    body = national_body(
        cnpj_prestador=issuer.cnpj, codigo_municipio_emissora=issuer.codigo_municipio
    )
    started = time.monotonic()
    for number in range(n):
        issue_note(
            issuer, ambiente="homologacao", tipo="nfsen", ref=f"{prefix}-{number}", body=body
        )
    return time.monotonic() - started


def wait(*, company: int, prefix: str, n: int) -> dict[str, float]:
    """Until `n` notes of refs that begin with `prefix` are authorised.

    Seconds from the first that was accepted to the last answer. Raises RuntimeError when nothing
    moves for a minute, or one is refused.
    """
    from django.db.models import Max, Min

    from fiscal.models import NoteState, ServiceNote

    rows = ServiceNote.objects.filter(company=company, ref__startswith=prefix)
    done = rows.filter(state=NoteState.AUTORIZADO)
    last, moved, limit = -1, time.monotonic(), time.monotonic() + PATIENCE
    while (count := done.count()) < n:
        refused = rows.filter(state__in=(NoteState.REJEITADO, NoteState.CONFLITO)).first()
        if refused is not None:
            raise RuntimeError(f"{refused.ref}: {refused.errors}")
        if count != last:
            last, moved = count, time.monotonic()
        if time.monotonic() > min(moved + STILL, limit):
            raise RuntimeError(f"parado em {count} de {n}")
        time.sleep(0.25)
    at = done.aggregate(accepted=Min("created_at"), last=Max("updated_at"))
    return {"whole": (at["last"] - at["accepted"]).total_seconds()}
