"""Presets read through the API (billing-api §2.10)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import CompanyFactory, OrganizationFactory, ServiceItemFactory
from support.wire import api_of

from billing.models import InvoiceTemplate, ScheduledUpdate, TemplateService


def preset(organization, name, **fields):
    """A monthly preset of one service of R$ 100,00."""
    made = InvoiceTemplate.objects.create(
        account=organization.account,
        organization=organization,
        name=name,
        **{"period_unit": "monthly", "month_quantity": 1} | fields,
    )
    item = ServiceItemFactory(account=organization.account)
    TemplateService.objects.create(
        template=made, position=1, service_item=item, units=1, unit_value=100, value=100
    )
    ScheduledUpdate.objects.create(template=made, service_item=item, price_index="ipca")
    return made


def single_use(organization, name):
    return preset(organization, name, period_unit="", month_quantity=None)


def names(answer):
    assert answer.status_code == 200, answer.content
    return [one["name"] for one in answer.json()["invoice_templates"]]


@pytest.fixture
def api(account):
    return api_of(account)


@pytest.fixture
def base(organization):
    return f"organizations/{organization.pk}/invoice_templates"


def test_the_list_is_of_the_organization_by_name(api, account, organization, base):
    preset(organization, "Trimestral")
    single_use(organization, "Avulso")
    preset(OrganizationFactory(account=account), "De outra")

    assert names(api.get(base)) == ["Avulso", "Trimestral"]


def test_the_search_tells_presets_of_rules_from_those_of_invoices(api, organization, base):
    preset(organization, "Trimestral")
    single_use(organization, "Avulso")

    assert names(api.get(f"{base}/search", {"type": "invoice_rule"})) == ["Trimestral"]
    assert names(api.get(f"{base}/search", {"type": "invoice"})) == ["Avulso"]


@pytest.mark.parametrize("query", [{}, {"type": ""}, {"type": "rule"}, {"type": "\x00"}])
def test_the_search_needs_a_known_type(api, base, query):
    answer = api.get(f"{base}/search", query)

    assert answer.status_code == 400
    assert answer.json() == {"errors": "Parâmetro(s) inválido(s) para busca: type"}


def test_a_single_use_preset_has_no_period(api, organization, base):
    made = single_use(organization, "Avulso")

    shown = api.get(f"{base}/{made.pk}").json()["invoice_template"]

    assert (shown["month_quantity"], shown["period_unit"]) == (None, None)
    assert shown["gross_value"] is None
    assert shown["receivables_additional_information"] == {
        "charge_type": None,
        "day_number": None,
        "day_quantity": None,
        "month_quantity": None,
        "parcel_number": None,
        "only_business_days": None,
        "create_parcels": False,
    }


def test_a_preset_shows_its_services_and_clauses(api, organization, base):
    made = preset(organization, "Mensal", gross_value=Decimal("100.00"))
    clause = made.scheduled_updates.get()

    shown = api.get(f"{base}/{made.pk}").json()["invoice_template"]

    service = made.services.get()
    assert shown["services"] == [
        {
            "id": service.pk,
            "name": service.service_item.name,
            "description": "",
            "unit_value": "100.0",
            "units": "1.0",
            "value": "100.0",
        }
    ]
    (update,) = shown["scheduled_updates"]
    assert update["id"] == clause.pk
    assert update["invoice_template_id"] == made.pk
    assert (update["month_quantity"], update["days_until_update"]) == (12, 0)
    assert update["notified"] is False
    for name in ("invoice_rule_id", "execution_date", "init_date", "remind_at"):
        assert update[name] is None


def test_what_does_not_exist_here(api, account, organization, base, other_account):
    theirs = OrganizationFactory(account=other_account)
    their_preset = preset(theirs, "Alheio")
    elsewhere = preset(OrganizationFactory(account=account), "De outra")
    company = CompanyFactory(account=account)

    for path in (
        f"organizations/{theirs.pk}/invoice_templates",
        f"organizations/{theirs.pk}/invoice_templates/search?type=invoice",
        f"organizations/{theirs.pk}/invoice_templates/{their_preset.pk}",
        f"organizations/{company.pk}/invoice_templates",
        "organizations/999/invoice_templates",
        "organizations/abc/invoice_templates/search",
        f"{base}/{their_preset.pk}",
        f"{base}/{elsewhere.pk}",
        f"{base}/abc",
    ):
        answer = api.get(path)
        assert (answer.status_code, answer.content) == (404, b""), path


def test_presets_are_only_read(api, organization, base):
    made = preset(organization, "Mensal")

    assert api.post(base, {"name": "x"}).status_code == 405
    assert api.patch(f"{base}/{made.pk}", {"name": "x"}).status_code == 405
    assert api.delete(f"{base}/{made.pk}").status_code == 405


def test_the_list_costs_the_same_however_long(api, organization, base):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert api.get(base).status_code == 200
        return len(seen)

    preset(organization, "A")
    queries()
    one = queries()
    for name in "BCD":
        preset(organization, name)

    assert queries() == one
