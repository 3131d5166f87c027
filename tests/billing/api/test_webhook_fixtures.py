"""Every notice of the contract, caused through the product and received by a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from factories import CompanyFactory, ContractFactory, OrganizationFactory
from support.invoices import TODAY, emitted_invoice, new_invoice
from support.receiver import Received, receiver, sha1, sha256
from support.webhooks import SECRET, deliver
from support.wire import Fixture, api_of, differences, fixtures, prepare

from accounts.models import Account, WebhookDelivery
from accounts.services.audit import SYSTEM
from billing.models import Contract, Invoice
from billing.services import invoices, receivables
from billing.services.outbox import Event, announce

OUTGOING = {f.name: f for f in fixtures() if f.data.get("direction") == "outgoing"}
# An event's cause: (invoice of a contract, to be emitted) → what happens to it.
Cause = Callable[[Invoice, dict[str, Any]], object]


def _emit(invoice: Invoice, who: dict[str, Any]) -> None:
    invoices.emit_invoice(invoice.pk, today=TODAY, **who)


def _undo_emission(invoice: Invoice, who: dict[str, Any]) -> None:
    _emit(invoice, who)
    invoices.undo_emission(invoice.pk, **who)


def _cancel(invoice: Invoice, who: dict[str, Any]) -> None:
    invoices.cancel_invoice(invoice.pk, **who)


def _undo_cancellation(invoice: Invoice, who: dict[str, Any]) -> None:
    _cancel(invoice, who)
    invoices.undo_cancellation(invoice.pk, **who)


def _receive(invoice: Invoice, who: dict[str, Any]) -> None:
    _emit(invoice, who)
    receivables.receive(invoice.receivables.get().pk, on=TODAY, **who)


def _undo_receipt(invoice: Invoice, who: dict[str, Any]) -> None:
    _receive(invoice, who)
    receivables.undo_receipt(invoice.receivables.get().pk, **who)


def _block(invoice: Invoice, who: dict[str, Any]) -> None:
    invoices.block_invoice(invoice.pk, **who)


def _card_refused(invoice: Invoice, who: dict[str, Any]) -> None:
    announce(invoice, Event.RECEIVEMENT_ERROR)  # what collects by card announces it


CAUSES: dict[str, Cause] = {
    "update": _block,
    "emit": _emit,
    "undo_emission": _undo_emission,
    "cancel": _cancel,
    "undo_cancellation": _undo_cancellation,
    "confirm_receival": _receive,
    "undo_receival": _undo_receipt,
    "receivement_error": _card_refused,
}


@pytest.fixture(autouse=True)
def _local(settings) -> None:
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True


def test_every_notice_of_the_contract_is_here():
    named = {f"webhook_{name}" for name in (*CAUSES, "change_plan", "test")}

    assert set(OUTGOING) == named


def check(fixture: Fixture, got: Received, registered: str) -> None:
    """The request is the fixture's: method, address, headers, body; and it is signed."""
    expected = fixture.request
    assert got.line == f"{expected['method']} {registered} HTTP/1.1"
    assert differences(expected["json"], got.json, set(fixture.data["volatile"])) == []
    assert list(got.json) == list(expected["json"])  # no key more, and in the contract's order
    assert set(expected["headers"]) <= set(got.headers)
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["X-Webhook-Signature"] == sha1(SECRET, got)
    assert got.headers["X-Signature"].endswith(f"v1={sha256(SECRET, got)}")


def contract_of(account: Account) -> Contract:
    organization = OrganizationFactory(account=account)
    customer = CompanyFactory(account=account)
    return ContractFactory(account=account, organization=organization, party=customer)


@pytest.mark.django_db
@pytest.mark.parametrize("name", CAUSES)
def test_an_invoice_s_event_arrives_as_documented(account, name):
    contract = contract_of(account)
    invoice = new_invoice(contract.organization, contract.party, contract_id=contract.pk)
    with receiver() as server:
        answer = api_of(account).post("webhooks", {"url": server.url, "secret": SECRET})
        assert answer.status_code == 201, answer.content
        CAUSES[name](invoice, {"account": account, "actor": SYSTEM})
        deliver()

    check(OUTGOING["webhook_test"], server.received[0], "/hooks/billing")
    check(OUTGOING["webhook_test"], server.received[-2], "/hooks/billing")
    got = server.received[-1]
    check(OUTGOING[f"webhook_{name}"], got, "/hooks/billing")
    assert got.headers["X-Event"] == name
    assert got.json["object_id"] == invoice.pk
    assert got.json["contract_id"] == contract.pk
    assert got.json["contract_token"] == contract.token
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}


@pytest.mark.django_db
def test_an_invoice_without_contract_says_null(account):
    contract = contract_of(account)
    with receiver() as server:
        api_of(account).post("webhooks", {"url": server.url, "secret": SECRET})
        emitted_invoice(contract.organization, contract.party)
        deliver()

    body = server.events[-1].json
    assert (body["contract_id"], body["contract_token"]) == (None, None)


@pytest.mark.django_db
def test_a_change_of_plan_arrives_as_documented(account, today):
    today("2025-02-12")
    (asked,) = [f for f in fixtures() if f.name == "subscriptions_change_plan"]
    prepare(asked, account)
    api = api_of(account)
    with receiver() as server:
        api.post("webhooks", {"url": server.url, "secret": SECRET, "events": ["change_plan"]})
        answer = api.call("PATCH", asked.request["path"], asked.request["json"])
        assert answer.status_code == 200, answer.content
        deliver()

    (got,) = server.events
    check(OUTGOING["webhook_change_plan"], got, "/hooks/billing")
    assert got.json["contract_token"] == asked.request["path"].split("/")[-2]
