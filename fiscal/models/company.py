"""Issuers of fiscal documents, as the companies API describes them (fiscal-api §14)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models.account import TenantModel


class Regime(models.IntegerChoices):
    """CRT of the layout."""

    SIMPLES = 1, "Simples Nacional"
    SIMPLES_EXCESSO = 2, "Simples Nacional, excesso de sublimite"
    NORMAL = 3, "Regime normal"
    MEI = 4, "MEI"


class Company(TenantModel):
    """An establishment that issues documents, in both environments.

    What the engine decides by is a column; what only the record shows is kept in `options` under
    its API name. Secrets (`closed` and the CSCs) are closed texts (lib.crypto, purpose
    "fiscal.company"). A removed company stays for its documents, which the law keeps.
    """

    cnpj = models.CharField("CNPJ", max_length=14, blank=True)
    cpf = models.CharField("CPF", max_length=11, blank=True)
    nome = models.CharField("razão social", max_length=115)
    nome_fantasia = models.CharField("nome fantasia", max_length=60, blank=True)
    inscricao_estadual = models.CharField("inscrição estadual", max_length=14, blank=True)
    inscricao_municipal = models.CharField("inscrição municipal", max_length=15, blank=True)
    regime_tributario = models.PositiveSmallIntegerField(
        "regime tributário", choices=Regime.choices, default=Regime.NORMAL
    )
    email = models.CharField("e-mail", max_length=254, blank=True)
    telefone = models.CharField("telefone", max_length=14, blank=True)
    logradouro = models.CharField("logradouro", max_length=60, blank=True)
    numero = models.CharField("número", max_length=60, blank=True)
    complemento = models.CharField("complemento", max_length=60, blank=True)
    bairro = models.CharField("bairro", max_length=60, blank=True)
    cep = models.CharField("CEP", max_length=8, blank=True)
    municipio = models.CharField("município", max_length=60, blank=True)
    codigo_municipio = models.CharField("código IBGE", max_length=7, blank=True)
    uf = models.CharField("UF", max_length=2, blank=True)

    habilita_nfe = models.BooleanField("emite NF-e", default=False)
    habilita_nfce = models.BooleanField("emite NFC-e", default=False)
    habilita_nfse = models.BooleanField("emite NFS-e municipal", default=False)
    habilita_nfsen_producao = models.BooleanField("emite NFS-e nacional", default=False)
    habilita_nfsen_homologacao = models.BooleanField(
        "emite NFS-e nacional em homologação", default=False
    )
    habilita_contingencia_offline_nfce = models.BooleanField(
        "contingência offline da NFC-e", default=False
    )
    nfe_sincrono = models.BooleanField("NF-e síncrona em produção", default=False)
    nfe_sincrono_homologacao = models.BooleanField("NF-e síncrona em homologação", default=False)
    enviar_email_destinatario = models.BooleanField("e-mail ao destinatário", default=True)
    enviar_email_homologacao = models.BooleanField("e-mail em homologação", default=False)
    discrimina_impostos = models.BooleanField("discrimina impostos", default=False)
    certificado_especifico = models.BooleanField("certificado só desta empresa", default=False)

    csc_nfce_producao = models.TextField("CSC de produção", blank=True, editable=False)
    id_token_nfce_producao = models.CharField("id do CSC de produção", max_length=6, blank=True)
    csc_nfce_homologacao = models.TextField("CSC de homologação", blank=True, editable=False)
    id_token_nfce_homologacao = models.CharField(
        "id do CSC de homologação", max_length=6, blank=True
    )
    token_producao = models.TextField("token de produção", blank=True, editable=False)
    token_homologacao = models.TextField("token de homologação", blank=True, editable=False)
    closed = models.JSONField("senhas", default=dict, blank=True, editable=False)
    options = models.JSONField("opções", default=dict, blank=True)
    logo = models.BinaryField("logotipo", null=True, blank=True)  # PNG, at most 200 x 200
    created_at = models.DateTimeField("criada em", auto_now_add=True)
    updated_at = models.DateTimeField("alterada em", auto_now=True)
    removed_at = models.DateTimeField("excluída em", null=True, blank=True)

    class Meta:
        verbose_name = "empresa"
        verbose_name_plural = "empresas"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "cnpj"],
                condition=Q(removed_at=None) & ~Q(cnpj=""),
                name="company_cnpj",
            ),
            models.UniqueConstraint(
                fields=["account", "cpf"],
                condition=Q(removed_at=None) & ~Q(cpf=""),
                name="company_cpf",
            ),
            models.CheckConstraint(
                condition=(Q(cnpj="") & ~Q(cpf="")) | (~Q(cnpj="") & Q(cpf="")),
                name="company_one_document",
            ),
        ]

    def __str__(self) -> str:
        return self.nome

    @property
    def document(self) -> str:
        """CNPJ or CPF."""
        return self.cnpj or self.cpf

    def emits(self, modelo: int) -> bool:
        """Is the company enabled for that model?"""
        return {55: self.habilita_nfe, 65: self.habilita_nfce}.get(modelo, False)


class Certificate(TenantModel):
    """An A1 certificate; the private key is a closed text (purpose "fiscal.certificate").

    CRT-5: of several valid ones the one that ends last signs.
    """

    company = models.ForeignKey(
        Company, models.CASCADE, related_name="certificates", verbose_name="empresa"
    )
    key = models.TextField("chave privada", editable=False)
    pem = models.TextField("certificado e cadeia", editable=False)  # leaf first
    thumbprint = models.CharField("impressão digital SHA-256", max_length=64)
    subject = models.CharField("titular", max_length=300)
    serial = models.CharField("número de série", max_length=50)
    document = models.CharField("CNPJ ou CPF", max_length=14)
    not_before = models.DateTimeField("válido de")
    not_after = models.DateTimeField("válido até")
    # What keeps its chain from a known root (CRT-1), as texts to be read; no refusal.
    warnings = models.JSONField("avisos", default=list, blank=True)
    warned_days = models.PositiveSmallIntegerField("último aviso (dias)", null=True, blank=True)
    created_at = models.DateTimeField("enviado em", auto_now_add=True)

    class Meta:
        verbose_name = "certificado"
        verbose_name_plural = "certificados"
        constraints = [
            models.UniqueConstraint(fields=["company", "thumbprint"], name="certificate_once")
        ]

    def __str__(self) -> str:
        return f"{self.subject} ({self.not_after:%d/%m/%Y})"


class Series(TenantModel):
    """The next number of a series (NUM-1): taken under a lock, in the transaction that uses it."""

    company = models.ForeignKey(
        Company, models.CASCADE, related_name="series", verbose_name="empresa"
    )
    ambiente = models.CharField("ambiente", max_length=11)
    modelo = models.PositiveSmallIntegerField("modelo")
    serie = models.PositiveSmallIntegerField("série")
    next_number = models.PositiveIntegerField("próximo número", default=1)

    class Meta:
        verbose_name = "série"
        verbose_name_plural = "séries"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "ambiente", "modelo", "serie"], name="series_once"
            ),
            models.CheckConstraint(
                condition=Q(next_number__gte=1) & Q(serie__lte=999), name="series_range"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.modelo}/{self.serie} ({self.ambiente})"
