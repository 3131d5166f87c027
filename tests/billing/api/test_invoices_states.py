"""Actions on invoices (billing-api §3.1, §3.3): emit, cancel, block, approve, and back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.invoices import events, everything
from support.wire import api_of
from support.wire_invoices import address, contract_of, created, did

from billing.models import Invoice
from billing.selectors.invariants import violations

pytestmark = pytest.mark.django_db

CANNOT = {
    "emit": "O faturamento não pode ser faturado.",
    "undo_emission": "A emissão do faturamento não pode ser desfeita.",
    "cancel": "O faturamento não pode ser cancelado.",
    "undo_cancellation": "O cancelamento do faturamento não pode ser desfeito.",
    "block": "O faturamento não pode ser bloqueado.",
    "approve": "O faturamento não pode ser aprovado.",
}


@pytest.fixture(autouse=True)
def _day(today):
    today("2025-02-12")


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


@pytest.fixture
def api(account):
    return api_of(account)


@pytest.fixture
def invoice(api, account):
    return created(api, contract_of(account))


def receive(api, invoice):
    pk = invoice["receivables"][0]["id"]
    answer = api.patch(f"contracts/{invoice['contract_id']}/receivables/{pk}/receive")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("verbs", "state", "receivable"),
    [
        (["emit"], "to_receive", "to_receive"),
        (["emit", "undo_emission"], "to_emit", "to_emit"),
        (["cancel"], "cancelled", "cancelled"),
        (["emit", "cancel"], "cancelled", "cancelled"),
        (["cancel", "undo_cancellation"], "to_emit", "to_emit"),
        (["emit", "cancel", "undo_cancellation"], "to_receive", "to_receive"),
        (["block", "approve", "emit"], "to_receive", "to_receive"),
    ],
)
def test_an_invoice_goes_through_its_states(api, invoice, verbs, state, receivable):
    for verb in verbs:
        shown = did(api, invoice, verb)

    assert shown["state"] == state
    assert [r["state"] for r in shown["receivables"]] == [receivable]
    told = {"block": "update", "approve": "update"}
    assert events(Invoice.objects.get()) == [told.get(verb, verb) for verb in verbs]


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        ([], ["undo_emission", "undo_cancellation", "approve"]),
        (["emit"], ["emit", "undo_cancellation", "block", "approve"]),
        (["cancel"], ["emit", "undo_emission", "cancel", "block", "approve"]),
        (["block"], ["emit", "block", "undo_emission"]),
        (["emit", "receive"], ["emit", "undo_emission", "cancel", "block", "approve"]),
    ],
)
def test_what_the_state_does_not_allow_is_refused(api, account, invoice, before, refused):
    for verb in before:
        receive(api, invoice) if verb == "receive" else did(api, invoice, verb)
    known = everything(account)

    for verb in refused:
        answer = api.patch(address(invoice, verb))
        assert (answer.status_code, answer.json()) == (422, {"errors": CANNOT[verb]})
    assert everything(account) == known


def test_emission_moves_no_date_and_gives_a_link_to_the_pdf(api, invoice):
    shown = did(api, invoice, "emit")

    assert shown["issue_date"] == "20/02/2025"
    assert shown["receivables"][0]["due_date"] == "10/03/2025"
    assert shown["number"] is None
    assert shown["fatura_url"].startswith("http://127.0.0.1:8000/documents/invoices/")


def test_approval_moves_a_past_issue_date_to_today_and_no_other_date(api, account, today):
    contract = contract_of(account)
    past = created(api, contract, approval_status="blocked", issue_date="01/02/2025")
    future = created(api, contract, approval_status="blocked", issue_date="20/02/2025")

    assert did(api, past, "approve")["issue_date"] == "12/02/2025"
    assert did(api, future, "approve")["issue_date"] == "20/02/2025"
    shown = did(api, past, "emit")
    assert (shown["estimated_issue_date"], shown["receivables"][0]["due_date"]) == (
        "01/02/2025",
        "10/03/2025",
    )


def test_an_invoice_of_nothing_is_received_at_once(api, account):
    invoice = created(api, contract_of(account), gross_value=0)

    shown = did(api, invoice, "emit")

    assert (shown["state"], shown["receivables"][0]["received_value"]) == ("received", "0.0")
    assert events(Invoice.objects.get()) == ["emit", "confirm_receival"]


@pytest.mark.parametrize("verb", CANNOT)
def test_actions_on_a_foreign_invoice_are_not_found(api, account, invoice, other_account, verb):
    theirs = created(api_of(other_account), contract_of(other_account))
    elsewhere = invoice | {"contract_id": contract_of(account).pk}
    before = everything(other_account), everything(account)

    for one in (theirs, elsewhere, invoice | {"id": 999999}):
        answer = api.patch(address(one, verb))
        assert (answer.status_code, answer.content) == (404, b"")
    assert (everything(other_account), everything(account)) == before


def test_put_will_do_and_get_will_not(api, invoice):
    assert api.call("PUT", address(invoice, "block")).json()["invoice"]["approval_status"] == (
        "blocked"
    )
    assert api.get(address(invoice, "block")).status_code == 405


def test_the_note_date_follows_the_receipt(api, account):
    invoice = created(
        api,
        contract_of(account),
        management_type="automatic",
        automatic_email_template_id=1,
        days_until_automatic_nfe_emission=2,
    )
    emitted = did(api, invoice, "emit")
    pk = invoice["receivables"][0]["id"]
    api.patch(
        f"contracts/{invoice['contract_id']}/receivables/{pk}/receive",
        {"receivable": {"received_at": "07/02/2025"}},
    )

    assert emitted["automatic_nfe_issue_date"] is None
    received = api.get(address(invoice)).json()["invoice"]
    # A Friday, and two business days.
    assert received["automatic_nfe_issue_date"] == "11/02/2025"


# --- the link to the PDF -------------------------------------------------------------------------


def path_of(shown):
    return shown["fatura_url"].removeprefix("http://127.0.0.1:8000")


def test_the_link_shows_the_pdf_without_a_token(api, client, invoice):
    shown = did(api, invoice, "emit")

    answer = client.get(path_of(shown))

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF")
    assert answer["Cache-Control"].startswith("private")


def test_a_forged_expired_or_revoked_link_leads_nowhere(api, client, invoice, monkeypatch):
    shown = did(api, invoice, "emit")
    path = path_of(shown)
    did(api, invoice, "undo_emission")

    assert client.get(path).status_code == 404
    did(api, invoice, "emit")
    assert client.get(path[:-1] + ("a" if path[-1] != "a" else "b")).status_code == 404
    assert client.get("/documents/invoices/x").status_code == 404
    assert client.post(path).status_code == 405
    monkeypatch.setattr("django.core.signing.time.time", lambda: 4e9)
    assert client.get(path).status_code == 404


def test_a_link_to_a_file_does_not_open_an_invoice(api, client, invoice):
    from django.core import signing

    did(api, invoice, "emit")
    row = Invoice.objects.get()
    other = signing.TimestampSigner(salt="billing.attachment").sign_object([row.account_id, row.pk])

    assert client.get(f"/documents/invoices/{other}").status_code == 404


def test_a_void_invoice_has_no_link(api, account, client, invoice):
    from accounts.services.audit import SYSTEM
    from billing.services.invoices import void_invoice

    shown = did(api, invoice, "emit")
    void_invoice(invoice["id"], account=account, actor=SYSTEM, reason="Duplicada")

    assert api.get(address(invoice)).json()["invoice"]["fatura_url"] is None
    assert client.get(path_of(shown)).status_code == 404
    assert Invoice.objects.get().payment_value == Decimal(500)
