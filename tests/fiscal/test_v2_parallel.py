"""Requests at the same time: one document, one number, and the documented answer for the rest.

Cancelling, events, importing and voiding the same range at once are with their own tests.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from support.issuing import nfce_body, nfe_body
from support.notes import WHY, issued_nfce, issued_nfe, work_off
from support.v2 import V2, v2

from fiscal.models import FiscalDocument, Inutilizacao, Series

pytestmark = pytest.mark.django_db(transaction=True)
BODIES = {"nfe": nfe_body, "nfce": nfce_body}
ISSUE = {"nfe": issued_nfe, "nfce": issued_nfce}
KINDS = pytest.mark.parametrize("kind", BODIES)
Order = tuple[str, str, dict[str, Any]]


def at_once(token: str, *orders: Order) -> list[tuple[int, dict[str, Any]]]:
    """Status and body of each answer, in the order of the requests."""
    start, answers = threading.Barrier(len(orders), timeout=30), [(0, {})] * len(orders)

    def call(position: int, order: Order) -> None:
        client: V2 = v2(token)
        start.wait()
        answer = client.call(*order)
        answers[position] = (answer.status_code, answer.json())
        connection.close()

    threads = [threading.Thread(target=call, args=each) for each in enumerate(orders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@KINDS
def test_one_of_four_submissions_of_a_ref_makes_the_document(
    company, sandbox, nfe, nfe_token, kind
):
    sandbox.fault("lento_antes", servico="autorizacao", parametros={"segundos": 0.2})

    answers = at_once(nfe_token, *[("POST", f"{kind}?ref=r1", BODIES[kind]())] * 4)

    work_off()
    good = [told for status, told in answers if status in (201, 202)]
    refused = [(status, told["codigo"]) for status, told in answers if "codigo" in told]
    assert len(good) == 1
    assert len(refused) == 3
    assert set(refused) <= {(422, "em_processamento"), (422, "nfe_autorizada")}
    assert FiscalDocument.objects.get().numero == 1
    assert len(sandbox.documents()) == 1
    assert nfe.get(f"{kind}/r1").json()["status"] == "autorizado"


@KINDS
def test_issuing_and_cancelling_a_ref_at_once(company, sandbox, nfe, nfe_token, kind):
    why = {"justificativa": WHY}
    sandbox.fault("lento_antes", servico="autorizacao", parametros={"segundos": 0.2})

    issued, *cancelled = at_once(
        nfe_token,
        ("POST", f"{kind}?ref=r1", BODIES[kind]()),
        ("DELETE", f"{kind}/r1", why),
        ("DELETE", f"{kind}/r1", why),
    )

    work_off()
    assert issued[0] in (201, 202)
    codes = {"nao_encontrado", "nfce_nao_encontrada", "nfe_nao_autorizada", "nfce_nao_autorizada"}
    assert all(told.get("codigo") in codes for _, told in cancelled)
    assert nfe.get(f"{kind}/r1").json()["status"] == "autorizado"
    assert nfe.delete(f"{kind}/r1", why).json()["status"] == "cancelado"


@KINDS
def test_a_range_voided_while_its_numbers_are_given_out(company, sandbox, nfe, nfe_token, kind):
    """Each number is of a document or of the range; none of the sales is refused for it (206)."""
    ISSUE[kind](nfe)
    range_ = {
        "cnpj": company.cnpj, "serie": "1", "numero_inicial": "2", "numero_final": "4",
        "justificativa": WHY,
    }  # fmt: skip

    answers = at_once(
        nfe_token,
        ("POST", f"{kind}/inutilizacao", range_),
        *[("POST", f"{kind}?ref=s{n}", BODIES[kind]()) for n in range(3)],
    )

    work_off()
    rows = FiscalDocument.objects.exclude(ref="r1").values_list("state", "numero")
    assert Counter(state for state, _ in rows) == {"autorizado": 3}
    void = Inutilizacao.objects.filter(state="homologada").first()
    voided = set(range(void.first, void.last + 1)) if void else set()
    assert not voided & {number for _, number in rows}
    assert Series.objects.get().next_number == max(number for _, number in rows) + 1
    status, told = answers[0]
    expected = {
        True: (200, "autorizado"),
        False: (200, "erro_autorizacao") if status == 200 else (422, "em_processamento"),
    }[bool(void)]
    assert (status, told.get("status") or told["codigo"]) == expected


def test_a_range_voided_ahead_is_passed_over(company, sandbox, nfe):
    ISSUE["nfce"](nfe)
    nfe.post("nfce/inutilizacao", {
        "cnpj": company.cnpj, "serie": "1", "numero_inicial": "2", "numero_final": "4",
        "justificativa": WHY,
    })  # fmt: skip

    told = nfe.post("nfce", nfce_body(), ref="r2").json()

    assert (told["status"], told["numero"]) == ("autorizado", "5")
