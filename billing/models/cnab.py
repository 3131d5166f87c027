"""Bank files: what we send (remessa) and what comes back (retorno), each once."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import TenantModel
from billing.models.agreement import BankAgreement
from billing.models.charge import Charge
from billing.models.party import Party
from billing.models.payment import Payment
from billing.models.receivable import Receivable


class CnabFile(TenantModel):
    """A file as it was generated or received, byte for byte (BO-3, BO-4).

    A remessa moves the states of its charges only when it is marked as sent. A retorno is read,
    looked at, and applied.
    """

    class Direction(models.TextChoices):
        REMESSA = "remessa", "Remessa"
        RETORNO = "retorno", "Retorno"

    class State(models.TextChoices):
        GENERATED = "generated", "Gerada"
        SENT = "sent", "Enviada"
        READ = "read", "Lido"
        APPLYING = "applying", "Em aplicação"
        APPLIED = "applied", "Aplicado"
        DISCARDED = "discarded", "Descartado"

    agreement = models.ForeignKey(
        BankAgreement,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="files",
        verbose_name="convênio",
    )
    direction = models.CharField("sentido", max_length=7, choices=Direction.choices)
    layout = models.CharField("leiaute", max_length=20)
    bank_code = models.CharField("banco", max_length=3)
    sequence = models.PositiveIntegerField("número", null=True, blank=True)
    filename = models.CharField("arquivo", max_length=255)
    content = models.BinaryField("conteúdo")
    sha256 = models.CharField(max_length=64)
    state = models.CharField("situação", max_length=9, choices=State.choices)
    declared_total = models.DecimalField(
        "total do arquivo", max_digits=15, decimal_places=2, null=True, blank=True
    )
    faults = models.JSONField("avisos", default=list, blank=True)
    recorded_by = models.CharField("registrado por", max_length=200, blank=True)
    created_at = models.DateTimeField("criado em")
    closed_at = models.DateTimeField("encerrado em", null=True, blank=True)

    class Meta:
        verbose_name = "arquivo CNAB"
        verbose_name_plural = "arquivos CNAB"
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "sequence"],
                condition=Q(direction="remessa"),
                name="cnab_remessa_sequence",
            ),
            models.UniqueConstraint(
                fields=["account", "sha256"],
                condition=Q(direction="retorno") & ~Q(state="discarded"),
                name="cnab_retorno_once",
                violation_error_message="Este arquivo já foi enviado.",
            ),
        ]

    def __str__(self) -> str:
        return self.filename


class CnabRecord(models.Model):
    """One title of a file, in words, and what became of it.

    `key` names the fact that a retorno tells (boleto-pix §6.5): the same one in two files is
    applied once. `resolution` is what a person decided about a line without a match: its
    `receivable`, or the `customer` whose credit it is. `additions` are fine and interest, and
    `discount` has the abatement in it, as the bank tells them.
    """

    class Result(models.TextChoices):
        SETTLE = "settle", "Baixar"
        SETTLED_BEFORE = "settled_before", "Já baixado"
        REPLACED = "replaced", "Boleto substituído – baixa a fatura"
        DUPLICATE = "duplicate", "Pagamento em duplicidade"
        DIVERGENT = "divergent", "Valor divergente"
        UNMATCHED = "unmatched", "Não localizado"
        REJECTED = "rejected", "Rejeitado"
        REGISTERED = "registered", "Registrado"
        CANCELLED = "cancelled", "Baixa confirmada"
        CHANGED = "changed", "Alteração confirmada"
        FEE = "fee", "Tarifa"
        NOTED = "noted", "Informativo"
        UNKNOWN = "unknown", "Ocorrência desconhecida"
        ENTRY = "entry", "Entrada"
        WRITE_OFF = "write_off", "Pedido de baixa"
        CHANGE = "change", "Pedido de alteração"

    class Resolution(models.TextChoices):
        NONE = "", "—"
        LINKED = "linked", "Vinculado a uma fatura"
        CREDITED = "credited", "Crédito gerado"
        IGNORED = "ignored", "Ignorado"

    file = models.ForeignKey(
        CnabFile, models.CASCADE, related_name="records", verbose_name="arquivo"
    )
    account = models.ForeignKey(
        "accounts.Account", models.CASCADE, related_name="+", verbose_name="conta"
    )
    line = models.PositiveIntegerField("linha")
    key = models.CharField("chave", max_length=200)
    occurrence = models.CharField("ocorrência", max_length=2)
    reasons = models.CharField("motivos", max_length=10, blank=True)
    nosso_numero = models.CharField("nosso número", max_length=20, blank=True)
    document_number = models.CharField("documento", max_length=25, blank=True)
    company_use = models.CharField("uso da empresa", max_length=25, blank=True)
    payer = models.CharField("pagador", max_length=60, blank=True)
    due_date = models.DateField("vencimento", null=True, blank=True)
    value = models.DecimalField("valor", max_digits=15, decimal_places=2, default=0)
    paid = models.DecimalField("pago", max_digits=15, decimal_places=2, default=0)
    credited = models.DecimalField("creditado", max_digits=15, decimal_places=2, default=0)
    fee = models.DecimalField("tarifa", max_digits=15, decimal_places=2, default=0)
    additions = models.DecimalField("acréscimos", max_digits=15, decimal_places=2, default=0)
    discount = models.DecimalField("desconto", max_digits=15, decimal_places=2, default=0)
    occurred_on = models.DateField("data da ocorrência", null=True, blank=True)
    credited_on = models.DateField("data do crédito", null=True, blank=True)
    charge = models.ForeignKey(
        Charge, models.PROTECT, null=True, blank=True, related_name="records",
        verbose_name="cobrança",
    )  # fmt: skip
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="records",
        verbose_name="pagamento",
    )  # fmt: skip
    receivable = models.ForeignKey(
        Receivable, models.PROTECT, null=True, blank=True, related_name="records",
        verbose_name="parcela",
    )  # fmt: skip
    customer = models.ForeignKey(
        Party, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="cliente"
    )
    result = models.CharField("resultado", max_length=14, choices=Result.choices)
    message = models.CharField("explicação", max_length=500, blank=True)
    resolution = models.CharField(
        "decisão", max_length=8, choices=Resolution.choices, blank=True, default=Resolution.NONE
    )
    note = models.CharField("observação", max_length=500, blank=True)
    applied_at = models.DateTimeField("aplicado em", null=True, blank=True)

    class Meta:
        verbose_name = "registro CNAB"
        verbose_name_plural = "registros CNAB"
        constraints = [
            models.UniqueConstraint(fields=["file", "line"], name="cnab_record_line"),
            models.UniqueConstraint(
                fields=["account", "key"],
                condition=Q(applied_at__isnull=False),
                name="cnab_record_applied_once",
            ),
        ]
        indexes = [models.Index(fields=["account", "key"], name="cnab_record_key")]

    def __str__(self) -> str:
        return f"{self.file} linha {self.line}"
