"""Another password for a customer's user, by a link in an e-mail (ux P03)."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from accounts.models import User
from accounts.services import attempts, passwords
from accounts.services.people_trail import told
from billing.models import CustomerAccess
from billing.services.emails.letters import send_letter
from lib import clock
from lib.templatetags.br import data_hora

KIND, LIMIT, WINDOW = "senha", 3, timedelta(hours=1)


def ask_for_link(email: str, *, ip: str | None = None) -> None:
    """Send a link to whoever has this address; nobody learns whether somebody has.

    Three in an hour for each address, silently. Audited as senha.pedido.
    """
    address = email.strip().lower()
    if "\x00" in address or not attempts.begin(KIND, address, limit=LIMIT, within=WINDOW):
        return
    user = User.objects.filter(email=address, is_active=True).first()
    access = _access(user) if user is not None else None
    if user is None or access is None:
        return
    with transaction.atomic():
        token = passwords.make_token(user)
        send_letter(
            access.account,
            customer=access.customer,
            recipient=user.email,
            template="nova_senha",
            context={"nome": user.name, "email": user.email},
            secrets={"link": f"{settings.PUBLIC_URL}/central/senha/redefinir/{token}/"},
        )
        told(user, action="senha.pedido", ip=ip)


@transaction.atomic
def change(token: str, password: str, *, ip: str | None = None) -> User | None:
    """Give the password, once, and warn the person by e-mail; None when the link is over."""
    user = passwords.change_by_token(token, password, ip=ip)
    access = _access(user) if user is not None else None
    if user is not None and access is not None:
        send_letter(
            access.account,
            customer=access.customer,
            recipient=user.email,
            template="senha_alterada",
            context={
                "nome": user.name,
                "email": user.email,
                "quando": data_hora(clock.now()),
                "redefinir": f"{settings.PUBLIC_URL}/central/senha/esqueci/",
            },
        )
    return user


def _access(user: User) -> CustomerAccess | None:
    """In whose name the letter goes: of the first company that the person acts for."""
    found: CustomerAccess | None = (
        CustomerAccess.objects.filter(user=user, account__is_active=True)
        .select_related("account", "customer")
        .order_by("pk")
        .first()
    )
    return found
