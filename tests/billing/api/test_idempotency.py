"""A POST repeated with its Idempotency-Key does its work once, however parallel it comes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.db import connections
from django.db.models import Model
from django.test import Client
from factories import cnpj
from support.invoices import in_threads
from support.wire import Api, api_of

from accounts.models import AuditEvent, IdempotencyRecord
from accounts.services import idempotency
from accounts.services.idempotency import fingerprint, purge_expired
from accounts.tasks import purge_idempotency
from billing.api.v1 import parties
from billing.models import Party

NOON = "2026-08-12T12:00:00Z"
KEY = "pedido-0001"
REUSED = {"errors": "Esta Idempotency-Key já foi usada com outra requisição."}


@pytest.fixture
def api(account) -> Api:
    return api_of(account)


def company(**fields: object) -> dict[str, object]:
    return {"name": "Nova", "cnpj": cnpj(4321)} | fields


def send(api: Api, body: object, key: str = KEY, path: str = "companies"):
    return api.post(path, body, Idempotency_Key=key)


# --- one after the other -----------------------------------------------------------------------


@pytest.mark.django_db
def test_a_repeated_post_is_answered_with_the_first_answer(account, api):
    first = send(api, company())
    second = send(api, company())

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert Party.objects.of(account).count() == 1
    assert AuditEvent.objects.filter(action="cliente.criado").count() == 1


@pytest.mark.django_db
def test_the_answer_stays_the_first_even_when_the_object_changed_or_is_gone(api):
    first = send(api, company())
    pk = first.json()["company"]["id"]
    api.patch(f"companies/{pk}", {"name": "Outro nome"})

    assert send(api, company()).json() == first.json()
    api.delete(f"companies/{pk}")
    assert send(api, company()).json() == first.json()
    assert not Party.objects.exists()


@pytest.mark.django_db
def test_spaces_and_order_of_keys_make_no_other_request(api):
    body = f'{{"cnpj": "{cnpj(4321)}",\n  "name": "Nova"}}'

    first = send(api, company())
    second = send(api, body)

    assert second.json() == first.json()
    assert second["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["companies", "people"])
def test_a_key_that_made_something_refuses_another_request(account, api, path):
    send(api, company())

    answer = send(api, company(name="Outra"), path=path)

    assert (answer.status_code, answer.json()) == (422, REUSED)
    assert Party.objects.of(account).get().name == "Nova"
    assert send(api, company())["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
def test_a_refusal_is_repeated_and_leaves_the_key_free_for_a_mended_request(account, api):
    bad = company(cnpj="1")
    first = send(api, bad)
    second = send(api, bad)
    mended = send(api, company())
    again = send(api, company())

    assert (first.status_code, second.status_code) == (422, 422)
    assert first.json() == second.json() == {"errors": {"cnpj": ["inválido"]}}
    assert second["Idempotent-Replayed"] == "true"
    assert (mended.status_code, again.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in mended
    assert again["Idempotent-Replayed"] == "true"
    assert Party.objects.of(account).count() == 1


@pytest.mark.django_db
def test_a_refusal_is_repeated_even_when_it_would_succeed_by_now(account, api):
    api.post("companies", company(name="Primeira"))
    first = send(api, company())
    Party.objects.all().delete()

    second = send(api, company())

    assert (first.status_code, second.status_code) == (422, 422)
    assert first.json() == second.json()
    assert not Party.objects.exists()


@pytest.mark.django_db
def test_an_unknown_object_is_repeated_as_404_and_empty(api, monkeypatch):
    from lib.errors import NotFound

    def gone(self) -> None:
        raise NotFound()

    monkeypatch.setattr(parties.CompaniesView, "create", gone)

    answers = [send(api, company()) for _ in range(2)]

    assert [one.status_code for one in answers] == [404, 404]
    assert [one.content for one in answers] == [b"", b""]
    assert [one["Content-Type"] for one in answers] == ["text/html; charset=utf-8"] * 2
    assert answers[1]["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
def test_the_same_key_of_another_account_is_another_key(other_account, api):
    foreign = api_of(other_account)

    first = send(api, company())
    second = send(foreign, company())

    assert (first.status_code, second.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in second
    assert first.json()["company"]["id"] != second.json()["company"]["id"]
    assert IdempotencyRecord.objects.count() == 2


@pytest.mark.django_db
def test_two_tokens_of_an_account_share_its_keys(account, api):
    first = send(api, company())

    second = send(api_of(account), company())

    assert second.json() == first.json()
    assert second["Idempotent-Replayed"] == "true"


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "a b", "ã", "x" * 256, "a\x7f"])
def test_a_bad_key_is_400_and_does_nothing(api, key):
    answer = send(api, company(), key=key)

    assert answer.status_code == 400
    assert answer.json() == {
        "errors": "Idempotency-Key inválida: use de 1 a 255 caracteres ASCII, sem espaços."
    }
    assert not Party.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["!", "~" * 255])
def test_the_limits_of_a_key(api, key):
    assert send(api, company(), key=key).status_code == 201


@pytest.mark.django_db
def test_keys_are_for_post_alone(account, api):
    pk = api.post("companies", company()).json()["company"]["id"]

    for name in ("Um", "Dois"):
        answer = api.call("PATCH", f"companies/{pk}", {"name": name}, Idempotency_Key=KEY)
        assert answer.json()["company"]["name"] == name
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.django_db
def test_a_key_is_forgotten_after_a_day(account, api):
    with time_machine.travel(NOON, tick=False) as clock:
        send(api, company())
        clock.shift(timedelta(hours=24))
        assert send(api, company())["Idempotent-Replayed"] == "true"
        assert purge_idempotency() == 0
        clock.shift(timedelta(seconds=1))
        answer = send(api, company(name="Outra", cnpj=cnpj(9)))

        assert answer.status_code == 201
        assert "Idempotent-Replayed" not in answer
        assert Party.objects.of(account).count() == 2
        assert IdempotencyRecord.objects.count() == 1
        clock.shift(timedelta(hours=24, seconds=1))
        assert purge_expired() == 1
        assert purge_expired() == 0


@pytest.mark.django_db
def test_answers_that_were_never_given_keep_no_key(account):
    """401, 413, 415, 429 and malformed bodies come before the key is looked at."""
    api = api_of(account)
    send(Api("0" * 32, api.client), company())
    send(api, b"{")
    send(api, company(comments="x" * 1_000_000))

    assert not IdempotencyRecord.objects.exists()


def test_a_fingerprint_tells_requests_apart():
    one = fingerprint("POST", "/a", {"x": 1, "y": "2"})

    assert one == fingerprint("POST", "/a", {"y": "2", "x": 1})
    others = [
        fingerprint("POST", "/b", {"x": 1, "y": "2"}),
        fingerprint("POST", "/a", {"x": "1", "y": "2"}),
        fingerprint("POST", "/a", {"x": 1, "y": 2}),
        fingerprint("POST", "/a", {"x": 1, "y": "2", "z": None}),
        fingerprint("POST", "/a", {"x": True, "y": "2"}),
        fingerprint("POST", "/a", {"x": 1, "y": "\ud800"}),
    ]
    assert len({one, *others}) == 7


# --- cut in the middle -------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_fault_in_the_middle_keeps_neither_work_nor_key(account, api, monkeypatch):
    api.client = Client(raise_request_exception=False)

    with monkeypatch.context() as broken:
        broken.setattr(parties.CompanyOut, "show", lambda party: 1 / 0)
        assert send(api, company()).status_code == 500
    assert not Party.objects.exists()
    assert not IdempotencyRecord.objects.exists()

    answer = send(api, company())
    assert (answer.status_code, "Idempotent-Replayed" in answer) == (201, False)
    assert Party.objects.of(account).count() == 1


def _dies_before_the_answer_is_kept(token: str) -> None:
    """In a process of its own: killed when the party is written and nothing is committed."""

    def die(record: IdempotencyRecord, **how: object) -> None:
        if how.get("force_insert"):  # the key is claimed
            return Model.save(record, **how)
        assert Party.objects.count() == 1
        return os.kill(os.getpid(), signal.SIGKILL)

    connections.close_all()
    IdempotencyRecord.save = die
    send(Api(token, Client()), company())


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_in_the_middle_keeps_nothing_and_the_repetition_succeeds(account, api):
    connections.close_all()
    process = multiprocessing.get_context("fork").Process(
        target=_dies_before_the_answer_is_kept, args=(api.token,)
    )
    process.start()
    process.join(30)

    assert process.exitcode == -signal.SIGKILL
    assert not Party.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    assert send(api, company()).status_code == 201
    assert Party.objects.of(account).count() == 1


# --- all at once -------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_equal_posts_in_parallel_make_one_object(account, api):
    calls = [partial(send, Api(api.token, Client()), company()) for _ in range(6)]

    answers = in_threads(calls)

    assert [one.status_code for one in answers] == [201] * 6
    assert len({one.content for one in answers}) == 1
    assert sum("Idempotent-Replayed" in one for one in answers) == 5
    assert Party.objects.of(account).count() == 1
    assert AuditEvent.objects.filter(action="cliente.criado").count() == 1


@pytest.mark.django_db(transaction=True)
def test_different_posts_in_parallel_with_one_key_have_one_winner(account, api):
    bodies = [company(name=f"Nome {n}", cnpj=cnpj(100 + n)) for n in range(4)]

    answers = in_threads([partial(send, Api(api.token, Client()), body) for body in bodies])

    assert sorted(one.status_code for one in answers) == [201, 422, 422, 422]
    assert [one.json() for one in answers if one.status_code == 422] == [REUSED] * 3
    assert Party.objects.of(account).count() == 1


@pytest.mark.django_db(transaction=True)
def test_equal_refused_posts_in_parallel_are_all_told_the_same(api):
    answers = in_threads(
        [partial(send, Api(api.token, Client()), company(cnpj="1")) for _ in range(4)]
    )

    assert [one.status_code for one in answers] == [422] * 4
    assert len({one.content for one in answers}) == 1


@pytest.mark.django_db(transaction=True)
def test_accounts_do_not_wait_for_each_other_with_the_same_key(account, other_account):
    apis = [api_of(account), api_of(other_account)]

    answers = in_threads([partial(send, Api(one.token, Client()), company()) for one in apis])

    assert [one.status_code for one in answers] == [201, 201]
    assert timedelta(hours=24) == idempotency.KEPT
    assert Party.objects.count() == 2
