"""The taxes of an invoice's note by its fiscal template: pure arithmetic in billing's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing.models import NfseTemplate, Party
from fiscal.models import Company, Regime
from fiscal.tables.places import municipality_code
from fiscal.taxes.service_iss import Iss, Service, iss
from fiscal.taxes.withholding import Before, Group, Line, Part, Rounding, share, withhold
from lib.money import brl

_ZERO = Decimal("0.00")
PCC = ("PIS", "COFINS", "CSLL")
FEDERAL = ("IR", *PCC, "INSS")
GROUP_OF = {"IR": "IR", "PIS": "PCC", "COFINS": "PCC", "CSLL": "PCC", "INSS": "INSS"}
_UNTAXED = {
    NfseTemplate.Natureza.ISENCAO.value: "isenção do município",
    NfseTemplate.Natureza.IMUNE.value: "imunidade (CF, art. 150, VI)",
}
_SUSPENDED = {
    NfseTemplate.Natureza.SUSPENSA_JUDICIAL.value: "exigibilidade suspensa por decisão judicial",
    NfseTemplate.Natureza.SUSPENSA_ADMINISTRATIVA.value: "exigibilidade suspensa por processo",
}
_SIMPLES = (Regime.SIMPLES, Regime.SIMPLES_EXCESSO, Regime.MEI)


@dataclass(frozen=True)
class Taxed:
    """Everything withheld of a price, BRL by tax, and the lines that explain it."""

    parts: tuple[Part, ...]
    iss: Iss
    lines: tuple[Line, ...]

    def withheld(self, tax: str) -> Decimal:
        if tax == "ISS":
            return self.iss.withheld
        return sum((part.withheld for part in self.parts if part.tax == tax), _ZERO)

    @property
    def total(self) -> Decimal:
        return sum((part.withheld for part in self.parts), _ZERO) + self.iss.withheld

    @property
    def memory(self) -> list[dict[str, Any]]:
        return [line.as_dict() for line in self.lines]


@dataclass(frozen=True)
class Case:
    """A price, who gives it and who pays it. `company` is None where nobody issues for them."""

    amount: Decimal
    template: NfseTemplate
    organization: Party
    customer: Party
    company: Company | None = None


def mode_of(template: NfseTemplate) -> Rounding:
    return Rounding(template.arredondamento)


def is_legal(party: Party) -> bool:
    """A legal person: it withholds; a natural one never does."""
    return party.kind != Party.Kind.PERSON and len(party.document) != 11


def is_simples(company: Company) -> bool:
    """Simples Nacional or MEI."""
    return company.regime_tributario in _SIMPLES


def city_of(party: Party) -> str:
    """IBGE code of the party's municipality; "" where nobody can tell."""
    return party.ibge_code or municipality_code(party.city, party.state)


def provider_city(case: Case) -> str:
    return case.company.codigo_municipio if case.company else city_of(case.organization)


def service_city(case: Case) -> str:
    """Where the service is done, as the template says."""
    if case.template.servico_prestado_municipio_cliente:
        return city_of(case.customer) or provider_city(case)
    return provider_city(case)


def groups_of(case: Case) -> list[Group]:
    """What may be withheld: highlighted in the template, with a rate, of this provider and taker.

    Simples Nacional is free of IR (IN RFB 765/2007) and PCC (Lei 10.833/2003, art. 32, III).
    """
    template = case.template
    if not is_legal(case.customer):
        return []
    is_free = case.company is not None and is_simples(case.company)
    groups = [] if is_free else [_group(template, "IR", ("IR",)), _group(template, "PCC", PCC)]
    return [group for group in (*groups, _inss(template)) if group.rates]


def _rates(template: NfseTemplate, taxes: tuple[str, ...]) -> dict[str, Decimal]:
    shown = template.retencoes_destacadas_nota or ()
    rates = {tax: getattr(template, f"aliquota_{tax.lower()}") for tax in taxes if tax in shown}
    return {tax: rate for tax, rate in rates.items() if rate}


def _group(template: NfseTemplate, code: str, taxes: tuple[str, ...], **more: Any) -> Group:
    return Group(
        code,
        _rates(template, taxes),
        free_up_to=getattr(template, f"limite_retencao_{code.lower()}"),
        waived=template.retencao_minima,
        accumulates=code in (template.retencoes_acumuladas or ()),
        **more,
    )


def _inss(template: NfseTemplate) -> Group:
    return _group(
        template,
        "INSS",
        ("INSS",),
        waived_is_included=False,
        base_share=template.percentual_base_inss,
        ceiling=template.teto_base_inss or None,
    )


def tax(case: Case, *, before: Mapping[str, Before] | None = None) -> Taxed:
    """Every tax of the price. `before`: what the taker was billed earlier in the month."""
    mode = mode_of(case.template)
    of_city = _iss(case, (before or {}).get("ISS", Before()))
    left = case.amount - of_city.withheld
    parts = withhold(case.amount, groups_of(case), before=before, mode=mode, at_most=left)
    lines = [part.line for part in parts] + list(of_city.lines)
    lines += [_burden(case)] if case.template.percentual_carga_tributaria else []
    return Taxed(tuple(parts), of_city, tuple(lines))


def _iss(case: Case, earlier: Before) -> Iss:
    """The limit is compared with the month's sum where the template adds up ISS."""
    template = case.template
    limit = template.limite_retencao_iss
    if "ISS" in (template.retencoes_acumuladas or ()):
        limit = max(limit - earlier.amount, _ZERO)
    service = Service(
        item=template.item_lista_servico,
        amount=case.amount,
        provider_city=provider_city(case),
        service_city=service_city(case),
        rate=template.aliquota_iss,
        is_withheld=template.iss_retido_fonte,
        withheld_rate=template.aliquota_iss_retido,
        free_up_to=limit,
        deduction_share=template.percentual_deducao_iss,
        taker_is_legal=is_legal(case.customer),
        untaxed=_UNTAXED.get(template.natureza_operacao, ""),
        suspended=_SUSPENDED.get(template.natureza_operacao, ""),
    )
    return iss(service, mode=mode_of(template))


def burden(case: Case) -> Decimal:
    """The approximate taxes of the price (Lei 12.741/2012), BRL."""
    return share(case.amount, case.template.percentual_carga_tributaria, mode_of(case.template))


def _burden(case: Case) -> Line:
    rate, value = case.template.percentual_carga_tributaria, burden(case)
    source = case.template.fonte_carga_tributaria or "modelo fiscal"
    text = f"Carga tributária aproximada: {brl(value)} (fonte: {source}). Apenas informativa."
    return Line(
        "Carga tributária", case.amount, rate, "TAX-13: Lei 12.741/2012, art. 1º", value, text
    )
