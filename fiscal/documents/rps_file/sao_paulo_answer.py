"""The file of issued notes that the city gives back: fixed width, or CSV with semicolons (§6)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from fiscal.documents.rps_file.records import ENCODING, Layout

# fmt: off
DETAIL = Layout((
    ("tipo_de_registro", 1), ("numero_nfse", 8), ("data_hora", 14), ("codigo", 8),
    ("tipo_do_rps", 5), ("serie", 5), ("numero", 12), ("data_de_emissao", 8), ("inscricao", 8),
    ("indicador_prestador", 1), ("documento_prestador", 14), ("nome_prestador", 75),
    ("tipo_do_endereco", 3), ("endereco", 50), ("numero_do_endereco", 10), ("complemento", 30),
    ("bairro", 30), ("cidade", 50), ("uf", 2), ("cep", 8), ("email", 75), ("simples", 1),
    ("situacao", 1), ("data_de_cancelamento", 8), ("guia", 12), ("quitacao", 8),
    ("valor_dos_servicos", 15), ("valor_das_deducoes", 15), ("codigo_do_servico", 5),
    ("aliquota", 4), ("valor_do_iss", 15), ("valor_do_credito", 15), ("iss_retido", 1),
    ("indicador_tomador", 1), ("documento_tomador", 14), ("inscricao_tomador", 8),
    ("inscricao_estadual_tomador", 12), ("nome_tomador", 75), ("tipo_do_endereco_tomador", 3),
    ("endereco_tomador", 50), ("numero_tomador", 10), ("complemento_tomador", 30),
    ("bairro_tomador", 30), ("cidade_tomador", 50), ("uf_tomador", 2), ("cep_tomador", 8),
    ("email_tomador", 75),
))
# fmt: on
_NAMES = tuple(name for name, _ in DETAIL.fields)
_CITY_TIME = ZoneInfo("America/Sao_Paulo")
_MOMENTS = ("%Y%m%d%H%M%S", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S")
_DAYS = ("%Y%m%d", "%d/%m/%Y", "%Y-%m-%d")
_CANCELLED = "C"


class Unreadable(ValueError):
    """Not an answer file. The text says why, in pt-BR."""


@dataclass(frozen=True)
class Line:
    """A note of the answer; `place` is its line in the file, from 1. Amounts are in reais."""

    place: int
    number: str
    code: str
    issued_at: datetime
    series: str
    rps_number: int
    inscription: str  # of the issuer, without leading zeros
    is_cancelled: bool
    cancelled_at: datetime | None
    services: Decimal | None
    iss: Decimal | None
    taker_document: str


def read(content: bytes) -> list[Line]:
    """The notes of a file, in its order. Raises Unreadable for the first line that is none."""
    text = content.decode("utf-8-sig") if _is_utf8(content) else content.decode(ENCODING)
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if not first:
        raise Unreadable("O arquivo está vazio.")
    is_csv = first.count(";") > 20
    if not is_csv and not first.startswith("1"):
        raise Unreadable("O arquivo não é a resposta de um lote de RPS.")
    found = _of_csv(text) if is_csv else _of_records(lines)
    notes = [_line(place, values, is_csv=is_csv) for place, values in found]
    if not notes:
        raise Unreadable("O arquivo não tem notas.")
    return notes


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _of_records(lines: list[str]) -> list[tuple[int, dict[str, str]]]:
    """Records of type 2; others are headers, totals and tables of other things."""
    found = []
    for place, line in enumerate(lines, start=1):
        if line.startswith("2"):
            if len(line) < DETAIL.width:
                raise Unreadable(f"Linha {place}: menor que o leiaute.")
            found.append((place, DETAIL.cut(line)))
    return found


def _of_csv(text: str) -> list[tuple[int, dict[str, str]]]:
    rows = csv.reader(io.StringIO(text), delimiter=";")
    return [
        (place, dict(zip(_NAMES, (part.strip() for part in row), strict=False)))
        for place, row in enumerate(rows, start=1)
        if row and row[0].strip() == "2" and len(row) >= len(_NAMES)
    ]


def _line(place: int, values: dict[str, str], *, is_csv: bool) -> Line:
    number, rps = values["numero_nfse"].lstrip("0"), values["numero"].lstrip("0")
    if not number.isdecimal() or not rps.isdecimal():
        raise Unreadable(f"Linha {place}: sem número da NFS-e ou do RPS.")
    issued_at = _moment(values["data_hora"], _MOMENTS)
    if issued_at is None:
        raise Unreadable(f"Linha {place}: data da NFS-e inválida.")
    is_cancelled = values["situacao"][:1].upper() == _CANCELLED
    return Line(
        place=place,
        number=number,
        code=values["codigo"],
        issued_at=issued_at,
        series=values["serie"],
        rps_number=int(rps),
        inscription=values["inscricao"].lstrip("0"),
        is_cancelled=is_cancelled,
        cancelled_at=_moment(values["data_de_cancelamento"], _DAYS),
        services=_amount(values["valor_dos_servicos"], is_csv=is_csv),
        iss=_amount(values["valor_do_iss"], is_csv=is_csv),
        taker_document=_document(values),
    )


def _document(values: dict[str, str]) -> str:
    """CPF and CNPJ have fourteen places; the indicator says which it is."""
    bare = "".join(char for char in values["documento_tomador"] if char.isalnum())
    width = {"1": 11, "2": 14}.get(values["indicador_tomador"], 0)
    return bare.zfill(14)[-width:] if width else ""


def _moment(text: str, forms: tuple[str, ...]) -> datetime | None:
    for form in forms:
        try:
            return datetime.strptime(text, form).replace(tzinfo=_CITY_TIME)
        except ValueError:
            continue
    return None


def _amount(text: str, *, is_csv: bool) -> Decimal | None:
    """Cents in the fixed file, reais with a comma in the CSV."""
    plain = text.replace(".", "").replace(",", ".") if is_csv and "," in text else text
    try:
        value = Decimal(plain)
    except InvalidOperation:
        return None
    return value if is_csv else value / 100
