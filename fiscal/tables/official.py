"""Lists as their owners publish them, read for `manage.py refresh_tables`.

- NCM: the JSON of Portal Único Siscomex (`Nomenclaturas`, every level of the tree);
- CNAE: the JSON of IBGE (`/api/v2/cnae/subclasses`);
- municipalities: the JSON of IBGE (`/api/v1/localidades/municipios`);
- any of them, and CFOP: a CSV with the columns of ours.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fiscal.tables.registers import KINDS, Row
from lib.errors import InvalidInput
from lib.tabular import Limits, open_table

_LIMITS = Limits(size=100_000_000)
_SHOWN = 5  # faults told of
_TAGS = re.compile(r"<[^>]*>")


class BadTable(InvalidInput):
    """The file is not the whole list; the message says why."""

    codigo = "arquivo_invalido"
    mensagem = "O arquivo não é uma tabela válida."


def read_table(name: str, path: Path) -> list[Row]:
    """The lines of a file for the list `name`, each checked. Raises BadTable or BadFile."""
    rows = _from_json(name, path) if _is_json(path) else _from_csv(name, path)
    _refuse_faults(name, rows)
    return rows


def _is_json(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[")
    except OSError as error:
        raise BadTable(f"Não foi possível abrir {path}.") from error


def _refuse_faults(name: str, rows: list[Row]) -> None:
    kind = KINDS[name]
    faults = [fault for row in rows if (fault := kind.fault(row))]
    often = Counter(row["codigo"] for row in rows)
    faults += [f"{code}: repetido" for code, n in sorted(often.items()) if n > 1]
    if faults:
        raise BadTable(f"Há {len(faults)} erro(s): " + "; ".join(faults[:_SHOWN]) + ".")
    try:
        n = len(kind.entries(rows))
    except KeyError as error:
        raise BadTable(f"Falta o nível {error.args[0]} da classificação.") from error
    if n < kind.least:
        raise BadTable(f"O arquivo tem {n} códigos; a tabela completa tem pelo menos {kind.least}.")


# --- CSV -----------------------------------------------------------------------------------------


def _from_csv(name: str, path: Path) -> list[Row]:
    columns = KINDS[name].columns
    with open_table(path, _LIMITS) as table:
        header = [title.strip().lower() for title in table.header]
        if header[0].startswith("#"):
            raise BadTable("Apague as linhas de comentário do começo do arquivo.")
        missing = [column for column in columns if column not in header]
        if missing:
            raise BadTable(f"Faltam as colunas: {', '.join(missing)}.")
        places = {column: header.index(column) for column in columns}
        rows = []
        for row in table.rows:
            if row.problems:
                raise BadTable(f"Linha {row.number}: {row.problems[0].message}")
            rows.append({column: row.cells[place] for column, place in places.items()})
    return rows


# --- JSON ----------------------------------------------------------------------------------------


def _from_json(name: str, path: Path) -> list[Row]:
    read = _READERS.get(name)
    if read is None:
        raise BadTable("Esta tabela é lida de um CSV.")
    try:
        return read(json.loads(path.read_bytes().decode("utf-8-sig")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadTable("O JSON não tem a forma da tabela oficial.") from error


def _ncm(data: Any) -> list[Row]:
    """Items of eight digits with the texts of the levels above them, the heading first."""
    texts = {
        re.sub("[^0-9]", "", one["Codigo"]): _text(one["Descricao"])
        for one in data["Nomenclaturas"]
    }
    return [
        {"codigo": code, "descricao": " ".join(_levels(code, texts))}
        for code in texts
        if len(code) == 8
    ]


def _levels(code: str, texts: dict[str, str]) -> Iterable[str]:
    """A heading without subdivisions is also its item: its text is told once."""
    found = [texts[code[:n]] for n in (4, 5, 6, 7, 8) if code[:n] in texts]
    return dict.fromkeys(found)


def _text(raw: str) -> str:
    plain = html.unescape(_TAGS.sub("", raw))
    return " ".join(re.sub(r"^[-\s]+", "", plain).split())


def _cnae(data: Any) -> list[Row]:
    rows: dict[str, Row] = {}
    for one in data:
        group = one["classe"]["grupo"]
        section = group["divisao"]["secao"]
        levels = (one, one["classe"], group, group["divisao"])
        for level in levels:
            code = re.sub("[^0-9]", "", str(level["id"]))
            rows[code] = _cnae_row(code, section["id"], level["descricao"])
        rows[section["id"]] = _cnae_row(section["id"], "", section["descricao"])
    return list(rows.values())


def _cnae_row(code: str, section: str, text: str) -> Row:
    return {"codigo": code, "secao": section, "descricao": _text(text)}


def _municipios(data: Any) -> list[Row]:
    return [
        {"codigo": str(one["id"]), "nome": _text(one["nome"]), "uf": _uf_of(one)} for one in data
    ]


def _uf_of(one: dict[str, Any]) -> str:
    """Newer municipalities belong to no microrregião."""
    small = one.get("microrregiao")
    if small:
        return str(small["mesorregiao"]["UF"]["sigla"])
    return str(one["regiao-imediata"]["regiao-intermediaria"]["UF"]["sigla"])


_READERS: dict[str, Callable[[Any], list[Row]]] = {
    "ncm": _ncm,
    "cnae": _cnae,
    "municipios": _municipios,
}
