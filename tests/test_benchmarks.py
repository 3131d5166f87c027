"""Everything that `./dev bench` measures still runs, and says what it promises to say."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks.report import Row, as_json, as_table
from django.db import connection

ROOT = Path(__file__).resolve().parents[1]
IS_POSTGRES = bool(os.environ.get("DATABASE_URL"))
ENGINE = "PostgreSQL" if IS_POSTGRES else "SQLite"
LIST_CLASSES = [
    "sem filtro", "não anuladas", "anuladas", "pagas", "não pagas", "canceladas", "a emitir",
    "emissão no mês", "vencimento num ano", "vencimento num dia", "vencidas",
    "pagas, vencimento num ano", "um cliente", "busca por número", "busca por um nome",
    "busca por palavra de 12%", "busca por palavra de todas", "busca por duas palavras",
    "busca sem resultado", "busca nas vencidas",
]  # fmt: skip
PDFS = [
    f"PDF, {what}, {pages} p. ({ENGINE})"
    for pages in (1, 2)
    for what in ("primeira vez", "do cache")
]
IMPORTS = [
    f"importação de 20 linhas ({ENGINE})",
    f"importação de 20 linhas e 250 faturas ({ENGINE})",
]


PEERS = ("nfelib e signxml", "nfelib afinada e signxml", "PyNFe")
FISCAL = [
    "fiscal, assinatura RSA-2048 pura",
    "fiscal, NF-e de 1 item",
    "fiscal, NF-e de 1 item, da pura",
    *(f"fiscal, NF-e de 1 item, contra {peer}" for peer in PEERS),
    "fiscal, NF-e de 100 itens",
    *(f"fiscal, NF-e de 100 itens, contra {peer}" for peer in PEERS),
    "fiscal, do JSON à NF-e de 1 item, com impostos e duas validações",
    "fiscal, NFC-e: gravações do documento",
    "fiscal, NF-e pela fila: gravações do documento",
    *(
        f"fiscal, NFC-e do pedido à autorização, 4 clientes: {what}"
        for what in ("vazão", "processador", "além do sandbox, p95")
    ),
    "fiscal, NF-e pela fila, 2 processos, do pedido à autorização",
    "fiscal, NF-e pela fila, 2 processos, do pedido à autorização: processador",
    "fiscal, NF-e pela fila, 4 à espera e 500 ms de latência",
    "fiscal, NF-e pela fila com latência: enviadas de novo",
    *(
        f"fiscal, entre 3.000 notas: {what}"
        for what in (
            "consulta por ref, p95",
            "XML por chave, p95",
            "por ref",
            "por chave",
            "arquivo por chave",
            "arquivos de uma nota",
            "lista da conta",
            "lista da empresa",
            "notas à espera",
            "eventos à espera",
            "inutilizações à espera",
            "números de uma série",
        )
    ),
    *(
        f"fiscal, DANFE de {items} itens, {what}"
        for items in (5, 20)
        for what in ("primeira vez", "do cache")
    ),
]
NFSE = [
    "NFS-e, assinatura RSA-2048 pura",
    "NFS-e, DPS construída, assinada e validada",
    "NFS-e, DPS com RSA-SHA256",
    "NFS-e, do JSON à DPS assinada, com duas validações",
    "NFS-e, 6 faturas de um mês, 2 processos, da fatura à autorização: processador",
    "NFS-e, 6 faturas de um mês, 2 processos, da fatura à autorização",
]
API = [
    *(
        f"API, {name}: {what}"
        for name in (
            "lista", "busca por mês", "busca por vencimento", "busca por situação", "vencidas",
            "faturas do contrato", "vencimentos do contrato",
        )
        for what in ("8 clientes", "p95", "consultas")
    ),
    *(
        f"API, criar fatura de 3 serviços e 2 vencimentos: {n} cliente(s)" for n in (1, 8)
    ),
]  # fmt: skip


PORTAL = [
    f"Central, {name}: {what}"
    for name in (
        "início", "painel de contratos", "lista", "lista, última página", "lista filtrada",
        "fatura em aberto", "fatura vencida", "fatura paga", "2ª via", "2ª via vencida", "pix",
        "cartão", "contestar", "contestações", "formas de pagamento", "contratos", "contrato",
        "cancelar", "dados", "vencimento", "preferências", "exportar", "usuários", "segurança",
        "ajuda", "privacidade",
    )
    for what in ("p95", "consultas", "página, estilos e scripts")
]  # fmt: skip
PAYMENTS = [
    *(
        f"régua, seleção entre 400 parcelas em aberto ({ENGINE}), {what}"
        for what in ("no dia em que é ativada", "no dia útil seguinte")
    ),
    "boleto, código de barras e linha digitável",
    f"boleto, 6 PDFs por {max(2, os.cpu_count() or 2)} de uma vez, por PDF",
    *(
        f"retorno de 60 registros, {kinds} ({ENGINE}), {step}"
        for kinds in (("só liquidações", "de um mês") if IS_POSTGRES else ("só liquidações",))
        for step in ("leitura pura do arquivo", "ler e aplicar")
    ),
]


def writing(step: str) -> list[str]:
    if not IS_POSTGRES:
        return [f"{step}, 40 faturas (SQLite)"]
    return [
        f"{step}, 60 faturas (PostgreSQL)",
        f"{step}, consultas por 1.000 faturas",
        f"{step}, tempo por fatura: 80 contra 20",
        f"{step}, memória de pico com 80 faturas",
    ]


def lists() -> list[str]:
    classes = LIST_CLASSES if IS_POSTGRES else ["todos os filtros"]
    return [f"lista de 400 ({ENGINE}), {name}" for name in classes]


def bench(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tests/benchmarks/run.py", *arguments]
    env = os.environ | {"DATA_DIR": str(tmp_path)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def migrated(db: None, tmp_path: Path) -> None:
    """The bench finds the tables of an SQLite file made; migrating is not what it measures."""
    if not IS_POSTGRES:
        # By name: the connection of tests is inside a transaction, whose end a copy waits for.
        source = sqlite3.connect(connection.settings_dict["NAME"])
        with closing(source), closing(sqlite3.connect(tmp_path / "db.sqlite3")) as copy:
            source.backup(copy)


@pytest.mark.slow
def test_the_bench_measures_every_subject_with_value_baseline_and_target(
    migrated: None, tmp_path: Path
) -> None:
    done = bench(tmp_path, "--quick", "--json")

    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == [
        *writing("materialise"), *writing("emission"), *lists(), *API, *PDFS, *IMPORTS, *FISCAL,
        *NFSE, *PAYMENTS, *PORTAL,
    ]  # fmt: skip
    for row in rows:
        assert list(row) == ["name", "value", "unit", "baseline", "ratio", "target", "ok"]
        assert (row["ok"] is None) == (row["target"] == "")


def test_an_unknown_subject_is_refused(tmp_path: Path) -> None:
    done = bench(tmp_path, "velocidade")

    assert done.returncode == 2
    assert "velocidade" in done.stderr


def test_the_table_is_aligned_and_written_as_in_brazil() -> None:
    rows = [
        Row("curta", 12345.6, "faturas/s", 98.76, 1.234, "≤ 2,5x", True),
        Row("bem mais longa", 0.5, "ms", target="< 5 ms", ok=False),
    ]

    assert as_table(rows).splitlines() == [
        "medida           valor  unidade    base  razão  alvo    ok",
        "curta           12.346  faturas/s  98,8   1,23  ≤ 2,5x  sim",
        "bem mais longa    0,50  ms                      < 5 ms  NÃO",
    ]


def test_json_has_one_object_for_each_row() -> None:
    assert json.loads(as_json([Row("curta", 1.0, "s")])) == [
        {
            "name": "curta",
            "value": 1.0,
            "unit": "s",
            "baseline": None,
            "ratio": None,
            "target": "",
            "ok": None,
        }
    ]
