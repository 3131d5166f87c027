"""CEP and CNPJ directories that the operator has: a CSV made into an indexed file.

They are not ours to ship. `manage.py refresh_tables --ceps FILE` and `--cnpjs FILE` write
`DATA_DIR/tables/ceps.sqlite3` and `cnpjs.sqlite3`, in one piece: who reads meanwhile keeps reading
the file before. Without a file there is nothing to answer from.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fiscal.tables.official import BadTable
from lib import br
from lib.tabular import Limits, open_table
from lib.tabular.base import Row as SheetRow

_LIMITS = Limits(size=20_000_000_000, rows=200_000_000)
_BATCH = 10_000
CEP_KINDS = ("localidade", "logradouro", "unidade_operacional", "grande_usuario")


@dataclass(frozen=True)
class Directory:
    """One directory: its columns, those that a line must have, other names of columns, indexes.

    `prepare` changes a line into what is kept and answers what is wrong with it, or "".
    """

    name: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    also: dict[str, str]
    searched: tuple[str, ...]  # columns kept a second time, folded
    indexes: tuple[str, ...]
    prepare: Callable[[dict[str, str]], str]

    @property
    def path(self) -> Path:
        from django.conf import settings

        return Path(settings.DATA_DIR) / "tables" / f"{self.name}.sqlite3"

    def is_installed(self) -> bool:
        return self.path.is_file()

    def find(self, where: str, values: tuple[str, ...], *, limit: int, offset: int = 0) -> Found:
        """Lines by their key, narrowed by `where`, and how many there are in all."""
        if not self.is_installed():
            return Found([], 0)
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            (total,) = database.execute(
                f"SELECT count(*) FROM lines WHERE {where}",  # noqa: S608  from us, not from callers
                values,
            ).fetchone()
            rows = database.execute(
                f"SELECT {', '.join(self.columns)} FROM lines WHERE {where}"  # noqa: S608
                f" ORDER BY {self.columns[0]} LIMIT ? OFFSET ?",
                (*values, limit, offset),
            )
            return Found([dict(row) for row in rows], total)


@dataclass(frozen=True)
class Found:
    rows: list[dict[str, str]]
    total: int


def import_directory(directory: Directory, source: Path) -> int:
    """Read a CSV or XLSX into the directory's file; answers how many lines.

    The last line of a repeated key stays. Nothing is replaced when a line is wrong. Raises
    BadTable or BadFile.
    """
    target = directory.path
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_suffix(f".{os.getpid()}.new")
    try:
        with closing(sqlite3.connect(made)) as database:
            n = _fill(database, directory, source)
        os.replace(made, target)
    finally:
        made.unlink(missing_ok=True)
    return n


def _fill(database: sqlite3.Connection, directory: Directory, source: Path) -> int:
    kept = (*directory.columns, *(f"searched_{name}" for name in directory.searched))
    key = directory.columns[0]
    declared = ", ".join(f"{name} TEXT{' PRIMARY KEY' if name == key else ''}" for name in kept)
    # A file that nobody sees before it is whole needs no journal.
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute(f"CREATE TABLE lines ({declared}) WITHOUT ROWID")
    marks = ", ".join("?" * len(kept))
    insert = f"INSERT OR REPLACE INTO lines VALUES ({marks})"  # noqa: S608
    batch: list[tuple[str, ...]] = []
    for line in _lines(directory, source):
        batch.append(line)
        if len(batch) == _BATCH:
            database.executemany(insert, batch)
            batch.clear()
    database.executemany(insert, batch)
    for columns in directory.indexes:
        name = columns.replace(", ", "_")
        database.execute(f"CREATE INDEX by_{name} ON lines ({columns})")
    (n,) = database.execute("SELECT count(*) FROM lines").fetchone()
    if not n:
        raise BadTable("O arquivo não tem nenhuma linha.")
    database.commit()
    return int(n)


def _lines(directory: Directory, source: Path) -> Iterator[tuple[str, ...]]:
    with open_table(source, _LIMITS) as table:
        titles = [title.strip().lower() for title in table.header]
        header = [directory.also.get(title, title) for title in titles]
        missing = [name for name in directory.required if name not in header]
        if missing:
            raise BadTable(f"Faltam as colunas: {', '.join(missing)}.")
        places = {name: header.index(name) for name in directory.columns if name in header}
        for row in table.rows:
            yield _line(directory, places, row)


def _line(directory: Directory, places: dict[str, int], row: SheetRow) -> tuple[str, ...]:
    if row.problems:
        raise BadTable(f"Linha {row.number}: {row.problems[0].message}")
    line = {name: row.cells[places[name]] if name in places else "" for name in directory.columns}
    fault = directory.prepare(line)
    if fault:
        raise BadTable(f"Linha {row.number}: {fault}.")
    return (*line.values(), *(br.fold(line[name]) for name in directory.searched))


# --- the two directories -------------------------------------------------------------------------


def _prepare_cep(line: dict[str, str]) -> str:
    line["cep"] = br.only_digits(line["cep"])
    line["uf"] = line["uf"].upper()
    line["tipo"] = line["tipo"] or ("logradouro" if line["nome_logradouro"] else "localidade")
    if not br.is_cep(line["cep"]):
        return "CEP inválido"
    if line["uf"] not in br.UFS:
        return "UF inválida"
    if line["tipo"] not in CEP_KINDS:
        return f"tipo deve ser {', '.join(CEP_KINDS)}"
    return "" if line["nome_localidade"] else "sem localidade"


def _prepare_cnpj(line: dict[str, str]) -> str:
    line["cnpj"] = br.normalise_document(line["cnpj"])
    line["cep"] = br.only_digits(line["cep"])
    if not br.is_cnpj(line["cnpj"]):
        return "CNPJ inválido"
    return "" if line["razao_social"] else "sem razão social"


CEPS = Directory(
    name="ceps",
    columns=(
        "cep", "tipo", "nome", "uf", "nome_localidade", "codigo_ibge", "tipo_logradouro",
        "nome_logradouro", "nome_bairro_inicial",
    ),
    required=("cep", "uf", "nome_localidade"),
    also={
        "bairro": "nome_bairro_inicial",
        "codigo_municipio": "codigo_ibge",
        "localidade": "nome_localidade",
        "logradouro": "nome_logradouro",
    },
    searched=("nome_localidade", "nome_logradouro"),
    indexes=("codigo_ibge", "uf, searched_nome_localidade"),
    prepare=_prepare_cep,
)  # fmt: skip
CNPJS = Directory(
    name="cnpjs",
    columns=(
        "cnpj", "razao_social", "situacao_cadastral", "cnae_principal",
        "optante_simples_nacional", "optante_mei", "codigo_siafi", "codigo_ibge",
        "nome_municipio", "logradouro", "complemento", "numero", "bairro", "cep", "uf",
    ),
    required=("cnpj", "razao_social"),
    also={"municipio": "nome_municipio", "codigo_municipio": "codigo_siafi"},
    searched=(),
    indexes=(),
    prepare=_prepare_cnpj,
)  # fmt: skip
