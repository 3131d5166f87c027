"""The tenant, and the one place where rows are narrowed to a tenant."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from django.db import models

from lib.errors import NotFound
from lib.validators import between

M = TypeVar("M", bound=models.Model)


class Account(models.Model):
    """A company that installed or subscribed to the product: the tenant.

    Horizon fields rule how far ahead recurring invoices exist (DECISIONS 1): new rules are filled
    for one block from their first date; the nightly run adds blocks so that at least the
    "ahead" months lie ahead of today.
    """

    name = models.CharField("nome", max_length=200)
    slug = models.SlugField("identificador", unique=True)
    time_zone = models.CharField("fuso horário", max_length=50, default="America/Sao_Paulo")
    locale = models.CharField("idioma", max_length=10, default="pt-BR")
    currency = models.CharField("moeda", max_length=3, default="BRL")
    is_active = models.BooleanField("ativa", default=True)
    is_sandbox = models.BooleanField("homologação", default=False)
    monthly_block_months = models.PositiveSmallIntegerField(
        "bloco mensal (meses)", default=24, validators=[between(1, 60)]
    )
    monthly_ahead_months = models.PositiveSmallIntegerField(
        "antecedência mensal", default=6, validators=[between(0, 36)]
    )
    weekly_block_months = models.PositiveSmallIntegerField(
        "bloco semanal (meses)", default=6, validators=[between(1, 12)]
    )
    weekly_ahead_months = models.PositiveSmallIntegerField(
        "antecedência semanal", default=1, validators=[between(0, 12)]
    )
    created_at = models.DateTimeField("criada em", auto_now_add=True)

    class Meta:
        verbose_name = "conta"
        verbose_name_plural = "contas"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(monthly_block_months__range=(1, 60))
                & models.Q(weekly_block_months__range=(1, 12))
                & models.Q(monthly_ahead_months__range=(0, 36))
                & models.Q(weekly_ahead_months__range=(0, 12)),
                name="account_horizon_block",
            )
        ]

    def __str__(self) -> str:
        return self.name


class TenantQuerySet(models.QuerySet[Any]):
    """Rows that belong to an account."""

    def of(self, account: Account) -> Self:
        """Only the rows of `account`: the single tenancy filter of the product (INV-11)."""
        return self.filter(account_id=account.pk)

    def get_of(self, account: Account, **lookup: Any) -> Any:
        """One row of `account`; NotFound for a missing row and for another tenant's alike."""
        try:
            return self.of(account).get(**lookup)
        except (self.model.DoesNotExist, ValueError, OverflowError) as error:
            raise NotFound() from error


TenantManager = models.Manager.from_queryset(TenantQuerySet)


class TenantModel(models.Model):
    """Base of every row that a tenant owns."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="+", verbose_name="conta")

    objects = TenantManager()

    class Meta:
        abstract = True


class Heartbeat(models.Model):
    """Sign of life of the background workers, written each minute by a scheduled task."""

    name = models.CharField(max_length=50, primary_key=True, verbose_name="nome")
    at = models.DateTimeField(verbose_name="último sinal")

    class Meta:
        verbose_name = "sinal de vida"
        verbose_name_plural = "sinais de vida"

    def __str__(self) -> str:
        return self.name
