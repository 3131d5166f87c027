"""The published file of RPS: São Paulo, "Arquivo de envio de RPS em lote", versions 001 and 002.

Other cities with the same system read it too. ISO-8859-1, CR LF, one inscription per file. The
same notes always give the same bytes: a file that is sent again with other contents cancels notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from fiscal.documents.rps_file.records import (
    ENCODING,
    LINE_END,
    Layout,
    TooWide,
    cents,
    digits,
    text,
)
from fiscal.documents.service import Declared, RpsIdentity
from fiscal.tables import places
from fiscal.xml import text as plain_text
from lib import br, money
from lib.errors import FieldError

VERSIONS = {"sao-paulo-001": "001", "sao-paulo-002": "002"}
SAO_PAULO = "3550308"
MAX_BYTES = 10_000_000
_SERVICE = "servico.codigo_tributario_municipio"
_KINDS = {1: "RPS", 2: "RPS-M", 3: "RPS-C"}
# Situação do RPS by natureza_operacao: the first manual, and the letters since 2015-02-23.
_OLD = {"1": "T", "2": "F", "3": "I", "4": "I", "5": "J", "6": "J"}
_NEW = {"1": "TT", "2": "FF", "3": "AB", "4": "MN", "5": "XV", "6": "XV"}

_COMMON = (
    ("tipo_de_registro", 1), ("tipo_do_rps", 5), ("serie", 5), ("numero", 12),
    ("data_de_emissao", 8), ("situacao", 1), ("valor_dos_servicos", 15),
    ("valor_das_deducoes", 15), ("codigo_do_servico", 5), ("aliquota", 4), ("iss_retido", 1),
    ("indicador_tomador", 1), ("documento_tomador", 14), ("inscricao_municipal_tomador", 8),
    ("inscricao_estadual_tomador", 12), ("nome_tomador", 75), ("tipo_do_endereco", 3),
    ("endereco", 50), ("numero_do_endereco", 10), ("complemento", 30), ("bairro", 30),
    ("cidade", 50), ("uf", 2), ("cep", 8), ("email", 75),
)  # fmt: skip
_SINCE_002 = (
    ("pis", 15), ("cofins", 15), ("inss", 15), ("ir", 15), ("csll", 15),
    ("carga_tributaria_valor", 15), ("carga_tributaria_percentual", 5),
    ("carga_tributaria_fonte", 10), ("cei", 12), ("matricula_da_obra", 12),
    ("municipio_da_prestacao", 7), ("encapsulamento", 10), ("reservado", 10),
    ("valor_total_recebido", 15), ("reservado_2", 175),
)  # fmt: skip
DETAIL_001 = Layout(_COMMON)
DETAIL_002 = Layout((*_COMMON, *_SINCE_002))


@dataclass(frozen=True)
class Rps:
    """One note of the file, under its number."""

    declared: Declared
    identity: RpsIdentity


def faults(declared: Declared, layout: str) -> list[FieldError]:
    """What the file cannot say, by fields of the request."""
    data, found = declared.data, []
    code = br.only_digits(str(data.get(_SERVICE) or ""))
    if not 1 <= len(code) <= 5:
        found.append(FieldError(_SERVICE, "Informe o código do serviço (até 5 dígitos)."))
    if data.get("intermediario.cnpj") or data.get("intermediario.cpf"):
        found.append(FieldError("intermediario", "O arquivo de RPS não leva intermediário."))
    if data.get("numero_rps_substituido"):
        found.append(
            FieldError("numero_rps_substituido", "O arquivo de RPS não leva substituição.")
        )
    if not 1 <= len(_inscription(declared)) <= 8:
        found.append(
            FieldError("prestador.inscricao_municipal", "A inscrição tem de 1 a 8 dígitos.")
        )
    if not found:
        found += _unwritable(declared, layout)
    return found


def _unwritable(declared: Declared, layout: str) -> list[FieldError]:
    try:
        _detail(Rps(declared, RpsIdentity("", "", 0)), VERSIONS[layout])
    except TooWide as error:
        return [FieldError("", str(error))]
    return []


def written(notes: Sequence[Rps], layout: str) -> bytes:
    """The file: header, one line for each RPS by its number, totals. Raises TooWide."""
    version = VERSIONS[layout]
    ordered = sorted(notes, key=lambda one: (one.identity.series, one.identity.number))
    dates = sorted(f"{one.declared.issued_at:%Y%m%d}" for one in ordered)
    header = f"1{version}{_inscription(ordered[0].declared).zfill(8)}{dates[0]}{dates[-1]}"
    lines = [header, *(_detail(one, version) for one in ordered), _totals(ordered)]
    return "".join(line + LINE_END for line in lines).encode(ENCODING)


def _totals(notes: Sequence[Rps]) -> str:
    services, deductions = (
        sum((_amount(one.declared, name) or Decimal(0) for one in notes), Decimal(0))
        for name in ("valor_servicos", "valor_deducoes")
    )
    return f"9{digits(str(len(notes)), 7)}{cents(services)}{cents(deductions)}"


def _detail(one: Rps, version: str) -> str:
    of, is_first = one.declared, version == "001"
    parts = [
        "2" if is_first else "6",
        text(_KINDS[one.identity.kind], 5),
        text(one.identity.series, 5),
        digits(str(one.identity.number), 12),
        f"{of.issued_at:%Y%m%d}",
        _situation(of, is_first=is_first),
        cents(_amount(of, "valor_servicos")),
        cents(_amount(of, "valor_deducoes")),
        digits(str(of.data.get(_SERVICE) or ""), 5, field="O código do serviço"),
        digits(str(int(money.half_up(_amount(of, "aliquota") or Decimal(0)) * 100)), 4),
        "1" if of.data.get("servico.iss_retido") == "S" else "2",
        *_taker(of),
        *_address(of),
    ]
    layout = DETAIL_001 if is_first else DETAIL_002
    return layout.joined(parts if is_first else [*parts, *_extra(of)]) + _description(of)


def _taker(of: Declared) -> list[str]:
    document = str(of.data.get("tomador.cnpj") or of.data.get("tomador.cpf") or "")
    is_local = of.data.get("tomador.endereco.codigo_municipio") == SAO_PAULO
    # It outranks the document, and the city knows only its own.
    inscription = str(of.data.get("tomador.inscricao_municipal") or "") if is_local else ""
    return [
        {11: "1", 14: "2"}.get(len(document), "3"),
        digits(document, 14),
        digits(inscription, 8, field="A inscrição municipal do tomador"),
        "0" * 12,
        text(str(of.data.get("tomador.razao_social") or ""), 75),
    ]


def _address(of: Declared) -> list[str]:
    def value(name: str) -> str:
        return str(of.data.get(f"tomador.endereco.{name}") or "")

    place = places.municipality(value("codigo_municipio"))
    return [
        text(value("tipo_logradouro"), 3),
        text(value("logradouro"), 50),
        text(value("numero"), 10),
        text(value("complemento"), 30),
        text(value("bairro"), 30),
        text(place.name if place else "", 50),
        text(value("uf") or (place.uf if place else ""), 2),
        digits(br.only_digits(value("cep")), 8),
        text(str(of.data.get("tomador.email") or ""), 75),
    ]


def _extra(of: Declared) -> list[str]:
    """What version 002 has more. The percentage's decimals are published nowhere: zeros."""
    withheld = ("valor_pis", "valor_cofins", "valor_inss", "valor_ir", "valor_csll")
    percent = _amount(of, "percentual_total_tributos")
    services = _amount(of, "valor_servicos") or Decimal(0)
    return [
        *(cents(_amount(of, name)) for name in withheld),
        cents(services * percent / 100 if percent else None),
        "0" * 5,
        text(str(of.data.get("servico.fonte_total_tributos") or ""), 10),
        "0" * 12,
        digits(br.only_digits(str(of.data.get("codigo_obra") or "")), 12, field="O código da obra"),
        digits(str(of.data.get("servico.codigo_municipio") or ""), 7),
        "0" * 10,
        " " * 10,
        "0" * 15,
        " " * 175,
    ]


def _situation(of: Declared, *, is_first: bool) -> str:
    nature = str(of.data.get("natureza_operacao") or "1")
    if is_first:
        return _OLD.get(nature, "T")
    where = of.data.get("servico.codigo_municipio") or SAO_PAULO
    return _NEW.get(nature, "TT")[where != SAO_PAULO]


def _description(of: Declared) -> str:
    lines = str(of.data.get("servico.discriminacao") or "").splitlines()
    return "|".join(plain_text(line) for line in lines)


def _inscription(of: Declared) -> str:
    given = str(of.data.get("prestador.inscricao_municipal") or "")
    return br.only_digits(given or of.issuer.inscricao_municipal)


def _amount(of: Declared, name: str) -> Decimal | None:
    value = of.data.get(f"servico.{name}")
    return None if value is None else Decimal(value)
