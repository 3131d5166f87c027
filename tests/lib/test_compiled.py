"""Queries built once: other parameters, the same rows as the ORM's."""

from __future__ import annotations

import pytest
from factories import CompanyFactory

from billing.models import Party
from lib.compiled import CompiledQuery

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

    assert BY_ID.rows(one.pk) == [[one.pk, one.name]]
    assert BY_ID.rows(two.pk) == [[two.pk, two.name]]
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

    assert BY_NAME.rows("d'Ávila; --") == [[party.pk]]
    assert BY_NAME.rows("the name") == []
