"""The fiscal document of an invoice on its way, and what was withheld of the invoice."""

from __future__ import annotations

from datetime import datetime

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models import TenantModel
from billing.models.invoice import Invoice
from billing.models.nfse import Nfse, NfseTemplate
from fiscal.models import FiscalDocument, ServiceNote
from lib.states import StateField


class NoteStage(models.TextChoices):
    """Where the note of an invoice stands, for staff."""

    SCHEDULED = "scheduled", "Agendada"
    QUEUED = "queued", "Na fila"
    SENT = "sent", "Em processamento"
    ISSUED = "issued", "Emitida"
    REFUSED = "refused", "Recusada"
    CANCELLING = "cancelling", "Cancelando"
    CANCELLED = "cancelled", "Cancelada"
    REPLACED = "replaced", "Substituída"
    DROPPED = "dropped", "Desistida"


S = NoteStage


class InvoiceNote(TenantModel):
    """The note of an invoice. `ref` names it to fiscal, so sending it again finds the same note.

    `slot` is what keeps it alone: 0 is the one note of the invoice, 1 the note that is to replace
    it, null what is over. `due_on` null of a scheduled note: it waits for the receipt.
    `next_attempt_at` is set while there is something for us to do, or for whoever took the row to
    do it (billing.services.note_emission, which also moves it to `sent`).
    """

    CURRENT, SUBSTITUTE = 0, 1
    AWAITED = (S.SENT, S.REFUSED, S.CANCELLING)  # the index of what fiscal may have decided

    invoice = models.ForeignKey(
        Invoice, models.CASCADE, related_name="notes_of", db_index=False, verbose_name="fatura"
    )
    kind = models.CharField("nota", max_length=5, choices=NfseTemplate.Tipo.choices)
    generation = models.PositiveSmallIntegerField("emissão nº", default=1)
    slot = models.PositiveSmallIntegerField(null=True, blank=True, default=CURRENT)
    state = StateField("situação", choices=S.choices, default=S.SCHEDULED, protected=True)
    due_on = models.DateField("emitir em", null=True, blank=True)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    attempts = models.PositiveSmallIntegerField("tentativas", default=0)
    service_note = models.ForeignKey(
        ServiceNote,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="nota de serviço",
    )
    document = models.ForeignKey(
        FiscalDocument, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="NF-e"
    )
    nfse = models.OneToOneField(
        Nfse, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="NFS-e"
    )
    replaces = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="+", verbose_name="substitui"
    )
    reason = models.CharField("motivo", max_length=255, blank=True)
    error = models.TextField("recusa", blank=True)
    memory = models.JSONField(
        "memória de cálculo", default=list, blank=True, encoder=DjangoJSONEncoder
    )
    # Columns of the `Nfse` to be, as they were when the note was handed over: templates, customers
    # and texts change while a city thinks.
    issued_with = models.JSONField(
        "dados com que foi emitida", default=dict, blank=True, encoder=DjangoJSONEncoder
    )
    created_at = models.DateTimeField("criada em")
    updated_at = models.DateTimeField("alterada em", auto_now=True)

    class Meta:
        verbose_name = "nota da fatura"
        verbose_name_plural = "notas das faturas"
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "slot"],
                condition=Q(slot__isnull=False),
                name="invoicenote_one_live",
            ),
            models.UniqueConstraint(
                fields=["invoice", "generation"], name="invoicenote_generation"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["cancelled", "replaced", "dropped"], slot__isnull=True)
                | ~Q(state__in=["cancelled", "replaced", "dropped"]) & Q(slot__isnull=False),
                name="invoicenote_over_has_no_slot",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["sent", "issued", "cancelling"])
                | Q(service_note__isnull=False)
                | Q(document__isnull=False),
                name="invoicenote_sent_has_note",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(next_attempt_at__isnull=False),
                name="invoicenote_due",
            ),
            models.Index(
                fields=["due_on", "id"],
                condition=Q(state="scheduled"),
                name="invoicenote_scheduled",
            ),
            models.Index(
                fields=["id"],
                condition=Q(state__in=["sent", "refused", "cancelling"]),
                name="invoicenote_awaited",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} da fatura {self.invoice_id}"

    @property
    def ref(self) -> str:
        """The reference under which fiscal knows the note (fiscal-api §1.3)."""
        base = f"fatura-{self.invoice_id}"
        return base if self.generation == 1 else f"{base}-{self.generation}"

    @property
    def number(self) -> str:
        """Of the authority; "" before it gave one."""
        if self.service_note is not None:
            return self.service_note.number
        if self.document is not None and self.document.numero is not None:
            return str(self.document.numero)
        return ""

    @transition(field=state, source=[S.SCHEDULED, S.REFUSED, S.QUEUED], target=S.QUEUED)
    def queue(self, *, at: datetime) -> None:
        """To be handed over now."""
        self.next_attempt_at, self.attempts, self.error = at, 0, ""

    @transition(field=state, source=[S.QUEUED, S.SENT], target=S.REFUSED)
    def refuse(self, *, error: str) -> None:
        """By us or by the authority; a correction goes out under the same `ref`."""
        self.error, self.next_attempt_at = error, None

    @transition(field=state, source=[S.SENT, S.REFUSED, S.CANCELLING], target=S.ISSUED)
    def issue(self) -> None:
        """Authorized, or its cancellation was refused."""
        self.next_attempt_at = None

    @transition(field=state, source=[S.ISSUED, S.CANCELLING], target=S.CANCELLING)
    def ask_cancellation(self, *, reason: str) -> None:
        self.reason, self.error = reason, ""

    @transition(field=state, source=[S.SENT, S.REFUSED, S.ISSUED, S.CANCELLING], target=S.CANCELLED)
    def cancel(self) -> None:
        self.slot, self.next_attempt_at = None, None

    @transition(field=state, source=[S.ISSUED, S.CANCELLING], target=S.REPLACED)
    def replace(self) -> None:
        """Another note took its place."""
        self.slot, self.next_attempt_at = None, None

    @transition(field=state, source=[S.SCHEDULED, S.QUEUED, S.REFUSED], target=S.DROPPED)
    def drop(self) -> None:
        """The invoice does not want it any more; nothing was issued."""
        self.slot, self.next_attempt_at, self.due_on = None, None, None


