"""Price indexes and the readjustments they drive (IDX-1…10)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models import TenantModel
from billing.models.catalog import ServiceItem
from billing.models.rule import InvoiceRule, InvoiceTemplate
from lib.states import StateField


class PriceIndex(models.TextChoices):
    IPCA = "ipca", "IPCA"
    IGPM = "igpm", "IGP-M"
    IGPDI = "igpdi", "IGP-DI"
    INPC = "inpc", "INPC"
    IPCFIPE = "ipcfipe", "IPC-Fipe"


# Banco Central SGS series, monthly % change (IDX-9).
SGS_SERIES = {
    PriceIndex.IPCA: 433,
    PriceIndex.IGPM: 189,
    PriceIndex.IGPDI: 190,
    PriceIndex.INPC: 188,
    PriceIndex.IPCFIPE: 193,
}


class PriceIndexValue(models.Model):
    """A month's change of an index, in percent. A correction is a new version; the newest counts.

    Index values are public facts, so they are shared by all accounts.
    """

    index = models.CharField("índice", max_length=10, choices=PriceIndex.choices)
    month = models.DateField("mês", help_text="primeiro dia do mês")
    version = models.PositiveSmallIntegerField("versão", default=1)
    percent = models.DecimalField("variação (%)", max_digits=12, decimal_places=6)
    is_current = models.BooleanField("vigente", default=True)
    source = models.CharField("origem", max_length=30)
    published_at = models.DateTimeField("registrado em")

    class Meta:
        verbose_name = "valor de índice"
        verbose_name_plural = "valores de índices"
        constraints = [
            models.UniqueConstraint(
                fields=["index", "month", "version"], name="priceindex_version"
            ),
            models.UniqueConstraint(
                fields=["index", "month"], condition=Q(is_current=True), name="priceindex_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_index_display()} {self.month:%m/%Y}"


class ScheduledUpdate(models.Model):
    """A readjustment clause of a rule (or preset): which index, how often, on what."""

    class State(models.TextChoices):
        SCHEDULED = "scheduled", "Agendado"
        WAITING_INDEX = "waiting_index", "Aguardando índice"

    rule = models.ForeignKey(
        InvoiceRule,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="scheduled_updates",
        verbose_name="regra",
    )
    template = models.ForeignKey(
        InvoiceTemplate,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="scheduled_updates",
        verbose_name="modelo",
    )
    service_item = models.ForeignKey(
        ServiceItem, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="serviço"
    )
    price_index = models.CharField("índice", max_length=10, choices=PriceIndex.choices)
    init_date = models.DateField("primeiro reajuste", null=True, blank=True)
    month_quantity = models.PositiveSmallIntegerField("a cada (meses)", default=12)
    days_until_update = models.PositiveSmallIntegerField("avisar antes (dias)", default=0)
    next_n = models.PositiveSmallIntegerField("próxima execução nº", default=0)
    execution_date = models.DateField("próxima execução", null=True, blank=True)
    remind_at = models.DateField("lembrete em", null=True, blank=True)
    notified = models.BooleanField("avisado", default=False)
    state = StateField("situação", choices=State.choices, default=State.SCHEDULED, protected=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)
    updated_at = models.DateTimeField("alterado em", auto_now=True)

    class Meta:
        verbose_name = "reajuste automático"
        verbose_name_plural = "reajustes automáticos"
        constraints = [
            models.CheckConstraint(
                condition=(Q(rule=None) & Q(template__isnull=False))
                | (Q(rule__isnull=False) & Q(template=None)),
                name="scheduledupdate_one_owner",
            ),
            models.UniqueConstraint(
                fields=["rule"],
                condition=Q(service_item=None),
                name="scheduledupdate_one_without_service",
            ),
        ]
        indexes = [models.Index(fields=["execution_date"], name="scheduledupdate_execution")]

    def __str__(self) -> str:
        return f"{self.get_price_index_display()} em {self.execution_date}"

    @transition(field=state, source="*", target=State.WAITING_INDEX)
    def wait_index(self) -> None:
        """The execution date came before the index was published (IDX-3)."""

    @transition(field=state, source="*", target=State.SCHEDULED)
    def reschedule(self, *, n: int, execution: object, remind: object) -> None:
        """Move on to execution `n`."""
        self.next_n = n
        self.execution_date = execution  # type: ignore[assignment]
        self.remind_at = remind  # type: ignore[assignment]
        self.notified = False


class Readjustment(TenantModel):
    """One executed (or skipped) readjustment with its memory of calculation (IDX-6)."""

    class Outcome(models.TextChoices):
        EXECUTED = "executed", "Aplicado"
        SKIPPED = "skipped", "Ignorado"

    scheduled_update = models.ForeignKey(
        ScheduledUpdate,
        models.SET_NULL,
        null=True,
        related_name="executions",
        verbose_name="reajuste automático",
    )
    rule = models.ForeignKey(
        InvoiceRule, models.CASCADE, related_name="readjustments", verbose_name="regra"
    )
    execution_date = models.DateField("executado para")
    outcome = models.CharField("resultado", max_length=10, choices=Outcome.choices)
    price_index = models.CharField("índice", max_length=10, choices=PriceIndex.choices)
    months = models.JSONField("meses e variações")
    factor = models.TextField("fator", help_text="exato, sem arredondamento")
    values = models.JSONField("valores antes e depois")
    n_invoices = models.PositiveIntegerField("faturas alteradas", default=0)
    executed_at = models.DateTimeField("executado em")

    class Meta:
        verbose_name = "reajuste executado"
        verbose_name_plural = "reajustes executados"
        constraints = [
            models.UniqueConstraint(
                fields=["scheduled_update", "execution_date"], name="readjustment_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_price_index_display()} {self.execution_date}"
