"""Notices to integrators: what happened, whom to tell, and how the telling went."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django_fsm import transition

from accounts.models.account import TenantModel
from accounts.models.token import ApiToken
from lib.states import StateField

# billing-engine §11, in its order; an endpoint may choose among them.
EVENT_NAMES = (
    "update",
    "emit",
    "undo_emission",
    "cancel",
    "undo_cancellation",
    "confirm_receival",
    "undo_receival",
    "receivement_error",
    "change_plan",
)
# Only for endpoints whose bodies may have more than §11 gives them (WH-1).
V2_EVENT_NAMES = ("dunning_step",)


class WebhookEvent(TenantModel):
    """A notice written in the transaction of the change it tells (WH-3); delivered afterwards.

    `fanned_out_at` is null until the deliveries to the account's endpoints exist, and stays null
    while the account has none.
    """

    event = models.CharField("evento", max_length=30)
    object_type = models.CharField("tipo do objeto", max_length=30)
    object_id = models.BigIntegerField("id do objeto")
    payload = models.JSONField("conteúdo", default=dict)
    created_at = models.DateTimeField("criado em")
    caused_by_token_id = models.BigIntegerField("token que causou", null=True, blank=True)
    fanned_out_at = models.DateTimeField("distribuído em", null=True, blank=True)

    class Meta:
        verbose_name = "evento de webhook"
        verbose_name_plural = "eventos de webhook"
        indexes = [
            models.Index(
                fields=["account", "id"],
                name="webhookevent_waiting",
                condition=models.Q(fanned_out_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.object_type} {self.object_id}"


class WebhookEndpoint(TenantModel):
    """An address of an integrator. Secrets are closed texts (lib.crypto), never shown again.

    `failing_since` is the first failure after the last success; `noticed` holds what people were
    already told of this streak. Events up to `after_event_id` were before its time. `nudged_at` is
    set while a delivery task is on its way.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Ativo"
        PAUSED = "paused", "Desativado"

    class Version(models.IntegerChoices):
        V1 = 1, "1 (só as chaves do contrato)"
        V2 = 2, "2 (com id e created_at)"

    url = models.CharField("URL", max_length=2000)
    description = models.CharField("descrição", max_length=200, blank=True)
    secret = models.TextField("segredo", editable=False)
    old_secret = models.TextField("segredo anterior", blank=True, editable=False)
    old_secret_until = models.DateTimeField("segredo anterior vale até", null=True, blank=True)
    events = models.JSONField("eventos", default=list, blank=True)
    version = models.PositiveSmallIntegerField(
        "versão do conteúdo", choices=Version.choices, default=Version.V1
    )
    ping_first = models.BooleanField("testar antes de cada envio", default=True)
    muted_token = models.ForeignKey(
        ApiToken,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="não avisar o que este token causou",
    )
    state = StateField("estado", choices=State.choices, default=State.ACTIVE, protected=True)
    paused_at = models.DateTimeField("desativado em", null=True, blank=True)
    paused_reason = models.CharField("motivo", max_length=200, blank=True)
    failing_since = models.DateTimeField("falhando desde", null=True, blank=True)
    noticed = models.JSONField("avisos dados", default=dict, blank=True, editable=False)
    last_tried_at = models.DateTimeField("última tentativa", null=True, blank=True)
    nudged_at = models.DateTimeField("chamado em", null=True, blank=True, editable=False)
    after_event_id = models.BigIntegerField("eventos depois de", default=0, editable=False)
    created_at = models.DateTimeField("criado em", auto_now_add=True)

    class Meta:
        verbose_name = "endereço de webhook"
        verbose_name_plural = "webhooks"

    def __str__(self) -> str:
        return self.description or self.url

    @property
    def is_active(self) -> bool:
        return bool(self.state == self.State.ACTIVE)

    @property
    def ignores_own(self) -> bool:
        return self.muted_token_id is not None

    def wants(self, event: str, token_id: int | None) -> bool:
        """Is this endpoint told of `event`, caused by that token (WH-9)?"""
        if token_id is not None and token_id == self.muted_token_id:
            return False
        if event in V2_EVENT_NAMES and self.version < self.Version.V2:
            return False
        return not self.events or event in self.events

    @transition(field=state, source=State.ACTIVE, target=State.PAUSED)
    def pause(self, *, at: datetime, reason: str) -> None:
        self.paused_at, self.paused_reason = at, reason[:200]

    @transition(field=state, source=State.PAUSED, target=State.ACTIVE)
    def resume(self) -> None:
        """Start anew: what it failed before is forgotten."""
        self.paused_at, self.paused_reason = None, ""
        self.failing_since, self.noticed = None, {}


