"""Agreements between an organization and a customer."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models import TenantModel
from billing.models.catalog import Plan
from billing.models.kept import KeepsSent
from billing.models.party import Party
from lib.states import StateField


def new_token() -> str:
    """32 hexadecimal digits that nobody guesses; the contract's public name."""
    return secrets.token_hex(16)


class Contract(TenantModel, KeepsSent):
    """Who bills whom, since when. A subscription is a contract made from a plan.

    `organization` is the supplier of a sale and the customer of a purchase; `party` is the other
    side. `state` (active, inactive) is `status` seen by the API.
    """

    class Kind(models.TextChoices):
        SALE = "sale", "Venda"
        PURCHASE = "purchase", "Compra"

    class Status(models.TextChoices):
        TRIAL = "trial", "Em teste"
        ESTABLISHED = "established", "Estabelecido"
        CANCELLED = "cancelled", "Cancelado"

    class Registration(models.TextChoices):
        REGULAR = "regular", "Contrato"
        SUBSCRIPTION = "subscription", "Assinatura"

    class Charging(models.TextChoices):
        PRE_PAID = "pre_paid", "Pré-pago"
        POST_PAID = "post_paid", "Pós-pago"

    organization = models.ForeignKey(
        Party, models.PROTECT, related_name="issued_contracts", verbose_name="organização"
    )
    party = models.ForeignKey(
        Party, models.PROTECT, related_name="contracts", verbose_name="cliente"
    )
    kind = models.CharField("tipo", max_length=10, choices=Kind.choices, default=Kind.SALE)
    name = models.CharField("nome", max_length=200)
    title = models.CharField("título", max_length=200)
    token = models.CharField("token", max_length=32, default=new_token, unique=True, editable=False)
    external_code = models.CharField("código externo", max_length=60, blank=True)
    description = models.TextField("descrição", blank=True)
    comments = models.TextField("observações", blank=True)
    init_date = models.DateField("início", null=True, blank=True)
    end_date = models.DateField("fim", null=True, blank=True)
    status = StateField(
        "situação", choices=Status.choices, default=Status.ESTABLISHED, protected=True
    )
    registration_method = models.CharField(
        "registro", max_length=12, choices=Registration.choices, default=Registration.REGULAR
    )
    charging_method = models.CharField(
        "cobrança", max_length=10, choices=Charging.choices, default=Charging.PRE_PAID
    )
    overdue = models.BooleanField("inadimplente", default=False)
    overdue_automatic_management = models.BooleanField("faturar mesmo inadimplente", default=False)
    valid_until = models.DateField("válido até", null=True, blank=True)
    cancel_date = models.DateField("data do cancelamento", null=True, blank=True)
    cancel_reason = models.TextField("motivo do cancelamento", blank=True)
    minimum_term_fine = models.DecimalField(
        "multa por fidelidade", max_digits=15, decimal_places=2, null=True, blank=True
    )
    minimum_term_until = models.DateField("fidelidade até", null=True, blank=True)
    final_billed_at = models.DateTimeField("faturamento final em", null=True, blank=True)
    plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, blank=True, related_name="contracts", verbose_name="plano"
    )
    integration = models.JSONField("dados de integração", default=dict, blank=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)
    updated_at = models.DateTimeField("alterado em", auto_now=True)

    class Meta:
        verbose_name = "contrato"
        verbose_name_plural = "contratos"
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="contract_name"),
            models.UniqueConstraint(
                fields=["account", "external_code"],
                condition=~Q(external_code=""),
                name="contract_external_code",
            ),
            models.CheckConstraint(
                condition=~Q(status="cancelled") | Q(cancel_date__isnull=False),
                name="contract_cancelled_has_date",
            ),
            models.CheckConstraint(
                condition=~Q(registration_method="subscription")
                | Q(overdue_automatic_management=False),
                name="contract_subscription_stops_when_overdue",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """active, or inactive exactly when cancelled (§3.6)."""
        return "inactive" if self.status == self.Status.CANCELLED else "active"

    @property
    def customer(self) -> Party:
        return self.party if self.kind == self.Kind.SALE else self.organization

    @property
    def supplier(self) -> Party:
        return self.organization if self.kind == self.Kind.SALE else self.party

    @transition(field=status, source=Status.TRIAL, target=Status.ESTABLISHED)
    def establish(self) -> None:
        """The first period begins: the trial is over."""

    @transition(field=status, source=[Status.TRIAL, Status.ESTABLISHED], target=Status.CANCELLED)
    def cancel(self, *, on: object, reason: str) -> None:
        """End the agreement; what is still billed is the service's matter."""
        self.cancel_date = on  # type: ignore[assignment]
        self.cancel_reason = reason
        self.overdue = False
