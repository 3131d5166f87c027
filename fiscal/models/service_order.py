"""What is asked about issued service notes (fiscal-engine §12)."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models.account import TenantModel
from fiscal.models.service_note import ServiceNote
from lib.states import ConcurrentTransitionMixin, StateField


class OrderState(models.TextChoices):
    """States of an order about an issued note."""

    ASSINADO = "assinado", "Assinado"
    TRANSMITINDO = "transmitindo", "Transmitindo"
    EM_ANALISE = "em_analise", "Em análise na prefeitura"
    REGISTRADO = "registrado", "Registrado"
    REJEITADO = "rejeitado", "Recusado"
    INDEFINIDO = "indefinido", "Indefinido"


_O = OrderState


class ServiceOrder(ConcurrentTransitionMixin, TenantModel):
    """Something asked about an issued note: its cancellation, or the analysis of one (NAC-11)."""

    class Kind(models.TextChoices):
        CANCELAMENTO = "cancelamento", "Cancelamento"
        ANALISE = "analise", "Análise fiscal para cancelamento"

    note = models.ForeignKey(
        ServiceNote, models.PROTECT, related_name="orders", verbose_name="nota de serviço"
    )
    kind = models.CharField("pedido", max_length=12, choices=Kind.choices)
    code = models.CharField("código", max_length=4, blank=True)
    reason = models.CharField("justificativa", max_length=255)
    state = StateField("situação", choices=_O.choices, default=_O.ASSINADO, protected=True)
    sent_id = models.CharField("identificador enviado", max_length=80, blank=True)
    errors = models.JSONField("erros", default=list, blank=True)
    registered_at = models.DateTimeField("registrado em", null=True, blank=True)
    n_attempts = models.PositiveIntegerField("tentativas", default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    created_at = models.DateTimeField("criado em")

    class Meta:
        verbose_name = "pedido sobre nota de serviço"
        verbose_name_plural = "pedidos sobre notas de serviço"
        constraints = [
            # One at a time: a second click finds the first.
            models.UniqueConstraint(
                fields=["note"],
                condition=Q(state__in=["assinado", "transmitindo", "em_analise", "indefinido"]),
                name="serviceorder_one_open",
            )
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(next_attempt_at__isnull=False),
                name="serviceorder_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.note_id}"

    @transition(field=state, source=[_O.ASSINADO, _O.INDEFINIDO], target=_O.TRANSMITINDO)
    def begin(self, *, again_at: datetime) -> None:
        self.n_attempts += 1
        self.next_attempt_at = again_at

    @transition(field=state, source=_O.TRANSMITINDO, target=_O.ASSINADO)
    def not_sent(self, *, again_at: datetime) -> None:
        """No byte left the machine."""
        self.next_attempt_at = again_at

    @transition(field=state, source=_O.TRANSMITINDO, target=_O.INDEFINIDO)
    def lose(self, *, again_at: datetime | None) -> None:
        """The outcome is unknown: ask first."""
        self.next_attempt_at = again_at

    @transition(field=state, source=_O.INDEFINIDO, target=_O.ASSINADO)
    def absent(self, *, again_at: datetime) -> None:
        """The note is still live: the order did not arrive."""
        self.next_attempt_at = again_at

    @transition(field=state, source=[_O.TRANSMITINDO, _O.INDEFINIDO], target=_O.EM_ANALISE)
    def await_analysis(self, *, again_at: datetime) -> None:
        self.next_attempt_at = again_at

    @transition(
        field=state, source=[_O.TRANSMITINDO, _O.INDEFINIDO, _O.EM_ANALISE], target=_O.REGISTRADO
    )
    def register(self, *, at: datetime | None) -> None:
        self.registered_at, self.next_attempt_at, self.errors = at, None, []

    @transition(
        field=state,
        source=[_O.ASSINADO, _O.TRANSMITINDO, _O.INDEFINIDO, _O.EM_ANALISE],
        target=_O.REJEITADO,
    )
    def reject(self, *, errors: list[dict[str, str | None]]) -> None:
        self.errors, self.next_attempt_at = errors, None
