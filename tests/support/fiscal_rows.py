"""One row of every model of fiscal, in one account."""

from __future__ import annotations

from typing import Any

from django.db import models
from factories import FiscalCompanyFactory

from accounts.models import Account
from fiscal.models import (
    Archive,
    Attempt,
    AuthorityStatus,
    Backup,
    BlockedEmail,
    Certificate,
    Company,
    Consumption,
    Contingency,
    FiscalDocument,
    FiscalEvent,
    FiscalHook,
    HookNotice,
    Inutilizacao,
    MailMessage,
    PrintCache,
    Series,
)
from lib import clock


def fiscal_rows(account: Account, mark: str, n: int) -> dict[type[models.Model], Any]:
    """Names hold `mark`; shared rows are told apart by `n`."""
    company = FiscalCompanyFactory(account=account, nome=f"{mark} emitente {n}")
    now = clock.now()
    owned: dict[str, Any] = {"account": account, "company": company}
    where: dict[str, Any] = {"ambiente": "homologacao", "modelo": 55}
    document = FiscalDocument.objects.create(
        **owned, **where, ref=f"{mark}-{n}", recipient_name=f"{mark} comprador", created_at=now
    )
    of_document = {**owned, "document": document}
    shared = {"uf": "SP", **where}
    hook = FiscalHook.objects.create(
        **owned, public_id=f"h{n}", event="nfe", url=f"https://{mark}.com.br/", created_at=now
    )
    return {
        Company: company,
        FiscalHook: hook,
        HookNotice: HookNotice.objects.create(
            account=account, hook=hook, document=document, next_attempt_at=now, created_at=now
        ),
        Certificate: Certificate.objects.create(
            **owned,
            key="fechada",
            pem="público",
            thumbprint=f"{n:064d}",
            subject=f"{mark} titular",
            serial="1",
            document=company.cnpj,
            not_before=now,
            not_after=now,
        ),
        Series: Series.objects.create(**owned, **where, serie=1),
        FiscalDocument: document,
        FiscalEvent: FiscalEvent.objects.create(
            account=account, document=document, tp_evento="110110", n_seq=1, authority="SP",
            xml=b"x", dh_evento=now, created_at=now,
        ),
        Inutilizacao: Inutilizacao.objects.create(
            **owned, **where, ano=26, serie=1, first=1, last=2, justificativa=f"{mark} numeração",
            created_at=now,
        ),
        Attempt: Attempt.objects.create(
            **of_document, kind="autorizacao", subject=f"{mark} chave", authority="SP",
            sha256="a", started_at=now,
        ),
        Archive: Archive.objects.create(
            **of_document, kind="signed", name=f"{mark}-nfe.xml", ambiente="homologacao",
            month="202611", content=b"x", size=1, sha256="a", created_at=now,
        ),
        MailMessage: MailMessage.objects.create(
            **of_document, kind="autorizado", cause="autorizado", recipient=f"{mark}@exemplo.test",
            message_id=f"<{mark}-{n}@exemplo.test>", created_at=now,
        ),
        BlockedEmail: BlockedEmail.objects.create(
            account=account, email=f"{mark.lower()}-{n}@exemplo.test", block_type="bounce",
            bounce_type="permanent", diagnostic_code=f"{mark} diagnóstico", blocked_at=now,
        ),
        Backup: Backup.objects.create(**owned, month="202610"),
        PrintCache: PrintCache.objects.create(
            document=document, name="danfe", source_hash=f"{mark}-{n}", content_hash="b", size=1,
            created_at=now, last_accessed=now, data=b"x",
        ),
        AuthorityStatus: AuthorityStatus.objects.create(authority=f"SP{n}", **shared),
        Contingency: Contingency.objects.create(
            **shared, company=company, mode=6, reason="falha da autoridade", entered_at=now
        ),
        Consumption: Consumption.objects.create(
            base=f"{n:08d}", ambiente="homologacao", service="consulta", window_start=now
        ),
    }  # fmt: skip
