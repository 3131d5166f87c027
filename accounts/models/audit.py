"""Who did what, when: rows that nobody changes, not even by SQL."""

from __future__ import annotations

from django.db import models

from accounts.models.account import TenantModel


class AuditEvent(TenantModel):
    """One action on one object. The database refuses update and delete (triggers, both engines)."""

    class Actor(models.TextChoices):
        USER = "user", "Usuário"
        CUSTOMER = "customer", "Cliente"
        TOKEN = "token", "Token de API"
        SYSTEM = "system", "Sistema"
        LINK = "link", "Link público"

    at = models.DateTimeField("quando", db_index=True)
    actor_kind = models.CharField("quem", max_length=10, choices=Actor.choices)
    actor_id = models.BigIntegerField("id de quem", null=True, blank=True)
    actor_label = models.CharField("nome de quem", max_length=200, blank=True, db_default="")
    action = models.CharField("ação", max_length=60)
    object_type = models.CharField("tipo do objeto", max_length=40)
    object_id = models.BigIntegerField("id do objeto", null=True, blank=True)
    before = models.JSONField("antes", null=True, blank=True)
    after = models.JSONField("depois", null=True, blank=True)
    ip = models.GenericIPAddressField("IP", null=True, blank=True)
    request_id = models.CharField("requisição", max_length=64, blank=True, db_default="")

    class Meta:
        verbose_name = "evento de auditoria"
        verbose_name_plural = "auditoria"
        indexes = [models.Index(fields=["object_type", "object_id"], name="audit_object")]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id or ''}".strip()
