"""Which way an e-mail leaves: the tenant's Mailjet, the installation's server, or the terminal."""

from __future__ import annotations

from django.conf import settings

from accounts.models import Account
from billing.gateways.mail.base import Mailer, NotNow, Refused
from billing.gateways.mail.console import Console
from billing.gateways.mail.mailjet import Mailjet
from billing.gateways.mail.smtp import Smtp
from billing.models import GatewayAccount
from lib.crypto import Unreadable

_SMTP = "django.core.mail.backends.smtp.EmailBackend"


def gateway_for(account: Account, organization_id: int | None) -> GatewayAccount | None:
    """The tenant's own account: that of the organization before that of all of them."""
    rows = GatewayAccount.objects.of(account).filter(
        provider=GatewayAccount.Provider.MAILJET, is_active=True
    )
    own = rows.filter(organization_id=organization_id).first() if organization_id else None
    return own or rows.filter(organization=None).first()


def mailer_of(gateway: GatewayAccount | None) -> Mailer:
    """Raises NotNow for secrets that cannot be read, Refused where nothing is configured."""
    if gateway is not None:
        return _mailjet(gateway)
    if settings.EMAIL_BACKEND != _SMTP or settings.EMAIL_HOST:
        return Smtp()
    if settings.EMAIL_CONSOLE:
        return Console()
    raise Refused("nenhum servidor de e-mail está configurado")


def _mailjet(gateway: GatewayAccount) -> Mailjet:
    """`secrets`: api_key, secret_key; hook_user and hook_password are for its notices.

    `options`: sender, for texts that name none.
    """
    try:
        secrets = gateway.secrets
    except Unreadable as error:
        raise NotNow("as chaves do Mailjet não podem ser lidas; cadastre de novo") from error
    return Mailjet(
        api_key=str(secrets.get("api_key", "")),
        secret_key=str(secrets.get("secret_key", "")),
        base_url=gateway.base_url or settings.MAILJET_URL,
    )
