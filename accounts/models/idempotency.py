"""Answers kept for clients that ask twice."""

from __future__ import annotations

from django.db import models

from accounts.models.account import TenantModel


class IdempotencyRecord(TenantModel):
    """The first answer to a POST with an Idempotency-Key; later equal requests get it again.

    `fingerprint` is the SHA-256 of method, path and body. The row is written in the transaction of
    what the request did, so a key without a row did nothing.
    """

    key = models.CharField("chave", max_length=255)
    fingerprint = models.CharField("resumo da requisição", max_length=64)
    status = models.PositiveSmallIntegerField("status HTTP", default=0)
    body = models.JSONField("resposta", null=True)
    created_at = models.DateTimeField("criada em", db_index=True)

    class Meta:
        verbose_name = "chave de idempotência"
        verbose_name_plural = "chaves de idempotência"
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="idempotency_key")]

    def __str__(self) -> str:
        return self.key
