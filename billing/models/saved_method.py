"""Cards and other means that a customer keeps with a provider; no card number is ever here."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import TenantModel
from billing.models.gateway import GatewayAccount
from billing.models.party import Party


class ProviderCustomer(TenantModel):
    """Who a customer is for a provider."""

    gateway = models.ForeignKey(
        GatewayAccount, models.CASCADE, related_name="customers", verbose_name="conta em provedor"
    )
    customer = models.ForeignKey(
        Party, models.CASCADE, related_name="provider_customers", verbose_name="cliente"
    )
    reference = models.CharField("identificador no provedor", max_length=255)
    created_at = models.DateTimeField("criado em", auto_now_add=True)

    class Meta:
        verbose_name = "cliente no provedor"
        verbose_name_plural = "clientes no provedor"
        constraints = [
            models.UniqueConstraint(fields=["gateway", "customer"], name="provider_customer_once"),
            models.UniqueConstraint(
                fields=["gateway", "reference"], name="provider_customer_reference"
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class SavedMethod(TenantModel):
    """A means of payment kept for later (spec entity PaymentMethod).

    `fingerprint` is the provider's digest of the card: equal ones are the same card.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Ativo"
        REMOVED = "removed", "Removido"

    gateway = models.ForeignKey(
        GatewayAccount, models.PROTECT, related_name="methods", verbose_name="conta em provedor"
    )
    customer = models.ForeignKey(
        Party, models.CASCADE, related_name="saved_methods", verbose_name="cliente"
    )
    kind = models.CharField("tipo", max_length=20, default="card")
    reference = models.CharField("identificador no provedor", max_length=255)
    fingerprint = models.CharField(max_length=100, blank=True)
    brand = models.CharField("bandeira", max_length=30, blank=True)
    last4 = models.CharField("final", max_length=4, blank=True)
    exp_month = models.PositiveSmallIntegerField("mês de validade", null=True, blank=True)
    exp_year = models.PositiveSmallIntegerField("ano de validade", null=True, blank=True)
    holder = models.CharField("titular", max_length=200, blank=True)
    is_default = models.BooleanField("padrão", default=False)
    mandate = models.CharField("autorização", max_length=255, blank=True)
    state = models.CharField("situação", max_length=8, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField("cadastrado em", auto_now_add=True)
    removed_at = models.DateTimeField("removido em", null=True, blank=True)

    class Meta:
        verbose_name = "cartão salvo"
        verbose_name_plural = "cartões salvos"
        constraints = [
            models.UniqueConstraint(fields=["gateway", "reference"], name="method_reference"),
            models.UniqueConstraint(
                fields=["gateway", "customer"],
                condition=Q(is_default=True, state="active"),
                name="method_default",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand.title()} final {self.last4}".strip()

    def is_expired(self, *, year: int, month: int) -> bool:
        """Whether it ended before that month; without a date never."""
        if self.exp_year is None or self.exp_month is None:
            return False
        return (self.exp_year, self.exp_month) < (year, month)

    @property
    def validity(self) -> str:
        """`12/2034`; "" without a date."""
        if self.exp_year is None or self.exp_month is None:
            return ""
        return f"{self.exp_month:02d}/{self.exp_year}"
