"""What an organization agreed on with its bank to issue boletos: numbers, files, registration."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import TenantModel
from billing.gateways.boleto import bank as banks
from billing.gateways.boleto.registry import BANKS
from billing.models.collection import FinancialAccount
from billing.models.gateway import GatewayAccount
from lib.validators import between


class BankAgreement(TenantModel):
    """The convênio of a bank account: what boletos are numbered, printed and registered by.

    Texts of digits as `billing.gateways.boleto.bank.Agreement` has them; the bank is that of the
    financial account. `next_file` is the number of the next remessa.
    """

    class Registration(models.TextChoices):
        CNAB240 = "cnab240", "Arquivo CNAB 240"
        CNAB400 = "cnab400", "Arquivo CNAB 400"
        ONLINE = "online", "On-line, pela API do banco"

    financial_account = models.ForeignKey(
        FinancialAccount,
        models.CASCADE,
        related_name="agreements",
        verbose_name="conta bancária",
    )
    code = models.CharField("convênio ou código do beneficiário", max_length=20, blank=True)
    agency = models.CharField("agência", max_length=5)
    agency_dv = models.CharField("dígito da agência", max_length=1, blank=True)
    account_number = models.CharField("conta", max_length=12, blank=True)
    account_dv = models.CharField("dígito da conta", max_length=2, blank=True)
    carteira = models.CharField("carteira", max_length=3, blank=True)
    variation = models.CharField("variação da carteira", max_length=3, blank=True)
    modality = models.CharField("modalidade", max_length=2, blank=True)
    post = models.CharField("posto", max_length=2, blank=True)
    has_free_number = models.BooleanField("nosso número livre de 17 posições", default=False)
    species = models.CharField("espécie do título", max_length=2, default="DM")
    registration = models.CharField(
        "registro",
        max_length=10,
        choices=Registration.choices,
        default=Registration.CNAB240,
    )
    gateway = models.ForeignKey(
        GatewayAccount,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="agreements",
        verbose_name="conta em provedor",
        help_text="De onde os boletos são registrados on-line.",
    )
    limit_days = models.PositiveSmallIntegerField(
        "dias para pagar depois do vencimento", default=59, validators=[between(0, 365)]
    )
    registers_daily_interest = models.BooleanField(
        "juros por dia",
        default=False,
        help_text="O banco só aceita juros em reais por dia, não em percentual ao mês.",
    )
    protest_days = models.PositiveSmallIntegerField(
        "dias para protesto", null=True, blank=True, validators=[between(2, 99)]
    )
    next_file = models.PositiveIntegerField(
        "próxima remessa", default=1, validators=[MinValueValidator(1)]
    )
    is_active = models.BooleanField("ativo", default=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)

    class Meta:
        verbose_name = "convênio de cobrança"
        verbose_name_plural = "convênios de cobrança"
        constraints = [
            models.UniqueConstraint(
                fields=["financial_account", "code", "carteira"],
                name="agreement_of_account",
                violation_error_message="A conta bancária já tem este convênio.",
            ),
            models.CheckConstraint(
                condition=~Q(registration="online") | Q(gateway__isnull=False),
                name="agreement_online_has_gateway",
                violation_error_message="Escolha a conta em provedor do registro on-line.",
            ),
        ]

    def __str__(self) -> str:
        return f"Convênio {self.code or self.carteira} – {self.financial_account}"

    @property
    def bank(self) -> banks.Bank | None:
        """None for a bank that boletos cannot be issued for."""
        return BANKS.get(self.financial_account.bank_code)

    @property
    def terms(self) -> banks.Agreement:
        """What the bank's arithmetic takes."""
        return banks.Agreement(
            agency=self.agency,
            account=self.account_number,
            account_dv=self.account_dv,
            code=self.code,
            carteira=self.carteira,
            modality=self.modality,
            post=self.post,
            has_free_number=self.has_free_number,
        )

    def clean(self) -> None:
        """Raises ValidationError when the bank would not take a boleto with these numbers."""
        from django.core.exceptions import ValidationError

        if self.financial_account_id is None:
            return  # told by its own field
        if self.bank is None:
            raise ValidationError("Este banco ainda não emite boletos por aqui.")
        found = banks.faults(self.bank, self.terms)
        if found:
            columns = {"account": "account_number"}
            raise ValidationError({columns.get(name, name): text for name, text in found.items()})


class NossoNumeroRange(TenantModel):
    """Where an agreement's numbers are; locked while one is taken, never given back (BO-2).

    `series` is what the bank counts within, as `Bank.series` says: "" or a year.
    """

    agreement = models.ForeignKey(
        BankAgreement, models.CASCADE, related_name="ranges", verbose_name="convênio"
    )
    series = models.CharField("série", max_length=4, blank=True)
    next_number = models.PositiveBigIntegerField("próximo número", default=1)

    class Meta:
        verbose_name = "sequência de nosso número"
        verbose_name_plural = "sequências de nosso número"
        constraints = [
            models.UniqueConstraint(fields=["agreement", "series"], name="range_of_agreement")
        ]

    def __str__(self) -> str:
        return f"{self.agreement} {self.series}".strip()
