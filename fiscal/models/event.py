"""Events of documents and voided ranges of numbers (fiscal-engine §2.3, §2.4, §10)."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models.account import TenantModel
from fiscal.models.company import Company
from fiscal.models.document import FiscalDocument
from lib.states import ConcurrentTransitionMixin, StateField


class EventState(models.TextChoices):
    ASSINADO = "assinado", "Assinado"
    TRANSMITINDO = "transmitindo", "Transmitindo"
    REGISTRADO = "registrado", "Registrado"
    REJEITADO = "rejeitado", "Rejeitado"
    INDEFINIDO = "indefinido", "Indefinido"


E = EventState


class EventSteps(models.Model):
    """An event that is signed, sent and answered, whoever its author is.

    `xml` are the signed bytes, made once. `registered_at` is a column of the rows themselves, which
    name it by their own gender.
    """

    registered_at: datetime | None

    state = StateField("situação", choices=E.choices, default=E.ASSINADO, protected=True)
    xml = models.BinaryField("evento assinado (zlib)")
    dh_evento = models.DateTimeField("data do evento")
    protocolo = models.CharField("protocolo", max_length=17, blank=True)
    c_stat = models.CharField("cStat", max_length=4, blank=True)
    x_motivo = models.TextField("xMotivo", blank=True)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    n_attempts = models.PositiveIntegerField("tentativas", default=0)

    class Meta:
        abstract = True

    @transition(field=state, source=[E.ASSINADO, E.INDEFINIDO], target=E.TRANSMITINDO)
    def begin(self, *, again_at: datetime) -> None:
        self.n_attempts += 1
        self.next_attempt_at = again_at

    @transition(field=state, source=E.TRANSMITINDO, target=E.ASSINADO)
    def not_sent(self, *, again_at: datetime) -> None:
        self.next_attempt_at = again_at

    @transition(field=state, source=E.TRANSMITINDO, target=E.INDEFINIDO)
    def lose(self, *, again_at: datetime) -> None:
        self.next_attempt_at = again_at

    @transition(field=state, source=E.INDEFINIDO, target=E.ASSINADO)
    def absent(self, *, again_at: datetime) -> None:
        """The document's list of events does not have it: the same bytes may be sent again."""
        self.next_attempt_at = again_at

    @transition(field=state, source=[E.TRANSMITINDO, E.INDEFINIDO], target=E.REGISTRADO)
    def register(self, *, protocolo: str, at: datetime | None, c_stat: str, x_motivo: str) -> None:
        """135, 136, 155, or found registered (573)."""
        self.protocolo, self.registered_at = protocolo, at
        self.c_stat, self.x_motivo, self.next_attempt_at = c_stat, x_motivo, None

    @transition(field=state, source=[E.ASSINADO, E.TRANSMITINDO, E.INDEFINIDO], target=E.REJEITADO)
    def reject(self, *, c_stat: str, x_motivo: str) -> None:
        self.c_stat, self.x_motivo, self.next_attempt_at = c_stat, x_motivo, None


class FiscalEvent(ConcurrentTransitionMixin, EventSteps, TenantModel):
    """An event of a document; (document, tp_evento, n_seq) is its natural key.

    A refused event leaves its n_seq to the next one of its kind. `target` is the event that this
    one cancels.
    """

    document = models.ForeignKey(
        FiscalDocument, models.PROTECT, related_name="events", verbose_name="documento"
    )
    tp_evento = models.CharField("tipo", max_length=6)
    n_seq = models.PositiveSmallIntegerField("sequência")
    target = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="cancellations"
    )
    details = models.JSONField("dados", default=dict, blank=True)
    authority = models.CharField("autoridade", max_length=10)
    registered_at = models.DateTimeField("registrado em", null=True, blank=True)
    created_at = models.DateTimeField("criado em")

    class Meta:
        verbose_name = "evento fiscal"
        verbose_name_plural = "eventos fiscais"
        constraints = [
            models.UniqueConstraint(
                fields=["document", "tp_evento", "n_seq"],
                condition=~Q(state="rejeitado"),
                name="fiscalevent_once",
            ),
            models.CheckConstraint(
                condition=~Q(state="registrado") | ~Q(c_stat=""), name="fiscalevent_has_answer"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(next_attempt_at__isnull=False),
                name="fiscalevent_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tp_evento}-{self.n_seq} {self.document_id}"


class VoidState(models.TextChoices):
    SOLICITADA = "solicitada", "Solicitada"
    HOMOLOGADA = "homologada", "Homologada"
    REJEITADA = "rejeitada", "Rejeitada"
    INDEFINIDA = "indefinida", "Indefinida"


V = VoidState


class Inutilizacao(ConcurrentTransitionMixin, TenantModel):
    """A range of numbers that will never be used: company, year, model, series, first, last."""

    company = models.ForeignKey(Company, models.PROTECT, related_name="inutilizacoes")
    ambiente = models.CharField("ambiente", max_length=11)
    modelo = models.PositiveSmallIntegerField("modelo")
    ano = models.PositiveSmallIntegerField("ano")  # two digits, as the layout has it
    serie = models.PositiveSmallIntegerField("série")
    first = models.PositiveIntegerField("primeiro número")
    last = models.PositiveIntegerField("último número")
    justificativa = models.CharField("justificativa", max_length=255)
    is_automatic = models.BooleanField("pedida pelo sistema", default=False)
    state = StateField("situação", choices=V.choices, default=V.SOLICITADA, protected=True)
    xml = models.BinaryField("pedido assinado (zlib)", null=True, blank=True)
    protocolo = models.CharField("protocolo", max_length=17, blank=True)
    c_stat = models.CharField("cStat", max_length=4, blank=True)
    x_motivo = models.TextField("xMotivo", blank=True)
    received_at = models.DateTimeField("homologada em", null=True, blank=True)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    n_attempts = models.PositiveIntegerField("tentativas", default=0)
    created_at = models.DateTimeField("criada em")

    class Meta:
        verbose_name = "inutilização"
        verbose_name_plural = "inutilizações"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "ambiente", "modelo", "ano", "serie", "first", "last"],
                condition=~Q(state="rejeitada"),
                name="inutilizacao_once",
            ),
            models.CheckConstraint(
                condition=Q(first__gte=1) & Q(last__gte=F("first")), name="inutilizacao_range"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(next_attempt_at__isnull=False),
                name="inutilizacao_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.modelo}/{self.serie}: {self.first}–{self.last}"

    @transition(field=state, source=[V.SOLICITADA, V.INDEFINIDA], target=V.INDEFINIDA)
    def begin(self, *, again_at: datetime) -> None:
        """From the first byte on the outcome is unknown until an answer is recorded."""
        self.n_attempts += 1
        self.next_attempt_at = again_at

    @transition(field=state, source=V.INDEFINIDA, target=V.SOLICITADA)
    def not_sent(self, *, again_at: datetime | None) -> None:
        self.next_attempt_at = again_at

    @transition(field=state, source=V.INDEFINIDA, target=V.HOMOLOGADA)
    def homologate(
        self, *, protocolo: str, at: datetime | None, c_stat: str, x_motivo: str
    ) -> None:
        self.protocolo, self.received_at = protocolo, at
        self.c_stat, self.x_motivo, self.next_attempt_at = c_stat, x_motivo, None

    @transition(field=state, source=[V.SOLICITADA, V.INDEFINIDA], target=V.REJEITADA)
    def reject(self, *, c_stat: str, x_motivo: str) -> None:
        self.c_stat, self.x_motivo, self.next_attempt_at = c_stat, x_motivo, None
