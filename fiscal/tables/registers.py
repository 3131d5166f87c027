"""Official lists of codes: NCM, CFOP, CNAE, municipalities (fiscal-api §17) and cClassTrib.

The CSV beside this module is what is shipped. A newer one in `DATA_DIR/tables`, put there by
`manage.py refresh_tables`, takes its place. Lines that begin with `#` tell the source.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib import br

FOLDER = Path(__file__).resolve().parent
Row = dict[str, str]  # a line of the file, by column
Entry = dict[str, Any]  # what the API shows of a code

# fmt: off
UF_NAMES = {
    "AC": "Acre", "AL": "Alagoas", "AM": "Amazonas", "AP": "Amapá", "BA": "Bahia", "CE": "Ceará",
    "DF": "Distrito Federal", "ES": "Espírito Santo", "GO": "Goiás", "MA": "Maranhão",
    "MG": "Minas Gerais", "MS": "Mato Grosso do Sul", "MT": "Mato Grosso", "PA": "Pará",
    "PB": "Paraíba", "PE": "Pernambuco", "PI": "Piauí", "PR": "Paraná", "RJ": "Rio de Janeiro",
    "RN": "Rio Grande do Norte", "RO": "Rondônia", "RR": "Roraima", "RS": "Rio Grande do Sul",
    "SC": "Santa Catarina", "SE": "Sergipe", "SP": "São Paulo", "TO": "Tocantins",
}
# fmt: on
_CNAE = re.compile(r"[A-Z]|[0-9]{2}|[0-9]{3}|[0-9]{5}|[0-9]{7}")


@dataclass(frozen=True)
class Kind:
    """One list: its columns, what a line must be, and how its lines become entries.

    `fault` answers what is wrong with a line, "" when it is right; fewer than `least` entries are
    not the whole list, so such a file is refused.
    """

    name: str
    columns: tuple[str, ...]
    fault: Callable[[Row], str]
    entries: Callable[[list[Row]], list[Entry]]
    key: str
    least: int


class Register:
    """Entries by code, and their texts folded for searching."""

    def __init__(self, entries: Iterable[Entry], key: str) -> None:
        self.by_code: dict[str, Entry] = {
            entry[key]: entry for entry in sorted(entries, key=lambda one: str(one[key]))
        }
        self.entries = tuple(self.by_code.values())
        self._folded: dict[str, tuple[str, ...]] = {}

    def folded(self, field: str) -> tuple[str, ...]:
        """That field of every entry without case and accents, in the order of `entries`."""
        if field not in self._folded:
            self._folded[field] = tuple(br.fold(str(entry[field])) for entry in self.entries)
        return self._folded[field]


def register(name: str) -> Register:
    """The list of that name, read once for each version of its file."""
    path = current_file(name)
    return _register(name, path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _register(name: str, path: Path, _version: int) -> Register:
    kind = KINDS[name]
    return Register(kind.entries(read_rows(path.read_bytes())), kind.key)


def current_file(name: str) -> Path:
    """The refreshed file, or the shipped one."""
    newer = refreshed_file(name)
    if newer is not None and newer.is_file():
        return newer
    packed = FOLDER / f"{name}.csv.gz"
    return packed if packed.is_file() else FOLDER / f"{name}.csv"


def refreshed_file(name: str) -> Path | None:
    """Where a refreshed list is kept; None for a program that is not an installation."""
    from django.conf import settings

    if not settings.configured and "DJANGO_SETTINGS_MODULE" not in os.environ:
        return None
    return Path(settings.DATA_DIR) / "tables" / f"{name}.csv"


def read_rows(content: bytes) -> list[Row]:
    """The lines of a CSV of ours, packed or not, in UTF-8."""
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    lines = io.StringIO(content.decode(), newline="")
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def write_rows(kind: Kind, rows: Iterable[Row], *, note: str) -> bytes:
    """The same list as a CSV of ours, sorted by its columns."""
    out = io.StringIO(newline="")
    out.write(f"# {note}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(kind.columns)
    writer.writerows(sorted([row[name] for name in kind.columns] for row in rows))
    return out.getvalue().encode()


# --- the lists -----------------------------------------------------------------------------------


def _coded(pattern: str) -> Callable[[Row], str]:
    form = re.compile(pattern)

    def fault(row: Row) -> str:
        if not form.fullmatch(row["codigo"]):
            return f"código inválido: {row['codigo'] or '(vazio)'}"
        return "" if row["descricao"] else f"{row['codigo']}: sem descrição"

    return fault


def _ncm_entries(rows: list[Row]) -> list[Entry]:
    return [_ncm(row["codigo"], row["descricao"]) for row in rows]


def _ncm(code: str, text: str) -> Entry:
    """Parts of CCPPSÇII: chapter, heading, two subheadings and two items."""
    return {
        "codigo": code,
        "descricao_completa": text,
        "capitulo": code[:2],
        "posicao": code[2:4],
        "subposicao1": code[4],
        "subposicao2": code[5],
        "item1": code[6],
        "item2": code[7],
    }


def _cfop_entries(rows: list[Row]) -> list[Entry]:
    return [
        {"codigo": row["codigo"], "descricao": f"{row['codigo']} - {row['descricao']}"}
        for row in rows
    ]


def _cnae_fault(row: Row) -> str:
    if not _CNAE.fullmatch(row["codigo"]):
        return f"código inválido: {row['codigo'] or '(vazio)'}"
    if len(row["codigo"]) > 1 and not re.fullmatch("[A-Z]", row["secao"]):
        return f"{row['codigo']}: seção inválida"
    return "" if row["descricao"] else f"{row['codigo']}: sem descrição"


def _cnae_entries(rows: list[Row]) -> list[Entry]:
    """Subclasses with the names of what they belong to. Raises KeyError when a level is missing."""
    names = {row["codigo"]: row["descricao"] for row in rows}
    return [_cnae(row, names) for row in rows if len(row["codigo"]) == 7]


def _cnae(row: Row, names: dict[str, str]) -> Entry:
    """Division of two digits, group and class of one each, check digit, subclass of two."""
    code = row["codigo"]
    return {
        "codigo": code,
        "descricao": row["descricao"],
        "secao": row["secao"],
        "descricao_secao": names[row["secao"]],
        "divisao": code[:2],
        "descricao_divisao": names[code[:2]],
        "grupo": code[2],
        "descricao_grupo": names[code[:3]],
        "classe": code[3],
        "descricao_classe": names[code[:5]],
        "subclasse": code[5:],
        "descricao_subclasse": row["descricao"],
        "codigo_formatado": f"{code[:4]}-{code[4]}/{code[5:]}",
    }


def _municipio_fault(row: Row) -> str:
    if not re.fullmatch("[0-9]{7}", row["codigo"]):
        return f"código IBGE inválido: {row['codigo'] or '(vazio)'}"
    if row["uf"] not in br.UFS:
        return f"{row['codigo']}: UF inválida"
    return "" if row["nome"] else f"{row['codigo']}: sem nome"


def _municipio_entries(rows: list[Row]) -> list[Entry]:
    from fiscal.tables.nfse_cities import shown  # it reads its own table with this module

    return [
        {
            "codigo_municipio": row["codigo"],
            "nome_municipio": row["nome"],
            "sigla_uf": row["uf"],
            "nome_uf": UF_NAMES[row["uf"]],
            **shown(row["codigo"]),
        }
        for row in rows
    ]


_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _cclasstrib_fault(row: Row) -> str:
    code = row["codigo"]
    if not re.fullmatch("[0-9]{6}", code):
        return f"código inválido: {code or '(vazio)'}"
    if not all(_PERCENT.fullmatch(row[name]) for name in ("reducao_ibs", "reducao_cbs")):
        return f"{code}: redução inválida"
    if not {row["nfe"], row["nfce"]} <= {"0", "1"}:
        return f"{code}: nfe e nfce devem ser 0 ou 1"
    is_dated = _DATE.fullmatch(row["inicio"]) and (not row["fim"] or _DATE.fullmatch(row["fim"]))
    return "" if is_dated and row["descricao"] else f"{code}: sem descrição ou vigência"


def _cclasstrib_entries(rows: list[Row]) -> list[Entry]:
    return [{**row, "nfe": row["nfe"] == "1", "nfce": row["nfce"] == "1"} for row in rows]


_TEXT = ("codigo", "descricao")
_CLASSES = (
    "codigo", "descricao", "reducao_ibs", "reducao_cbs", "nfe", "nfce", "inicio", "fim",
)  # fmt: skip
KINDS = {
    "ncm": Kind("ncm", _TEXT, _coded("[0-9]{8}"), _ncm_entries, "codigo", 9_000),
    "cfop": Kind("cfop", _TEXT, _coded("[123567][0-9]{3}"), _cfop_entries, "codigo", 500),
    "cnae": Kind(
        "cnae", ("codigo", "secao", "descricao"), _cnae_fault, _cnae_entries, "codigo", 1_300
    ),
    "cclasstrib": Kind(
        "cclasstrib", _CLASSES, _cclasstrib_fault, _cclasstrib_entries, "codigo", 150
    ),
    "municipios": Kind(
        "municipios",
        ("codigo", "nome", "uf"),
        _municipio_fault,
        _municipio_entries,
        "codigo_municipio",
        5_500,
    ),
}
