"""What the authority remembers, in one SQLite file of its own that survives a restart."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS documentos (
    id INTEGER PRIMARY KEY, ambiente TEXT, chave TEXT, autorizador TEXT, cuf TEXT, documento TEXT,
    modelo TEXT, serie TEXT, numero INTEGER, tp_emis TEXT, destinatario TEXT, interessados TEXT,
    situacao TEXT, c_stat INTEGER, protocolo TEXT, digval TEXT, dh_emi TEXT, recebido_em REAL,
    v_nf TEXT, visivel_em REAL, em_casa_em REAL, xml BLOB, prot BLOB,
    UNIQUE (ambiente, chave));
CREATE INDEX IF NOT EXISTS documentos_numero
    ON documentos (ambiente, cuf, documento, modelo, serie, numero);
CREATE TABLE IF NOT EXISTS eventos (
    id INTEGER PRIMARY KEY, ambiente TEXT, chave TEXT, tipo TEXT, sequencia INTEGER, orgao TEXT,
    autor TEXT, c_stat INTEGER, protocolo TEXT, dh_evento TEXT, registrado_em REAL,
    xml BLOB, ret BLOB, UNIQUE (ambiente, chave, tipo, sequencia));
CREATE TABLE IF NOT EXISTS inutilizacoes (
    id INTEGER PRIMARY KEY, ambiente TEXT, cuf TEXT, ano TEXT, documento TEXT, modelo TEXT,
    serie TEXT, inicial INTEGER, final INTEGER, protocolo TEXT, recebido_em REAL, xml BLOB);
CREATE INDEX IF NOT EXISTS inutilizacoes_faixa
    ON inutilizacoes (ambiente, cuf, documento, modelo, serie);
CREATE TABLE IF NOT EXISTS lotes (
    recibo TEXT PRIMARY KEY, ambiente TEXT, autorizador TEXT, cuf TEXT, transmissor TEXT,
    pronto_em REAL, consultas_pendentes INTEGER, respostas BLOB);
CREATE TABLE IF NOT EXISTS caixa (
    ambiente TEXT, interessado TEXT, nsu INTEGER, esquema TEXT, chave TEXT, xml BLOB,
    PRIMARY KEY (ambiente, interessado, nsu)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS caixa_chave ON caixa (ambiente, interessado, chave);
CREATE TABLE IF NOT EXISTS leituras (
    ambiente TEXT, interessado TEXT, nsu INTEGER,
    PRIMARY KEY (ambiente, interessado)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consumo (
    assunto TEXT, momento REAL);
CREATE INDEX IF NOT EXISTS consumo_assunto ON consumo (assunto, momento);
CREATE TABLE IF NOT EXISTS bloqueios (assunto TEXT PRIMARY KEY, ate REAL);
CREATE TABLE IF NOT EXISTS pedidos (
    id INTEGER PRIMARY KEY, momento REAL, caminho TEXT, autorizador TEXT, servico TEXT, cuf TEXT,
    transmissor TEXT, chave TEXT, pedido BLOB, status INTEGER, resposta BLOB, c_stat TEXT,
    falha TEXT, observacoes TEXT, milissegundos REAL);
CREATE INDEX IF NOT EXISTS pedidos_chave ON pedidos (chave);
CREATE TABLE IF NOT EXISTS notas (
    id INTEGER PRIMARY KEY, ambiente TEXT, autorizador TEXT, municipio TEXT, documento TEXT,
    inscricao TEXT, serie TEXT, numero_rps INTEGER, tipo_rps INTEGER, identidade TEXT,
    numero INTEGER, chave TEXT, situacao TEXT, substitui TEXT, substituida_por TEXT, tomador TEXT,
    intermediario TEXT, valor TEXT, digest TEXT, recebido_em REAL, encerrada_em REAL,
    visivel_em REAL, pedido BLOB, xml BLOB);
CREATE INDEX IF NOT EXISTS notas_rps
    ON notas (ambiente, autorizador, documento, serie, numero_rps);
CREATE INDEX IF NOT EXISTS notas_chave ON notas (ambiente, chave);
CREATE INDEX IF NOT EXISTS notas_identidade ON notas (ambiente, identidade);
CREATE TABLE IF NOT EXISTS notas_eventos (
    id INTEGER PRIMARY KEY, ambiente TEXT, autorizador TEXT, chave TEXT, tipo TEXT,
    sequencia INTEGER, situacao TEXT, decide_em REAL, autor TEXT, registrado_em REAL,
    pedido BLOB, xml BLOB);
CREATE INDEX IF NOT EXISTS notas_eventos_chave ON notas_eventos (ambiente, autorizador, chave);
CREATE TABLE IF NOT EXISTS notas_lotes (
    protocolo TEXT PRIMARY KEY, ambiente TEXT, autorizador TEXT, documento TEXT, numero TEXT,
    recebido_em REAL, pronto_em REAL, consultas_pendentes INTEGER, erros TEXT, notas TEXT);
CREATE TABLE IF NOT EXISTS notas_caixa (
    ambiente TEXT, interessado TEXT, nsu INTEGER, chave TEXT, tipo TEXT, tipo_evento TEXT,
    gerado_em REAL, xml BLOB, PRIMARY KEY (ambiente, interessado, nsu)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS falhas (
    id INTEGER PRIMARY KEY, regra TEXT, vistas INTEGER DEFAULT 0, usadas INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS ajustes (nome TEXT PRIMARY KEY, valor TEXT);
CREATE TABLE IF NOT EXISTS contadores (nome TEXT PRIMARY KEY, valor INTEGER);
"""
_EMPTIED = (
    "documentos",
    "eventos",
    "inutilizacoes",
    "lotes",
    "caixa",
    "leituras",
    "notas",
    "notas_eventos",
    "notas_lotes",
    "notas_caixa",
    "consumo",
    "bloqueios",
    "pedidos",
    "falhas",
    "ajustes",
)  # fmt: skip  protocol numbers go on: they never repeat, reset or not


