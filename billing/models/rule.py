"""Recurring rules and the presets they are made from."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models import TenantModel
from billing.models.catalog import ServiceItem
from billing.models.contract import Contract
from billing.models.kept import KeepsSent
from billing.models.party import Party
from lib.states import StateField


class PaymentMethod(models.TextChoices):
    """How an invoice is collected."""

    BILLET = "billet", "Boleto"
    PAYMENT_GATEWAY = "payment_gateway", "Cartão"
    TRANSFER = "transfer", "Transferência"
    PIX = "pix", "Pix"
    PIX_AUTOMATIC = "pix_automatic", "Pix Automático"


class Management(models.TextChoices):
    MANUAL = "manual", "Manual"
    AUTOMATIC = "automatic", "Automático"


class BillingOptions(KeepsSent):
    """What presets, rules and invoices have in common and copy from one to the next.

    `integration` holds the ids and names that integrators send and read back untouched (finance
    categories, charge configurations…); nothing of ours depends on them.
    """

    description = models.TextField("descrição", blank=True)
    nfe_body = models.TextField("texto da nota", blank=True)
    management_type = models.CharField(
        "gestão", max_length=10, choices=Management.choices, default=Management.MANUAL
    )
    automatic_email_template_ref = models.BigIntegerField("modelo de e-mail", null=True, blank=True)
    notification_ruler_ref = models.BigIntegerField("régua", null=True, blank=True)
    issue_nfse = models.BooleanField("emite NFS-e", default=False)
    nfse_template_ref = models.BigIntegerField("modelo de NFS-e", null=True, blank=True)
    days_until_automatic_nfe_emission = models.PositiveSmallIntegerField(
        "dias úteis até a nota", default=0
    )
    payment_method = models.CharField(
        "forma de pagamento",
        max_length=16,
        choices=PaymentMethod.choices,
        default=PaymentMethod.BILLET,
    )
    installments = models.PositiveSmallIntegerField("parcelas no cartão", null=True, blank=True)
    integration = models.JSONField("dados de integração", default=dict, blank=True)

    class Meta:
        abstract = True

    # Copied from rule to invoice, in this order.
    OPTION_FIELDS = (
        "description",
        "nfe_body",
        "management_type",
        "automatic_email_template_ref",
        "notification_ruler_ref",
        "issue_nfse",
        "nfse_template_ref",
        "days_until_automatic_nfe_emission",
        "payment_method",
        "installments",
        "integration",
    )


class DueTermsFields(models.Model):
    """When instalments fall due (DUE-1…6)."""

    class ChargeType(models.TextChoices):
        FIXED_DAY = "fixed_day", "Próximo dia X"
        LAST_DAY_OF_MONTH = "last_day_of_month", "Último dia do mês"
        DAY_QUANTITY = "day_quantity", "Após N dias"
        FIXED_DAY_AND_MONTH_QUANTITY = "fixed_day_and_month_quantity", "Dia X após N meses"

    charge_type = models.CharField(
        "vencimento", max_length=30, choices=ChargeType.choices, blank=True
    )
    day_number = models.PositiveSmallIntegerField("dia do vencimento", null=True, blank=True)
    day_quantity = models.PositiveSmallIntegerField("dias até vencer", null=True, blank=True)
    due_month_quantity = models.PositiveSmallIntegerField("meses até vencer", null=True, blank=True)
    only_business_days = models.BooleanField("só dias úteis", default=False)
    parcel_number = models.PositiveSmallIntegerField("parcelas", null=True, blank=True)

    class Meta:
        abstract = True


class ScheduleFields(models.Model):
    """How often invoices are issued (SCH-1…5)."""

    class PeriodUnit(models.TextChoices):
        MONTHLY = "monthly", "Mensal"
        WEEKLY = "weekly", "Semanal"

    class Accrual(models.TextChoices):
        SAME = "same_month", "Mesmo mês"
        PREVIOUS = "previous_month", "Mês anterior"
        NEXT = "next_month", "Mês seguinte"

    period_unit = models.CharField(
        "periodicidade", max_length=8, choices=PeriodUnit.choices, blank=True
    )
    month_quantity = models.PositiveSmallIntegerField("a cada (meses)", null=True, blank=True)
    accrual_month_quantity = models.CharField(
        "competência", max_length=14, choices=Accrual.choices, default=Accrual.SAME
    )

    class Meta:
        abstract = True


class InvoiceRule(TenantModel, BillingOptions, DueTermsFields, ScheduleFields):
    """A recurrence of a contract. `next_n`/`next_occurrence` say where materialisation stands.

    `next_occurrence` null means nothing more to create: ended, or without a schedule. A parked rule
    has its reason in `parked_reason`; every run tries it again.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Ativa"
        PAUSED = "paused", "Pausada"
        ENDED = "ended", "Encerrada"

    contract = models.ForeignKey(
        Contract, models.CASCADE, related_name="rules", verbose_name="contrato"
    )
    status = StateField("situação", choices=Status.choices, default=Status.ACTIVE, protected=True)
    external_code = models.CharField("código externo", max_length=60, blank=True)
    title = models.CharField("título", max_length=200, blank=True)
    gross_value = models.DecimalField("valor", max_digits=15, decimal_places=2, default=0)
    init_date = models.DateField("primeira emissão", null=True, blank=True)
    end_date = models.DateField("última emissão", null=True, blank=True)
    due_day_locked = models.BooleanField("vencimento travado", default=False)
    notify_customer = models.BooleanField("avisar cliente do reajuste", default=False)
    apply_negative_updates = models.BooleanField("aplicar reajuste negativo", default=False)
    next_n = models.PositiveIntegerField("próxima ocorrência nº", default=0)
    next_occurrence = models.DateField("próxima ocorrência", null=True, blank=True)
    last_occurrence = models.DateField("última ocorrência criada", null=True, blank=True)
    parked_reason = models.TextField("impedimento", blank=True)
    parked_at = models.DateTimeField("impedida em", null=True, blank=True)
    created_at = models.DateTimeField("criada em", auto_now_add=True)
    updated_at = models.DateTimeField("alterada em", auto_now=True)

    class Meta:
        verbose_name = "regra de faturamento"
        verbose_name_plural = "regras de faturamento"
        indexes = [
            models.Index(
                fields=["account", "next_occurrence", "id"],
                condition=Q(status="active"),
                name="rule_next_occurrence",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "external_code"],
                condition=~Q(external_code=""),
                name="rule_external_code",
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.description[:60] or f"Regra {self.pk}"

    @transition(field=status, source=Status.ACTIVE, target=Status.PAUSED)
    def pause(self) -> None:
        """Create nothing more until resumed."""

    @transition(field=status, source=Status.PAUSED, target=Status.ACTIVE)
    def resume(self) -> None:
        """Go on from where it stood."""

    @transition(field=status, source=[Status.ACTIVE, Status.PAUSED], target=Status.ENDED)
    def end(self) -> None:
        """Create nothing more, for good."""
        self.next_occurrence = None


class PricedService(models.Model):
    """A service with quantity and price; `value` = round(units × unit_value) (LINE-1)."""

    position = models.PositiveSmallIntegerField("posição")
    service_item = models.ForeignKey(
        ServiceItem, models.PROTECT, related_name="+", verbose_name="serviço"
    )
    description = models.TextField("descrição", blank=True)
    units = models.DecimalField("quantidade", max_digits=15, decimal_places=4)
    unit_value = models.DecimalField("valor unitário", max_digits=15, decimal_places=4)
    value = models.DecimalField("valor", max_digits=15, decimal_places=2)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.description or str(self.service_item)


class RuleService(PricedService):
    """A service of a rule."""

    rule = models.ForeignKey(
        InvoiceRule, models.CASCADE, related_name="services", verbose_name="regra"
    )

    class Meta:
        verbose_name = "serviço da regra"
        verbose_name_plural = "serviços da regra"
        constraints = [
            models.UniqueConstraint(fields=["rule", "position"], name="ruleservice_position")
        ]


class InvoiceTemplate(TenantModel, BillingOptions, DueTermsFields, ScheduleFields):
    """A preset of terms for rules (periodic) or invoices (no period); not the printed template."""

    organization = models.ForeignKey(
        Party, models.CASCADE, related_name="invoice_templates", verbose_name="organização"
    )
    name = models.CharField("nome", max_length=200)
    gross_value = models.DecimalField(
        "valor", max_digits=15, decimal_places=2, null=True, blank=True
    )
    create_parcels = models.BooleanField("cria parcelas", default=False)
    notify_customer = models.BooleanField("avisar cliente do reajuste", default=False)
    apply_negative_updates = models.BooleanField("aplicar reajuste negativo", default=False)
    created_at = models.DateTimeField("criado em", auto_now_add=True)

    class Meta:
        verbose_name = "modelo de faturamento"
        verbose_name_plural = "modelos de faturamento"

    def __str__(self) -> str:
        return self.name

    @property
    def is_single_use(self) -> bool:
        """For one-off invoices only: it has no period."""
        return not self.period_unit


class TemplateService(PricedService):
    """A service of a preset."""

    template = models.ForeignKey(
        InvoiceTemplate, models.CASCADE, related_name="services", verbose_name="modelo"
    )

    class Meta:
        verbose_name = "serviço do modelo"
        verbose_name_plural = "serviços do modelo"
        constraints = [
            models.UniqueConstraint(
                fields=["template", "position"], name="templateservice_position"
            )
        ]