class WebhookDelivery(TenantModel):
    """One event on its way to one endpoint.

    Whoever sends it has moved `next_attempt_at` into the future first: a killed worker only delays
    it. `tries` counts the attempts of this round (a resend begins a new one), `n_attempts` all.
    The object is copied from the event, because order is kept per object (WH-5).
    """

    class State(models.TextChoices):
        PENDING = "pending", "Aguardando"
        DELIVERED = "delivered", "Entregue"
        DEAD = "dead", "Não entregue"

    event = models.ForeignKey(
        WebhookEvent, models.CASCADE, related_name="deliveries", verbose_name="evento"
    )
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        models.CASCADE,
        related_name="deliveries",
        verbose_name="endereço",
        db_index=False,
    )
    object_type = models.CharField("tipo do objeto", max_length=30)
    object_id = models.BigIntegerField("id do objeto")
    state = StateField("resultado", choices=State.choices, default=State.PENDING, protected=True)
    tries = models.PositiveSmallIntegerField("tentativas desta rodada", db_default=0)
    n_attempts = models.PositiveIntegerField("tentativas", db_default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    last_attempt_at = models.DateTimeField("última tentativa", null=True, blank=True)
    last_status = models.PositiveSmallIntegerField("HTTP", null=True, blank=True)
    last_ms = models.PositiveIntegerField("duração (ms)", null=True, blank=True)
    last_error = models.CharField("erro", max_length=300, blank=True, db_default="")
    created_at = models.DateTimeField("criada em")

    class Meta:
        verbose_name = "entrega de webhook"
        verbose_name_plural = "entregas de webhooks"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="webhookdelivery_once"),
            models.CheckConstraint(
                condition=~models.Q(state="pending") | models.Q(next_attempt_at__isnull=False),
                name="webhookdelivery_pending_has_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at", "event"],
                name="webhookdelivery_due",
                condition=models.Q(state="pending"),
            ),
            models.Index(
                fields=["endpoint", "object_type", "object_id", "event"],
                name="webhookdelivery_order",
                condition=models.Q(state="pending"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.object_type} {self.object_id} #{self.pk}"

    @transition(field=state, source="*", target=State.DELIVERED)
    def deliver(self) -> None:
        """Also after another worker gave it up: what arrived has arrived."""
        self.next_attempt_at = None

    @transition(field=state, source=State.PENDING, target=State.PENDING)
    def retry(self, *, at: datetime) -> None:
        self.next_attempt_at = at

    @transition(field=state, source=State.PENDING, target=State.DEAD)
    def bury(self) -> None:
        self.next_attempt_at = None

    @transition(field=state, source="*", target=State.PENDING)
    def resend(self, *, at: datetime) -> None:
        """Begin a new round of attempts."""
        self.next_attempt_at, self.tries = at, 0


class WebhookAttempt(models.Model):
    """What was sent and what came back, once. Secret and signatures are left out (WH-7)."""

    class Stage(models.TextChoices):
        PING = "ping", "Teste antes do envio"
        SEND = "send", "Envio"

    delivery = models.ForeignKey(
        WebhookDelivery, models.CASCADE, related_name="attempts", verbose_name="entrega"
    )
    number = models.PositiveIntegerField("tentativa")
    stage = models.CharField("etapa", max_length=4, choices=Stage.choices)
    at = models.DateTimeField("data", db_index=True)
    status = models.PositiveSmallIntegerField("HTTP", null=True, blank=True)
    duration_ms = models.PositiveIntegerField("duração (ms)")
    error = models.CharField("erro", max_length=300, blank=True)
    url = models.CharField("URL", max_length=2000)
    request_headers = models.JSONField("cabeçalhos enviados", default=dict)
    request_body = models.TextField("corpo enviado")
    answer = models.TextField("início da resposta (4 KB)", blank=True)

    class Meta:
        verbose_name = "tentativa de entrega"
        verbose_name_plural = "tentativas de entrega"

    def __str__(self) -> str:
        return f"Tentativa {self.number}"

    @property
    def is_success(self) -> bool:
        return not self.error


def body_of(event: WebhookEvent, version: int) -> dict[str, Any]:
    """What is told of an event; the second version adds keys to the contract's (WH-1)."""
    # PostgreSQL keeps JSON keys in an order of its own.
    known = {name: event.payload[name] for name in _KEYS if name in event.payload}
    body = known | event.payload
    if version >= WebhookEndpoint.Version.V2:
        body |= {"id": event.pk, "created_at": event.created_at.isoformat()}
    return body


_KEYS = ("event", "object_type", "object_id", "plan_id", "contract_token", "contract_id")
