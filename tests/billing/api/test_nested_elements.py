"""Elements of lists in updates (billing-api §6.11), the same way in every resource."""

from __future__ import annotations

import pytest
from support.tenants import DAY, attachment, build, service

LISTS = [
    ("contracts/{contract}/invoices/{invoice}", "services"),
    ("contracts/{contract}/invoices/{invoice}", "receivables"),
    ("contracts/{contract}/invoices/{invoice}", "attachments"),
    ("contracts/{contract}/invoice_rules/{rule}", "services"),
    ("contracts/{contract}/invoice_rules/{rule}", "scheduled_updates"),
    ("organizations/{organization}/plans/{plan}", "features"),
    ("organizations/{organization}/plans/{plan}", "products"),
]

# Name of the list → an element that could be created.
WHOLE = {
    "services": service,
    "products": service,
    "receivables": lambda world: {"due_date": "10/04/2025", "value": 50},
    "attachments": attachment,
    "features": lambda world: {"description": "x", "value": "1", "tag": "x"},
    "scheduled_updates": lambda world: {
        "init_date": "01/03/2025",
        "month_quantity": 12,
        "days_until_update": 1,
        "price_index": "ipca",
    },
}


@pytest.fixture
def world(account, today):
    today(DAY)
    return build(account, "Meu", 1000)


def changed(world, path, body):
    answer = world["api"].patch(path.format(**world), body)
    return answer, next(iter(answer.json().values()))


# One world serves every case: none of them may change it.


@pytest.mark.django_db
def test_destroying_what_was_never_there_changes_nothing(world, subtests):
    for path, name in LISTS:
        with subtests.test(path=path, name=name):
            _, before = changed(world, path, {})
            element = {"_destroy": True} | WHOLE[name](world)

            answer, now = changed(world, path, {name: [element, element | {"_destroy": "true"}]})

            assert answer.status_code == 200, answer.content
            assert [one["id"] for one in now[name]] == [one["id"] for one in before[name]]


@pytest.mark.django_db
def test_elements_that_are_not_mentioned_stay(world, subtests):
    for path, name in LISTS:
        for value in (None, []):
            with subtests.test(path=path, name=name, value=value):
                _, before = changed(world, path, {})

                answer, after = changed(world, path, {name: value})

                assert answer.status_code == 200, answer.content
                assert [one["id"] for one in after[name]] == [one["id"] for one in before[name]]


@pytest.mark.django_db
def test_what_is_no_list_of_objects_is_refused(world, subtests):
    for path, name in LISTS:
        for value in ("x", 7, True, {}, [1], ["x"], [None], [[]]):
            with subtests.test(path=path, name=name, value=value):
                answer = world["api"].patch(path.format(**world), {name: value})

                assert answer.status_code == 422
                assert answer.json() == {"errors": {name: "inválido"}}


@pytest.mark.django_db
def test_the_id_of_no_element_is_404(world, subtests):
    for path, name in LISTS:
        for unknown in (999_999_999, -1, "abc", 2**70):
            with subtests.test(path=path, name=name, unknown=unknown):
                answer = world["api"].patch(path.format(**world), {name: [{"id": unknown}]})

                assert (answer.status_code, answer.content) == (404, b"")
