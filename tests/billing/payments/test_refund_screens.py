"""Staff giving money back from the screen of a payment (B05, REF-1..3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from support.cards import Shop
from support.cards import shop as make_shop
from support.invoices import emitted_invoice
from support.payment_sandbox import Providers, _running_providers, providers  # noqa: F401
from support.pix import Bank
from support.staff import client_of, form_of, said

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.admin.refund_acts import PENDING, PIX_ASKED
from billing.models import Payment, Refund
from billing.selectors.invariants import violations
from billing.services import ledger
from billing.services.payments.card_refunds import ASKED
from billing.services.payments.manual import pay_manually


@pytest.fixture
def shop(db: None, providers: Providers, today: Any) -> Shop:  # noqa: F811
    today("2026-08-12")
    return make_shop(providers)


def act(payment: Payment, slug: str = "reembolsar") -> str:
    return reverse("admin:billing_payment_act", args=(payment.pk, slug))


def fresh(payment: Payment) -> Payment:
    return Payment.objects.get(pk=payment.pk)


def test_a_card_payment_goes_back_in_part_and_then_all(shop: Shop, other_account: Any) -> None:
    payment = shop.charge(shop.receivable("300.00"), shop.save()).payment
    client, where = client_of(shop.account, "financeiro"), act(payment)

    page = client.get(where).content.decode()
    assert "O valor volta ao cartão Visa final 4242 em 3 a 7 dias úteis." in page
    assert 'value="300,00"' in page
    old = form_of(client, where)
    for value, why in (
        ("0,00", "excede o saldo"), ("-1", "excede o saldo"), ("300,01", "de R$\xa0300,00"),
        ("1,005", "Valor inválido"), ("x", "Valor inválido"), ("NaN", "Valor inválido"),
    ):  # fmt: skip
        data = form_of(client, where) | {"valor": value, "motivo": "Engano"}
        assert why in client.post(where, data).content.decode(), value
    missing = client.post(where, form_of(client, where) | {"valor": "1,00", "motivo": " "})
    assert "Informe o motivo." in missing.content.decode()
    assert not Refund.objects.exists()

    data = form_of(client, where) | {"valor": "30,00", "motivo": "Item devolvido"}
    assert ASKED in said(client.post(where, data))
    client.post(where, data)  # pressed twice
    stale = client.post(where, old | {"valor": "30,00", "motivo": "Item devolvido"})
    assert stale.status_code == 409  # an old tab (B05-2)
    assert [(one.amount, one.reason) for one in Refund.objects.all()] == [
        (Decimal("30.00"), "Item devolvido"),
    ]  # fmt: skip
    client.post(where, form_of(client, where) | {"valor": "270.00", "motivo": "Tudo"})
    assert fresh(payment).state == Payment.State.REFUNDED
    assert shop.charged() == [(payment.external_id, Decimal("0.00"))]
    gone = client.post(where, old | {"valor": "1,00", "motivo": "x"})
    assert gone.status_code == 409
    assert Refund.objects.count() == 2
    assert client.get(where).status_code == 302
    done = AuditEvent.objects.filter(action="fatura.reembolsada")
    assert [one.actor_kind for one in done] == ["user", "user"]
    shop.check()


def test_who_may_not_and_what_cannot(shop: Shop, other_account: Any) -> None:
    payment = shop.charge(shop.receivable(), shop.save()).payment
    data = {"valor": "1,00", "motivo": "x", "idempotency_key": "k", "situacao": "succeeded:0.00:0"}
    for client, status in (
        (client_of(shop.account, "suporte"), 403), (client_of(shop.account, "fiscal"), 403),
        (client_of(other_account, "admin"), 404),
    ):  # fmt: skip
        for slug in ("reembolsar", "creditar"):
            assert client.get(act(payment, slug)).status_code == status
            assert client.post(act(payment, slug), data).status_code == status
    cash = pay_manually(shop.receivable().pk, account=shop.account, actor=SYSTEM, method="cash")
    admin = client_of(shop.account, "admin")
    assert "não permite" in said(admin.get(act(cash)))
    assert not Refund.objects.exists()

    # What no provider has may become credit (REF-3).
    where = act(cash, "creditar")
    admin.post(where, form_of(admin, where) | {"valor": "40,00", "motivo": "Acordo"})
    assert ledger.credit_balance(cash.customer_id) == Decimal("40.00")
    assert 'value="60,00"' in admin.get(where).content.decode()
    assert not list(violations(shop.account))


def test_what_the_provider_says_is_told(shop: Shop) -> None:
    payment = shop.charge(shop.receivable(), shop.save()).payment
    client, where = client_of(shop.account, "admin"), act(payment)
    sent = {"valor": "100,00", "motivo": "Engano"}

    [charge] = shop.books()["charges"]
    dispute = shop.control("dispute", id=charge)
    refused = client.post(where, form_of(client, where) | sent).content.decode()
    assert "O Stripe recusou o reembolso: This charge has been charged back." in refused
    shop.control("close_dispute", id=dispute["id"], ok=True)
    shop.providers.fault("stripe", "cut", path="/v1/refunds", method="POST", times=2)
    assert PENDING in said(client.post(where, form_of(client, where) | sent))
    # It is on its way: there is nothing left to ask for.
    assert "não permite" in said(client.get(where))
    page = reverse("admin:billing_payment_change", args=(payment.pk,))
    assert act(payment) not in client.get(page).content.decode()
    shop.hear()
    assert fresh(payment).state == Payment.State.REFUNDED
    shop.check()


def test_a_pix_goes_back(
    account: Any, organization: Any, customer: Any, providers: Providers, today: Any,  # noqa: F811
    settings: Any,
) -> None:  # fmt: skip
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True
    today("2026-08-12")
    bank = Bank.of(providers, account, today="2026-08-12")
    receivable = emitted_invoice(organization, customer).receivables.get()
    bank.pay(bank.issue(receivable))
    bank.deliver()
    payment = Payment.objects.get()
    client, where = client_of(account, "financeiro"), act(payment)

    first = client.post(where, form_of(client, where) | {"valor": "30,00", "motivo": "A mais"})
    assert "Pix devolvido ao pagador." in said(first)
    providers.fault("pix", "down", path="/pix", times=0)
    rest = form_of(client, where) | {"valor": "70,00", "motivo": "Tudo"}
    assert PIX_ASKED in said(client.post(where, rest))
    assert [(one.amount, one.state) for one in payment.refunds.order_by("pk")] == [
        (Decimal("30.00"), "succeeded"), (Decimal("70.00"), "pending"),
    ]  # fmt: skip
    assert not list(violations(account))
