"""So many requests of a token per minute."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from django.core.cache import cache
from factories import cnpj
from support.wire import api_of

from accounts.api import TokenRateThrottle
from accounts.models import ApiToken
from billing.models import Party

NOON = "2026-08-12T12:00:00Z"


@pytest.fixture
def three(settings):
    settings.RATE_LIMIT_PER_MINUTE = 3


def headers(answer) -> tuple[str, str, str]:
    return tuple(answer[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset"))


@pytest.mark.django_db
def test_each_answer_tells_what_is_left_until_the_minute_ends(account, three):
    api = api_of(account)

    with time_machine.travel(NOON, tick=False) as clock:
        answers = [headers(api.get("companies"))]
        clock.shift(20)
        answers.append(headers(api.get("companies/1")))
        clock.shift(39)
        answers.append(headers(api.post("companies", {})))

    assert answers == [("3", "2", "61"), ("3", "1", "41"), ("3", "0", "2")]


@pytest.mark.django_db
def test_beyond_the_limit_nothing_is_done_and_the_client_knows_when_to_return(account, three):
    api = api_of(account)

    with time_machine.travel("2026-08-12T12:00:45Z", tick=False) as clock:
        for _ in range(3):
            api.get("companies")
        refused = api.post("companies", {"name": "Nova", "cnpj": cnpj(1)})
        clock.shift(16)
        accepted = api.get("companies")

    assert refused.status_code == 429
    assert refused.json() == {"errors": "Muitas requisições. Tente de novo em 15 s."}
    assert refused["Retry-After"] == "15"
    assert headers(refused) == ("3", "0", "16")
    assert not Party.objects.exists()
    assert (accepted.status_code, headers(accepted)) == (200, ("3", "2", "60"))


@pytest.mark.django_db
def test_retry_after_is_at_least_one_second(account, three):
    api = api_of(account)

    with time_machine.travel("2026-08-12T12:00:59.9Z", tick=False):
        for _ in range(3):
            api.get("companies")
        refused = api.get("companies")

    assert refused["Retry-After"] == "1"
    assert refused.json() == {"errors": "Muitas requisições. Tente de novo em 1 s."}


@pytest.mark.django_db
def test_each_token_has_its_own_count(account, other_account, three):
    spent, second, foreign = api_of(account), api_of(account), api_of(other_account)

    with time_machine.travel(NOON, tick=False):
        statuses = [spent.get("companies").status_code for _ in range(4)]

        assert statuses == [200, 200, 200, 429]
        assert second.get("companies").status_code == 200
        assert foreign.get("companies").status_code == 200


@pytest.mark.django_db
def test_whoever_has_no_token_is_not_counted(account, client, three):
    for _ in range(5):
        answer = client.get("/api/v1/companies")
        assert answer.status_code == 401
        assert "X-RateLimit-Limit" not in answer


@pytest.mark.django_db
def test_zero_is_no_limit(account, settings):
    settings.RATE_LIMIT_PER_MINUTE = 0
    api = api_of(account)

    answers = [api.get("companies") for _ in range(5)]

    assert [one.status_code for one in answers] == [200] * 5
    assert "X-RateLimit-Limit" not in answers[0]


@pytest.mark.django_db
def test_the_window_may_end_between_the_two_calls_of_the_counter(account, three, monkeypatch):
    api = api_of(account)

    with time_machine.travel(NOON, tick=False):
        api.get("companies")
        monkeypatch.setattr(cache, "add", lambda *a, **k: cache.clear() or False)
        answer = api.get("companies")

    assert (answer.status_code, headers(answer)) == (200, ("3", "2", "61"))


@pytest.mark.django_db
def test_simultaneous_requests_are_all_counted(account, settings):
    """The counter itself, without requests around it: each thread sees another number."""
    settings.RATE_LIMIT_PER_MINUTE = 50
    api_of(account)
    token = ApiToken.objects.get()

    class Request:
        auth = token

    class View:
        rate_headers: dict[str, str] = {}

    def one(_: int) -> tuple[bool, int]:
        throttle = TokenRateThrottle()
        return throttle.allow_request(Request(), View()), throttle.count

    with time_machine.travel(NOON, tick=False), ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(60)))

    assert sorted(count for _, count in found) == list(range(1, 61))
    assert sum(allowed for allowed, _ in found) == 50
