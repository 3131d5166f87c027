"""receivables of the API (billing-api §2.11, §3.2, §6.4)."""

from __future__ import annotations

import time
import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from support.boletos import agreement_with, open_boleto
from support.invoices import events, everything
from support.wire import api_of
from support.wire_invoices import address, contract_of, created, did

from billing.models import Charge, Invoice, Payment, Receivable, Refund
from billing.selectors import boleto_links
from lib import clock

pytestmark = pytest.mark.django_db

CANNOT_RECEIVE = {"errors": "O recebimento não pode ser confirmado."}
CANNOT_UNDO = {"errors": "O recebimento não pode ser desfeito."}
TWO = [{"due_date": "10/03/2025", "value": 40}, {"due_date": "10/04/2025", "value": 60}]


@pytest.fixture(autouse=True)
def _day(today):
    today("2025-02-12")


@pytest.fixture
def contract(account):
    return contract_of(account)


@pytest.fixture
def api(account):
    return api_of(account)


@pytest.fixture
def emitted(api, contract):
    """R$ 200,00 and R$ 300,00 to receive."""
    return did(api, created(api, contract, receivables=TWO), "emit")


def path_of(invoice, at=0, verb="receive"):
    pk = invoice["receivables"][at]["id"]
    return f"contracts/{invoice['contract_id']}/receivables/{pk}/{verb}"


# --- receiving -----------------------------------------------------------------------------------


def test_a_receipt_is_told_with_value_and_date(api, emitted):
    answer = api.patch(
        path_of(emitted), {"receivable": {"received_value": 50.00, "received_at": "10/02/2025"}}
    )

    assert answer.status_code == 200
    assert answer.json()["receivable"] == emitted["receivables"][0] | {
        "state": "received", "received_value": "50.0", "received_at": "10/02/2025",
    }  # fmt: skip
    assert api.get(address(emitted)).json()["invoice"]["state"] == "to_receive"


@pytest.mark.parametrize("body", [None, {}, {"receivable": {"received_at": "x"}}])
def test_the_defaults_are_what_is_due_and_today(api, emitted, body):
    shown = api.patch(path_of(emitted), body).json()["receivable"]

    assert (shown["received_value"], shown["received_at"]) == ("200.0", "12/02/2025")


def test_the_last_receipt_settles_the_invoice_and_undoing_one_opens_it(api, emitted):
    api.patch(path_of(emitted, 0))
    api.patch(path_of(emitted, 1), {"received_value": "310.50"})
    assert api.get(address(emitted)).json()["invoice"]["state"] == "received"

    answer = api.call("PUT", path_of(emitted, 1, "undo_receipt"))

    assert answer.status_code == 200
    shown = answer.json()["receivable"]
    assert shown["state"] == "to_receive"
    assert (shown["received_value"], shown["received_at"]) == ("310.5", "12/02/2025")
    assert api.get(address(emitted)).json()["invoice"]["state"] == "to_receive"
    assert events(Invoice.objects.get()) == ["emit", "confirm_receival", "undo_receival"]


def test_only_what_is_to_be_received_can_be(api, account, contract):
    draft = created(api, contract)
    gone = did(api, created(api, contract), "cancel")
    paid = did(api, created(api, contract), "emit")
    api.patch(path_of(paid))
    before = everything(account)

    for invoice in (draft, gone):
        answer = api.patch(path_of(invoice))
        assert (answer.status_code, answer.json()) == (422, CANNOT_RECEIVE)
    answer = api.patch(path_of(paid), {"received_value": 1})
    assert (answer.status_code, answer.json()) == (422, CANNOT_RECEIVE)
    assert everything(account) == before


def test_only_what_was_received_can_be_undone(api, account, emitted):
    before = everything(account)

    answer = api.patch(path_of(emitted, verb="undo_receipt"))

    assert (answer.status_code, answer.json()) == (422, CANNOT_UNDO)
    assert everything(account) == before


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"received_value": "muito"}, {"received_value": "deve ser numérico"}),
        ({"received_value": [1]}, {"received_value": "deve ser numérico"}),
        ({"received_value": -1}, {"received_value": "inválido"}),
        ({"received_value": 10**13}, {"received_value": "valor alto demais"}),
        ({"received_at": "13/02/2025"}, {"received_at": "a data não pode ser futura"}),
    ],
)
def test_receipts_that_cannot_be_are_refused(api, account, emitted, values, errors):
    before = everything(account)

    answer = api.patch(path_of(emitted), {"receivable": values})

    assert (answer.status_code, answer.json()) == (422, {"errors": errors})
    assert everything(account) == before


@pytest.mark.parametrize("verb", ["receive", "undo_receipt"])
def test_foreign_receivables_are_not_found(api, account, emitted, other_account, verb):
    other_api = api_of(other_account)
    theirs = did(other_api, created(other_api, contract_of(other_account)), "emit")
    elsewhere = emitted | {"contract_id": contract_of(account).pk}
    unknown = emitted | {"receivables": [{"id": 999999}]}

    for invoice in (theirs, elsewhere, unknown):
        answer = api.patch(path_of(invoice, verb=verb))
        assert (answer.status_code, answer.content) == (404, b"")
    assert set(Receivable.objects.values_list("state", flat=True)) == {"to_receive"}


# --- searching -----------------------------------------------------------------------------------


def search(api, contract, first="01-03-2025", last="31-12-2025", **query):
    dates = {"due_date_from": first, "due_date_to": last}
    return api.get(f"contracts/{contract.pk}/receivables/search", dates | query)


