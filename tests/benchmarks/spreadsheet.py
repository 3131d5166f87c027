"""The import of a spreadsheet of 20,000 lines."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.lab import Lab, peak_mb
from benchmarks.report import Row
from factories import AccountFactory, OrganizationFactory, cnpj

from accounts.models import Account
from billing.models import Invoice
from billing.services.imports import ImportOptions, import_file

MAX_SECONDS = 60
LINES_PER_CONTRACT = 2
TITLES = (
    "codigo_cliente;nome;cnpj_cpf;email;cep;logradouro;numero;bairro;municipio;uf;codigo_contrato;"
    "inicio_contrato;codigo_regra;periodicidade;primeira_emissao;tipo_vencimento;dia_vencimento;"
    "servico;quantidade;valor_unitario"
)


def measure(lab: Lab) -> Iterator[Row]:
    """Customers, contracts, rules and services; then with the invoices of the first two years."""
    for engine in lab.engines:
        for with_invoices in (False, True):
            n = lab.size(20_000, 20)
            result = lab.case("spreadsheet.run", engine, lines=n, with_invoices=with_invoices)
            made = f" e {result['invoices']} faturas" if with_invoices else ""
            yield Row(
                f"importação de {n} linhas{made} ({engine})",
                result["seconds"],
                "s",
                target=f"< {MAX_SECONDS} s" if not with_invoices else "",
                ok=result["seconds"] < MAX_SECONDS if not with_invoices else None,
            )


def run(*, lines: int, with_invoices: bool) -> dict[str, Any]:
    """Import a file made for the purpose into a new account."""
    account = AccountFactory(slug=f"planilha-{Account.objects.count()}")
    OrganizationFactory(account=account, document=cnpj(1_000 + account.pk))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "contratos.csv"
        path.write_text("\n".join([TITLES, *_lines(lines)]), encoding="utf-8")
        started = time.perf_counter()
        options = ImportOptions(create_invoices=with_invoices)
        report = import_file(account, path, options=options)
        seconds = time.perf_counter() - started
    assert report.was_imported, report
    created = Invoice.objects.of(account).count()
    return {"seconds": seconds, "invoices": created, "peak_mb": peak_mb()}


def _lines(n: int) -> Iterator[str]:
    for i in range(n):
        contract, service = divmod(i, LINES_PER_CONTRACT)
        yield (
            f"C{contract};Cliente {contract};{cnpj(30_000_000 + contract)};"
            f"c{contract}@exemplo.test;01001-000;Praça da Sé;{contract};Sé;São Paulo;SP;"
            f"K{contract};01/01/2026;R{contract};mensal;01/11/2026;dia fixo;10;"
            f"Serviço {service};1;{50 + service},90"
        )
