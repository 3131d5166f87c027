"""Boletos: their codes, and their PDFs by a pool beside bare WeasyPrint on the same HTML."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from benchmarks.lab import Lab
from benchmarks.report import Row

MIN_CODES = 50_000  # a second
MAX_RATIO = 1.3
TURNS = 20


def measure(lab: Lab) -> Iterator[Row]:
    """On one engine: the database has nothing to do with it."""
    engine = lab.engines[0]
    found = lab.case("payments_boleto.codes", engine, n=lab.size(200_000, 2000))
    yield Row(
        "boleto, código de barras e linha digitável", found, "/s", target=f"≥ {MIN_CODES}/s",
        ok=found >= MIN_CODES or lab.is_quick,
    )  # fmt: skip
    n = lab.size(1000, 6)
    result = lab.case("payments_boleto.pdfs", engine, n=n)
    first, bare = result["ours"], result["bare"]
    yield Row(
        f"boleto, {n} PDFs por {result['workers']} de uma vez, por PDF",
        first,
        "ms",
        bare,
        first / bare,
        f"≤ {MAX_RATIO:g}x".replace(".", ",") if not lab.is_quick else "",
        first / bare <= MAX_RATIO if not lab.is_quick else None,
    )


def codes(*, n: int) -> float:
    """Barcodes with their linhas digitáveis a second, each of another value and day."""
    from billing.gateways.boleto import codes as made

    free = "1751234567840810536789000"
    given = [(date(2026, 1, 1) + timedelta(days=k % 700), Decimal(100 + k) / 100) for k in range(n)]
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        for due, amount in given:
            made.line(made.barcode(bank="341", due=due, amount=amount, campo_livre=free))
        best = max(best, n / (time.perf_counter() - started))
    return best


def pdfs(*, n: int) -> dict[str, Any]:
    """Milliseconds for one PDF, ours and bare ones, as many at once as there are processors.

    By turns, so that whatever else the machine does weighs on both; a fifth of the bare ones is
    enough to know.
    """
    from lib import pdf

    workers = max(2, os.cpu_count() or 2)
    slips = [_slip(k) for k in range(n)]
    turn = max(workers, n // TURNS)
    ours, bare, n_bare = 0.0, 0.0, 0
    fork = multiprocessing.get_context("fork")
    with fork.Pool(workers, initializer=_prepare) as plain, ThreadPoolExecutor(workers) as pool:
        plain.map(_print, slips[:workers], chunksize=1)
        _all(pool, slips[:workers])  # starts the renderer
        for start in range(0, n, turn):
            some = slips[start : start + turn]
            few = some[: max(workers, turn // 5)]
            ours += _seconds(partial(_all, pool, some))
            bare += _seconds(partial(plain.map, _print, few, chunksize=1))
            n_bare += len(few)
    pdf.stop()
    return {"ours": ours * 1000 / n, "bare": bare * 1000 / n_bare, "workers": workers}


def _all(pool: ThreadPoolExecutor, slips: list[Any]) -> list[bytes]:
    from billing.documents.boleto import boletos_pdf

    return list(pool.map(lambda slip: boletos_pdf([slip]), slips))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


_ready: dict[str, Any] = {}


def _prepare() -> None:
    from weasyprint import CSS
    from weasyprint.text.fonts import FontConfiguration

    from lib import pdf_layout

    fetcher, fonts = pdf_layout.OfflineFetcher({}), FontConfiguration()
    css = pdf_layout._base_css()
    base = CSS(string=css, font_config=fonts, url_fetcher=fetcher)
    _ready.update(fetcher=fetcher, fonts=fonts, base=base)


def _print(slip: Any) -> int:
    from weasyprint import HTML

    from billing.documents.boleto import boletos_html
    from lib import pdf_layout

    document = HTML(string=boletos_html([slip]), url_fetcher=_ready["fetcher"])
    data = document.write_pdf(
        font_config=_ready["fonts"], stylesheets=[_ready["base"]],
        pdf_variant=pdf_layout.PDF_VARIANT,
    )  # fmt: skip
    return len(data)


def _slip(k: int) -> Any:
    from billing.documents.boleto import Slip
    from billing.gateways.boleto import codes as made

    barcode = made.barcode(
        bank="341", due=date(2026, 8, 20), amount=Decimal(10_000 + k) / 100,
        campo_livre="1751234567840810536789000",
    )  # fmt: skip
    slip = Slip(
        bank_name="Itaú", bank_code="341-7", linha_digitavel=made.line(barcode), barcode=barcode,
        beneficiary="Horizonte Telecomunicações Ltda – CNPJ 12.ABC.345/01DE-35",
        beneficiary_address="Av. Paulista, 1000 – Conjunto 101, São Paulo/SP, CEP 01310-100",
        final_beneficiary="Horizonte Telecomunicações Ltda", agency_code="0810 / 53678-9",
        payer=f"Cliente {k} Ltda – CNPJ 11.222.333/0001-81",
        payer_address="Rua das Flores, 123, Centro, São Paulo/SP, CEP 01001-000",
        issued_on="12/08/2026", due_date="20/08/2026", limit_date="18/10/2026",
        document_number=f"{k:05d}", species="DM", carteira="109",
        nosso_numero=f"109/{k:08d}-5", amount="R$ 100,00",
        instructions=("Após o vencimento, cobrar multa de 2,00%.", "Não receber após 18/10/2026."),
    )  # fmt: skip
    pix = (
        "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR"
        "5913Fulano de Tal6008BRASILIA62070503***63041D3D"
    )
    return replace(slip, pix_code=pix if k % 2 else "")
