"""Billing runs and what they answer for each rule (REC-9)."""

from __future__ import annotations

from django.db import models

from accounts.models import Job, TenantModel


class BillingRun(TenantModel):
    """One run of an account: its limit, its counts, when. Entries explain rule by rule."""

    until = models.DateField("até")
    today = models.DateField("data da rodada")
    job = models.ForeignKey(
        Job, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="tarefa"
    )
    created = models.PositiveIntegerField("faturas criadas", default=0)
    emitted = models.PositiveIntegerField("faturas emitidas", default=0)
    emitted_total = models.DecimalField("total emitido", max_digits=17, decimal_places=2, default=0)
    readjusted = models.PositiveIntegerField("reajustes", default=0)
    finals = models.PositiveIntegerField("faturas finais", default=0)
    parked = models.PositiveIntegerField("regras impedidas", default=0)
    skipped = models.PositiveIntegerField("faturas não emitidas", default=0)
    started_at = models.DateTimeField("início")
    finished_at = models.DateTimeField("término", null=True, blank=True)

    class Meta:
        verbose_name = "rodada de faturamento"
        verbose_name_plural = "rodadas de faturamento"

    def __str__(self) -> str:
        return f"Rodada até {self.until:%d/%m/%Y}"


class RunEntry(models.Model):
    """What a run did to one rule or invoice, and why."""

    class Outcome(models.TextChoices):
        CREATED = "created", "Faturas criadas"
        EMITTED = "emitted", "Faturas emitidas"
        READJUSTED = "readjusted", "Reajustada"
        READJUSTMENT_SKIPPED = "readjustment_skipped", "Reajuste ignorado"
        WAITING_INDEX = "waiting_index", "Aguardando índice"
        FINAL = "final", "Fatura final"
        NOT_EMITTED = "not_emitted", "Não emitida"
        PARKED = "parked", "Impedida"
        UP_TO_DATE = "up_to_date", "Em dia"
        PAUSED = "paused", "Pausada"
        ENDED = "ended", "Encerrada"

    run = models.ForeignKey(
        BillingRun, models.CASCADE, related_name="entries", db_index=False, verbose_name="rodada"
    )
    # Plain ids: the report outlives what it tells about, and 50,000 rows need no checks.
    rule_id = models.BigIntegerField("regra", null=True)
    contract_id = models.BigIntegerField("contrato", null=True)
    invoice_id = models.BigIntegerField("fatura", null=True)
    outcome = models.CharField("resultado", max_length=20, choices=Outcome.choices)
    count = models.PositiveIntegerField("quantidade", default=0)
    amount = models.DecimalField("valor", max_digits=17, decimal_places=2, default=0)
    detail = models.TextField("explicação", blank=True)

    class Meta:
        verbose_name = "linha do relatório"
        verbose_name_plural = "linhas do relatório"
        indexes = [models.Index(fields=["run", "outcome"], name="runentry_run")]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()}: {self.detail}"
