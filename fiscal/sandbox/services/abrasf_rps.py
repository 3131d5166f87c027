"""An RPS as a city reads it, in any of the three versions, and the rules of its list (E1…E161)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from lxml import etree

from fiscal.sandbox import br, note_books, note_places
from fiscal.sandbox.city_profiles import Profile
from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.services.national_values import city

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Rps:
    """One declaration: `element` holds it and its signature, `inf` is the declaration."""

    profile: Profile
    element: etree._Element
    inf: etree._Element

    def find(self, path: str) -> etree._Element | None:
        """Element at a path of names below the declaration."""
        return self.inf.find("/".join(f"{{{self.profile.namespace}}}{s}" for s in path.split("/")))

    def text(self, path: str) -> str:
        found = self.find(path)
        return "" if found is None else (found.text or "").strip()

    def amount(self, path: str) -> Decimal:
        return Decimal(self.text(path) or "0")

    def value(self, name: str) -> Decimal:
        """An amount of Servico/Valores."""
        return self.amount(f"Servico/Valores/{name}")

    def document(self, path: str) -> str:
        """CNPJ or CPF below a path, with or without CpfCnpj."""
        for step in (f"{path}/CpfCnpj/Cnpj", f"{path}/CpfCnpj/Cpf", f"{path}/Cnpj"):
            if self.text(step):
                return self.text(step)
        return ""

    @property
    def _head(self) -> str:
        return "" if self.profile.is_first else "Rps/"

    @property
    def identity(self) -> tuple[str, int, int]:
        """Series, number, type."""
        path = f"{self._head}IdentificacaoRps"
        return (
            self.text(f"{path}/Serie"),
            int(self.text(f"{path}/Numero") or 0),
            int(self.text(f"{path}/Tipo") or 1),
        )

    @property
    def issuer(self) -> str:
        return self.document("Prestador")

    @property
    def registration(self) -> str:
        return self.text("Prestador/InscricaoMunicipal")

    @property
    def taker(self) -> str:
        return self.document(f"{self.profile.taker}/IdentificacaoTomador")

    @property
    def intermediary(self) -> str:
        if self.profile.is_first:
            return self.document("IntermediarioServico")
        return self.document("Intermediario/IdentificacaoIntermediario")

    @property
    def is_withheld(self) -> bool:
        path = "Servico/Valores/IssRetido" if self.profile.is_first else "Servico/IssRetido"
        return self.text(path) == "1"

    @property
    def issued(self) -> str:
        """Day of issue."""
        return self.text(f"{self._head}DataEmissao")[:10]

    @property
    def is_taxed(self) -> bool:
        if self.profile.is_first:
            return self.text("NaturezaOperacao") in ("1", "2")
        return self.text("Servico/ExigibilidadeISS") == "1"


@dataclass(frozen=True)
class Values:
    """What the city computes."""

    base: Decimal
    rate: Decimal | None  # as the city's version writes it
    iss: Decimal | None
    net: Decimal


def compute(rps: Rps, call: NoteCall) -> Values:
    """Base, ISS and net amount; without a rate of the RPS the city's own is used."""
    value = rps.value
    base = value("ValorServicos") - value("ValorDeducoes") - value("DescontoIncondicionado")
    rate = _rate(rps, call) if rps.is_taxed else None
    whole = Decimal(100) if rps.profile.is_percent else Decimal(1)
    iss = None if rate is None else (base * rate / whole).quantize(CENT, ROUND_HALF_EVEN)
    less = sum(
        (value(name) for name in (
            "ValorPis", "ValorCofins", "ValorInss", "ValorIr", "ValorCsll", "OutrasRetencoes",
            "DescontoIncondicionado", "DescontoCondicionado",
        )),
        Decimal(0),
    )  # fmt: skip
    withheld = (iss or Decimal(0)) if rps.is_withheld else Decimal(0)
    return Values(base, rate, iss, value("ValorServicos") - less - withheld)


def _rate(rps: Rps, call: NoteCall) -> Decimal | None:
    told = rps.value("Aliquota")
    if told:
        return told
    if rps.text("OptanteSimplesNacional") == "1":
        return None
    found = city(call, call.municipality)
    rate = found.rate if found else Decimal(5)
    return rate if rps.profile.is_percent else rate / 100


def judge(rps: Rps, call: NoteCall) -> list[str]:
    """Codes that speak against it, the duplicate among them."""
    codes = [*_about_parties(rps, call), *_about_amounts(rps)]
    if rps.issued > call.local()[:10]:
        codes.append("E16")
    if not note_places.exists(rps.text("Servico/CodigoMunicipio")):
        codes.append("E42")
    series, number, kind = rps.identity
    used = note_books.by_rps(
        call, document=rps.issuer, series=series, rps=number, rps_type=kind,
        municipality=call.municipality,
    )  # fmt: skip
    if used is not None or call.fault("duplicado_fantasma"):
        codes.append("E10")
    return list(dict.fromkeys(codes))


def _about_parties(rps: Rps, call: NoteCall) -> list[str]:
    codes = []
    issuer, taker = rps.issuer, rps.taker
    if not (br.is_cnpj(issuer) or br.is_cpf(issuer)):
        codes.append("E44")
    if taker and not (br.is_cnpj(taker) or br.is_cpf(taker)):
        codes.append("E47")
    if taker and taker == issuer:
        codes.append("E52")
    if taker and len(taker) == 14 and not rps.text(f"{rps.profile.taker}/RazaoSocial"):
        codes.append("E118")
    place = rps.text(f"{rps.profile.taker}/Endereco/CodigoMunicipio")
    if place and place != "9999999" and not note_places.exists(place):
        codes.append("E60")
    known = call.setting("contribuintes", {}).get(issuer, {})
    if known.get("nfse") is False:
        codes.append("E156")
    if known.get("im") and rps.registration and str(known["im"]) != rps.registration:
        codes.append("E142")
    return codes


def _about_amounts(rps: Rps) -> list[str]:
    codes = []
    service = rps.value("ValorServicos")
    if service <= 0:
        codes.append("E18")
    if rps.value("ValorDeducoes") > service:
        codes.append("E19")
    if rps.value("DescontoIncondicionado") + rps.value("DescontoCondicionado") > service:
        codes.append("E21")
    if rps.is_withheld and not rps.is_taxed:
        codes.append("E37")
    return codes