class InvoiceWithholding(models.Model):
    """A tax that the taker keeps of an invoice (TAX-12), computed when it was emitted.

    Amounts are BRL, `rate` percent. `amount` is the service amount of the invoice; `month` its
    first day. Organization and customer are copied: what a taker was withheld in a month is added
    up here. A row with nothing withheld tells why.
    """

    invoice = models.ForeignKey(
        Invoice, models.CASCADE, related_name="withholdings", db_index=False, verbose_name="fatura"
    )
    tax = models.CharField("tributo", max_length=6, choices=NfseTemplate.Retencao.choices)
    organization_id = models.BigIntegerField()
    customer_id = models.BigIntegerField()
    month = models.DateField("mês")
    amount = models.DecimalField("valor do serviço", max_digits=15, decimal_places=2)
    base = models.DecimalField("base", max_digits=15, decimal_places=2)
    rate = models.DecimalField("alíquota (%)", max_digits=7, decimal_places=4)
    withheld = models.DecimalField("retido", max_digits=15, decimal_places=2)
    explanation = models.TextField("explicação", blank=True)

    class Meta:
        verbose_name = "retenção da fatura"
        verbose_name_plural = "retenções das faturas"
        constraints = [
            models.UniqueConstraint(fields=["invoice", "tax"], name="invoicewithholding_once"),
            models.CheckConstraint(
                condition=Q(withheld__gte=0) & Q(base__gte=0) & Q(rate__gte=0),
                name="invoicewithholding_amounts",
            ),
        ]
        indexes = [
            models.Index(
                fields=["customer_id", "organization_id", "month"],
                name="invoicewithholding_month",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tax} {self.withheld}"
