"""To whom an e-mail about an invoice goes."""

from __future__ import annotations

from typing import Any

import pytest
from support.emails import contact

from accounts.services.audit import SYSTEM
from billing.errors import EmailNoContact, EmailSuppressed
from billing.models import EmailSuppression, Party
from billing.services.emails.recipients import recipients_of
from billing.services.emails.suppressions import release, suppress
from lib.errors import NotFound

Reason = EmailSuppression.Reason


def addresses(customer: Party, cc: str = "") -> list[str]:
    return [
        f"{'cc:' if one.is_copy else ''}{one.address}" for one in recipients_of(customer, cc=cc)
    ]


@pytest.fixture
def customer(customer: Any) -> Any:
    Party.objects.filter(pk=customer.pk).update(email="")
    customer.email = ""
    return customer


def test_the_role_of_billing_comes_before_the_main_contact(customer: Any) -> None:
    with pytest.raises(EmailNoContact) as refused:
        recipients_of(customer)
    assert refused.value.codigo == "email_no_contact"

    customer.email = "geral@exemplo.test"
    assert addresses(customer) == ["geral@exemplo.test"]
    main = contact(customer, "dona@exemplo.test", is_billing=False, is_primary=True)
    assert addresses(customer) == ["dona@exemplo.test"]
    assert recipients_of(customer)[0].contact == main
    contact(customer, "ana@exemplo.test")
    contact(customer, "", name="sem e-mail")
    contact(customer, "torto@", name="torto")
    contact(customer, "ANA@exemplo.test")
    customer.billing_contacts = "bia@exemplo.test; ana@exemplo.test, não é"
    assert addresses(customer) == ["ana@exemplo.test", "bia@exemplo.test"]
    copies = "Chefe <chefe@exemplo.test>; Bia@exemplo.test,x@"
    assert addresses(customer, copies)[2:] == ["cc:chefe@exemplo.test"]


def test_suppressed_addresses_get_nothing_until_they_are_released(
    customer: Any, other_account: Any
) -> None:
    one = contact(customer, "Ana@exemplo.test")
    contact(customer, "bia@exemplo.test")
    suppress(other_account, "bia@exemplo.test", reason=Reason.SPAM)
    row = suppress(customer.account, "ana@exemplo.test ", reason=Reason.BOUNCE)
    suppress(customer.account, "ANA@exemplo.test", reason=Reason.MANUAL)
    assert EmailSuppression.objects.get(pk=row.pk).reason == Reason.BOUNCE

    assert addresses(customer, "ana@exemplo.test") == ["bia@exemplo.test"]

    suppress(customer.account, "bia@exemplo.test", reason=Reason.SPAM)
    with pytest.raises(EmailSuppressed, match=r"Ana@exemplo\.test, bia@exemplo\.test"):
        recipients_of(customer, cc="chefe@exemplo.test")
    with pytest.raises(NotFound):
        release(row.pk, account=other_account, actor=SYSTEM)
    type(one).objects.filter(pk=one.pk).update(bounced_at="2026-08-01T12:00:00Z")
    release(row.pk, account=customer.account, actor=SYSTEM)
    assert addresses(customer) == ["Ana@exemplo.test"]
    one = type(one).objects.get(pk=one.pk)
    assert one.bounced_at is None
