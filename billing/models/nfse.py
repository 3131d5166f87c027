"""Service notes (NFS-e) as billing shows them, and the presets they are made from.

The columns bear the names that the API publishes (billing-api §2.13, §2.14): any of them can be
searched for.
"""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models

from accounts.models import TenantModel
from billing.models.invoice import Invoice
from billing.models.kept import KeepsSent
from billing.models.party import Party
from lib.validators import between


def _text(label: str, length: int = 200) -> models.CharField[Any, Any]:
    return models.CharField(label, max_length=length, blank=True)


def _money(label: str, **kwargs: Any) -> models.DecimalField[Any, Any]:
    return models.DecimalField(
        label, max_digits=15, decimal_places=2, default=Decimal("0.00"), **kwargs
    )


def _limit(label: str) -> models.DecimalField[Any, Any]:
    return _money(f"{label}: não reter até", validators=[MinValueValidator(0)])


def _rate(label: str, **kwargs: Any) -> models.DecimalField[Any, Any]:
    """Percent, at most 100."""
    return models.DecimalField(
        f"{label} (%)", max_digits=7, decimal_places=4, validators=[between(0, 100)], **kwargs
    )


def _optional_rate(label: str) -> models.DecimalField[Any, Any]:
    return _rate(label, null=True, blank=True)


class NfseTemplate(TenantModel, KeepsSent):
    """How the service notes of an organization are taxed and described.

    `limite_…` are the service amounts (BRL) up to which nothing is withheld; a tax itself of up to
    `retencao_minima` (BRL) is not withheld either. A tax is withheld when it is among
    `retencoes_destacadas_nota` (ISS: `iss_retido_fonte`) and has a rate. `tipo_nota` is the kind of
    document that an invoice gets.
    """

    class Retencao(models.TextChoices):
        IR = "IR", "IR"
        PIS = "PIS", "PIS"
        COFINS = "COFINS", "COFINS"
        CSLL = "CSLL", "CSLL"
        INSS = "INSS", "INSS"
        ISS = "ISS", "ISS"

    class Tipo(models.TextChoices):
        NFSEN = "nfsen", "NFS-e nacional"
        NFSE = "nfse", "NFS-e municipal"
        NFE = "nfe", "NF-e (mercadorias)"

    class Arredondamento(models.TextChoices):
        HALF_UP = "half_up", "Comercial (meio para cima)"
        HALF_EVEN = "half_even", "ABNT NBR 5891 (meio para o par)"
        TRUNCATE = "truncate", "Truncamento"

    class Natureza(models.TextChoices):
        NO_MUNICIPIO = "1", "Tributação no município"
        FORA = "2", "Tributação fora do município"
        ISENCAO = "3", "Isenção"
        IMUNE = "4", "Imune"
        SUSPENSA_JUDICIAL = "5", "Exigibilidade suspensa por decisão judicial"
        SUSPENSA_ADMINISTRATIVA = "6", "Exigibilidade suspensa por procedimento administrativo"

    class Imunidade(models.TextChoices):
        PUBLICO = "1", "Entre entes públicos (CF, art. 150, VI, a)"
        TEMPLO = "2", "Templos (CF, art. 150, VI, b)"
        SEM_FINS_LUCRATIVOS = "3", "Partidos, sindicatos, educação e assistência (alínea c)"
        LIVROS = "4", "Livros, jornais e periódicos (alínea d)"
        FONOGRAMAS = "5", "Fonogramas e videofonogramas (alínea e)"

    class Acumulo(models.TextChoices):
        IR = "IR", "IR"
        PCC = "PCC", "PIS, COFINS e CSLL"
        INSS = "INSS", "INSS"
        ISS = "ISS", "ISS"

    organization = models.ForeignKey(
        Party, models.CASCADE, related_name="nfse_templates", verbose_name="organização"
    )
    name = models.CharField("nome", max_length=200)
    codigo_servico_municipal = _text("código do serviço no município", 20)
    item_lista_servico = _text("item da lista de serviços", 10)
    cnae = _text("CNAE", 10)
    servico_prestado_municipio_cliente = models.BooleanField(
        "prestado no município do cliente", default=False
    )
    iss_retido_fonte = models.BooleanField("ISS retido na fonte", default=False)
    aliquota_iss = _optional_rate("ISS")
    aliquota_ir = _optional_rate("IR")
    aliquota_pis = _optional_rate("PIS")
    aliquota_cofins = _optional_rate("COFINS")
    aliquota_csll = _optional_rate("CSLL")
    aliquota_inss = _optional_rate("INSS")
    aliquota_iss_retido = _optional_rate("ISS retido")
    retencoes_destacadas_nota = models.JSONField(
        "retenções destacadas na nota", default=list, blank=True
    )
    percentual_carga_tributaria = _rate("carga tributária", default=Decimal(0))
    fonte_carga_tributaria = _text("fonte da carga tributária", 100)
    limite_retencao_ir = _limit("IR")
    limite_retencao_pcc = _limit("PIS, COFINS e CSLL")
    limite_retencao_inss = _limit("INSS")
    limite_retencao_iss = _limit("ISS")
    tipo_nota = models.CharField(
        "nota a emitir", max_length=5, choices=Tipo.choices, default=Tipo.NFSEN
    )
    arredondamento = models.CharField(
        "arredondamento",
        max_length=9,
        choices=Arredondamento.choices,
        default=Arredondamento.HALF_UP,
    )
    retencoes_acumuladas = models.JSONField(
        "retenções somadas no mês por cliente", default=list, blank=True
    )
    retencao_minima = models.DecimalField(
        "retenção dispensada até",
        max_digits=15,
        decimal_places=2,
        default=Decimal("10.00"),
        validators=[MinValueValidator(0)],
    )
    percentual_base_inss = _rate("base do INSS", default=Decimal(100))
    teto_base_inss = _money("teto mensal da base do INSS", validators=[MinValueValidator(0)])
    percentual_deducao_iss = _rate("dedução da base do ISS", default=Decimal(0))
    natureza_operacao = models.CharField("natureza da operação", max_length=1, default="1")
    # What natureza_operacao 3, 4, and 5 or 6 want to know besides, in this order.
    numero_beneficio_municipal = _text("benefício municipal", 14)
    tipo_imunidade = models.CharField(
        "tipo de imunidade", max_length=1, blank=True, choices=Imunidade.choices
    )
    numero_processo_suspensao = _text("processo da suspensão", 30)
    regime_especial_tributacao = _text("regime especial de tributação", 1)
    informa_aliquota_iss = models.BooleanField("informa a alíquota do ISS", default=False)
    situacao_tributaria_pis_cofins = _text("situação tributária do PIS e da COFINS", 2)
    texto_carga_tributaria = _text("texto da carga tributária", 300)
    percentual_carga_federal = _optional_rate("carga tributária federal")
    percentual_carga_estadual = _optional_rate("carga tributária estadual")
    percentual_carga_municipal = _optional_rate("carga tributária municipal")
    codigo_tributacao_nacional = _text("código de tributação nacional", 6)
    codigo_nbs = _text("NBS", 9)
    codigo_indicador_operacao = _text("indicador da operação (IBS/CBS)", 6)
    ibs_cbs_situacao_tributaria = _text("situação tributária do IBS/CBS", 3)
    ibs_cbs_classificacao_tributaria = _text("classificação tributária do IBS/CBS", 6)
    # What every item of an NF-e has in common, by its names in the API.
    campos_nfe = models.JSONField("campos dos itens da NF-e", default=dict, blank=True)
    external_service_id = _text("id externo do serviço", 100)
    external_service_description = _text("descrição externa do serviço", 500)
    integration = models.JSONField("dados de integração", default=dict, blank=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)
    updated_at = models.DateTimeField("alterado em", auto_now=True)

    class Meta:
        verbose_name = "modelo de NFS-e"
        verbose_name_plural = "modelos de NFS-e"

    def __str__(self) -> str:
        return self.name


