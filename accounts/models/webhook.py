"""Outbox of notices to integrators."""

from __future__ import annotations

from django.db import models

from accounts.models.account import TenantModel


class WebhookEvent(TenantModel):
    """A notice written in the transaction of the change it tells (WH-3); delivered afterwards."""

    event = models.CharField("evento", max_length=30)
    object_type = models.CharField("tipo do objeto", max_length=30)
    object_id = models.BigIntegerField("id do objeto")
    payload = models.JSONField("conteúdo", default=dict)
    created_at = models.DateTimeField("criado em", db_index=True)

    class Meta:
        verbose_name = "evento de webhook"
        verbose_name_plural = "eventos de webhook"

    def __str__(self) -> str:
        return f"{self.event} {self.object_type} {self.object_id}"
