"""Saving, choosing and removing cards (ST-1, P11)."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from factories import CompanyFactory, ContractFactory, RuleFactory
from support.cards import Shop, queued

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import CardAlreadySaved, CardInUse, CardNotReady, NoCardGateway
from billing.models import (
    GatewayAccount,
    InboundEvent,
    PaymentMethod,
    ProviderCustomer,
    SavedMethod,
)
from billing.services.payments import card_saving
from lib.errors import GatewayUnavailable, NotFound


def _cards(shop: Shop) -> list[tuple[str, bool]]:
    found = card_saving.saved_cards(shop.customer, account=shop.account)
    return [(card.last4, card.is_default) for card in found]


def test_a_card_is_saved_once_by_return_and_notice(shop: Shop) -> None:
    first = shop.save()
    assert (first.brand, first.last4, first.exp_year, first.is_default) == (
        "visa", "4242", 2034, True,
    )  # fmt: skip
    second = shop.save("pm_card_chargeDeclined")
    assert _cards(shop) == [("4242", True), ("0002", False)]
    # One customer at the provider, however often it is asked for.
    assert ProviderCustomer.objects.count() == len(shop.books()["customers"]) == 1
    [setup, _] = shop.books()["setup_intents"].values()
    assert setup["usage"] == "off_session"
    shop.hear()
    assert SavedMethod.objects.count() == 2
    shown = AuditEvent.objects.filter(action="cartao.adicionado").order_by("id")
    assert [each.after for each in shown] == [
        {"bandeira": "visa", "final": "4242"}, {"bandeira": "visa", "final": "0002"},
    ]  # fmt: skip
    assert queued("billing.tasks.charge_with_new_card") == [(first.pk,), (second.pk,)]


def test_a_notice_alone_saves_it(shop: Shop) -> None:
    shop.type_card("pm_card_mastercard")
    assert _cards(shop) == []
    shop.hear("setup_intent.succeeded")
    assert _cards(shop) == [("4444", True)]


def test_the_same_card_twice(shop: Shop) -> None:
    first = shop.save()
    with pytest.raises(CardAlreadySaved, match=r"Este cartão já está cadastrado\."):
        shop.save()
    attached = [m for m in shop.books()["payment_methods"].values() if m["customer"]]
    assert [m["id"] for m in attached] == [first.reference]
    shop.hear()
    assert _cards(shop) == [("4242", True)]
    # The same number with a new validity takes the place of the old one.
    SavedMethod.objects.filter(pk=first.pk).update(exp_year=2026, exp_month=7)
    renewed = shop.save()
    assert renewed.is_default
    assert _cards(shop) == [("4242", True)]
    assert renewed.pk != first.pk


def test_default_and_removal(shop: Shop) -> None:
    first, second = shop.save(), shop.save("pm_card_mastercard")
    owner = {"account": shop.account, "actor": SYSTEM, "customer": shop.customer}
    card_saving.make_default(second.pk, **owner)
    assert _cards(shop) == [("4444", True), ("4242", False)]
    card_saving.remove_card(second.pk, **owner)
    assert _cards(shop) == [("4242", True)]
    [(pk,)] = queued("billing.tasks.detach_card")
    assert card_saving.detach_removed(pk)
    assert card_saving.detach_removed(pk)  # told again, it is well
    assert not card_saving.detach_removed(first.pk)
    kept = shop.books()["payment_methods"]
    assert (kept[second.reference]["customer"], bool(kept[first.reference]["customer"])) == (
        None, True,
    )  # fmt: skip
    with pytest.raises(NotFound):
        card_saving.make_default(second.pk, **owner)
    done = AuditEvent.objects.filter(action__startswith="cartao.").order_by("id")
    assert [each.action for each in done][-2:] == ["cartao.padrao", "cartao.removido"]


def test_the_only_card_of_an_automatic_rule(shop: Shop) -> None:
    only = shop.save()
    owner = {"account": shop.account, "actor": SYSTEM, "customer": shop.customer}
    contract = ContractFactory(
        account=shop.account, party=shop.customer, organization=shop.organization
    )
    RuleFactory(contract=contract, payment_method=PaymentMethod.PAYMENT_GATEWAY)
    with pytest.raises(CardInUse) as refused:
        card_saving.remove_card(only.pk, **owner)
    assert refused.value.mensagem == (
        f"Este cartão paga o contrato nº {contract.pk} automaticamente. "
        "Escolha outro cartão antes de remover."
    )
    shop.save("pm_card_mastercard")
    card_saving.remove_card(only.pk, **owner)
    assert _cards(shop) == [("4444", True)]


def test_cards_of_others_do_not_exist(shop: Shop, other_shop: Shop) -> None:
    mine = shop.save()
    neighbour = CompanyFactory(account=shop.account)
    theirs = {"account": other_shop.account, "actor": SYSTEM, "customer": other_shop.customer}
    ours = {"account": shop.account, "actor": SYSTEM, "customer": neighbour}
    for owner in (theirs, ours):
        with pytest.raises(NotFound):
            card_saving.make_default(mine.pk, **owner)
        with pytest.raises(NotFound):
            card_saving.remove_card(mine.pk, **owner)
    # A setup of another customer, presented as one's own.
    setup = shop.type_card("pm_card_mastercard")
    with pytest.raises(NotFound):
        card_saving.finish_saving(setup, gateway=shop.gateway, actor=SYSTEM, customer=neighbour)
    assert not card_saving.saved_cards(other_shop.customer, account=other_shop.account)


def test_before_the_customer_is_done(shop: Shop) -> None:
    setup = card_saving.start_saving(shop.customer, account=shop.account)
    assert setup.secret not in repr(setup)
    with pytest.raises(CardNotReady):
        card_saving.finish_saving(setup.external_id, gateway=shop.gateway, actor=SYSTEM)
    shop.providers.fault("stripe", "down", times=0)
    with pytest.raises(GatewayUnavailable):
        card_saving.start_saving(shop.customer, account=shop.account)
    GatewayAccount.objects.update(is_active=False)
    with pytest.raises(NoCardGateway):
        card_saving.start_saving(shop.customer, account=shop.account)


def test_by_the_page_of_the_provider(shop: Shop) -> None:
    """Redirects only: nothing of ours needs a script."""
    url = card_saving.hosted_saving(
        shop.customer,
        account=shop.account,
        return_url="http://produto.test/voltar?s={CHECKOUT_SESSION_ID}",
        cancel_url="http://produto.test/desistir",
    )
    page = requests.get(url, timeout=10)
    assert "Salvar cartão" in page.text
    assert "http://produto.test/desistir" in page.text
    wrong = requests.post(url, data={"number": "4242424242424241"}, timeout=10)
    assert "incorrect" in wrong.text
    given: dict[str, Any] = {"number": "4242 4242 4242 4242", "name": "Ana", "expiry": "01/2031"}
    done = requests.post(url, data=given, allow_redirects=False, timeout=10)
    assert done.headers["Location"].startswith("http://produto.test/voltar?s=cs_test_")
    assert requests.get(url, timeout=10).status_code == 410
    shop.hear()
    [card] = card_saving.saved_cards(shop.customer, account=shop.account)
    assert (card.last4, card.holder, card.exp_month, card.exp_year) == ("4242", "Ana", 1, 2031)


def test_what_the_provider_forgets(shop: Shop) -> None:
    card = shop.save()
    shop.save("pm_card_mastercard")
    key = {"Authorization": f"Bearer {shop.key}"}
    address = f"{shop.gateway.base_url}/v1"
    renewed = {"card[exp_year]": "2040", "card[exp_month]": "2"}
    requests.post(
        f"{address}/payment_methods/{card.reference}", data=renewed, headers=key, timeout=10
    )
    shop.hear("payment_method.updated")
    assert SavedMethod.objects.get(pk=card.pk).exp_year == 2040
    requests.post(f"{address}/payment_methods/{card.reference}/detach", headers=key, timeout=10)
    shop.hear("payment_method.detached")
    assert [last4 for last4, _ in _cards(shop)] == ["4444"]
    [customer] = shop.books()["customers"]
    requests.delete(f"{address}/customers/{customer}", headers=key, timeout=10)
    shop.hear("customer.deleted")
    assert _cards(shop) == []
    assert not ProviderCustomer.objects.exists()


def test_the_same_card_told_by_notice_and_then_by_the_customer(shop: Shop) -> None:
    shop.save()
    setup = shop.type_card("pm_card_visa")
    shop.hear("setup_intent.succeeded")
    with pytest.raises(CardAlreadySaved):
        card_saving.finish_saving(setup, gateway=shop.gateway, actor=SYSTEM)
    with pytest.raises(CardAlreadySaved):
        shop.save()
    shop.hear("setup_intent.succeeded")
    assert not InboundEvent.objects.filter(state=InboundEvent.State.WAITING).exists()
    assert _cards(shop) == [("4242", True)]
    # A card that is another customer's here is nobody's to present.
    SavedMethod.objects.update(customer=CompanyFactory(account=shop.account))
    [known] = SavedMethod.objects.all()
    fresh = shop.stripe.card(known.reference)
    with pytest.raises(NotFound):
        card_saving._keep(fresh, gateway=shop.gateway, owner=shop.customer, actor=SYSTEM)


def test_when_the_provider_drops_the_default_card_another_one_is_it(shop: Shop) -> None:
    shop.stripe.detach(shop.save().reference)
    shop.save("pm_card_mastercard")
    shop.hear("payment_method.detached")
    assert _cards(shop) == [("4444", True)]
    gone = AuditEvent.objects.get(action="cartao.removido")
    assert (gone.before, gone.actor_label) == ({"bandeira": "visa", "final": "4242"}, "sistema")
