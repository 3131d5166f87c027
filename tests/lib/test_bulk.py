"""Bulk writes, on both engines."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from factories import ServiceItemFactory

from accounts.models import WebhookEvent
from billing.models import PriceIndexValue, ServiceItem
from lib.bulk import insert_missing, insert_rows, reserve_ids, update_rows

pytestmark = pytest.mark.django_db

COLUMNS = ("index", "month", "version", "percent", "is_current", "source", "published_at")
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def row(month, percent, *, index="ipca"):
    return (index, date(2026, month, 1), 1, Decimal(percent), True, 'Aspas "e" \\barra\n', AT)


def test_rows_come_back_as_they_went_in():
    insert_rows(PriceIndexValue, COLUMNS, [row(1, "0.160000"), row(2, "-1.234567")])

    first, second = PriceIndexValue.objects.order_by("month")
    assert first.percent == Decimal("0.16")
    assert second.percent == Decimal("-1.234567")
    assert first.source == 'Aspas "e" \\barra\n'
    assert first.published_at == AT


def test_json_and_database_defaults_are_written(account):
    payload = {"texto": 'a"b', "número": 1, "nulo": None}

    insert_rows(
        WebhookEvent,
        ("account", "event", "object_type", "object_id", "payload", "created_at"),
        [(account.pk, "emit", "Invoice", 7, payload, AT)],
    )

    assert WebhookEvent.objects.get().payload == payload


def test_a_refused_row_keeps_nothing_of_its_statement():
    insert_rows(PriceIndexValue, COLUMNS, [row(1, "1")])

    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(PriceIndexValue, COLUMNS, [row(2, "2"), row(1, "9")])

    assert list(PriceIndexValue.objects.values_list("percent", flat=True)) == [Decimal(1)]


def test_missing_rows_are_inserted_and_present_ones_kept():
    insert_rows(PriceIndexValue, COLUMNS, [row(1, "1")])

    insert_missing(PriceIndexValue, COLUMNS, [row(1, "9"), row(2, "2")])

    assert list(PriceIndexValue.objects.order_by("month").values_list("percent", flat=True)) == [
        Decimal(1),
        Decimal(2),
    ]


def test_each_row_gets_its_own_values():
    insert_rows(PriceIndexValue, COLUMNS, [row(month, "1") for month in range(1, 13)])
    ids = list(PriceIndexValue.objects.order_by("month").values_list("id", flat=True))

    update_rows(
        PriceIndexValue,
        ("id", "percent", "source", "published_at"),
        [(pk, Decimal(n) / 8, f"fonte {n} ’", AT) for n, pk in enumerate(ids)],
    )

    assert list(PriceIndexValue.objects.order_by("month").values_list("percent", "source")) == [
        (Decimal(n) / 8, f"fonte {n} ’") for n in range(12)
    ]


def test_no_rows_is_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        insert_missing(PriceIndexValue, COLUMNS, [])
        update_rows(PriceIndexValue, ("id", "percent"), [])


def test_reserved_ids_are_never_handed_out_again(account):
    before = ServiceItemFactory(account=account)

    first = list(reserve_ids(ServiceItem, 3))
    second = list(reserve_ids(ServiceItem, 2))
    after = ServiceItemFactory(account=account)

    ids = [before.pk, *first, *second, after.pk]
    assert ids == sorted(set(ids))
    assert list(reserve_ids(ServiceItem, 0)) == []


def test_many_ids_are_looked_up_with_one_parameter(account):
    items = [ServiceItemFactory(account=account) for _ in range(3)]
    wanted = [items[0].pk, items[2].pk, *range(10**9, 10**9 + 50_000)]

    found = ServiceItem.objects.filter(id__among=wanted).order_by("id")

    assert list(found) == [items[0], items[2]]
    assert list(ServiceItem.objects.filter(account_id__among=[account.pk])) == items
    assert list(ServiceItem.objects.filter(id__among=[])) == []


def test_rows_are_looked_up_among_what_another_query_finds(account, other_account):
    items = [ServiceItemFactory(account=account, name=name) for name in "abc"]
    ServiceItemFactory(account=other_account, name="a")
    wanted = ServiceItem.objects.filter(account=account, name__in=["a", "c"]).order_by("name")

    found = ServiceItem.objects.filter(id__among=wanted.values("id")).order_by("id")

    assert list(found) == [items[0], items[2]]
    assert list(found.filter(name__gt="a")) == [items[2]]
    assert not ServiceItem.objects.filter(id__among=wanted.none().values("id")).exists()
