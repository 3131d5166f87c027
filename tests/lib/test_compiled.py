"""Queries built once: other parameters, the same rows as the ORM's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections
from factories import CompanyFactory

from billing.models import Party
from lib.compiled import CompiledQuery
from lib.postgres import PREPARE_AFTER

pytestmark = pytest.mark.django_db

BY_ID = CompiledQuery(lambda pk: Party.objects.filter(pk=pk).values_list("id", "name"))
SOME = CompiledQuery(
    lambda pk: Party.objects.filter(id__among=[pk]).order_by("id").values_list("id", "integration"),
    shares_json=True,
)
BY_NAME = CompiledQuery(
    lambda name: Party.objects.filter(name=name).values_list("id"), marks=("the name",)
)


def test_a_query_runs_for_other_ids(account):
    one, two = CompanyFactory.create_batch(2, account=account)

    assert BY_ID.rows(one.pk) == [(one.pk, one.name)]
    assert BY_ID.rows(two.pk) == [(two.pk, two.name)]
    assert BY_ID.rows(two.pk + 1) == []


def test_a_list_of_ids_is_one_parameter(account, django_assert_num_queries):
    parties = CompanyFactory.create_batch(3, account=account)
    first, _, last = (party.pk for party in parties)
    SOME.rows([first])

    with django_assert_num_queries(1):
        rows = SOME.rows([last, first])

    assert rows == [[first, {}], [last, {}]]
    assert SOME.rows([]) == []


def test_equal_json_is_one_object_and_different_json_is_not(account):
    plain, other = CompanyFactory.create_batch(2, account=account)
    Party.objects.filter(pk=other.pk).update(integration={"a": [1, "é"]})

    (_, first), (_, second) = SOME.rows([plain.pk, other.pk])

    assert (first, second) == ({}, {"a": [1, "é"]})
    assert SOME.rows([other.pk])[0][1] is second


def test_a_text_parameter_is_passed_as_it_is(account):
    party = CompanyFactory(account=account, name="d'Ávila; --")

    assert BY_NAME.rows("d'Ávila; --") == [(party.pk,)]
    assert BY_NAME.rows("the name") == []


def test_a_window_of_the_rows(account):
    parties = sorted(one.pk for one in CompanyFactory.create_batch(4, account=account))
    every = CompiledQuery(
        lambda least: Party.objects.filter(pk__gte=least).order_by("pk").values_list("pk")
    )
    assert every.rows(parties[0], window=(1, 2)) == [(parties[1],), (parties[2],)]
    assert every.rows(parties[0], window=(9, 2)) == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the plan is PostgreSQL's")
def test_postgresql_keeps_the_plan_of_a_query_that_comes_often(account):
    party = CompanyFactory(account=account)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    vars(connections[DEFAULT_DB_ALIAS]).pop("lib_direct", None)  # it knows of no such thing
    often = CompiledQuery(lambda pk: Party.objects.filter(pk=pk).values_list("name", "document"))
    seldom = CompiledQuery(
        lambda pk: Party.objects.filter(pk=pk).values_list("document", "name"), keeps_plan=False
    )
    for _ in range(PREPARE_AFTER + 2):
        assert often.rows(party.pk)[0] == seldom.rows(party.pk)[0][::-1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        kept = [statement for (statement,) in cursor.fetchall()]
    assert any('"name" AS "name", "billing_party"."document"' in one for one in kept)
    assert not any('"document" AS "document", "billing_party"."name"' in one for one in kept)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="read by psycopg")
@pytest.mark.parametrize(
    "text", ["2026-12-01 03:00:00+00", "2026-12-01 03:00:00.12+00", "0999-01-01 00:00:00.000001+00"]
)
def test_moments_are_read_as_django_reads_them(text):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [text])
        (moment,) = cursor.fetchone()
    assert moment == datetime.fromisoformat(text.replace("+00", "+00:00"))
    assert moment.tzinfo is UTC
