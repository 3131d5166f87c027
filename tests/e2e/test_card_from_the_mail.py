"""E-mailed → link opened → card refused → another, 3-D Secure → notice → paid → part refunded."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import requests
from django.test import Client
from support.cards import SITE
from support.cards import shop as make_shop
from support.emails import contact, mailjet_account, send_all
from support.payment_sandbox import _running_providers, providers  # noqa: F401

from accounts.services.audit import SYSTEM
from billing.errors import RefundAmount
from billing.models import Invoice, Payment
from billing.services.emails.manual import send_invoice
from billing.services.links import make_link, token_of
from billing.services.payments.card_refunds import refund_payment

pytestmark = pytest.mark.django_db

REFUSED, ASKS = "4000000000000002", "4000002500003155"


@pytest.fixture
def shop(db, providers, today, settings):  # noqa: F811
    today("2026-08-12")
    settings.PUBLIC_URL = SITE
    return make_shop(providers)


def path_of(url: str) -> str:
    assert url.startswith(SITE), url
    return url.removeprefix(SITE)


def test_from_the_mailbox_to_the_refund(shop, providers):  # noqa: F811
    contact(shop.customer, "ana@aurora.test")
    mailjet_account(shop.customer, providers)
    invoice = shop.invoice("300.00")
    send_invoice(invoice, actor=SYSTEM)
    send_all()
    [mail] = providers.books("mailjet")["messages"]
    link = path_of(re.search(rf"{SITE}/p/f/[^\s\"'<]+/", str(mail))[0])

    browser = Client()
    page = browser.get(link).content.decode()
    assert "Pagar R$\xa0300,00 com cartão" in page

    card_page = browser.post(f"{link}pagar/1/").headers["Location"]
    refused = requests.post(card_page, data={"number": REFUSED}, timeout=10)
    assert "Your card was declined." in refused.text
    shop.hear()
    waiting = browser.get(link).content.decode()
    assert "Continuar o pagamento" in waiting
    assert card_page in waiting
    again = browser.post(f"{link}pagar/1/", follow=True).content.decode()
    assert "Já existe um pagamento em processamento" in again

    sent_on = requests.post(card_page, data={"number": ASKS}, allow_redirects=False, timeout=10)
    bank_page = sent_on.headers["Location"]
    back = requests.post(bank_page, data={"answer": "ok"}, allow_redirects=False, timeout=10)
    shop.hear(reverse=True)
    done = browser.get(path_of(back.headers["Location"]), follow=True).content.decode()

    assert "Esta fatura está paga. Obrigado." in done
    payment = Payment.objects.get(invoice=invoice)
    assert (payment.state, payment.amount) == ("succeeded", Decimal("300.00"))
    shop.check()

    refund = refund_payment(
        payment.pk, account=shop.account, actor=SYSTEM, amount=Decimal("120.00"), reason="item"
    )
    shop.hear()
    assert refund.state == "succeeded"
    with pytest.raises(RefundAmount):
        refund_payment(
            payment.pk, account=shop.account, actor=SYSTEM, amount=Decimal("180.01"), reason="mais"
        )
    assert Invoice.objects.get(pk=invoice.pk).payment_status == "partially_refunded"
    assert shop.charged() == [(payment.external_id, Decimal("180.00"))]
    shop.check()


def test_a_payer_may_give_the_card_up_and_be_charged_once(shop):
    invoice = shop.invoice("80.00")
    link = f"/p/f/{token_of(make_link(invoice, recipient='ana@aurora.test'))}/"
    browser = Client()
    first = browser.post(f"{link}pagar/1/").headers["Location"]

    given_up = browser.post(f"{link}desistir/1/", follow=True).content.decode()

    assert "com cartão" in given_up
    assert requests.post(first, data={"number": ASKS}, timeout=10).status_code == 410
    second = browser.post(f"{link}pagar/1/").headers["Location"]
    assert second != first
    requests.post(second, data={"number": "4242424242424242"}, allow_redirects=False, timeout=10)
    paid = browser.post(f"{link}atualizar/", follow=True).content.decode()  # no notice came
    assert "Esta fatura está paga." in paid
    assert list(Payment.objects.order_by("id").values_list("state", flat=True)) == [
        "canceled",
        "succeeded",
    ]
    shop.hear()
    shop.check()


def test_a_provider_that_is_down_leaves_the_invoice_payable(shop, providers):  # noqa: F811
    invoice = shop.invoice("80.00")
    link = f"/p/f/{token_of(make_link(invoice, recipient='ana@aurora.test'))}/"
    providers.fault("stripe", "status", status=500, times=10)

    answer = Client().post(f"{link}pagar/1/", follow=True).content.decode()

    assert "O serviço de pagamento está indisponível. Nada foi cobrado" in answer
    assert "com cartão" in answer
    assert Payment.objects.get(invoice=invoice).state == "canceled"
