"""Links to one invoice for one recipient: until when they work, and what opening one changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.invoices import actions, emitted_invoice

from accounts.services.audit import SYSTEM
from billing.models import InvoiceLink, OrganizationProfile
from billing.services import links
from billing.services.invoices import undo_emission, void_invoice
from billing.services.links import LinkState
from lib.errors import NotFound

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@pytest.fixture
def invoice(organization: Any, customer: Any, today: Any) -> Any:
    """Emitted on 12/08/2026, due on 20/08/2026."""
    today("2026-08-12")
    OrganizationProfile.objects.update_or_create(party=organization, defaults={"link_days": 60})
    return emitted_invoice(organization, customer)


def opened(link: InvoiceLink) -> links.Opened:
    return links.open_link(links.token_of(link))


def test_a_link_works_to_the_last_day_after_the_due_date(
    invoice: Any, today: Any, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://cobranca.exemplo"

    link = links.make_link(invoice, recipient="ana@exemplo.test")

    assert link.expires_at == datetime(2026, 10, 20, tzinfo=SAO_PAULO)
    assert links.address(link) == f"https://cobranca.exemplo/p/f/{links.token_of(link)}/"
    assert set(links.token_of(link)) - set("._-") <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    )
    today("2026-10-19")
    assert opened(link) == links.Opened(LinkState.VALID, link)
    today("2026-10-20")
    assert opened(link) == links.Opened(LinkState.EXPIRED, link)


def test_a_link_to_an_overdue_invoice_is_not_born_dead(invoice: Any, today: Any) -> None:
    first = links.make_link(invoice, recipient="ana@exemplo.test")
    today("2026-10-19")

    again = links.make_link(invoice, recipient="ana@exemplo.test")

    assert again.pk == first.pk
    assert opened(first).link == again
    today("2026-12-18")
    assert opened(first).state == LinkState.VALID
    today("2026-12-19")
    assert opened(first).state == LinkState.EXPIRED
    assert links.make_link(invoice, recipient="ana@exemplo.test").pk != first.pk
    assert opened(first).state == LinkState.EXPIRED


def test_no_link_ends_another(invoice: Any) -> None:
    made = [
        links.make_link(invoice, recipient="ana@exemplo.test"),
        links.make_link(invoice, recipient="bia@exemplo.test"),
        links.make_link(invoice, recipient="ana@exemplo.test", scopes=["ver"]),
    ]

    assert len({links.token_of(link) for link in made}) == 3
    assert [opened(link).state for link in made] == [LinkState.VALID] * 3

    links.revoke(made[0].pk, account=invoice.account, actor=SYSTEM)
    links.revoke(made[0].pk, account=invoice.account, actor=SYSTEM)
    fresh = links.make_link(invoice, recipient="ana@exemplo.test")

    assert fresh.pk not in {link.pk for link in made}
    assert [opened(link).state for link in (*made, fresh)] == [
        LinkState.REVOKED, LinkState.VALID, LinkState.VALID, LinkState.VALID,
    ]  # fmt: skip
    assert actions(invoice).count("link_publico.revogado") == 1


def test_what_we_did_not_sign_names_nothing(
    invoice: Any, other_account: Any, settings: Any
) -> None:
    link = links.make_link(invoice, recipient="ana@exemplo.test")
    token = links.token_of(link)
    key, _, signature = token.partition(".")

    forged = ["", ".", key, token[:-1], f"{key}.", f".{signature}", token + "a", "á" * 40]
    forged += [f"A{key[1:]}.{signature}", token.swapcase(), "x" * 5000, f"{key}.{signature}.", "\0"]

    assert {links.open_link(text).state for text in forged} == {LinkState.UNKNOWN}
    with pytest.raises(NotFound):
        links.revoke(link.pk, account=other_account, actor=SYSTEM)
    assert opened(link).state == LinkState.VALID
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "outra" * 10
    assert links.open_link(token).state == LinkState.VALID
    settings.SECRET_KEY_FALLBACKS = []
    assert links.open_link(token).state == LinkState.UNKNOWN


def test_opening_counts_at_most_once_a_minute_and_changes_nothing_else(
    invoice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = links.make_link(invoice, recipient="ana@exemplo.test")
    before = InvoiceLink.objects.filter(pk=link.pk).values().get()

    for _ in range(10):
        assert opened(link).state == LinkState.VALID
    assert InvoiceLink.objects.filter(pk=link.pk).values().get() == before

    # Two readers of the same row, one of them with what it was a moment ago.
    counted = [links.count_opening(link), links.count_opening(link)]
    fresh = opened(link).link
    assert fresh is not None
    counted.append(links.count_opening(fresh))
    now = fresh.last_opened_at + timedelta(minutes=1)  # type: ignore[operator]
    monkeypatch.setattr("lib.clock.now", lambda: now)
    counted.append(links.count_opening(fresh))

    assert counted == [True, False, False, True]
    after = InvoiceLink.objects.filter(pk=link.pk).values().get()
    assert after == before | {"opens": 2, "last_opened_at": now}
    assert actions(invoice).count("link_publico.aberto") == 2


def test_what_is_not_emitted_is_not_shown_and_what_is_void_is(invoice: Any) -> None:
    link = links.make_link(invoice, recipient="ana@exemplo.test")

    undo_emission(invoice.pk, account=invoice.account, actor=SYSTEM)
    assert opened(link).state == LinkState.UNKNOWN

    void = emitted_invoice(invoice.organization, invoice.customer)
    of_void = links.make_link(void, recipient="ana@exemplo.test")
    void_invoice(void.pk, account=void.account, actor=SYSTEM, reason="em duplicidade")
    assert opened(of_void).state == LinkState.VALID
    type(invoice.account).objects.filter(pk=invoice.account_id).update(is_active=False)
    assert opened(of_void).state == LinkState.UNKNOWN