def test_receivables_come_by_due_date_each_with_its_invoice(api, account, contract, emitted):
    other = created(api, contract, receivables=[{"due_date": "15/03/2025"}])
    created(api, contract_of(account))

    shown = search(api, contract).json()["receivables"]

    assert [one["due_date"] for one in shown] == ["10/03/2025", "15/03/2025", "10/04/2025"]
    assert [one["invoice_id"] for one in shown] == [emitted["id"], other["id"], emitted["id"]]
    assert shown[0]["boleto_url"] is None
    nested = shown[1]["invoice"]
    assert nested == {k: v for k, v in other.items() if k != "receivables"}
    assert shown[0]["invoice"]["fatura_url"].startswith("http")


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("10/03/2025", "2025-03-10", ["10/03/2025"]),
        ("11-03-2025", "10-04-2025", ["10/04/2025"]),
        ("11-04-2025", "12-04-2025", []),
    ],
)
def test_bounds_are_inclusive(api, contract, emitted, first, last, expected):
    shown = search(api, contract, first, last).json()["receivables"]

    assert [one["due_date"] for one in shown] == expected


def test_the_state_narrows_the_search(api, contract, emitted):
    api.patch(path_of(emitted))

    counts = {
        state: len(search(api, contract, state=state).json()["receivables"])
        for state in ("to_emit", "to_receive", "received", "cancelled", "")
    }

    assert counts == {"to_emit": 0, "to_receive": 1, "received": 1, "cancelled": 0, "": 2}


def test_bad_parameters_are_named(api, contract):
    dates = search(api, contract, "x", "")
    state = search(api, contract, state="renegotiated")

    assert (dates.status_code, state.status_code) == (400, 400)
    assert dates.json()["errors"] == (
        "Parâmetro(s) obrigatório(s) para busca não encontrado(s) ou inválido(s): "
        "due_date_from, due_date_to"
    )
    assert state.json()["errors"] == "Parâmetro(s) inválido(s) para busca: state"


def test_unknown_contracts_are_not_found(api, other_account):
    answer = search(api, contract_of(other_account), "x")

    assert (answer.status_code, answer.content) == (404, b"")


def test_the_search_has_a_constant_number_of_queries(
    api, contract, emitted, django_assert_max_num_queries
):
    for _ in range(3):
        created(api, contract, receivables=TWO)
    search(api, contract)

    with django_assert_max_num_queries(8):
        assert len(search(api, contract).json()["receivables"]) == 8


# --- what collects them --------------------------------------------------------------------------


def attempt(receivable_id, state, **fields):
    receivable = Receivable.objects.select_related("invoice").get(pk=receivable_id)
    given: dict[str, Any] = {"method": Payment.Method.CARD, "amount": 1} | fields
    return Payment.objects.create(
        account=receivable.account, key=uuid.uuid4(), customer_id=receivable.invoice.customer_id,
        receivable=receivable, state=state, created_at=clock.now(), **given,
    )  # fmt: skip


def test_the_last_card_charge_tells_the_status(api, contract, emitted):
    pk = emitted["receivables"][0]["id"]

    def shown():
        found = api.get(address(emitted)).json()["invoice"]["receivables"]
        searched = search(api, contract).json()["receivables"]
        told = [one["payment_gateway_status"] for one in found]
        assert told == [one["payment_gateway_status"] for one in searched]
        assert told[1] is None
        return told[0]

    attempt(pk, "succeeded", method=Payment.Method.PIX)
    assert shown() is None
    for state, fields, status in (
        ("failed", {"failure_code": "authentication"}, "error_on_creation"),
        ("failed", {"failure_code": "card_declined"}, "authorize_error"),
        ("canceled", {}, "canceled"),
        ("requires_action", {}, "pending"),
    ):
        made = attempt(pk, state, **fields)
        assert shown() == status
    Payment.objects.filter(pk=made.pk).update(state="succeeded")
    assert shown() == "captured"
    Refund.objects.create(
        account=made.account, payment=made, number=1, key="k", amount=1, reason="x",
        created_at=clock.now(),
    )  # fmt: skip
    assert shown() == "pending_cancelation"
    Payment.objects.filter(pk=made.pk).update(state="refunded")
    assert shown() == "canceled"
    answer = api.patch(path_of(emitted))
    assert answer.json()["receivable"]["payment_gateway_status"] == "canceled"


def test_a_boleto_has_an_address_once_it_is_registered(
    api, account, other_account, contract, emitted, today
):
    today("2025-03-03")
    agreement_with(contract.organization)
    pk = emitted["receivables"][0]["id"]

    def urls():
        return [one["boleto_url"] for one in search(api, contract).json()["receivables"]]

    charge = open_boleto(pk, account, today=date(2025, 3, 3))
    Charge.objects.filter(pk=charge.pk).update(state="registering")
    assert urls() == [None, None]
    Charge.objects.filter(pk=charge.pk).update(state="open")
    url, other = urls()
    assert other is None
    path = url.removeprefix("http://127.0.0.1:8000")
    printed = Client().get(path)
    assert (printed.status_code, printed["Content-Type"]) == (200, "application/pdf")
    assert printed.content.startswith(b"%PDF")
    foreign = boleto_links.signer("billing.boleto").sign_ids(other_account.pk, pk)
    for wrong in (f"/documents/boletos/{foreign}.pdf", path.replace(".pdf", "x.pdf")):
        assert Client().get(wrong).status_code == 404
    with pytest.MonkeyPatch.context() as later:
        at = time.time() + timedelta(days=61).total_seconds()
        later.setattr("time.time", lambda: at)
        assert Client().get(path).status_code == 404

    api.patch(path_of(emitted))
    assert urls() == [None, None]
    gone = Client().get(path)
    assert (gone.status_code, gone["Content-Type"]) == (409, "text/plain; charset=utf-8")
