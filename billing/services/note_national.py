"""The body of /v2/nfsen, the national note (fiscal-api §5.2)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

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
from billing.services.note_taxes import PCC, city_of, is_legal, provider_city, service_city
from billing.services.note_texts import description
from fiscal.models import Regime
from fiscal.taxes.service_iss import item_code
from fiscal.taxes.withholding import Rounding, share
from lib.br import only_digits

_ZERO = Decimal("0.00")
# codigo_opcao_simples_nacional and regime_tributario_simples_nacional by CRT.
_SIMPLES = {Regime.SIMPLES: "3", Regime.SIMPLES_EXCESSO: "3", Regime.MEI: "2"}
_REGIMES = {Regime.SIMPLES: "1", Regime.SIMPLES_EXCESSO: "2"}
# tpRetPisCofins by what is withheld of PIS, COFINS and CSLL (NT 007).
_WITHHELD = {
    frozenset(): "0",
    frozenset(PCC): "3",
    frozenset({"PIS", "COFINS"}): "4",
    frozenset({"PIS"}): "5",
    frozenset({"COFINS"}): "6",
    frozenset({"COFINS", "CSLL"}): "7",
    frozenset({"CSLL"}): "8",
    frozenset({"PIS", "CSLL"}): "9",
}
_Nature = NfseTemplate.Natureza
# tpSusp of the DPS.
_SUSPENDED: dict[str, str] = {
    _Nature.SUSPENSA_JUDICIAL: "1",
    _Nature.SUSPENSA_ADMINISTRATIVA: "2",
}
_MAX_NATIONAL_TEXT = 1000  # xDescServ, TSDesc1000


def national(source: Source, local: datetime) -> Body:
    template, invoice = source.template, source.invoice
    text = description(
        invoice,
        source.case,
        lines=source.lines,
        due_dates=source.due_dates,
        longest=_MAX_NATIONAL_TEXT,
    )
    body = {
        "data_emissao": local.isoformat(),
        "data_competencia": competence(invoice, local.date()).isoformat(),
        "codigo_municipio_emissora": provider_city(source.case),
        "codigo_municipio_prestacao": service_city(source.case),
        "codigo_tributacao_nacional_iss": national_code(template),
        "codigo_tributacao_municipal_iss": _city_code(template),
        "descricao_servico": text,
        "codigo_nbs": template.codigo_nbs,
        "valor_servico": money(invoice.gross_value),
        "valor_deducao_servico": some(source.taxed.iss.deductions),
        "tributacao_iss": "2" if template.natureza_operacao == _Nature.IMUNE else "1",
        "tipo_exigibilidade_suspensao": _SUSPENDED.get(template.natureza_operacao, ""),
        "tipo_retencao_iss": "2" if source.taxed.iss.withheld else "1",
        "percentual_aliquota_relativa_municipio": _told_rate(source),
    }
    return (
        body | nature(template) | _provider(source) | _taker(source) | _federal(source)
        | _totals(source) | _reform(source) | _replacing(source)
    )  # fmt: skip


def national_code(template: NfseTemplate) -> str:
    """cTribNac, six digits; the first split of the item where the template names none."""
    code = only_digits(template.codigo_tributacao_nacional)
    item = item_code(template.item_lista_servico)
    return code or (f"{item}01" if item else "")


def _city_code(template: NfseTemplate) -> str:
    code = template.codigo_servico_municipal
    return code if len(code) == 3 and code.isascii() and code.isdecimal() else ""


def _told_rate(source: Source) -> str:
    """Only where the template says so: in most cities the system fills it in (NAC-6)."""
    if not source.template.informa_aliquota_iss:
        return ""
    iss = source.taxed.iss
    return rate_text(iss.withheld_rate if iss.withheld else iss.rate)


def _provider(source: Source) -> Body:
    company = source.company
    return {
        "cnpj_prestador": company.cnpj,
        "cpf_prestador": company.cpf,
        "inscricao_municipal_prestador": company.inscricao_municipal,
        "codigo_opcao_simples_nacional": _SIMPLES.get(Regime(company.regime_tributario), "1"),
        "regime_tributario_simples_nacional": _REGIMES.get(Regime(company.regime_tributario), ""),
        "regime_especial_tributacao": source.template.regime_especial_tributacao or "0",
    }


def _taker(source: Source) -> Body:
    customer = source.customer
    document = "cpf_tomador" if len(customer.document) == 11 else "cnpj_tomador"
    if not customer.document:
        return {}
    found = {
        document: customer.document,
        "razao_social_tomador": name_of(customer, 150),
        "inscricao_municipal_tomador": customer.city_inscription,
        "telefone_tomador": only_digits(customer.phone),
        "email_tomador": email_of(source),
    }
    city = city_of(customer)
    if not (city and customer.zipcode and customer.address and customer.district):
        return found  # an address is all of it or nothing
    return found | {
        "codigo_municipio_tomador": city,
        "cep_tomador": customer.zipcode,
        "logradouro_tomador": customer.address,
        "numero_tomador": customer.number or "S/N",
        "complemento_tomador": customer.complement,
        "bairro_tomador": customer.district,
    }


def _federal(source: Source) -> Body:
    """Withheld PIS, COFINS and CSLL go summed in valor_csll; valor_pis and valor_cofins are the
    provider's own (NT 007)."""
    taxed, template = source.taxed, source.template
    held = {name: taxed.withheld(name) for name in PCC}
    body = {
        "valor_irrf": some(taxed.withheld("IR")),
        "valor_cp": some(taxed.withheld("INSS")),
        "valor_csll": some(sum(held.values(), _ZERO)),
    }
    cst = template.situacao_tributaria_pis_cofins or ("01" if any(held.values()) else "")
    if not cst:
        return body
    kinds = frozenset(name for name, value in held.items() if value)
    body |= {"situacao_tributaria_pis_cofins": cst, "tipo_retencao_pis_cofins": _WITHHELD[kinds]}
    return body | (_own_debit(source) if cst in ("01", "02") else {})


