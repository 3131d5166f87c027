"""The customers' pages under gunicorn: 100,000 invoices in the account, 500 of the customer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import api_load, seeding
from benchmarks.api import OCCURRENCES, server
from benchmarks.api_load import Load, call
from benchmarks.lab import POSTGRES, ROOT, Lab
from benchmarks.report import Row
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from factories import UserFactory

from accounts.models import Account
from accounts.services import sessions
from billing.models import Contract, CustomerAccess, Invoice, InvoiceRule, Party, Receivable
from billing.services.emission import emit_due
from billing.services.materialise import extend
from billing.services.tallies import merge_tallies

OF_CUSTOMER = 500
MONTHS = 24
MAX_MS = 150
MAX_QUERIES = 15
MAX_KB = 150
TURNS = 4
WARM_UP = 40
# What keeping the session alive takes, whatever the page.
_SESSION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT", 'UPDATE "django_session"')


def measure(lab: Lab) -> Iterator[Row]:
    """Each page's time beside a fixed answer's, its queries, and what a browser transfers."""
    engine = lab.engines[0]
    at = lab.case("portal.seed", engine, n=lab.size(100_000, 400), of=lab.size(OF_CUSTOMER, 20))
    found = lab.case("portal.look", engine, at=at)
    has_target = engine == POSTGRES and not lab.is_quick
    n = lab.size(160, 4)
    with tempfile.TemporaryDirectory() as folder:
        payload = Path(folder) / "payload.json"
        payload.write_text(json.dumps({"corpo": "x" * found["lista"]["bytes"]}), encoding="utf-8")
        with server(payload, engine) as port:
            for name, path in pages(at).items():
                load, fixed = _loads(port, path, at["cookie"], n, found[name]["status"])
                yield from _rows(name, load, fixed, found[name], has_target)


def _loads(port: int, path: str, cookie: str, n: int, status: int) -> tuple[Load, Load]:
    """The page and the fixed answer, in turns: what else the machine does slows both alike."""
    turn = max(1, n // TURNS)
    page = call("GET", path, cookie=cookie, status=status)
    api_load.run(port, [page] * min(n, WARM_UP), clients=1)
    load, fixed = Load.empty(), Load.empty()
    for _ in range(TURNS):
        fixed += api_load.run(port, [call("GET", "/fixed")] * turn, clients=1)
        load += api_load.run(port, [page] * turn, clients=1)
    return load, fixed


def _rows(
    name: str, load: Load, fixed: Load, found: dict[str, int], has_target: bool
) -> Iterator[Row]:
    yield Row(
        f"Central, {name}: p95",
        load.p(95),
        f"ms (p50 {load.p(50):.0f})",
        fixed.p(95),
        load.p(95) / fixed.p(95),
        f"≤ {MAX_MS} ms" if has_target else "",
        (load.p(95) <= MAX_MS) if has_target else None,
    )
    yield Row(
        f"Central, {name}: consultas",
        found["queries"],
        "consultas",
        target=f"≤ {MAX_QUERIES}",
        ok=found["queries"] <= MAX_QUERIES,
    )
    kilobytes = (found["bytes"] + found["assets"]) / 1000
    yield Row(
        f"Central, {name}: página, estilos e scripts",
        kilobytes,
        "KB",
        target=f"≤ {MAX_KB} KB",
        ok=kilobytes <= MAX_KB,
    )


def pages(at: dict[str, Any]) -> dict[str, str]:
    """Every page that a GET shows a titular, by name."""
    invoice, late, paid = (f"/central/faturas/{number}/" for number in at["numbers"])
    return {
        "início": "/central/",
        "painel de contratos": "/central/?painel=contratos",
        "lista": "/central/faturas/",
        "lista, última página": "/central/faturas/?pagina=999",
        "lista filtrada": "/central/faturas/?situacao=vencida",
        "fatura em aberto": invoice,
        "fatura vencida": late,
        "fatura paga": paid,
        "2ª via": f"{invoice}2via/",
        "2ª via vencida": f"{late}2via/",
        "pix": f"{invoice}pix/",
        "cartão": f"{invoice}pagar/",
        "contestar": f"{invoice}contestar/",
        "contestações": "/central/contestacoes/",
        "formas de pagamento": "/central/formas-de-pagamento/",
        "contratos": "/central/contratos/",
        "contrato": f"/central/contratos/{at['contract']}/",
        "cancelar": f"/central/contratos/{at['contract']}/cancelar/",
        "dados": "/central/dados/",
        "vencimento": "/central/vencimento/",
        "preferências": "/central/preferencias/",
        "exportar": "/central/exportar/",
        "usuários": "/central/usuarios/",
        "segurança": "/central/seguranca/",
        "ajuda": "/central/ajuda/",
        "privacidade": "/central/privacidade/",
    }


# --- cases ---------------------------------------------------------------------------------------


def seed(*, n: int, of: int) -> dict[str, Any]:
    """An account with `n` invoices, a tenth of them emitted, `of` of those one customer's."""
    at = seeding.tenant(f"portal-{Account.objects.count()}", customers=max(2, n // OCCURRENCES))
    at.account.monthly_block_months = OCCURRENCES - 1
    at.account.save()
    rules = seeding.recurring(at, end_date=None)
    InvoiceRule.objects.filter(id__among=rules).update(day_number=F("id") % 28 + 1)
    extend(at.account, until=seeding.TODAY, today=seeding.TODAY)
    emit_due(at.account, until=date(2026, 12, 15), today=date(2026, 12, 1))
    customer = Party.objects.get(pk=at.customers[0])
    numbers = _history(at.account, customer, of)
    merge_tallies()  # as the scheduled task does
    seeding.analyse()
    return {
        "cookie": f"{settings.SESSION_COOKIE_NAME}={_session(customer)}",
        "contract": Contract.objects.filter(party=customer).values_list("pk", flat=True)[0],
        "numbers": numbers,
    }


def _history(account: Account, customer: Party, n: int) -> list[int]:
    """Give the customer `n` emitted invoices of two years; numbers of an open, late, paid one."""
    emitted = Invoice.objects.of(account).filter(state=Invoice.State.TO_RECEIVE).order_by("-pk")
    ids = list(emitted.values_list("pk", flat=True)[:n])
    mine = Invoice.objects.filter(pk__in=ids)
    mine.update(customer=customer)
    today = date.today()
    for month in range(MONTHS):
        some = ids[month::MONTHS]
        issued = (today.replace(day=1) - timedelta(days=30 * month)).replace(day=1)
        due = issued + timedelta(days=40)
        rows = Invoice.objects.filter(pk__in=some)
        rows.update(issue_date=issued, accrual_date=issued, due_date=due)
        Receivable.objects.filter(invoice__in=some).update(due_date=due)
    _pay([pk for place, pk in enumerate(ids) if place % MONTHS > 2], today)
    chosen = [ids[0], ids[2 % len(ids)], ids[min(5, len(ids) - 1)]]
    found = dict(mine.values_list("pk", "number"))
    return [found[pk] for pk in chosen]


def _pay(ids: list[int], on: date) -> None:
    """As if these had been received in full."""
    Receivable.objects.filter(invoice__in=ids).update(
        state=Receivable.State.RECEIVED,
        paid_principal=F("payment_value"),
        open_principal=0,
        received_value=F("payment_value"),
        received_at=on,
    )
    Invoice.objects.filter(pk__in=ids).update(
        state=Invoice.State.RECEIVED,
        payment_status=Invoice.PaymentStatus.PAID,
        paid_total=F("payment_value"),
    )


def _session(customer: Party) -> str:
    """The key of a session of the customer's titular."""
    user = UserFactory(email=f"titular-{customer.pk}@exemplo.test")
    CustomerAccess.objects.create(
        account=customer.account, user=user, customer=customer, role=CustomerAccess.Role.TITULAR
    )
    request = HttpRequest()
    request.META.update(REMOTE_ADDR="127.0.0.1", HTTP_USER_AGENT="Medição")
    request.session = import_module(settings.SESSION_ENGINE).SessionStore()
    sessions.open_session(request, user)
    return str(request.session.session_key)


def look(*, at: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Of each page: status, statements, and bytes of itself and of its styles and scripts."""
    client = Client(headers={"Host": "127.0.0.1"})
    name, _, key = at["cookie"].partition("=")
    client.cookies[name] = key
    found = {}
    for page, path in pages(at).items():
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
        assert answer.status_code == 200, (page, answer.status_code, answer.headers)
        found[page] = {
            "status": answer.status_code,
            "queries": sum(not query["sql"].startswith(_SESSION) for query in captured),
            "bytes": len(answer.content),
            "assets": _assets(answer.content.decode()),
        }
    return found


def _assets(html: str) -> int:
    """Bytes of the style sheets and scripts that the page names, as they are on disk."""
    folder = ROOT / "static"
    files = [*(folder / "css").glob("*.css"), *(folder / "js").glob("*.js")]
    return sum(file.stat().st_size for file in files if f"/{file.stem}." in html)
