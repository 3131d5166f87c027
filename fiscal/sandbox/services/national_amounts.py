"""Rules of the DPS about amounts: service, federal taxes, approximate totals."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.services.national_values import CENT, Dps, benefit, compute, deductions

_PATH = "valores/trib/tribFed"


def service(dps: Dps, call: NoteCall) -> Iterator[str]:
    """E0427 and E1508."""
    amount = dps.amount("valores/vServPrest/vServ")
    less = dps.amount("valores/vDescCondIncond/vDescIncond") + deductions(dps) + benefit(dps)
    if less > amount:
        yield "E0427"
    elif compute(dps, call).net < 0:
        yield "E1508"


def federal(dps: Dps, _: NoteCall) -> Iterator[str]:
    """PIS, COFINS, and what is withheld (NT 007)."""
    if not dps.has(_PATH):
        return
    if dps.text("prest/regTrib/opSimpNac") == "2":
        yield "E0676"
    amount = dps.amount("valores/vServPrest/vServ")
    path = f"{_PATH}/piscofins"
    if dps.amount(f"{path}/vBCPisCofins") > amount:
        yield "E0677"
    for rate, value, code in (("pAliqPis", "vPis", "E0694"), ("pAliqCofins", "vCofins", "E0696")):
        if dps.has(f"{path}/{value}") and _differs(dps, path, rate, value):
            yield code
    for name, code in (("vRetCP", "E0699"), ("vRetIRRF", "E0700"), ("vRetCSLL", "E0701")):
        if dps.has(f"{_PATH}/{name}") and not 0 < dps.amount(f"{_PATH}/{name}") < amount:
            yield code
    kind, has_csll = dps.text(f"{path}/tpRetPisCofins"), dps.has(f"{_PATH}/vRetCSLL")
    if kind == "0" and has_csll:
        yield "E0720"
    if kind not in ("", "0", "2") and not has_csll:
        yield "E0724"


def _differs(dps: Dps, path: str, rate: str, value: str) -> bool:
    wanted = dps.amount(f"{path}/vBCPisCofins") * dps.amount(f"{path}/{rate}") / 100
    rounded = wanted.quantize(CENT, ROUND_HALF_EVEN)
    return abs(rounded - dps.amount(f"{path}/{value}")) > Decimal("0.01")


def totals(dps: Dps, _: NoteCall) -> Iterator[str]:
    """Which approximate total an issuer may tell."""
    simples, path = dps.text("prest/regTrib/opSimpNac"), "valores/trib/totTrib"
    if simples == "2" and dps.has(f"{path}/pTotTribSN"):
        yield "E0710"
    if simples == "3" and dps.has(f"{path}/indTotTrib"):
        yield "E0712"
    if simples == "1" and (dps.has(f"{path}/indTotTrib") or dps.has(f"{path}/pTotTribSN")):
        yield "E0713"
