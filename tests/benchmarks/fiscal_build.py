"""NF-e by the second on one core: build, sign and validate, beside the bare signature and others.

One process and one run, rounds of everyone in turn, so that a slow moment of the machine is the
same for all; the best round of each counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from benchmarks.lab import SQLITE, Lab
from benchmarks.report import Row

SMALL, LARGE = 1, 100
LEAST = {SMALL: 1_600, LARGE: 150}  # documents per second
LEAST_OF_RSA = 0.45
TIMES_FASTER = 10
TUNED = "nfelib afinada"
# Tuned means past its own methods, with what those make anew kept: shown for comparison.
PEERS = {"nfelib": "nfelib e signxml", TUNED: "nfelib afinada e signxml", "PyNFe": "PyNFe"}
BARE = "assinatura RSA-2048 pura"


def measure(lab: Lab) -> Iterator[Row]:
    """Needs no database: one engine is as good as the other."""
    rates = lab.case(
        "fiscal_build.rates", SQLITE, rounds=lab.size(40, 1), seconds=0 if lab.is_quick else 0.05
    )
    bare = rates[BARE]
    yield Row(f"fiscal, {BARE}", bare, "assin./s")
    for items in (SMALL, LARGE):
        yield from _rows(items, rates, bare)
    rate = rates["pedido"]
    yield Row("fiscal, do JSON à NF-e de 1 item, com impostos e duas validações", rate, "notas/s")


def _rows(items: int, rates: dict[str, float], bare: float) -> Iterator[Row]:
    rate = rates[f"nosso {items}"]
    name = f"fiscal, NF-e de {items} item" + ("ns" if items > 1 else "")
    name = name.replace("itemns", "itens")
    least = LEAST[items]
    yield Row(name, rate, "notas/s", target=f"≥ {least:,}/s".replace(",", "."), ok=rate >= least)
    if items == SMALL:
        share = rate / bare
        target = f"≥ {LEAST_OF_RSA:g}x a pura".replace(".", ",")
        yield Row(f"{name}, da pura", rate, "notas/s", bare, share, target, share >= LEAST_OF_RSA)
    for other, shown in PEERS.items():
        theirs = rates[f"{other} {items}"]
        ratio = rate / theirs
        has_target = other != TUNED
        yield Row(
            f"{name}, contra {shown}",
            rate,
            "notas/s",
            theirs,
            ratio,
            f"≥ {TIMES_FASTER}x" if has_target else "",
            ratio >= TIMES_FASTER if has_target else None,
        )


# --- in a process of its own -----------------------------------------------------------------


def rates(rounds: int, seconds: float) -> dict[str, float]:
    """Runs per second of each subject: the best of `rounds`, of `seconds` each."""
    subjects = _subjects()
    best = dict.fromkeys(subjects, 0.0)
    for run in subjects.values():
        run()  # schemas, tables, generated code
    for _ in range(rounds):
        for name, run in subjects.items():
            best[name] = max(best[name], rate(run, seconds))
    return best


def rate(run: Callable[[], Any], seconds: float) -> float:
    count, started = 0, time.perf_counter()
    while True:
        run()
        count += 1
        spent = time.perf_counter() - started
        if spent >= seconds:
            return count / spent


def _subjects() -> dict[str, Callable[[], Any]]:
    from benchmarks.fiscal_peers import nfelib, pynfe
    from support.a1 import signer
    from support.nfe_documents import CNPJ, ISSUER, NOW, body, document, identity

    from fiscal.documents.nfe.make import check, make

    key, who = signer(CNPJ), identity()
    sale = body()

    def sent() -> Any:
        data = check(sale, modelo=55, ambiente="producao", issuer=ISSUER, now=NOW)
        return make(data, who, signer=key)

    subjects: dict[str, Callable[[], Any]] = {
        BARE: lambda: key.sha1_rsa(b"the bytes of a SignedInfo"),
        "pedido": sent,
    }
    for items in (SMALL, LARGE):
        data = _sale(document(), items)
        subjects[f"nosso {items}"] = lambda data=data: make(data, who, signer=key)
        made = make(data, who, signer=key).xml
        subjects[f"nfelib {items}"] = nfelib(made, CNPJ, is_tuned=False)
        subjects[f"nfelib afinada {items}"] = nfelib(made, CNPJ, is_tuned=True)
        subjects[f"PyNFe {items}"] = pynfe(items, CNPJ)
    return subjects


def _sale(one: dict[str, Any], items: int) -> dict[str, Any]:
    """The document of one item with as many of them, and the totals times that."""
    rows = [{**one["items"][0], "numero_item": str(n + 1)} for n in range(items)]
    totals = {name: value * items for name, value in one.items() if isinstance(value, Decimal)}
    payment = [{**one["formas_pagamento"][0], "valor_pagamento": Decimal("20.00") * items}]
    return {**one, **totals, "items": rows, "formas_pagamento": payment}
