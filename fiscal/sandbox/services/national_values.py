"""What the national system computes of a DPS (infNFSe/valores and IBSCBS; Anexo I, E1295…E1555)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from lxml import etree

from fiscal.sandbox import city_profiles
from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.services.national_wire import NS

ZERO, CENT = Decimal("0.00"), Decimal("0.01")
DEFAULT_RATE = "5.00"
SAO_PAULO = "3550308"
# LC 116/2003 art. 3: items whose tax belongs to the place where the service is rendered.
_WHERE_RENDERED = {
    "0305", "0702", "0704", "0705", "0709", "0710", "0711", "0712", "0716", "0717", "0718",
    "0719", "1101", "1102", "1104", "1601", "1602", "1705", "1710", "2001", "2002", "2003", "2201",
    *(f"12{number:02d}" for number in range(1, 18) if number != 13),
}  # fmt: skip


class Dps:
    """Texts and amounts of a DPS by their path below infDPS."""

    def __init__(self, root: etree._Element) -> None:
        self.root = root
        found = root.find(f"{NS}infDPS")
        if found is None:
            raise ValueError("sem infDPS")
        self.inf = found

    def find(self, path: str) -> etree._Element | None:
        """The element at a path of names."""
        return self.inf.find("/".join(NS + step for step in path.split("/")))

    def has(self, path: str) -> bool:
        return self.find(path) is not None

    def text(self, path: str) -> str:
        """Text at a path, empty when absent."""
        found = self.find(path)
        return "" if found is None else (found.text or "")

    def amount(self, path: str) -> Decimal:
        """Amount at a path, zero when absent."""
        return Decimal(self.text(path) or "0")

    def document(self, party: str) -> str:
        """CNPJ or CPF of a party, empty for a foreign one."""
        return self.text(f"{party}/CNPJ") or self.text(f"{party}/CPF")

    @property
    def incidence(self) -> str:
        """IBGE code of the place of the tax; empty where none is due."""
        if self.text("valores/trib/tribMun/tribISSQN") != "1":
            return ""
        rendered = self.text("serv/locPrest/cLocPrestacao")
        if self.text("serv/cServ/cTribNac")[:4] in _WHERE_RENDERED and rendered:
            return rendered
        return self.text("cLocEmi")


@dataclass(frozen=True)
class City:
    """What the parametrização says of a municipality."""

    is_active: bool = True
    has_emitter: bool = True
    rate: Decimal = Decimal(DEFAULT_RATE)


def city(call: NoteCall, code: str) -> City | None:
    """The convênio of a municipality: active, 5 %, until the control says otherwise.

    Cities with a system of their own have not adopted the national emitter. São Paulo has no test
    environment: in homologação it counts as one that has.
    """
    told = call.setting("municipios", {}).get(code, {})
    if told.get("convenio", 1) is None:
        return None
    return City(
        bool(int(told.get("convenio", 1))),
        bool(int(told.get("emissor", not _has_own_system(call, code)))),
        Decimal(str(told.get("aliquota", DEFAULT_RATE))),
    )


def _has_own_system(call: NoteCall, code: str) -> bool:
    is_test = call.tp_amb == "2"
    return city_profiles.has_system(code) and not (code == SAO_PAULO and is_test)


@dataclass(frozen=True)
class Values:
    """infNFSe/valores; None where the layout wants no element."""

    deductions: Decimal | None
    benefit: Decimal | None
    base: Decimal | None
    rate: Decimal | None
    iss: Decimal | None
    withheld: Decimal | None
    net: Decimal


def money(value: Decimal) -> Decimal:
    """To the cent, half to even."""
    return value.quantize(CENT, ROUND_HALF_EVEN)


def deductions(dps: Dps) -> Decimal:
    """vCalcDR."""
    service = dps.amount("valores/vServPrest/vServ")
    if dps.has("valores/vDedRed/pDR"):
        return money(service * dps.amount("valores/vDedRed/pDR") / 100)
    if dps.has("valores/vDedRed/documentos"):
        path = f"{NS}valores/{NS}vDedRed/{NS}documentos/{NS}docDedRed/{NS}vDeducaoReducao"
        return sum((Decimal(each.text or "0") for each in dps.inf.iterfind(path)), ZERO)
    return dps.amount("valores/vDedRed/vDR")


def benefit(dps: Dps) -> Decimal:
    """vCalcBM."""
    path = "valores/trib/tribMun/BM"
    if dps.has(f"{path}/pRedBCBM"):
        left = dps.amount("valores/vServPrest/vServ") - deductions(dps)
        return money(left * dps.amount(f"{path}/pRedBCBM") / 100)
    return dps.amount(f"{path}/vRedBCBM")


def is_taxed(dps: Dps) -> bool:
    """Whether base, rate and tax are told at all (E1302, E1303, E1307, E1311)."""
    return not (
        dps.text("prest/regTrib/opSimpNac") == "2"
        or dps.text("valores/trib/tribMun/tribISSQN") != "1"
        or dps.text("prest/regTrib/regEspTrib") != "0"
        or dps.has("valores/trib/tribMun/exigSusp")
    )


def compute(dps: Dps, call: NoteCall) -> Values:
    """Base, tax, withholdings and net amount of a DPS that passed the rules."""
    service = dps.amount("valores/vServPrest/vServ")
    unconditional = dps.amount("valores/vDescCondIncond/vDescIncond")
    conditional = dps.amount("valores/vDescCondIncond/vDescCond")
    deducted, reduced = deductions(dps), benefit(dps)
    base = rate = iss = None
    if is_taxed(dps):
        base = service - unconditional - deducted - reduced
        rate = _rate(dps, call)
        iss = None if rate is None else money(base * rate / 100)
    is_withheld = dps.text("valores/trib/tribMun/tpRetISSQN") in ("2", "3")
    withheld = (iss or ZERO) if is_withheld else ZERO
    for name in ("vRetCP", "vRetIRRF", "vRetCSLL"):
        withheld += dps.amount(f"valores/trib/tribFed/{name}")
    return Values(
        deducted or None,
        reduced or None,
        base,
        rate,
        iss,
        withheld or None,
        service - unconditional - conditional - withheld,
    )


def _rate(dps: Dps, call: NoteCall) -> Decimal | None:
    """pAliqAplic: declared, or the city's; none where the tax goes in the DAS."""
    if dps.has("valores/trib/tribMun/pAliq"):
        return dps.amount("valores/trib/tribMun/pAliq")
    is_das = dps.text("prest/regTrib/regApTribSN") == "1"
    if dps.text("prest/regTrib/opSimpNac") == "3" and is_das:
        return None
    found = city(call, dps.incidence)
    return found.rate if found else None


@dataclass(frozen=True)
class Reform:
    """infNFSe/IBSCBS of 2026: 0.10 % to the state, nothing to the city, 0.90 % to the Union."""

    base: Decimal
    state: Decimal
    union: Decimal


def reform(dps: Dps, values: Values) -> Reform | None:
    """IBS and CBS, when the DPS declares them (E1530)."""
    if not dps.has("IBSCBS"):
        return None
    path = f".//{NS}gReeRepRes//{NS}vlrReeRepRes"
    returned = sum((Decimal(each.text or "0") for each in dps.inf.iterfind(path)), ZERO)
    base = (
        dps.amount("valores/vServPrest/vServ")
        - dps.amount("valores/vDescCondIncond/vDescIncond")
        - returned
        - (values.iss or ZERO)
        - dps.amount("valores/trib/tribFed/piscofins/vPis")
        - dps.amount("valores/trib/tribFed/piscofins/vCofins")
    )
    base = max(base, ZERO)
    is_due = dps.text("IBSCBS/valores/trib/gIBSCBS/CST") in ("000", "200")
    share = base if is_due else ZERO
    return Reform(base, money(share / 1000), money(share * 9 / 1000))
