"""What customers do for themselves: invitations, cancellations, notices; and help texts."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import TenantModel, User
from billing.models.contract import Contract
from billing.models.party import CustomerAccess, Party


class Invitation(TenantModel):
    """A person asked to the portal of one company; the link names its `digest` (SHA-256)."""

    customer = models.ForeignKey(
        Party, models.CASCADE, related_name="invitations", verbose_name="cliente"
    )
    email = models.EmailField("e-mail", max_length=254)
    name = models.CharField("nome", max_length=200, blank=True)
    role = models.CharField("papel", max_length=20, choices=CustomerAccess.Role.choices)
    digest = models.CharField("resumo", max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="convidado por"
    )
    created_at = models.DateTimeField("criado em")
    expires_at = models.DateTimeField("vale até")
    accepted_at = models.DateTimeField("aceito em", null=True, blank=True)
    revoked_at = models.DateTimeField("retirado em", null=True, blank=True)

    class Meta:
        verbose_name = "convite"
        verbose_name_plural = "convites"
        indexes = [models.Index(fields=["account", "customer"], name="invitation_customer")]

    def __str__(self) -> str:
        return f"{self.email} – {self.customer}"


class CancellationRequest(TenantModel):
    """What a customer asked to be cancelled, under one protocol: one contract or all of them."""

    customer = models.ForeignKey(
        Party, models.PROTECT, related_name="cancellations", verbose_name="cliente"
    )
    protocol = models.CharField("protocolo", max_length=30, editable=False)
    reason = models.CharField("motivo", max_length=200, blank=True)
    comment = models.TextField("comentário", blank=True)
    is_everything = models.BooleanField("todos os contratos", default=False)
    requested_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="pedido por"
    )
    requested_at = models.DateTimeField("pedido em")

    class Meta:
        verbose_name = "pedido de cancelamento"
        verbose_name_plural = "pedidos de cancelamento"
        constraints = [
            models.UniqueConstraint(fields=["account", "protocol"], name="cancellation_protocol")
        ]

    def __str__(self) -> str:
        return self.protocol


class ScheduledCancellation(models.Model):
    """A contract that ends with the day `effective_on`; until that day is over it may be undone.

    `final_amount` is what the customer was told would still be billed, BRL. `done_at`: cancelled;
    `undone_at`: the customer kept it after all.
    """

    request = models.ForeignKey(
        CancellationRequest, models.CASCADE, related_name="items", verbose_name="pedido"
    )
    contract = models.ForeignKey(
        Contract, models.PROTECT, related_name="scheduled_cancellations", verbose_name="contrato"
    )
    effective_on = models.DateField("último dia")
    final_amount = models.DecimalField(
        "mensalidade final", max_digits=15, decimal_places=2, default=0
    )
    undone_at = models.DateTimeField("desfeito em", null=True, blank=True)
    done_at = models.DateTimeField("cancelado em", null=True, blank=True)

    class Meta:
        verbose_name = "cancelamento agendado"
        verbose_name_plural = "cancelamentos agendados"
        constraints = [
            models.UniqueConstraint(
                fields=["contract"],
                condition=Q(undone_at=None, done_at=None),
                name="cancellation_one_open",
            )
        ]
        indexes = [
            models.Index(
                fields=["effective_on"],
                condition=Q(undone_at=None, done_at=None),
                name="cancellation_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.contract} em {self.effective_on}"

    @property
    def is_open(self) -> bool:
        return self.undone_at is None and self.done_at is None


class NotificationPreference(TenantModel):
    """Whether a customer wants to hear of an event by a channel; without a row, as shipped."""

    class Event(models.TextChoices):
        ISSUED = "fatura_emitida", "Fatura emitida"
        READJUSTED = "reajuste", "Reajuste de contrato"
        DISPUTE = "contestacao", "Contestação"
        BEFORE_DUE = "lembrete", "Lembrete antes do vencimento (3 dias)"
        DUE_TODAY = "vence_hoje", "Vence hoje"
        OVERDUE = "vencida", "Fatura vencida"
        PAID = "pagamento", "Pagamento confirmado"
        NOTE = "nota_fiscal", "Nota fiscal emitida"
        MONTHLY = "resumo_mensal", "Resumo mensal"

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WHATSAPP = "whatsapp", "WhatsApp"

    # Notices that the contract owes its customer: nobody switches them off.
    LOCKED = (Event.ISSUED, Event.READJUSTED, Event.DISPUTE)

    customer = models.ForeignKey(
        Party, models.CASCADE, related_name="notification_preferences", verbose_name="cliente"
    )
    event = models.CharField("aviso", max_length=20, choices=Event.choices)
    channel = models.CharField("canal", max_length=10, choices=Channel.choices)
    is_on = models.BooleanField("ligado", default=True)

    class Meta:
        verbose_name = "preferência de aviso"
        verbose_name_plural = "preferências de aviso"
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "event", "channel"], name="preference_event_channel"
            )
        ]

    def __str__(self) -> str:
        return f"{self.customer} {self.event} {self.channel}"


class HelpArticle(TenantModel):
    """A text that helps customers, written by staff. Paragraphs are apart by empty lines."""

    slug = models.SlugField("endereço", max_length=60)
    title = models.CharField("título", max_length=120)
    body = models.TextField("texto")
    position = models.PositiveSmallIntegerField("ordem", default=0)
    is_published = models.BooleanField("publicado", default=True)
    updated_at = models.DateTimeField("alterado em", auto_now=True)

    class Meta:
        verbose_name = "artigo de ajuda"
        verbose_name_plural = "artigos de ajuda"
        constraints = [models.UniqueConstraint(fields=["account", "slug"], name="help_slug")]

    def __str__(self) -> str:
        return self.title
