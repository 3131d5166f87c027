"""A message of São Paulo, an RPS in it, and the strings whose signatures it carries."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from decimal import Decimal
from html import escape

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from lxml import etree

from fiscal.sandbox.certificates import Certificate

NAMESPACE = "http://www.prefeitura.sp.gov.br/nfe"


@dataclass(frozen=True)
class Message:
    """The root as received, its layout ("1", "2") and who signed it."""

    root: etree._Element
    layout: str
    certificate: Certificate

    def text(self, path: str) -> str:
        return (self.root.findtext(path) or "").strip()

    @property
    def sender(self) -> str:
        """CNPJ or CPF of the head."""
        path = "Cabecalho/CPFCNPJRemetente"
        return self.text(f"{path}/CNPJ") or self.text(f"{path}/CPF")

    @property
    def rps(self) -> list[Rps]:
        return [Rps(each, self.layout) for each in self.root.findall("RPS")]


@dataclass(frozen=True)
class Rps:
    """One RPS."""

    element: etree._Element
    layout: str

    def text(self, path: str) -> str:
        return (self.element.findtext(path) or "").strip()

    def amount(self, path: str) -> Decimal:
        return Decimal(self.text(path) or "0")

    @property
    def registration(self) -> str:
        return self.text("ChaveRPS/InscricaoPrestador")

    @property
    def series(self) -> str:
        return self.text("ChaveRPS/SerieRPS")

    @property
    def number(self) -> int:
        return int(self.text("ChaveRPS/NumeroRPS"))

    @property
    def service(self) -> Decimal:
        """Amount of the services, under the name of the layout."""
        if self.layout == "1":
            return self.amount("ValorServicos")
        name = "ValorInicialCobrado"
        return self.amount(name if self.text(name) else "ValorFinalCobrado")

    @property
    def is_withheld(self) -> bool:
        return self.text("ISSRetido") in ("true", "1")

    @property
    def taker(self) -> str:
        return self.text("CPFCNPJTomador/CNPJ") or self.text("CPFCNPJTomador/CPF")

    @property
    def intermediary(self) -> str:
        path = "CPFCNPJIntermediario"
        return self.text(f"{path}/CNPJ") or self.text(f"{path}/CPF")

    def signed_text(self) -> str:
        """The string of Assinatura: 86 or 90 characters, more with intermediary and NIF."""
        width = 8 if self.layout == "1" else 12
        text = f"{self.registration:0>{width}}{self.series:<5}{self.number:012d}"
        text += self.text("DataEmissao").replace("-", "")
        text += self.text("TributacaoRPS") + self.text("StatusRPS")
        text += "S" if self.is_withheld else "N"
        text += cents(self.service) + cents(self.amount("ValorDeducoes"))
        text += f"{self.text('CodigoServico'):0>5}"
        text += self._kind + f"{self.taker:0>14}"
        if self.intermediary:
            text += "1" if len(self.intermediary) == 11 else "2"
            text += f"{self.intermediary:0>14}"
            is_theirs = self.text("ISSRetidoIntermediario").lower() in ("true", "1", "s")
            text += "S" if is_theirs else "N"
        return text + self.text("CPFCNPJTomador/NIF") + self.text("CPFCNPJTomador/NaoNIF")

    @property
    def _kind(self) -> str:
        """1 CPF, 2 CNPJ, 3 nobody, 4 NIF or the reason for none."""
        if self.taker:
            return "1" if len(self.taker) == 11 else "2"
        abroad = self.text("CPFCNPJTomador/NIF") or self.text("CPFCNPJTomador/NaoNIF")
        return "4" if abroad else "3"


def cents(value: Decimal) -> str:
    """15 digits."""
    return f"{int(value * 100):015d}"


def is_signed(certificate: Certificate, text: str, signature: str) -> bool:
    """Whether the base64 `signature` is that certificate's of the ASCII `text`."""
    try:
        value = base64.b64decode("".join(signature.split()), validate=True)
        certificate.key.verify(value, text.encode("ascii"), PKCS1v15(), SHA1())  # noqa: S303
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def leaf(name: str, value: object | None) -> str:
    """A leaf, or nothing for None and the empty text."""
    return "" if value in (None, "") else f"<{name}>{escape(str(value))}</{name}>"


def event(kind: str, code: str, text: str, *, about: str = "") -> str:
    """An Erro or Alerta; `about` is a ChaveRPS or ChaveNFe."""
    return f"<{kind}>{leaf('Codigo', code)}{leaf('Descricao', text[:300])}{about}</{kind}>"


def rps_key(registration: str, series: str, number: int) -> str:
    """ChaveRPS."""
    inner = leaf("InscricaoPrestador", registration) + leaf("SerieRPS", series)
    return f"<ChaveRPS>{inner}{leaf('NumeroRPS', number)}</ChaveRPS>"


def note_key(registration: str, number: int, code: str) -> str:
    """ChaveNFe."""
    inner = leaf("InscricaoPrestador", registration) + leaf("NumeroNFe", number)
    return f"<ChaveNFe>{inner}{leaf('CodigoVerificacao', code)}</ChaveNFe>"
