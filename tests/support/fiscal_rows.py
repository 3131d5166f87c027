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
    DistributionCursor,
    FiscalDocument,
    FiscalEvent,
    FiscalHook,
    HookNotice,
    Inutilizacao,
    MailMessage,
    Manifestation,
    MunicipalParameter,
    PrintCache,
    ReceivedDocument,
    ReceivedNfe,
    ReceivedNfse,
    RpsBatch,
    Series,
    ServiceAttempt,
    ServiceNote,
    ServiceOrder,
    ServicePrint,
    ServiceSeries,
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
    note = ServiceNote.objects.create(
        **owned, ambiente="homologacao", tipo="nfse", ref=f"{mark}-{n}", municipality="4301602",
        taker_name=f"{mark} tomador", created_at=now,
    )  # fmt: skip
    of_note = {"account": account, "note": note}
    hook = FiscalHook.objects.create(
        **owned, public_id=f"h{n}", event="nfe", url=f"https://{mark}.com.br/", created_at=now
    )
    return _received(owned, mark) | {
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
        ServiceNote: note,
        ServiceSeries: ServiceSeries.objects.create(
            **owned, ambiente="homologacao", tipo="nfse", municipality="4301602", series="1"
        ),
        ServiceOrder: ServiceOrder.objects.create(
            **of_note, kind="cancelamento", reason=f"{mark} serviço não prestado", created_at=now
        ),
        ServiceAttempt: ServiceAttempt.objects.create(
            **of_note, route="M4301602", sha256="a", message=f"{mark} resposta", started_at=now
        ),
        ServicePrint: ServicePrint.objects.create(
            note=note, name="nota", source_hash=f"{mark}-{n}", content_hash="b", size=1,
            created_at=now, last_accessed=now, data=b"x",
        ),
        RpsBatch: RpsBatch.objects.create(
            **owned, ambiente="homologacao", ref=f"{mark}-lote-{n}", layout="sp001", created_at=now
        ),
        MunicipalParameter: MunicipalParameter.objects.create(
            ambiente="homologacao", name=f"{n:07d}/convenio", status=200, asked_at=now
        ),
        AuthorityStatus: AuthorityStatus.objects.create(authority=f"SP{n}", **shared),
        Contingency: Contingency.objects.create(
            **shared, company=company, mode=6, reason="falha da autoridade", entered_at=now
        ),
        Consumption: Consumption.objects.create(
            base=f"{n:08d}", ambiente="homologacao", service="consulta", window_start=now
        ),
    }  # fmt: skip


def _received(owned: dict[str, Any], mark: str) -> dict[type[models.Model], Any]:
    """What others issued against the company."""
    now = clock.now()
    own: dict[str, Any] = {**owned, "ambiente": "homologacao"}
    row: dict[str, Any] = {
        **own, "chave": f"{mark}-1", "nsu": 1, "versao": 1, "issuer_name": f"{mark} fornecedor",
        "created_at": now, "updated_at": now,
    }  # fmt: skip
    note = ReceivedNfe.objects.create(**row)
    return {
        ReceivedNfe: note,
        ReceivedNfse: ReceivedNfse.objects.create(**row, source="nfsen"),
        ReceivedDocument: ReceivedDocument.objects.create(
            **own, source="nfe", nsu=1, schema=f"{mark}_v1.00.xsd", content=b"", size=0,
            sha256="", created_at=now,
        ),
        Manifestation: Manifestation.objects.create(
            account=owned["account"], received=note, tp_evento="210210", xml=b"",
            justificativa=f"{mark} motivo", dh_evento=now, created_at=now,
        ),
        DistributionCursor: DistributionCursor.objects.create(
            **own, source="nfe", last_error=f"{mark} erro", created_at=now
        ),
    }  # fmt: skip
