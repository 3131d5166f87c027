"""Accounts with providers in the back-office: secrets go in and never come out."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from support.cards import Shop
from support.staff import client_of, said

from accounts.models import AuditEvent
from billing.models import GatewayAccount

LIST = "admin:billing_gatewayaccount_changelist"
CHANGE = "admin:billing_gatewayaccount_change"


def _form(shop: Shop, **fields: Any) -> dict[str, Any]:
    base = {"name": "Loja", "base_url": "", "is_active": "on", "options": "{}"}
    return base | fields


def test_secrets_are_write_only(shop: Shop, settings: Any) -> None:
    settings.PROVIDERS_SANDBOX = shop.providers.base_url
    staff = client_of(shop.account, "admin")
    where = reverse(CHANGE, args=[shop.gateway.pk])
    kept = shop.gateway.secrets
    page = staff.get(where).content.decode()
    for secret in (kept["api_key"], *kept["webhook_secrets"], shop.gateway.closed):
        assert secret not in page
    assert "api_key, webhook_secrets" in page
    assert str(shop.gateway.hook) in page
    address = shop.providers.url("stripe")
    answer = staff.post(where, _form(shop, base_url=address, webhook_secret="whsec_novo"))
    assert answer.status_code == 302
    row = GatewayAccount.objects.get()
    assert (row.name, row.base_url) == ("Loja", address)
    assert row.secrets == {
        "api_key": kept["api_key"],
        "webhook_secrets": ["whsec_novo", *kept["webhook_secrets"]],
    }
    told = AuditEvent.objects.exclude(after=None).order_by("-id")[0]
    assert "whsec" not in str(told.after)
    assert row.closed not in str(told.after)
    # What another provider would need, and an address inside of our network.
    wrong = staff.post(where, _form(shop, client_id="x")).content.decode()
    assert "Este provedor não usa este campo." in wrong
    inside = staff.post(where, _form(shop, base_url="http://169.254.169.254/latest"))
    assert "Endereço recusado" in inside.content.decode()
    assert GatewayAccount.objects.get().secrets == row.secrets


def test_a_new_account_and_its_notices(shop: Shop, other_shop: Shop, settings: Any) -> None:
    settings.PROVIDERS_SANDBOX = shop.providers.base_url
    GatewayAccount.objects.filter(pk=shop.gateway.pk).update(is_active=False)
    staff = client_of(shop.account, "admin")
    given = _form(
        shop, provider="stripe", organization="", account=shop.account.pk,
        base_url=shop.providers.url("stripe"), api_key="sk_test_nova",
    )  # fmt: skip
    assert staff.post(reverse("admin:billing_gatewayaccount_add"), given).status_code == 302
    made = GatewayAccount.objects.get(name="Loja")
    assert made.secrets == {"api_key": "sk_test_nova"}
    act = {"action": "register_hooks", "_selected_action": [made.pk, other_shop.gateway.pk]}
    assert "avisos registrados em" in said(staff.post(reverse(LIST), act))
    row = GatewayAccount.objects.get(pk=made.pk)
    assert len(row.secrets["webhook_secrets"]) == 1
    [endpoint] = shop.providers.books("stripe")["accounts"]["sk_test_nova"][
        "webhook_endpoints"
    ].values()
    assert endpoint["url"].endswith(f"/hooks/{made.hook}")
    shop.providers.fault("stripe", "down", times=0)
    assert "O provedor não aceitou o pedido" in said(staff.post(reverse(LIST), act))


def test_nobody_else_sees_them(shop: Shop, other_shop: Shop) -> None:
    where = reverse(CHANGE, args=[other_shop.gateway.pk])
    assert client_of(shop.account, "admin").get(where).status_code == 404
    for role in ("financeiro", "suporte", "fiscal"):
        staff = client_of(shop.account, role)
        assert staff.get(reverse(CHANGE, args=[shop.gateway.pk])).status_code == 403, role