class Store:
    """One connection behind one lock: the work between `with store:` is one transaction."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.executescript(_TABLES)
        self._depth = 0
        self._settings: dict[str, Any] = {}
        self._load_settings()

    def _load_settings(self) -> None:
        rows = self.connection.execute("SELECT nome, valor FROM ajustes")
        self._settings = {row["nome"]: json.loads(row["valor"]) for row in rows}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is one transaction; inner ones belong to the outermost."""
        with self.lock:
            if self._depth == 0:
                self.connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self.connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self.connection.execute("COMMIT")

    def run(self, sql: str, *values: object) -> int:
        """Execute one statement; how many rows it changed."""
        with self.lock:
            return self.connection.execute(sql, values).rowcount

    def one(self, sql: str, *values: object) -> sqlite3.Row | None:
        """The first row, if any."""
        with self.lock:
            row: sqlite3.Row | None = self.connection.execute(sql, values).fetchone()
            return row

    def all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Every row."""
        with self.lock:
            return self.connection.execute(sql, values).fetchall()

    def insert(self, table: str, **values: object) -> None:
        """Insert one row; the names are ours, never the caller's."""
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self.run(f"INSERT INTO {table} ({names}) VALUES ({marks})", *values.values())  # noqa: S608

    def prune(self, *, requests: int, uses_before: float) -> None:
        """Keep so many of the newest requests, and forget uses older than that moment."""
        with self.transaction():
            self.run("DELETE FROM pedidos WHERE id <= (SELECT max(id) FROM pedidos) - ?", requests)
            self.run("DELETE FROM consumo WHERE momento < ?", uses_before)

    def next_number(self, name: str) -> int:
        """The next value of a counter that starts at 1."""
        with self.transaction():
            self.run(
                "INSERT INTO contadores VALUES (?, 1) "
                "ON CONFLICT (nome) DO UPDATE SET valor = valor + 1",
                name,
            )
            row = self.one("SELECT valor FROM contadores WHERE nome = ?", name)
            return int(row["valor"]) if row else 1

    def setting(self, name: str, default: Any = None) -> Any:
        """A value told through the control API, or the default."""
        return self._settings.get(name, default)

    def set(self, name: str, value: Any) -> None:
        """Keep a setting."""
        with self.transaction():
            self.run("INSERT OR REPLACE INTO ajustes VALUES (?, ?)", name, json.dumps(value))
            self._settings = {**self._settings, name: value}

    def reset(self) -> None:
        """Forget everything but the counters of protocols and receipts."""
        with self.transaction():
            for table in _EMPTIED:
                self.run(f"DELETE FROM {table}")  # noqa: S608
            self._settings = {}

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self.connection.close()