def _own_debit(source: Source) -> Body:
    """vPis = vBC × pAliqPis, half-even (NAC-7)."""
    amount, template = source.invoice.gross_value, source.template
    pis, cofins = template.aliquota_pis or _ZERO, template.aliquota_cofins or _ZERO
    return {
        "base_calculo_pis_cofins": money(amount),
        "aliquota_pis": f"{pis:.2f}",
        "aliquota_cofins": f"{cofins:.2f}",
        "valor_pis": money(share(amount, pis, Rounding.HALF_EVEN)),
        "valor_cofins": money(share(amount, cofins, Rounding.HALF_EVEN)),
    }


def _totals(source: Source) -> Body:
    """Lei 12.741: ME/EPP tells its Simples rate, MEI none, the others percentages (E0710-E0713)."""
    template, regime = source.template, source.company.regime_tributario
    whole = template.percentual_carga_tributaria
    if regime == Regime.MEI:
        return {"indicador_total_tributacao": "0"}
    if regime in (Regime.SIMPLES, Regime.SIMPLES_EXCESSO):
        return {"percentual_total_tributos_simples_nacional": f"{whole:.2f}"}
    parts = {
        "federais": template.percentual_carga_federal,
        "estaduais": template.percentual_carga_estadual,
        "municipais": template.percentual_carga_municipal,
    }
    if not any(parts.values()):
        parts["federais"] = whole
    return {
        f"percentual_total_tributos_{name}": f"{value or _ZERO:.2f}"
        for name, value in parts.items()
    }


def _reform(source: Source) -> Body:
    """The classification of IBS and CBS; the system computes their values (NAC-4)."""
    template = source.template
    if not template.ibs_cbs_classificacao_tributaria:
        return {}
    return {
        "finalidade_emissao": "0",
        "consumidor_final": "0" if is_legal(source.customer) else "1",
        "indicador_destinatario": "0",
        "codigo_indicador_operacao": template.codigo_indicador_operacao,
        "ibs_cbs_situacao_tributaria": situation(template),
        "ibs_cbs_classificacao_tributaria": template.ibs_cbs_classificacao_tributaria,
    }


def _replacing(source: Source) -> Body:
    if not source.replaces:
        return {}
    return {
        "chave_nfse_substituida": source.replaces,
        "codigo_justificativa_substituicao": "99",
        "motivo_substituicao": source.reason,
    }
