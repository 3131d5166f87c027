"""Short ways to e-mails about invoices, and to the stand-in of Mailjet."""

from __future__ import annotations

import uuid
from typing import Any

from support.payment_sandbox import Providers

from billing.models import Contact, EmailMessage, EmailTemplate, GatewayAccount, Party
from billing.services.emails import sending

HOOK_USER, HOOK_PASSWORD = "mailjet", "senha-do-aviso"
TEXT = "Olá, $CLIENTE: a fatura $NUMERO de $VALOR vence em $VENCIMENTO. $LINK"


def mailjet_account(
    party: Party, providers: Providers, *, organization: Party | None = None, **secrets: str
) -> GatewayAccount:
    """The tenant's account of Mailjet at the stand-in."""
    gateway = GatewayAccount(
        account=party.account,
        organization=organization,
        options={"sender": "faturas@exemplo.test"},
        provider=GatewayAccount.Provider.MAILJET,
        name="Mailjet de teste",
        base_url=providers.url("mailjet"),
        hook=uuid.uuid4(),
    )
    gateway.secrets = {
        "api_key": "chave",
        "secret_key": "segredo",
        "hook_user": HOOK_USER,
        "hook_password": HOOK_PASSWORD,
        **secrets,
    }
    gateway.save()
    return gateway


def contact(party: Party, email: str, **fields: Any) -> Contact:
    given = {"name": email.partition("@")[0], "is_billing": True, **fields}
    return Contact.objects.create(account=party.account, party=party, email=email, **given)


def template(organization: Party, **fields: Any) -> EmailTemplate:
    """The organization's default text, without files."""
    given = {
        "name": "Fatura",
        "subject": "Fatura $NUMERO",
        "body": TEXT,
        "include_billet": False,
        "default_template": True,
        **fields,
    }
    return EmailTemplate.objects.create(
        account=organization.account, organization=organization, **given
    )


def send_all() -> list[EmailMessage]:
    """Work off what is due; all messages, the oldest first."""
    sending.work_off()
    return list(EmailMessage.objects.order_by("pk"))


def due_now() -> None:
    """What was put off is due."""
    from lib import clock

    EmailMessage.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=clock.now())
