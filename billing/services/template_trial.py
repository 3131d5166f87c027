"""Would a note of this fiscal template be accepted? Told at saving, not at the first emission.

A made-up invoice to a made-up company of the issuer's city is written as its note and checked as
it would be (docs/decisions/0027).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from billing.models import Invoice, NfseTemplate, Party
from billing.services.issuers import issuers_of
from billing.services.note_bodies import body_of
from billing.services.note_source import Source
from billing.services.note_taxes import Case, tax
from fiscal.models import Company
from fiscal.services.nfse.trial import faults_of
from lib.errors import FieldError

LIVE = "producao"  # not every city has another, and what it wants is the same
_AMOUNT = Decimal("1000.00")
_TAKERS = ("11222333000181", "19131243000197")  # the second where the first is the issuer's
# Field of the body → field of the template that fills it in.
_FIELDS = MappingProxyType(
    {
        "codigo_tributacao_nacional_iss": "codigo_tributacao_nacional",
        "codigo_tributacao_municipal_iss": "codigo_servico_municipal",
        "percentual_aliquota_relativa_municipio": "aliquota_iss",
        "valor_deducao_servico": "percentual_deducao_iss",
        "situacao_tributaria_pis_cofins": "situacao_tributaria_pis_cofins",
        "regime_especial_tributacao": "regime_especial_tributacao",
        "natureza_operacao": "natureza_operacao",
        "tributacao_iss": "natureza_operacao",
        "numero_beneficio_municipal": "numero_beneficio_municipal",
        "tipo_imunidade": "tipo_imunidade",
        "numero_processo_suspensao": "numero_processo_suspensao",
        "codigo_nbs": "codigo_nbs",
        "codigo_indicador_operacao": "codigo_indicador_operacao",
        "ibs_cbs_situacao_tributaria": "ibs_cbs_situacao_tributaria",
        "ibs_cbs_classificacao_tributaria": "ibs_cbs_classificacao_tributaria",
        "item_lista_servico": "item_lista_servico",
        "codigo_cnae": "cnae",
        "codigo_tributario_municipio": "codigo_servico_municipal",
        "aliquota": "aliquota_iss",
        "valor_deducoes": "percentual_deducao_iss",
        "percentual_total_tributos_federais": "percentual_carga_federal",
        "percentual_total_tributos_estaduais": "percentual_carga_estadual",
        "percentual_total_tributos_municipais": "percentual_carga_municipal",
        "percentual_total_tributos_simples_nacional": "percentual_carga_tributaria",
    }
)


@dataclass(frozen=True)
class Missing:
    """What stands against a note. `field` is the template's, "" where it is something else."""

    field: str
    text: str


def missing_of(template: NfseTemplate, *, now: datetime) -> list[Missing]:
    """What a service note by this template would be refused for; empty when it would go out.

    Nothing for goods, whose items differ, and without an issuer, whose city nobody knows yet.
    """
    company = issuers_of([template.organization]).get(template.organization_id)
    if company is None or template.tipo_nota == NfseTemplate.Tipo.NFE:
        return []
    faults = faults_of(
        company,
        body_of(_source(template, company, now), now=now),
        tipo=template.tipo_nota,
        ambiente=LIVE,
        now=now,
    )
    return list(dict.fromkeys(_missing(one) for one in faults))


def _missing(fault: FieldError) -> Missing:
    name = fault.campo.rpartition(".")[2]
    field = _FIELDS.get(name, "")
    told = fault.mensagem if field or not fault.campo else f"{fault.campo}: {fault.mensagem}"
    return Missing(field, told)


def _source(template: NfseTemplate, company: Company, now: datetime) -> Source:
    organization = template.organization
    invoice = Invoice(
        account_id=template.account_id,
        organization=organization,
        customer=_taker(company),
        title="Serviço de exemplo",
        description="Serviço de exemplo",
        issue_date=now.date(),
        gross_value=_AMOUNT,
        payment_value=_AMOUNT,
    )
    case = Case(_AMOUNT, template, organization, invoice.customer, company)
    return Source(invoice, case, tax(case), company)


def _taker(company: Company) -> Party:
    document = _TAKERS[company.cnpj == _TAKERS[0]]
    return Party(
        kind=Party.Kind.COMPANY,
        name="Cliente de exemplo",
        company_name="Cliente de Exemplo Ltda",
        document=document,
        address="Rua de Exemplo",
        number="1",
        district="Centro",
        zipcode=company.cep or "01001000",
        state=company.uf,
        ibge_code=company.codigo_municipio,
    )
