"""How money is asked for: the bank account it goes to, and the terms printed on a boleto."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from accounts.models import TenantModel
from billing.models.kept import KeepsSent
from billing.models.party import Party

_bank = RegexValidator(r"\A[0-9]{3}\Z", "O código do banco tem 3 números, por exemplo 341.")
_branch = RegexValidator(
    r"\A[0-9]{1,5}(-?[0-9Xx])?\Z", "Use só números, com o dígito depois de um traço se houver."
)
_number = RegexValidator(
    r"\A[0-9]{1,18}(-?[0-9Xx])?\Z", "Use só números, com o dígito depois de um traço se houver."
)


class FinancialAccount(TenantModel):
    """A bank account of an organization that boletos are issued from.

    `payout_…` is the account that the money is passed on to, when it is another one.
    `payment_methods` lists what it offers, as the API names it.
    """

    class Status(models.TextChoices):
        PROCESSING = "processing", "Em processamento"

    class Method(models.TextChoices):
        BOLETO = "boleto", "Boleto"

    organization = models.ForeignKey(
        Party, models.CASCADE, related_name="financial_accounts", verbose_name="organização"
    )
    status = models.CharField(
        "situação", max_length=20, choices=Status.choices, default=Status.PROCESSING
    )
    bank_code = models.CharField("banco", max_length=3, validators=[_bank])
    bank_branch = models.CharField("agência", max_length=8, validators=[_branch])
    bank_account = models.CharField("conta", max_length=20, validators=[_number])
    payout_bank_code = models.CharField(
        "banco de repasse", max_length=3, blank=True, validators=[_bank]
    )
    payout_bank_branch = models.CharField(
        "agência de repasse", max_length=8, blank=True, validators=[_branch]
    )
    payout_bank_account = models.CharField(
        "conta de repasse", max_length=20, blank=True, validators=[_number]
    )
    payment_methods = models.JSONField("formas de pagamento", default=list, blank=True)
    accept_fixed_fine = models.BooleanField("aceita multa em valor fixo", default=False)
    created_at = models.DateTimeField("criada em", auto_now_add=True)
    updated_at = models.DateTimeField("alterada em", auto_now=True)

    class Meta:
        verbose_name = "conta bancária"
        verbose_name_plural = "contas bancárias"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "bank_code", "bank_branch", "bank_account"],
                name="financialaccount_number",
                violation_error_message="Esta organização já tem esta conta bancária.",
            )
        ]

    def __str__(self) -> str:
        return f"Banco {self.bank_code}, ag. {self.bank_branch}, conta {self.bank_account}"


class ChargeTemplate(TenantModel, KeepsSent):
    """Fine, interest and instructions of boletos (LATE-2).

    `fine_value` is percent of the instalment or BRL, `interest_value` percent a month or BRL a
    day, as their types say. `charging_account_id` is an account of an outside charging service.
    """

    class PaymentMethod(models.TextChoices):
        BOLETO = "boleto", "Boleto"

    class Fine(models.TextChoices):
        WITHOUT = "without", "Sem multa"
        PERCENTAGE = "percentage", "Percentual"
        FIXED = "fixed", "Valor fixo"

    class Interest(models.TextChoices):
        WITHOUT = "without", "Sem juros"
        PERCENTAGE = "percentage", "Percentual ao mês"
        FIXED = "fixed", "Valor fixo por dia"

    organization = models.ForeignKey(
        Party, models.CASCADE, related_name="charge_templates", verbose_name="organização"
    )
    name = models.CharField("nome", max_length=200)
    payment_method = models.CharField(
        "forma de pagamento",
        max_length=20,
        choices=PaymentMethod.choices,
        default=PaymentMethod.BOLETO,
    )
    fine_type = models.CharField(
        "multa", max_length=10, choices=Fine.choices, default=Fine.PERCENTAGE
    )
    fine_value = models.DecimalField(
        "quanto de multa",
        max_digits=15,
        decimal_places=4,
        default=Decimal(2),
        validators=[MinValueValidator(0)],
    )
    interest_type = models.CharField(
        "juros", max_length=10, choices=Interest.choices, default=Interest.PERCENTAGE
    )
    interest_value = models.DecimalField(
        "quanto de juros",
        max_digits=15,
        decimal_places=4,
        default=Decimal(1),
        validators=[MinValueValidator(0)],
    )
    instructions = models.TextField("instruções", blank=True)
    # RESTRICT, not PROTECT: deleting the organization takes both.
    financial_account = models.ForeignKey(
        FinancialAccount,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="charge_templates",
        verbose_name="conta bancária",
    )
    charging_account_id = models.UUIDField("conta de cobrança externa", null=True, blank=True)
    is_default = models.BooleanField("padrão", default=False)
    integration = models.JSONField("dados de integração", default=dict, blank=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)
    updated_at = models.DateTimeField("alterado em", auto_now=True)

    class Meta:
        verbose_name = "modelo de cobrança"
        verbose_name_plural = "modelos de cobrança"
        constraints = [
            models.CheckConstraint(
                condition=Q(fine_type__in=("without", "percentage", "fixed"))
                & Q(interest_type__in=("without", "percentage", "fixed")),
                name="chargetemplate_types",
            ),
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(is_default=True),
                name="chargetemplate_default",
                violation_error_message="Esta organização já tem um modelo de cobrança padrão.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
