"""Price index values: files, the Central Bank's server, versions and races (IDX-9)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing.engine.readjustment import accumulated_percent, factor
from billing.models import PriceIndexValue
from billing.selectors.indexes import current_values, missing_months
from billing.services.indexes import fetch_index, store_values
from lib import http
from lib.errors import GatewayRefused, GatewayUnavailable, InvalidInput

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


@pytest.fixture(autouse=True)
def _calendar(today):
    today("2026-08-12")


def stored(index: str = "ipca") -> list[tuple[str, int, str, bool]]:
    """(month, version, percent, is current) of every row, in order."""
    rows = PriceIndexValue.objects.filter(index=index).order_by("month", "version")
    return [
        (f"{r.month:%Y-%m}", r.version, f"{r.percent.normalize():f}", r.is_current) for r in rows
    ]


def imported(path: Path, index: str = "ipca", **options: Any) -> str:
    out = StringIO()
    call_command("import_index", index, str(path), stdout=out, **options)
    return out.getvalue()


def refused(path: Path, index: str = "ipca") -> str:
    with pytest.raises(CommandError) as error:
        imported(path, index)
    assert PriceIndexValue.objects.count() == 0
    return str(error.value)


def saved(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    (tmp_path / "ipca.csv").write_bytes(text.encode(encoding))
    return tmp_path / "ipca.csv"


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ('"data";"valor"\r\n"01/01/2026";"0,33"\r\n"01/02/2026";"-0,4"\r\n', "utf-8"),
        ("data;valor\n01/01/2026;0.33\n01/02/2026;-0.4\n", "utf-8-sig"),
        ("Variação do índice – IPCA\ndata;valor\n01/01/2026;0,33\n01/02/2026;-0,4\n", "cp1252"),
        ("data,valor\n01/01/2026,0,33\n01/02/2026,-0,4", "utf-8"),
        (
            '"Data","433 - IPCA - Var. %"\n"01/2026","0,33"\n"02/2026","-0,4"\n"Fonte","IBGE"\n',
            "cp1252",
        ),
        ("2026-01-31\t0,33\n\n2026-02-28\t-0,4\n", "utf-16"),
        ("01/01/2026;0,33;\n1/02/2026;-0,40;\n01/03/2026;-\n", "utf-8"),
    ],
)
def test_files_of_the_usual_layouts_are_read(tmp_path, text, encoding):
    said = imported(saved(tmp_path, text, encoding))

    assert said == "IPCA: 2 novo(s), 0 sem mudança, 0 corrigido(s)\n"
    assert stored() == [("2026-01", 1, "0.33", True), ("2026-02", 1, "-0.4", True)]


@pytest.mark.django_db
def test_a_year_of_the_ipca_gives_the_accumulated_variation_that_ibge_announced(tmp_path):
    texts = "0,16 1,31 0,56 0,43 0,26 0,24 0,26 -0,11 0,48 0,09 0,18 0,33"
    lines = [f'"01/{n:02d}/2025";"{text}"' for n, text in enumerate(texts.split(), start=1)]

    imported(saved(tmp_path, "\r\n".join(['"data";"valor"', *lines])))

    months = [date(2025, month, 1) for month in range(1, 13)]
    percents = current_values("ipca", months)
    assert accumulated_percent(factor([percents[m] for m in months])) == Decimal("4.2644")
    assert current_values("igpm", months) == {}


@pytest.mark.django_db
def test_importing_twice_changes_nothing_and_a_correction_is_a_new_version(tmp_path, caplog):
    path = saved(tmp_path, "01/01/2026;0,33\n01/02/2026;0,40\n")
    imported(path)
    again = imported(path)

    said = imported(saved(tmp_path, "01/02/2026;0,41\n"))

    assert again == "IPCA: 0 novo(s), 2 sem mudança, 0 corrigido(s)\n"
    assert said.splitlines() == [
        "IPCA: 0 novo(s), 0 sem mudança, 1 corrigido(s)",
        "  ATENÇÃO 02/2026 mudou de 0,4% para 0,41%; reajustes já aplicados não mudam",
    ]
    assert stored() == [
        ("2026-01", 1, "0.33", True),
        ("2026-02", 1, "0.4", False),
        ("2026-02", 2, "0.41", True),
    ]
    assert current_values("ipca", [FEBRUARY]) == {FEBRUARY: Decimal("0.41")}
    (record,) = [r for r in caplog.records if r.msg == "index.corrected"]
    assert (record.levelname, record.index, record.month) == ("WARNING", "ipca", "2026-02-01")


@pytest.mark.django_db
def test_a_correction_back_to_the_first_value_is_a_third_version():
    for percent in ("0.40", "0.41", "0.40"):
        store_values("ipca", {FEBRUARY: Decimal(percent)}, source="teste")

    assert stored() == [
        ("2026-02", 1, "0.4", False),
        ("2026-02", 2, "0.41", False),
        ("2026-02", 3, "0.4", True),
    ]


@pytest.mark.django_db
def test_missing_months_are_a_warning(tmp_path):
    said = imported(saved(tmp_path, "01/12/2025;0,33\n01/03/2026;0,5\n"))

    assert said.splitlines()[1] == "  Aviso: faltam os meses 01/2026, 02/2026"
    assert missing_months("ipca") == [JANUARY, FEBRUARY]
    assert missing_months("igpm") == []


@pytest.mark.django_db
def test_programs_read_json(tmp_path):
    path = saved(tmp_path, "01/01/2026;0,33\n")

    assert json.loads(imported(path, json=True)) == {
        "index": "ipca",
        "created": 1,
        "unchanged": 0,
        "corrected": [],
        "gaps": [],
    }


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["IGP-M", "igpm", "IGPM"])
def test_an_index_is_known_by_its_usual_names(tmp_path, name):
    imported(saved(tmp_path, "01/01/2026;0,33\n"), name)

    assert stored("igpm") == [("2026-01", 1, "0.33", True)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "O arquivo está vazio."),
        ("data;valor\n", "O arquivo não tem linhas com data e valor"),
        ("01/01/2026;0,33\n01/02/2026;abc\nlixo\n", "linha 2: “01/02/2026;abc”: valor inválido"),
        ("01/01/2026;0,33\n01/02/2026;abc\nlixo\n", "linha 3: “lixo”: use data;valor"),
        ("01/01/2026;0,33\n31/02/2026;1\n", "linha 2: “31/02/2026;1”: Data inválida."),
        ("01/01/2026;0,33\n13/2026;1\n", "linha 2: “13/2026;1”: Data inválida."),
        ("01/01/2026;0,33\n15/01/2026;0,34\n", "o mês já veio com outro valor (0,33)."),
        ("01/01/2026;6593,4\n", "01/2026: variação de 6593,4% no mês"),
        ("01/09/2026;0,33\n", "09/2026: mês que ainda não terminou nem foi publicado."),
        ("%PDF-1.7", "O arquivo não é uma planilha."),
        ("01/01/2026;0,3\x003\n", "bytes nulos"),
    ],
)
def test_bad_files_are_refused_whole_with_every_line(tmp_path, text, said):
    assert said in refused(saved(tmp_path, text))


@pytest.mark.django_db
def test_unknown_indexes_and_missing_files_are_named(tmp_path):
    assert refused(saved(tmp_path, "x"), "selic") == (
        "Índice desconhecido: selic. Use: ipca, igpm, igpdi, inpc, ipcfipe."
    )
    assert "Arquivo não encontrado" in refused(tmp_path / "nada.csv")


@pytest.mark.django_db
def test_the_current_month_may_already_be_published():
    store_values("igpm", {date(2026, 8, 1): Decimal("0.5")}, source="teste")

    assert stored("igpm") == [("2026-08", 1, "0.5", True)]


@pytest.mark.django_db
@pytest.mark.parametrize("percent", ["100.01", "-101", "NaN", "Infinity", "0.1234567"])
def test_absurd_values_are_refused_by_the_service(percent):
    with pytest.raises(InvalidInput) as error:
        store_values("ipca", {JANUARY: Decimal("0.1"), FEBRUARY: Decimal(percent)}, source="x")

    assert [fault.campo for fault in error.value.erros] == ["02/2026"]
    assert PriceIndexValue.objects.count() == 0


# --- the Central Bank ----------------------------------------------------------------------------


class Bank:
    """A server of ours that answers as SGS does; `answer` may be replaced."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, list[str]], str]] = []
        self.status = 200
        self.body = b'[{"data":"01/01/2026","valor":"0.33"},{"data":"01/02/2026","valor":"-0.40"}]'
        self.before: Callable[[], Any] = lambda: None
        self.released = threading.Event()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        url = urlparse(request.path)
        self.requests.append((url.path, parse_qs(url.query), request.headers["User-Agent"]))
        self.before()
        request.send_response(self.status)
        request.send_header("Location", "/outro")
        request.send_header("Content-Length", str(len(self.body)))
        request.end_headers()
        request.wfile.write(self.body)


