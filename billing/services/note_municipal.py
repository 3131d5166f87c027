"""The body of /v2/nfse, the note of a city (fiscal-api §4.2)."""

from __future__ import annotations

from datetime import datetime

from billing.models import NfseTemplate
from billing.services.note_source import (
    Body,
    Source,
    competence,
    email_of,
    money,
    name_of,
    nature,
    rate_text,
    situation,
    some,
)
from billing.services.note_taxes import city_of, is_simples, provider_city, service_city
from billing.services.note_texts import description
from lib.br import only_digits

_MAX_TEXT = 2000  # Discriminacao: tsDiscriminacao of ABRASF, tpDiscriminacao of São Paulo


def municipal(source: Source, local: datetime) -> Body:
    template, company = source.template, source.company
    return (
        {
            "data_emissao": local.isoformat(),
            "data_competencia": competence(source.invoice, local.date()).isoformat(),
            "natureza_operacao": template.natureza_operacao or "1",
            "regime_especial_tributacao": template.regime_especial_tributacao,
            "optante_simples_nacional": is_simples(company),
            "prestador": {
                "cnpj": company.cnpj,
                "inscricao_municipal": company.inscricao_municipal,
                "codigo_municipio": provider_city(source.case),
            },
            "tomador": _municipal_taker(source),
            "servico": _municipal_service(source),
        }
        | nature(template)
        | _municipal_replacing(source)
    )


def _municipal_taker(source: Source) -> Body:
    customer = source.customer
    if not customer.document:
        return {}
    return {
        "cpf" if len(customer.document) == 11 else "cnpj": customer.document,
        "razao_social": name_of(customer, 115),
        "inscricao_municipal": only_digits(customer.city_inscription),
        "telefone": only_digits(customer.phone)[:11],
        "email": email_of(source),
        "endereco": {
            "logradouro": customer.address[:125],
            "numero": customer.number[:10],
            "complemento": customer.complement[:60],
            "bairro": customer.district[:60],
            "codigo_municipio": city_of(customer),
            "uf": customer.state,
            "cep": customer.zipcode,
        },
    }


def _municipal_service(source: Source) -> Body:
    taxed, template, invoice = source.taxed, source.template, source.invoice
    iss = taxed.iss
    return {
        "valor_servicos": money(invoice.gross_value),
        "valor_deducoes": some(iss.deductions),
        "valor_pis": some(taxed.withheld("PIS")),
        "valor_cofins": some(taxed.withheld("COFINS")),
        "valor_inss": some(taxed.withheld("INSS")),
        "valor_ir": some(taxed.withheld("IR")),
        "valor_csll": some(taxed.withheld("CSLL")),
        "iss_retido": bool(iss.withheld),
        "valor_iss": some(iss.value),
        "valor_iss_retido": some(iss.withheld),
        "base_calculo": money(iss.base),
        "aliquota": rate_text(iss.withheld_rate if iss.withheld else iss.rate),
        "item_lista_servico": template.item_lista_servico,
        "codigo_cnae": template.cnae,
        "codigo_tributario_municipio": template.codigo_servico_municipal,
        "discriminacao": description(
            invoice,
            source.case,
            lines=source.lines,
            due_dates=source.due_dates,
            longest=_MAX_TEXT,
        ),
        "codigo_municipio": service_city(source.case),
        "percentual_total_tributos": rate_text(template.percentual_carga_tributaria),
        "fonte_total_tributos": template.fonte_carga_tributaria,
    } | _municipal_reform(template)


def _municipal_reform(template: NfseTemplate) -> Body:
    found = {"codigo_nbs": template.codigo_nbs}
    if template.ibs_cbs_classificacao_tributaria:
        found |= {
            "codigo_indicador_operacao": template.codigo_indicador_operacao,
            "ibs_cbs_situacao_tributaria": situation(template),
            "ibs_cbs_classificacao_tributaria": template.ibs_cbs_classificacao_tributaria,
        }
    return found


def _municipal_replacing(source: Source) -> Body:
    if not source.replaces:
        return {}
    return {
        "numero_rps_substituido": source.replaces,
        "serie_rps_substituido": source.replaces_series,
        "tipo_rps_substituido": "1",
    }
