"""Where a bank posts its notices: registered for the key, with a secret that nobody is shown."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse
from support.pix import KEY
from support.staff import client_of, said

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import ProviderRefused
from billing.services.pix.hooks import set_up_hook
from lib.errors import NotFound

pytestmark = pytest.mark.django_db

LIST = "admin:billing_gatewayaccount_changelist"


def registered(bank):
    clients = bank.providers.books("pix")["clients"]
    return clients[f"conta-{bank.gateway.account_id}"]["hooks"][KEY]["webhookUrl"]


def test_the_address_is_registered_once_and_stays(bank, account, other_account, settings):
    secret = bank.gateway.secrets["hook_token"]
    assert registered(bank) == f"{settings.PUBLIC_URL}/hooks/{bank.gateway.hook}/{secret}"

    assert set_up_hook(bank.gateway.pk, account=account, actor=SYSTEM) == registered(bank)

    bank.gateway.refresh_from_db()
    assert bank.gateway.secrets["hook_token"] == secret
    assert bank.gateway.secrets["client_id"] == f"conta-{account.pk}"
    trail = json.dumps(list(AuditEvent.objects.values("action", "after")), default=str)
    assert "pix.aviso_registrado" in trail
    assert secret not in trail
    with pytest.raises(NotFound):
        set_up_hook(bank.gateway.pk, account=other_account, actor=SYSTEM)
    bank.providers.fault("pix", "status", path="/webhook/", status=503)
    with pytest.raises(ProviderRefused, match="O banco está indisponível"):
        set_up_hook(bank.gateway.pk, account=account, actor=SYSTEM)


def test_staff_register_it_and_are_not_shown_the_secret(bank, account):
    act = {"action": "register_hooks", "_selected_action": [bank.gateway.pk]}

    shown = said(client_of(account, "admin").post(reverse(LIST), act))

    assert "avisos registrados em" in shown
    assert bank.gateway.secrets["hook_token"] not in shown
