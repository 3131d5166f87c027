"""What is sold: service items and plans."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import TenantModel
from billing.models.kept import KeepsSent
from billing.models.party import Party
from lib.validators import between


class ServiceItem(TenantModel, KeepsSent):
    """An entry of the catalogue; lines of rules and invoices point to it."""

    name = models.CharField("nome", max_length=200)
    description = models.TextField("descrição", blank=True)
    value = models.DecimalField("valor", max_digits=15, decimal_places=4, default=0)
    unit = models.CharField("unidade", max_length=20, default="item")
    tax_percentage = models.DecimalField(
        "imposto (%)", max_digits=9, decimal_places=6, default=0, validators=[between(0, 100)]
    )
    integration = models.JSONField("dados de integração", default=dict, blank=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)

    class Meta:
        verbose_name = "serviço"
        verbose_name_plural = "serviços"
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="serviceitem_name")]

    def __str__(self) -> str:
        return self.name


class Plan(TenantModel, KeepsSent):
    """A packaged offer from which subscriptions are made."""

    class Charging(models.TextChoices):
        PRE_PAID = "pre_paid", "Pré-pago"
        POST_PAID = "post_paid", "Pós-pago"

    organization = models.ForeignKey(
        Party, models.PROTECT, related_name="plans", verbose_name="organização"
    )
    name = models.CharField("nome", max_length=200)
    description = models.TextField("descrição", blank=True)
    price = models.DecimalField("preço", max_digits=15, decimal_places=2, default=0)
    billing_period = models.PositiveSmallIntegerField(
        "periodicidade (meses)", choices=[(n, str(n)) for n in (1, 2, 3, 6, 12)], default=1
    )
    charging_method = models.CharField(
        "cobrança", max_length=10, choices=Charging.choices, blank=True
    )
    has_trial = models.BooleanField("tem período de teste", default=False)
    trial_period = models.PositiveSmallIntegerField("dias de teste", null=True, blank=True)
    features = models.JSONField("características", default=list, blank=True)
    redirect_url = models.CharField("endereço de retorno", max_length=500, blank=True)
    allow_installments = models.BooleanField("permite parcelar", default=False)
    installments_limit = models.PositiveSmallIntegerField("máximo de parcelas", null=True)
    readjustment_will_be_created = models.BooleanField("cria reajuste", default=False)
    readjustment_month_quantity = models.PositiveSmallIntegerField(
        null=True, blank=True, verbose_name="reajuste a cada (meses)"
    )
    readjustment_days_until_update = models.PositiveSmallIntegerField(
        null=True, blank=True, verbose_name="avisar antes (dias)"
    )
    price_index = models.CharField("índice", max_length=10, blank=True)
    integration = models.JSONField("dados de integração", default=dict, blank=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)

    class Meta:
        verbose_name = "plano"
        verbose_name_plural = "planos"
        constraints = [
            models.CheckConstraint(
                condition=Q(billing_period__in=(1, 2, 3, 6, 12)), name="plan_billing_period"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PlanProduct(models.Model):
    """A service inside a plan; with products, the plan's price is their sum."""

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="products", verbose_name="plano")
    service_item = models.ForeignKey(
        ServiceItem, models.PROTECT, related_name="+", verbose_name="serviço"
    )
    description = models.TextField("descrição", blank=True)
    units = models.DecimalField("quantidade", max_digits=15, decimal_places=4)
    unit_value = models.DecimalField("valor unitário", max_digits=15, decimal_places=4)
    value = models.DecimalField("valor", max_digits=15, decimal_places=2)

    class Meta:
        verbose_name = "produto do plano"
        verbose_name_plural = "produtos do plano"

    def __str__(self) -> str:
        return f"{self.plan}: {self.service_item}"
