"""When pAliq must, may or must not be in the DPS (rule sheet of layout 1.01; NAC-6)."""

from __future__ import annotations

from decimal import Decimal

from fiscal.documents.nfe.faults import Faults
from fiscal.documents.types import Data

RATE = "percentual_aliquota_relativa_municipio"
_HIGHEST, _LOWEST_WITHHELD = Decimal(5), Decimal("1.8")


def check(data: Data, faults: Faults) -> None:
    """The rules that hold whatever the city has agreed with the national system."""
    rate = data.get(RATE)
    if rate is None:
        return
    if code := _always_forbidden(data):
        faults.add(RATE, f"Rejeição {code}: a alíquota não pode ser informada neste caso.")
    elif rate > _HIGHEST:
        faults.add(RATE, "Rejeição E0595: a alíquota passa de 5 %.")


def check_agreement(data: Data, faults: Faults, *, is_active: bool | None) -> None:
    """The rules that depend on the city: `is_active`, its agreement; None, unknown (NAC-13)."""
    if is_active is None or RATE in faults:
        return
    wanted, code = _wanted(data, is_active=is_active)
    rate = data.get(RATE)
    if wanted and rate is None:
        faults.add(RATE, f"Rejeição {code}: informe a alíquota do município.")
    elif wanted is False and rate is not None:
        faults.add(RATE, f"Rejeição {code}: a alíquota é a do município e não pode ser informada.")
    elif wanted and code == "E0621" and rate is not None and rate < _LOWEST_WITHHELD:
        faults.add(RATE, "Rejeição E0621: a alíquota retida é de pelo menos 1,80 %.")


def is_wanted(data: Data, *, is_active: bool | None) -> bool | None:
    """Whether the rate belongs into this DPS; None where both are taken or nobody can tell."""
    if _always_forbidden(data):
        return False
    return None if is_active is None else _wanted(data, is_active=is_active)[0]


def _always_forbidden(data: Data) -> str:
    if data.get("codigo_opcao_simples_nacional") == "2":
        return "E0600"
    if data.get("tributacao_iss") in ("2", "3", "4"):
        return "E0602"
    if data.get("regime_especial_tributacao", "0") != "0":
        return "E0604"
    return ""


def _wanted(data: Data, *, is_active: bool) -> tuple[bool | None, str]:
    """(required True, forbidden False, free None; the code of its rejection)."""
    if code := _always_forbidden(data):
        return False, code
    if data.get("codigo_opcao_simples_nacional") == "1":
        return (False, "E0617") if is_active else (True, "E0619")
    if data.get("codigo_opcao_simples_nacional") != "3":
        return None, ""
    if data.get("regime_tributario_simples_nacional") != "1":
        return (False, "E0635") if is_active else (True, "E0640")
    withheld = data.get("tipo_retencao_iss") in ("2", "3")
    if withheld:
        return True, "E0621" if is_active else "E0628"
    return False, "E0625" if is_active else "E0631"
