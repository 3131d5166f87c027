"""E-mails sent about invoices, the links in them, and the addresses that take none."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import TenantModel
from billing.models.email import EmailTemplate
from billing.models.gateway import GatewayAccount
from billing.models.invoice import Invoice
from billing.models.party import Contact, Party


class InvoiceLink(TenantModel):
    """A page of one invoice for one recipient, without login (EM-6, P17).

    The address carries a signed `key`; `scopes` ⊆ {ver, baixar, pagar}.
    """

    SCOPES = ("ver", "baixar", "pagar")

    invoice = models.ForeignKey(
        Invoice, models.CASCADE, related_name="links", verbose_name="fatura"
    )
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="contato"
    )
    recipient = models.CharField("destinatário", max_length=254, blank=True)
    key = models.UUIDField("chave", unique=True, editable=False)
    scopes = models.JSONField("permite", default=list)
    expires_at = models.DateTimeField("expira em")
    revoked_at = models.DateTimeField("revogado em", null=True, blank=True)
    opens = models.PositiveIntegerField("aberturas", default=0, db_default=0)
    last_opened_at = models.DateTimeField("última abertura", null=True, blank=True)
    created_at = models.DateTimeField("criado em")

    class Meta:
        verbose_name = "link público"
        verbose_name_plural = "links públicos"
        indexes = [models.Index(fields=["invoice", "recipient"], name="link_recipient")]

    def __str__(self) -> str:
        return f"Link de {self.invoice} para {self.recipient or 'qualquer pessoa'}"


class EmailMessage(TenantModel):
    """One e-mail to one recipient, with the proof of what was sent (EM-5, DUN-7).

    `key` is unique for automatic sends (EM-7) and empty for those that a person asked for.
    `body` is the text as its template has it: plain, or a page where `is_html`. `attached` lists
    what goes along: [{"name", "size", "kind", "id"}]; `linked` what went as a link instead, the
    same with "url". `receivables` are ids of what is asked for: paid meanwhile, it is not sent.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Na fila"
        SENDING = "sending", "Em envio"
        SENT = "sent", "Enviado"
        DELIVERED = "delivered", "Entregue"
        BOUNCED = "bounced", "Devolvido"
        FAILED = "failed", "Falhou"

    class Trigger(models.TextChoices):
        EMISSION = "emission", "Emissão"
        MANUAL = "manual", "Pedido por uma pessoa"
        DUNNING = "dunning", "Régua de cobrança"
        REISSUE = "reissue", "Reemissão de boleto"
        AUTHENTICATION = "authentication", "Autenticação do pagamento"
        RECEIPT = "receipt", "Confirmação do pagamento"
        REFUND = "refund", "Reembolso"
        LINK = "link", "Novo link"
        PORTAL = "portal", "Central de Faturas"

    template = models.ForeignKey(
        EmailTemplate, models.SET_NULL, null=True, blank=True, related_name="messages",
        verbose_name="modelo",
    )  # fmt: skip
    invoice = models.ForeignKey(
        Invoice, models.CASCADE, null=True, blank=True, related_name="emails",
        verbose_name="fatura",
    )  # fmt: skip
    customer = models.ForeignKey(
        Party, models.CASCADE, related_name="emails", verbose_name="cliente"
    )
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="contato"
    )
    link = models.ForeignKey(
        InvoiceLink, models.SET_NULL, null=True, blank=True, related_name="emails",
        verbose_name="link",
    )  # fmt: skip
    gateway = models.ForeignKey(
        GatewayAccount, models.SET_NULL, null=True, blank=True, related_name="+",
        verbose_name="conta em provedor",
    )  # fmt: skip
    trigger = models.CharField("origem", max_length=14, choices=Trigger.choices)
    key = models.CharField("chave", max_length=200, blank=True)
    batch = models.UUIDField("envio", editable=False)
    recipient = models.CharField("destinatário", max_length=300)
    is_copy = models.BooleanField("em cópia", default=False)
    sender = models.CharField("remetente", max_length=300, blank=True)
    subject = models.CharField("assunto", max_length=500, blank=True)
    body = models.TextField("mensagem", blank=True)
    is_html = models.BooleanField("em HTML", default=False, db_default=False)
    receivables = models.JSONField("parcelas", default=list, blank=True)
    attached = models.JSONField("anexos", default=list, blank=True)
    linked = models.JSONField("enviado como link", default=list, blank=True)
    state = models.CharField("situação", max_length=9, choices=State.choices, default=State.QUEUED)
    external_id = models.CharField("identificador no provedor", max_length=100, blank=True)
    answer = models.TextField("resposta do provedor", blank=True)
    error = models.TextField("erro", blank=True)
    attempts = models.PositiveSmallIntegerField("tentativas", default=0, db_default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    created_at = models.DateTimeField("criado em")
    sent_at = models.DateTimeField("enviado em", null=True, blank=True)
    delivered_at = models.DateTimeField("entregue em", null=True, blank=True)
    opened_at = models.DateTimeField("aberto em", null=True, blank=True)

    class Meta:
        verbose_name = "e-mail"
        verbose_name_plural = "e-mails"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "key"], condition=~Q(key=""), name="email_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(next_attempt_at__isnull=False),
                name="email_waiting",
            ),
            models.Index(
                fields=["external_id"], condition=~Q(external_id=""), name="email_external_id"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"


class EmailSuppression(TenantModel):
    """An address that gets nothing more: it bounced for good, complained, or unsubscribed."""

    class Reason(models.TextChoices):
        BOUNCE = "bounce", "Endereço devolvido"
        SPAM = "spam", "Marcado como spam"
        BLOCKED = "blocked", "Bloqueado pelo provedor"
        UNSUBSCRIBED = "unsubscribed", "Descadastrado"
        MANUAL = "manual", "Incluído por uma pessoa"

    address = models.CharField("e-mail", max_length=254)
    reason = models.CharField("motivo", max_length=12, choices=Reason.choices)
    detail = models.CharField("detalhe", max_length=500, blank=True)
    created_at = models.DateTimeField("desde")

    class Meta:
        verbose_name = "e-mail suspenso"
        verbose_name_plural = "e-mails suspensos"
        constraints = [
            models.UniqueConstraint(fields=["account", "address"], name="suppression_once")
        ]

    def __str__(self) -> str:
        return self.address
