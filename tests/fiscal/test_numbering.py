"""Numbers without gaps and without duplicates (fiscal-engine §3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from factories import FiscalCompanyFactory, cpf

from fiscal.errors import InvalidRequest
from fiscal.models import FiscalDocument, Inutilizacao, Series
from fiscal.services.numbering import last_used, set_next_number, take_number
from lib import clock


def take(company, *, ambiente="homologacao", modelo=55, serie=None) -> tuple[int, int]:
    with transaction.atomic():
        return take_number(company, ambiente=ambiente, modelo=modelo, serie=serie)


@pytest.mark.django_db
def test_numbers_follow_each_other(company):
    assert [take(company) for _ in range(3)] == [(1, 1), (1, 2), (1, 3)]


@pytest.mark.django_db
def test_environments_models_and_series_count_apart(company):
    """NUM-1, NUM-8."""
    take(company)

    assert take(company, ambiente="producao") == (1, 1)
    assert take(company, modelo=65) == (1, 1)
    assert take(company, serie=7) == (7, 1)
    assert take(company) == (1, 2)


@pytest.mark.django_db
def test_the_default_series_is_the_companys(company):
    company.options = {"serie_nfe_homologacao": 3, "serie_nfce_producao": 0}

    assert take(company) == (3, 1)
    assert take(company, ambiente="producao", modelo=65) == (0, 1)
    assert take(company, ambiente="producao") == (1, 1)


@pytest.mark.django_db
def test_a_rollback_gives_the_number_back(company):
    """NUM-1: the number and the document that uses it stand or fall together."""
    with transaction.atomic():
        take_number(company, ambiente="homologacao", modelo=55)
        transaction.set_rollback(True)

    assert take(company) == (1, 1)


@pytest.mark.django_db
def test_numbers_voided_ahead_of_the_counter_are_passed_over(company):
    """Whoever voids a range before the counter comes there would be refused with 206 later."""
    ranges = [(2, 3, "homologada"), (3, 4, "solicitada"), (6, 6, "rejeitada"), (7, 9, "indefinida")]
    for first, last, state in ranges:
        Inutilizacao.objects.create(
            account=company.account, company=company, ambiente="homologacao", modelo=55, ano=26,
            serie=1, first=first, last=last, state=state, created_at=clock.now(),
            next_attempt_at=None,
        )  # fmt: skip

    assert [take(company) for _ in range(4)] == [(1, 1), (1, 5), (1, 6), (1, 10)]
    assert take(company, modelo=65) == (1, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("serie", [890, 919, 920, 969, 970, 1000, -1])
def test_series_of_others_are_refused(company, serie):
    """NUM-7."""
    with pytest.raises(InvalidRequest, match="use de 0 a 889"):
        take(company, serie=serie)

    assert not Series.objects.exists()


@pytest.mark.django_db
def test_a_person_uses_the_series_of_persons(account):
    """NUM-7: 920 to 969 for issuers identified by CPF."""
    person = FiscalCompanyFactory(account=account, cnpj="", cpf=cpf(5))

    assert take(person) == (920, 1)
    assert take(person, serie=969) == (969, 1)
    with pytest.raises(InvalidRequest, match="use de 920 a 969"):
        take(person, serie=1)


@pytest.mark.django_db
def test_nine_digits_are_all_there_are(company):
    set_next_number(company, ambiente="homologacao", modelo=55, serie=1, number=999_999_999)

    assert take(company) == (1, 999_999_999)
    with pytest.raises(InvalidRequest, match="não tem mais números"):
        take(company)


@pytest.mark.django_db
def test_the_last_used_number_counts_documents_and_voidings(company):
    key = {"account": company.account, "company": company, "modelo": 55, "serie": 1}
    FiscalDocument.objects.create(
        **key, ambiente="producao", ref="a", numero=10, payload={}, created_at=clock.now(),
        state="rejeitado",
    )  # fmt: skip
    void = {"ambiente": "producao", "ano": 26, "justificativa": "x" * 15, "created_at": clock.now()}
    Inutilizacao.objects.create(**key, **void, first=11, last=14)
    Inutilizacao.objects.create(**key, **void, first=20, last=30, state="rejeitada")

    assert last_used(company, ambiente="producao", modelo=55, serie=1) == 14
    assert last_used(company, ambiente="homologacao", modelo=55, serie=1) == 0
    with pytest.raises(InvalidRequest, match="maior que 14"):
        set_next_number(company, ambiente="producao", modelo=55, serie=1, number=14)
    set_next_number(company, ambiente="producao", modelo=55, serie=1, number=15)
    assert take(company, ambiente="producao") == (1, 15)


def in_threads(n: int, work) -> list:
    """What `n` threads with connections of their own answer."""

    def run(_: int):
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(run, range(n)))


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_every_number_once(company):
    """NUM-1 on both engines; the row of the series does not exist when they all begin."""
    taken = in_threads(8, lambda: [take(company) for _ in range(6)])

    assert sorted(number for some in taken for _, number in some) == list(range(1, 49))
    assert Series.objects.get().next_number == 49


@pytest.mark.django_db(transaction=True)
def test_rollbacks_among_many_leave_no_gap(company):
    def some_fail() -> list[int]:
        kept = []
        for turn in range(6):
            with transaction.atomic():
                _, number = take_number(company, ambiente="homologacao", modelo=55)
                if turn % 3 == 0:
                    transaction.set_rollback(True)
                    continue
            kept.append(number)
        return kept

    taken = in_threads(6, some_fail)

    assert sorted(number for some in taken for number in some) == list(range(1, 25))
