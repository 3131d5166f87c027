"""PIS, COFINS, withholdings and the total of taxes in the DPS (NT 007; rule sheet 1.01; §13)."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from fiscal.documents.nfe.faults import Faults
from fiscal.documents.types import Data

_CENT = Decimal("0.01")
_TAXES = {"pis": "E0694", "cofins": "E0696"}
_NO_WITHHOLDING, _OLD_NO_WITHHOLDING = "0", "2"
TOTALS = {
    "amounts": tuple(f"valor_total_tributos_{n}" for n in ("federais", "estaduais", "municipais")),
    "percent": tuple(
        f"percentual_total_tributos_{n}" for n in ("federais", "estaduais", "municipais")
    ),
    "none": ("indicador_total_tributacao",),
    "simples": ("percentual_total_tributos_simples_nacional",),
}
# codigo_opcao_simples_nacional → forms that it does not admit, and the rejection.
_FORBIDDEN = {
    "1": {"none": "E0713", "simples": "E0713"},
    "2": {"simples": "E0710"},
    "3": {"none": "E0712"},
}


def half_even(base: Decimal, rate: Decimal) -> Decimal:
    """`rate` per cent of `base`, ties to even: the exception of §13 for PIS and COFINS."""
    return (base * rate / 100).quantize(_CENT, ROUND_HALF_EVEN)


def fill(data: Data) -> list[dict[str, Any]]:
    """PIS and COFINS that were left out and can be computed; answers how each came about."""
    memory = []
    base = data.get("base_calculo_pis_cofins")
    for tax in _TAXES:
        rate = data.get(f"aliquota_{tax}")
        if base is None or rate is None or f"valor_{tax}" in data:
            continue
        data[f"valor_{tax}"] = half_even(base, rate)
        memory.append(
            {
                "regra": "NAC-7",
                "valor": f"valor_{tax}",
                "conta": f"{base} × {rate} %, arredondado ao par",
                "resultado": str(data[f"valor_{tax}"]),
            }
        )
    return memory


def fill_total(data: Data) -> str:
    """One form of the total of taxes, where none was sent; the field that was filled, or "".

    The layout wants one. Nobody outside of Simples may say "not told" (E0713), nor ME and EPP
    (E0712): what is not known of them goes as zero.
    """
    if any(name in data for names in TOTALS.values() for name in names):
        return ""
    match data.get("codigo_opcao_simples_nacional"):
        case "1":
            data.update(dict.fromkeys(TOTALS["percent"], Decimal("0.00")))
            return TOTALS["percent"][0]
        case "3":
            data[TOTALS["simples"][0]] = Decimal("0.00")
            return TOTALS["simples"][0]
    data[TOTALS["none"][0]] = "0"
    return ""


def check(data: Data, faults: Faults) -> None:
    """Add what Sefin refuses of the federal taxes and of their total."""
    _own_taxes(data, faults)
    _withheld(data, faults)
    _total(data, faults)


def _own_taxes(data: Data, faults: Faults) -> None:
    group = [
        name
        for name in (
            *("base_calculo_pis_cofins", "aliquota_pis", "aliquota_cofins", "valor_pis"),
            *("valor_cofins", "tipo_retencao_pis_cofins"),
        )
        if name in data
    ]
    if group and "situacao_tributaria_pis_cofins" not in faults:
        faults.need(data, ["situacao_tributaria_pis_cofins"], f"com {group[0]}")
    base = data.get("base_calculo_pis_cofins")
    for tax, code in _TAXES.items():
        rate, value = data.get(f"aliquota_{tax}"), data.get(f"valor_{tax}")
        if base is None or rate is None or value is None:
            continue
        wanted = half_even(base, rate)
        if abs(value - wanted) > _CENT:
            faults.add(f"valor_{tax}", f"Rejeição {code}: {base} × {rate} % é {wanted}.")


def _withheld(data: Data, faults: Faults) -> None:
    """NT 007: what is withheld of PIS, COFINS and CSLL is one sum, told apart by its kind."""
    kind, total = data.get("tipo_retencao_pis_cofins"), data.get("valor_csll")
    if kind == _NO_WITHHOLDING and total:
        faults.add("valor_csll", "Rejeição E0720: não há retenção (tipo_retencao_pis_cofins 0).")
    if kind not in (None, _NO_WITHHOLDING, _OLD_NO_WITHHOLDING) and total is None:
        faults.add("valor_csll", "Rejeição E0724: informe a soma de PIS, COFINS e CSLL retidos.")


def _total(data: Data, faults: Faults) -> None:
    sent = [form for form, names in TOTALS.items() if any(name in data for name in names)]
    for form in sent[1:]:
        name = next(name for name in TOTALS[form] if name in data)
        faults.add(name, "Informe o total dos tributos de uma só forma.")
    for form in sent[:1]:
        faults.need(data, TOTALS[form], "no total dos tributos")
        code = _FORBIDDEN.get(data.get("codigo_opcao_simples_nacional", ""), {}).get(form)
        if code:
            name = next(name for name in TOTALS[form] if name in data)
            faults.add(name, f"Rejeição {code}: esta forma não cabe nesta opção do Simples.")
