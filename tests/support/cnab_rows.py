"""A bank file and one of its lines, for the screens."""

from __future__ import annotations

from typing import Any

from django.db import models
from support.retornos import content_of, fact_of

from accounts.services.audit import SYSTEM
from billing.models import BankAgreement, Charge, CnabFile, CnabRecord
from billing.services.bank_files.retorno import receive


def cnab_rows(rows: dict[type[models.Model], Any], mark: str) -> dict[type[models.Model], Any]:
    """`rows` has the agreement and its boleto."""
    agreement = rows[BankAgreement]
    content = content_of(agreement, [fact_of(rows[Charge])])
    file = receive(content, filename=f"{mark}.RET", account=agreement.account, actor=SYSTEM)
    record = file.records.get()
    record.note = f"{mark} linha"
    record.save()
    return {CnabFile: file, CnabRecord: record}