@pytest.fixture
def bank(settings) -> Iterator[Bank]:
    bank = Bank()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bank.handle(self)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    settings.SGS_URL = (
        f"http://127.0.0.1:{server.server_port}/dados/serie/bcdata.sgs.{{series}}/dados"
    )
    yield bank
    bank.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


def fetched(*names: str, **options: Any) -> str:
    out = StringIO()
    try:
        call_command("fetch_index", *names, stdout=out, **options)
    except CommandError as error:
        return f"{out.getvalue()}{error}"
    return out.getvalue()


@pytest.mark.django_db
def test_an_index_is_fetched_whole_the_first_time_and_then_with_two_years_of_overlap(bank):
    first = fetched("ipca")
    second = fetched("ipca")

    assert first == "IPCA: 2 novo(s), 0 sem mudança, 0 corrigido(s)\n"
    assert second == "IPCA: 0 novo(s), 2 sem mudança, 0 corrigido(s)\n"
    assert stored() == [("2026-01", 1, "0.33", True), ("2026-02", 1, "-0.4", True)]
    path, params, agent = bank.requests[0]
    assert (path, agent) == ("/dados/serie/bcdata.sgs.433/dados", "faturamento/1.0")
    assert params == {
        "formato": ["json"],
        "dataInicial": ["01/01/1999"],
        "dataFinal": ["12/08/2026"],
    }
    assert bank.requests[1][1]["dataInicial"] == ["01/02/2024"]


