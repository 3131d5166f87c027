"""E-mail to buyers and to issuers, and the addresses that take none (fiscal-api §2.10, §16)."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models.account import TenantModel
from fiscal.models.company import Certificate, Company
from fiscal.models.document import FiscalDocument
from lib.states import ConcurrentTransitionMixin, StateField


class BlockedEmail(TenantModel):
    """An address that an account no longer writes to; one list for both environments.

    After a complaint the address stays blocked: only its owner could ask for mail again.
    """

    class BlockType(models.TextChoices):
        BOUNCE = "bounce", "Devolução"
        COMPLAINT = "complaint", "Reclamação"

    class BounceType(models.TextChoices):
        TRANSIENT = "transient", "Passageira"
        PERMANENT = "permanent", "Permanente"

    email = models.CharField("e-mail", max_length=254)  # lower case
    block_type = models.CharField("motivo", max_length=9, choices=BlockType.choices)
    bounce_type = models.CharField(
        "tipo de devolução", max_length=9, choices=BounceType.choices, blank=True
    )
    diagnostic_code = models.CharField("diagnóstico", max_length=300, blank=True)
    blocked_at = models.DateTimeField("bloqueado em")

    class Meta:
        verbose_name = "e-mail bloqueado"
        verbose_name_plural = "e-mails bloqueados"
        constraints = [
            models.UniqueConstraint(fields=["account", "email"], name="blockedemail_once"),
            models.CheckConstraint(
                condition=Q(block_type="bounce") ^ Q(bounce_type=""), name="blockedemail_bounce"
            ),
        ]

    def __str__(self) -> str:
        return self.email


class MailState(models.TextChoices):
    PENDENTE = "pendente", "Na fila"
    ENVIADO = "enviado", "Enviado"
    IGNORADO = "ignorado", "Não enviado: endereço bloqueado"
    FALHOU = "falhou", "Falhou"


M = MailState


class MailMessage(ConcurrentTransitionMixin, TenantModel):
    """One message to one address, written in the transaction that decided it.

    `cause` says what is told: automatic messages have one for each decision, so that a decision
    that is recorded twice is told once. `message_id` never changes: a message that went out twice
    because the answer was lost is the same one for whoever receives it. `next_attempt_at` is set
    while it is to be sent, and doubles as the claim of whoever sends it.

    A message about a certificate (CRT-5) has no document; it is told once in the account.
    """

    class Kind(models.TextChoices):
        AUTORIZADO = "autorizado", "Autorização"
        CANCELADO = "cancelado", "Cancelamento"
        CARTA_CORRECAO = "carta_correcao", "Carta de correção"
        CERTIFICADO = "certificado", "Certificado a vencer"

    company = models.ForeignKey(Company, models.PROTECT, related_name="+", verbose_name="empresa")
    document = models.ForeignKey(
        FiscalDocument,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
        verbose_name="documento",
    )
    service_note = models.ForeignKey(
        "fiscal.ServiceNote",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
        verbose_name="nota de serviço",
    )
    certificate = models.ForeignKey(
        Certificate,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="certificado",
    )
    kind = models.CharField("assunto", max_length=14, choices=Kind.choices)
    n_seq = models.PositiveSmallIntegerField("carta de correção", default=0)
    cause = models.CharField("origem", max_length=40)
    recipient = models.CharField("destinatário", max_length=254)
    message_id = models.CharField("Message-ID", max_length=200, unique=True)
    state = StateField("situação", choices=M.choices, default=M.PENDENTE, protected=True)
    n_attempts = models.PositiveIntegerField("tentativas", default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    last_error = models.CharField("último erro", max_length=300, blank=True)
    sent_at = models.DateTimeField("enviado em", null=True, blank=True)
    created_at = models.DateTimeField("criado em")

    class Meta:
        verbose_name = "e-mail de documento"
        verbose_name_plural = "e-mails de documentos"
        constraints = [
            models.UniqueConstraint(
                fields=["document", "cause", "recipient"], name="mailmessage_once"
            ),
            models.UniqueConstraint(
                fields=["account", "cause", "recipient"],
                condition=Q(document=None, service_note=None),
                name="mailmessage_once_alone",
            ),
            models.UniqueConstraint(
                fields=["service_note", "cause", "recipient"], name="mailmessage_once_of_note"
            ),
            models.CheckConstraint(
                condition=(
                    Q(kind="certificado", document=None, service_note=None)
                    | (~Q(kind="certificado") & Q(document__isnull=False, service_note=None))
                    | (~Q(kind="certificado") & Q(document=None, service_note__isnull=False))
                ),
                name="mailmessage_has_document",
            ),
            models.CheckConstraint(
                condition=~Q(state="enviado") | Q(sent_at__isnull=False),
                name="mailmessage_sent_has_moment",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(next_attempt_at__isnull=False),
                name="mailmessage_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.recipient}"

    def claim(self, *, again_at: datetime) -> None:
        """An attempt begins; nobody else takes the message before `again_at`."""
        self.n_attempts += 1
        self.next_attempt_at = again_at

    @transition(field=state, source=M.PENDENTE, target=M.ENVIADO)
    def send(self, *, at: datetime) -> None:
        """The server has taken it."""
        self.sent_at, self.next_attempt_at, self.last_error = at, None, ""

    @transition(field=state, source=M.PENDENTE, target=M.IGNORADO)
    def skip(self) -> None:
        """The address is blocked."""
        self.next_attempt_at = None

    @transition(field=state, source=M.PENDENTE, target=M.PENDENTE)
    def postpone(self, *, error: str, again_at: datetime) -> None:
        self.last_error, self.next_attempt_at = error[:300], again_at

    @transition(field=state, source=M.PENDENTE, target=M.FALHOU)
    def give_up(self, *, error: str) -> None:
        self.last_error, self.next_attempt_at = error[:300], None
