"""Letters to people of the Central de Faturas: written once, sent like the others, kept closed."""

from __future__ import annotations

from typing import Any

import pytest
from support.emails import mailjet_account, send_all
from support.payment_sandbox import Providers

from billing.admin.email_messages import shown_body
from billing.models import EmailMessage, Party
from billing.services.emails.letters import HIDDEN, SANDBOX, opened, send_letter
from billing.services.emails.suppressions import Reason, suppress

LINK = "https://central.exemplo.test/central/convite/abc-123/"


@pytest.fixture
def customer(customer: Party) -> Party:
    customer.name = "Aurora\nBcc: todos@exemplo.test $NUMERO {{ empresa }}"
    customer.save()
    return customer


def write(customer: Party, *, key: str = "", recipient: str = "ana@exemplo.test") -> EmailMessage:
    return send_letter(
        customer.account,
        customer=customer,
        recipient=recipient,
        template="convite",
        context={"nome": "Ana", "validade": "19/08/2026"},
        secrets={"link": LINK},
        key=key,
    )


def test_a_letter_is_sent_by_the_way_of_whoever_bills_and_only_its_reader_sees_the_link(
    organization: Party, customer: Party, providers: Providers
) -> None:
    gateway = mailjet_account(organization, providers, organization=organization)

    row = write(customer)
    assert (row.state, row.invoice, row.trigger) == ("queued", None, "portal")
    assert LINK not in row.body
    assert LINK in opened(row.body)
    [row] = send_all()

    [sent] = providers.books("mailjet")["messages"]
    assert (row.state, row.gateway, row.error) == ("sent", gateway, "")
    assert sent["from"] == {"Email": "faturas@exemplo.test", "Name": organization.name}
    assert row.subject == (
        "Seu acesso à Central de Faturas – Aurora Bcc: todos@exemplo.test $NUMERO {{ empresa }}"
    )
    assert LINK in sent["text"]
    assert f'href="{LINK}"' in sent["html"]
    assert LINK not in row.body
    assert LINK not in shown_body(row)
    assert HIDDEN in shown_body(row)


def test_a_key_writes_one_letter_for_each_recipient(organization: Party, customer: Party) -> None:
    first = write(customer, key="convite:1")

    assert write(customer, key="convite:1", recipient="ANA@exemplo.test").pk == first.pk
    assert write(customer, key="convite:1", recipient="bia@exemplo.test").pk != first.pk
    assert write(customer).pk != write(customer).pk
    assert EmailMessage.objects.count() == 4


def test_a_suppressed_address_gets_no_letter(
    organization: Party, customer: Party, providers: Providers
) -> None:
    mailjet_account(organization, providers)
    suppress(customer.account, "ana@exemplo.test", reason=Reason.BOUNCE)

    write(customer)
    [row] = send_all()

    assert row.state == "failed"
    assert providers.books("mailjet")["messages"] == []


def test_letters_of_a_sandbox_and_of_an_account_without_organization(customer: Any) -> None:
    customer.account.is_sandbox = True
    customer.account.save()

    row = write(customer)

    assert row.body.startswith(f"{SANDBOX}\n\nOlá, Ana.\n")
    assert customer.account.name in row.sender


def test_a_link_closed_with_a_lost_key_stays_hidden(
    organization: Party, customer: Party, settings: Any
) -> None:
    row = write(customer)
    settings.SECRET_KEY = "outra-chave-desta-instalacao"

    assert HIDDEN in opened(row.body)
