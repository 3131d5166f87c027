"""Payment providers: the accounts that a tenant has with them, and what they tell us."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.models import Q

from accounts.models import TenantModel
from billing.models.party import Party
from lib import crypto

_PURPOSE = "gateway"


class GatewayAccount(TenantModel):
    """A tenant's account with a provider of payments or e-mail.

    `options` holds what may be read by everyone with access to the row; `closed` the secrets, as
    one encrypted JSON object. Notices of the provider arrive under `hook`, which names the row
    and is no secret: each provider proves itself in its own way.
    """

    class Provider(models.TextChoices):
        STRIPE = "stripe", "Stripe"
        PIX = "pix", "Pix (API do Banco Central)"
        BOLETO = "boleto", "Registro de boletos"
        MAILJET = "mailjet", "Mailjet"

    organization = models.ForeignKey(
        Party,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="gateway_accounts",
        verbose_name="organização",
        help_text="Vazio: vale para todas as organizações da conta.",
    )
    provider = models.CharField("provedor", max_length=10, choices=Provider.choices)
    name = models.CharField("nome", max_length=100)
    base_url = models.CharField(
        "endereço",
        max_length=300,
        blank=True,
        help_text="Vazio: o endereço público do provedor.",
    )
    options = models.JSONField("opções", default=dict, blank=True)
    closed = models.TextField("segredos", blank=True, editable=False)
    hook = models.UUIDField("aviso", unique=True, editable=False)
    is_active = models.BooleanField("ativa", default=True)
    created_at = models.DateTimeField("criada em", auto_now_add=True)
    updated_at = models.DateTimeField("alterada em", auto_now=True)

    class Meta:
        verbose_name = "conta em provedor"
        verbose_name_plural = "contas em provedores"
        constraints = [
            # One answers for each organization, and one for those that have none of their own.
            models.UniqueConstraint(
                fields=["account", "provider", "organization"],
                condition=Q(is_active=True, organization__isnull=False),
                name="gateway_of_organization",
                violation_error_message="A organização já tem uma conta ativa neste provedor.",
            ),
            models.UniqueConstraint(
                fields=["account", "provider"],
                condition=Q(is_active=True, organization=None),
                name="gateway_of_all",
                violation_error_message="Já há uma conta ativa neste provedor para todas.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} – {self.name}"

    @property
    def secrets(self) -> dict[str, Any]:
        """Names as each adapter documents them. Raises crypto.Unreadable."""
        return json.loads(crypto.decrypt(self.closed, purpose=_PURPOSE)) if self.closed else {}

    @secrets.setter
    def secrets(self, value: dict[str, Any]) -> None:
        self.closed = crypto.encrypt(json.dumps(value), purpose=_PURPOSE)


class InboundEvent(TenantModel):
    """What a provider told us, once; worked off by a job (ST-5).

    `external_id` is the provider's own id of the notice, or the digest of one that has none.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Aguardando"
        DONE = "done", "Processado"
        IGNORED = "ignored", "Ignorado"
        FAILED = "failed", "Falhou"

    gateway = models.ForeignKey(
        GatewayAccount, models.CASCADE, related_name="events", verbose_name="conta em provedor"
    )
    external_id = models.CharField("identificador", max_length=255)
    kind = models.CharField("tipo", max_length=100)
    payload = models.JSONField("conteúdo")
    state = models.CharField("situação", max_length=8, choices=State.choices, default=State.WAITING)
    result = models.TextField("resultado", blank=True, db_default="")
    attempts = models.PositiveSmallIntegerField("tentativas", default=0, db_default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa")
    received_at = models.DateTimeField("recebido em")
    processed_at = models.DateTimeField("processado em", null=True, blank=True)

    class Meta:
        verbose_name = "aviso de provedor"
        verbose_name_plural = "avisos de provedores"
        constraints = [
            models.UniqueConstraint(fields=["gateway", "external_id"], name="inbound_event_once")
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(state="waiting"), name="inbound_waiting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"
