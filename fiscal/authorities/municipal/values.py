"""Values of a declaration as text for the messages of cities: what all families have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from fiscal.documents.nfse.rules import Amounts
from fiscal.documents.service import Declared, RpsIdentity, ServiceIssuer, Summary
from fiscal.xml import text
from lib import money

_AMOUNTS = (
    "valor_servicos", "valor_deducoes", "valor_pis", "valor_cofins", "valor_inss", "valor_ir",
    "valor_csll", "valor_iss", "valor_iss_retido", "outras_retencoes", "base_calculo",
    "desconto_incondicionado", "desconto_condicionado",
)  # fmt: skip
_YES = {"true", "1", "s", "sim"}
TAXED_HERE, TAXED_OUTSIDE, EXEMPT, IMMUNE = "1", "2", "3", "4"
SUSPENDED = ("5", "6")  # by court, by administrative process


class Fields:
    """Reading of `Declared.data`, whatever of it is there."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def text(self, path: str) -> str:
        value = self._data.get(path)
        return "" if value is None else str(value).strip()

    def amount(self, path: str) -> Decimal | None:
        """An amount or a rate; None where the request has none."""
        value = self._data.get(path)
        return None if value in (None, "") else Decimal(str(value))

    def is_yes(self, path: str) -> bool:
        return self.text(path).lower() in _YES

    @property
    def nature(self) -> str:
        return self.text("natureza_operacao") or TAXED_HERE

    @property
    def is_export(self) -> bool:
        return bool(self.text("servico.codigo_pais_prestacao"))

    @property
    def is_withheld(self) -> bool:
        return self.is_yes("servico.iss_retido")


def amount(value: Decimal | None) -> str:
    """Two decimals, as every layout writes amounts; "" for none."""
    return "" if value is None else f"{money.half_up(value):.2f}"


def rate(value: Decimal | None, *, as_fraction: bool, places: int) -> str:
    """A rate in percent as the family writes it: 5 → 5.00 or 0.0500; "" for none."""
    if value is None:
        return ""
    return f"{money.half_up(value / 100 if as_fraction else value, places):.{places}f}"


def lines(value: str, *, joint: str) -> str:
    """Several lines as the family joins them, each cleaned."""
    return joint.join(text(line) for line in value.splitlines()).strip()


def common(
    declared: Declared, identity: RpsIdentity | None, *, joint: str = "\n"
) -> dict[str, str]:
    """Fields of the request by their paths, amounts with two decimals, and what identifies it."""
    fields = Fields(declared.data)
    values = {
        path: text(str(value))
        for path, value in declared.data.items()
        if isinstance(value, str | Decimal | int) and not isinstance(value, bool)
    }
    values |= {f"servico.{name}": amount(fields.amount(f"servico.{name}")) for name in _AMOUNTS}
    values["servico.discriminacao"] = lines(fields.text("servico.discriminacao"), joint=joint)
    values = {
        **of_issuer(declared.issuer),
        **{path: value for path, value in values.items() if value},
    }
    if identity is not None:
        values |= of_identity(identity)
    return values


def of_issuer(issuer: ServiceIssuer) -> dict[str, str]:
    """Who issues: the certificate of the company speaks for nobody else."""
    return {
        "prestador.cnpj": issuer.cnpj,
        "prestador.cpf": "" if issuer.cnpj else issuer.cpf,
        "prestador.inscricao_municipal": only_alphanumeric(issuer.inscricao_municipal),
    }


def of_period(taker: ServiceIssuer, first: date, last: date, page: int) -> dict[str, str]:
    """Who asks for the notes that it was given, and since when."""
    return {
        **of_issuer(taker),
        "inicio": first.isoformat(),
        "fim": last.isoformat(),
        "pagina": str(page),
    }


def of_identity(identity: RpsIdentity) -> dict[str, str]:
    return {
        "numero": str(identity.number),
        "serie": identity.series,
        "tipo": str(identity.kind),
        "lote": str(identity.batch or identity.number),
        "um": "1",
    }


def iss(fields: Fields, found: Amounts) -> Decimal | None:
    """The ISS as sent, or as computed where the operation is taxed."""
    is_taxed = fields.nature in (TAXED_HERE, TAXED_OUTSIDE) and not fields.is_export
    return found.iss if is_taxed else fields.amount("servico.valor_iss")


def withheld_iss(fields: Fields, found: Amounts) -> Decimal | None:
    """What the taker keeps of the ISS; None where nothing is withheld."""
    if not fields.is_withheld:
        return None
    sent = fields.amount("servico.valor_iss_retido")
    return sent if sent is not None else iss(fields, found)


def summary(found: Mapping[str, str]) -> Summary:
    """What lists show of a message."""
    return Summary(
        taker_document=found.get("tomador.cnpj") or found.get("tomador.cpf") or "",
        taker_name=found.get("tomador.razao_social", ""),
        taker_email=found.get("tomador.email", ""),
        total=Decimal(found["servico.valor_servicos"] or "0.00"),
    )


def only_alphanumeric(value: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", value)