class Nfse(TenantModel, KeepsSent):
    """A service note that a municipality authorized, with the data it was issued with.

    Parties are copied, never looked up again. Amounts are BRL, documents without mask.
    """

    class Status(models.IntegerChoices):  # the numbers the API filters by
        ISSUED = 1, "Emitida"
        CANCELLED = 2, "Cancelada"
        CANCELLING = 4, "Cancelando"
        CANCELLATION_ERROR = 6, "Erro no cancelamento"

    class CustomerType(models.TextChoices):
        COMPANY = "Company", "Empresa"
        PERSON = "Person", "Pessoa física"

    class Environment(models.TextChoices):
        PRODUCAO = "Producao", "Produção"
        HOMOLOGACAO = "Homologacao", "Homologação"

    organization = models.ForeignKey(
        Party, models.PROTECT, related_name="nfses", verbose_name="organização"
    )
    invoice = models.ForeignKey(
        Invoice,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="nfses",
        verbose_name="fatura",
    )
    customer = models.ForeignKey(
        Party, models.PROTECT, related_name="received_nfses", verbose_name="cliente"
    )
    customer_type = models.CharField("tipo do cliente", max_length=10, choices=CustomerType.choices)
    nfse_number = _text("número", 30)
    status = models.PositiveSmallIntegerField(
        "situação", choices=Status.choices, default=Status.ISSUED
    )
    generated_at = models.DateTimeField("gerada em")
    accrual_date = models.DateField("competência", null=True, blank=True)
    verification_code = _text("código de verificação", 60)
    external_id = models.UUIDField("identificador externo", default=uuid.uuid4)
    nfse_environment = models.CharField(
        "ambiente", max_length=12, choices=Environment.choices, default=Environment.PRODUCAO
    )
    rps_number = models.PositiveBigIntegerField("número do RPS", null=True, blank=True)
    rps_serie = _text("série do RPS", 10)
    city_nfse_url = _text("endereço no município", 500)
    pdf_url = _text("endereço do PDF", 500)
    xml_url = _text("endereço do XML", 500)
    cancellation_requested_at = models.DateTimeField(
        "cancelamento pedido em", null=True, blank=True
    )
    cancelled_at = models.DateTimeField("cancelada em", null=True, blank=True)
    request_sent = models.BooleanField("pedido enviado", null=True, blank=True)
    integration_errors = models.TextField("erros de integração", blank=True)

    value = _money("valor")
    iss_value = _money("ISS")
    retained_iss_value = _money("ISS retido")
    ir_value = _money("IR")
    pis_value = _money("PIS")
    cofins_value = _money("COFINS")
    csll_value = _money("CSLL")
    inss_value = _money("INSS")
    outras_value = _money("outras retenções")
    iss_retido_fonte = models.BooleanField("ISS retido na fonte", default=False)
    percentual_carga_tributaria = _rate("carga tributária", default=Decimal(0))
    carga_tributaria_value = _money("carga tributária")
    fonte_carga_tributaria = _text("fonte da carga tributária", 100)

    service_provided_city = _text("município da prestação", 100)
    service_provided_city_code = _text("código do município da prestação", 7)
    service_provided_state = _text("UF da prestação", 2)
    servico_prestado_municipio_cliente = models.BooleanField(
        "prestado no município do cliente", default=False
    )
    servico_prestado_municipio_prestador = models.BooleanField(
        "prestado no município do prestador", default=False
    )
    servico_prestado_municipio_codigo = _text("outro município (código)", 10)

    customer_name = _text("cliente")
    customer_company_name = _text("razão social do cliente")
    customer_document_number = _text("CNPJ/CPF do cliente", 14)
    customer_email = _text("e-mail do cliente", 254)
    customer_city_inscription = _text("inscrição municipal do cliente", 30)
    customer_state_inscription = _text("inscrição estadual do cliente", 30)
    customer_address = _text("logradouro do cliente")
    customer_number = _text("número do cliente", 20)
    customer_complement = _text("complemento do cliente", 100)
    customer_district = _text("bairro do cliente", 100)
    customer_zipcode = _text("CEP do cliente", 8)
    customer_city = _text("município do cliente", 100)
    customer_city_ibge_code = _text("código IBGE do cliente", 7)
    customer_state = _text("UF do cliente", 2)

    organization_name = _text("prestador")
    organization_company_name = _text("razão social do prestador")
    organization_document_number = _text("CNPJ do prestador", 14)
    organization_city_inscription = _text("inscrição municipal do prestador", 30)
    organization_state_inscription = _text("inscrição estadual do prestador", 30)
    organization_address = _text("logradouro do prestador")
    organization_number = _text("número do prestador", 20)
    organization_complement = _text("complemento do prestador", 100)
    organization_district = _text("bairro do prestador", 100)
    organization_zipcode = _text("CEP do prestador", 8)
    organization_city = _text("município do prestador", 100)
    organization_city_ibge_code = _text("código IBGE do prestador", 7)
    organization_state = _text("UF do prestador", 2)
    organization_is_incentivador_cultural = models.BooleanField(
        "incentivador cultural", default=False
    )
    organization_is_optante_simples_nacional = models.BooleanField(
        "optante pelo Simples Nacional", default=False
    )

    integration = models.JSONField("dados de integração", default=dict, blank=True)
    created_at = models.DateTimeField("criada em", auto_now_add=True)
    updated_at = models.DateTimeField("alterada em", auto_now=True)

    class Meta:
        verbose_name = "NFS-e"
        verbose_name_plural = "NFS-e"
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="nfse_external_id"),
            models.CheckConstraint(
                condition=models.Q(status__in=(1, 2, 4, 6)), name="nfse_known_status"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "generated_at", "id"], name="nfse_generated_at")
        ]

    def __str__(self) -> str:
        return f"NFS-e {self.nfse_number or self.pk}"


class NfseServiceItem(KeepsSent):
    """A service of a note."""

    nfse = models.ForeignKey(
        Nfse, models.CASCADE, related_name="nfse_service_items", verbose_name="NFS-e"
    )
    description = models.TextField("descrição", blank=True)
    codigo_servico_municipal = _text("código do serviço no município", 20)
    descricao_servico_municipal = _text("descrição do serviço no município", 500)
    item_lista_servico = _text("item da lista de serviços", 10)
    external_service_id = _text("id externo do serviço", 100)
    cnae = _text("CNAE", 10)
    units = models.DecimalField("quantidade", max_digits=15, decimal_places=4, default=Decimal(1))
    value = _money("valor")
    aliquota_iss = _optional_rate("ISS")
    integration = models.JSONField("dados de integração", default=dict, blank=True)
    created_at = models.DateTimeField("criado em", auto_now_add=True)
    updated_at = models.DateTimeField("alterado em", auto_now=True)

    class Meta:
        verbose_name = "serviço da NFS-e"
        verbose_name_plural = "serviços da NFS-e"

    def __str__(self) -> str:
        return self.description[:60] or f"Serviço {self.pk}"