@pytest.mark.django_db
def test_a_start_may_be_given_and_every_index_asked(bank):
    said = fetched(all=True, since="2026-01-01")

    assert [path.split(".")[2] for path, _, _ in bank.requests] == [
        "433/dados",
        "189/dados",
        "190/dados",
        "188/dados",
        "193/dados",
    ]
    assert {params["dataInicial"][0] for _, params, _ in bank.requests} == {"01/01/2026"}
    assert said.count("2 novo(s)") == 5
    assert fetched("ipca", since="01/13/2026") == "--since 01/13/2026: use aaaa-mm-dd."
    assert fetched() == "Informe os índices ou --all."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (500, b"erro", GatewayUnavailable, "sem resposta do Banco Central"),
        (429, b"", GatewayUnavailable, "tente mais tarde"),
        (404, b'{"erro":"x"}', GatewayRefused, "recusou o pedido"),
        (302, b"", GatewayRefused, "recusou o pedido"),
        (200, b"<html>manuten\xc3\xa7\xc3\xa3o</html>", GatewayRefused, "não respondeu JSON"),
        (200, b'{"erro":"x"}', GatewayRefused, "formato inesperado"),
        (200, b'[{"data":"01/01/2026","valor":0.33}]', GatewayRefused, "formato inesperado"),
        (200, b'[{"data":"2026-13-01","valor":"0.33"}]', GatewayRefused, "formato inesperado"),
        (200, b'[{"data":"01/01/2026"}]', GatewayRefused, "formato inesperado"),
        (200, b"null", GatewayRefused, "formato inesperado"),
        (200, b"[]", InvalidInput, "Não há nenhum valor de índice."),
    ],
)
def test_a_bad_answer_stores_nothing_and_says_what_happened(bank, status, body, error, said):
    bank.status, bank.body = status, body

    with pytest.raises(error):
        fetch_index("ipca")
    text = fetched("ipca")

    assert said in text
    assert text.startswith("IPCA: ")
    assert PriceIndexValue.objects.count() == 0
    assert {path for path, _, _ in bank.requests} == {"/dados/serie/bcdata.sgs.433/dados"}


@pytest.mark.django_db
def test_a_server_that_does_not_answer_is_given_up(bank, monkeypatch):
    monkeypatch.setattr(http, "TIMEOUT", (0.2, 0.2))  # the real ones take twenty seconds
    bank.before = bank.released.wait

    assert "IPCA: sem resposta do Banco Central (sem resposta de 127.0.0.1)" in fetched("ipca")
    assert PriceIndexValue.objects.count() == 0


@pytest.mark.django_db
def test_one_index_that_fails_does_not_stop_the_others(bank):
    def fail_the_second() -> None:
        bank.status = 500 if len(bank.requests) == 2 else 200

    bank.before = fail_the_second

    said = fetched("ipca", "igpm", "inpc")

    assert said.count("2 novo(s)") == 2
    assert said.splitlines()[-1].startswith("IGP-M: sem resposta do Banco Central")
    assert stored("igpm") == []


@pytest.mark.django_db
def test_no_server_at_all_is_unavailable(settings):
    settings.SGS_URL = "http://127.0.0.1:9/{series}"

    with pytest.raises(GatewayUnavailable):
        fetch_index("ipca")


# --- at the same time ----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("before", [{}, {JANUARY: Decimal("0.1")}])
def test_storing_the_same_months_at_the_same_time_keeps_one_current_row_each(before):
    if before:
        store_values("ipca", before, source="antes")
    months = {date(2000 + n // 12, n % 12 + 1, 1): Decimal("0.5") for n in range(120)}
    values = {**months, JANUARY: Decimal("0.33")}
    reports, errors = [], []
    barrier = threading.Barrier(6)

    def work() -> None:
        try:
            barrier.wait()
            reports.append(store_values("ipca", values, source="corrida"))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sum(r.created + len(r.corrected) for r in reports) == 121
    assert PriceIndexValue.objects.filter(is_current=True).count() == 121
    assert PriceIndexValue.objects.count() == 121 + len(before)
    assert current_values("ipca", [JANUARY]) == {JANUARY: Decimal("0.33")}
