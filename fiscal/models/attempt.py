"""Calls that could have changed the outside world (fiscal-engine §8.5)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models.account import TenantModel
from fiscal.models.company import Company
from fiscal.models.document import FiscalDocument
from fiscal.models.service_note import ServiceNote
from fiscal.models.service_order import ServiceOrder


class Call(TenantModel):
    """What went and what came. Open until the reply is recorded."""

    class Outcome(models.TextChoices):
        OPEN = "open", "Aberta"
        NOT_SENT = "not_sent", "Não enviada"
        LOST = "lost", "Sem resposta"
        ANSWERED = "answered", "Respondida"
        NOT_PROCESSED = "not_processed", "Não processada"

    sha256 = models.CharField("SHA-256 do que foi enviado", max_length=64)
    outcome = models.CharField(
        "resultado", max_length=13, choices=Outcome.choices, default=Outcome.OPEN
    )
    error = models.CharField("erro", max_length=300, blank=True)
    reply = models.BinaryField("resposta (zlib)", null=True, blank=True)
    elapsed_ms = models.PositiveIntegerField("duração (ms)", null=True, blank=True)
    started_at = models.DateTimeField("começo")
    ended_at = models.DateTimeField("fim", null=True, blank=True)

    class Meta:
        abstract = True


class Attempt(Call):
    """About an NF-e or NFC-e, its events, or a voiding of numbers.

    `subject` is the key, the event's or the voiding's Id.
    """

    class Kind(models.TextChoices):
        AUTHORIZE = "autorizacao", "Autorização"
        EVENT = "evento", "Evento"
        VOID = "inutilizacao", "Inutilização"

    company = models.ForeignKey(Company, models.PROTECT, related_name="+")
    document = models.ForeignKey(
        FiscalDocument, models.PROTECT, null=True, blank=True, related_name="attempts"
    )
    kind = models.CharField("serviço", max_length=12, choices=Kind.choices)
    subject = models.CharField("assunto", max_length=60)
    authority = models.CharField("autoridade", max_length=10)
    id_lote = models.CharField("lote", max_length=15, blank=True)
    c_stat = models.CharField("cStat", max_length=4, blank=True)
    x_motivo = models.TextField("xMotivo", blank=True)

    class Meta:
        verbose_name = "tentativa"
        verbose_name_plural = "tentativas"
        constraints = [
            models.UniqueConstraint(
                fields=["document"],
                condition=Q(outcome="open", kind="autorizacao"),
                name="attempt_one_open",
            )
        ]
        indexes = [models.Index(fields=["subject", "id"], name="attempt_subject")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class ServiceAttempt(Call):
    """About a service note, or an order about one."""

    note = models.ForeignKey(
        ServiceNote, models.PROTECT, related_name="attempts", verbose_name="nota de serviço"
    )
    order = models.ForeignKey(
        ServiceOrder, models.PROTECT, null=True, blank=True, related_name="attempts"
    )
    route = models.CharField("autoridade", max_length=10)
    code = models.CharField("código", max_length=10, blank=True)
    message = models.TextField("mensagem", blank=True)

    class Meta:
        verbose_name = "tentativa de nota de serviço"
        verbose_name_plural = "tentativas de notas de serviço"
        constraints = [
            models.UniqueConstraint(
                fields=["note"],
                condition=Q(outcome="open", order=None),
                name="serviceattempt_one_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.note_id}"
