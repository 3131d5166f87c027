import pytest
from django.test import Client
from django.urls import reverse
from factories import UserFactory
from support.fiscal_rows import fiscal_rows
from fiscal.models import FiscalHook, HookNotice
@pytest.mark.django_db
def test_x(account):
    rows = fiscal_rows(account, "AAA", 1)
    c = Client(); c.force_login(UserFactory(is_superuser=True))
    for m in (FiscalHook, HookNotice):
        n = f"admin:fiscal_{m._meta.model_name}_"
        for url in (reverse(n + "changelist"), reverse(n + "change", args=[rows[m].pk])):
            assert c.get(url).status_code == 200, url
