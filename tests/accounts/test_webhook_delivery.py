"""From the outbox to the receivers: order, attempts, fairness, and receivers that misbehave."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
import structlog
import time_machine
from django.db import connection, transaction
from django_q.models import OrmQ
from support.invoices import in_threads
from support.receiver import (
    Received,
    answer,
    free_port,
    hang,
    only_pings,
    receiver,
    sha1,
    sha256,
    status,
)
from support.webhooks import SECRET, announced, deliver, endpoint_to, later, states, told

from accounts.models import (
    AuditEvent,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from accounts.services import webhook_delivery, webhook_health, webhook_requests, webhooks
from accounts.services.audit import SYSTEM
from accounts.services.tokens import create_token
from accounts.services.webhook_outbox import fan_out, nudge_after_commit
from accounts.tasks import deliver_webhooks, purge_webhooks
from lib import clock
from lib.errors import InvalidInput

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _local(settings) -> None:
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True


def seconds_to_next(delivery: WebhookDelivery) -> float:
    return (delivery.next_attempt_at - clock.now()).total_seconds()


# --- what is sent ------------------------------------------------------------------------------


def test_an_event_reaches_its_receiver_with_headers_and_both_signatures(account):
    with receiver() as server:
        endpoint_to(server, account)
        event = announced(account, "emit", 7)

        assert deliver() == 1

    (got,) = server.received
    assert got.body == (
        b'{"event":"emit","object_type":"Invoice","object_id":7,'
        b'"contract_token":null,"contract_id":null}'
    )
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["X-Event"] == "emit"
    assert got.headers["X-Event-Id"] == f"evt_{event.pk}"
    assert got.headers["X-Webhook-Signature"] == sha1(SECRET, got)
    moment, mark = got.headers["X-Signature"].split(",")
    assert mark == f"v1={sha256(SECRET, got)}"
    assert abs(int(moment.removeprefix("t=")) - clock.now().timestamp()) < 5
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.last_status, delivery.n_attempts) == ("delivered", 200, 1)


def test_the_header_s_prefix_is_configurable(account, settings):
    settings.WEBHOOK_HEADER_PREFIX = "X-Acme"
    with receiver() as server:
        endpoint_to(server, account)
        announced(account)
        deliver()

    (got,) = server.received
    assert got.headers["X-Acme-Signature"] == sha1(SECRET, got, prefix="X-Acme")
    assert not [name for name in got.headers if name.startswith("X-Webhook")]


def test_delivering_again_sends_nothing_again(account):
    with receiver() as server:
        endpoint_to(server, account)
        announced(account)

        assert [deliver(), deliver(), deliver_webhooks()] == [1, 0, 0]

    assert len(server.received) == 1


def test_the_test_ping_goes_before_each_event_unless_it_is_off(account):
    with receiver() as server:
        endpoint = endpoint_to(server, account, ping=True)
        announced(account, "emit", 1)
        announced(account, "emit", 2)
        deliver()
        assert [got.is_ping for got in server.received] == [True, False, True, False]

        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(ping_first=False)
        announced(account, "emit", 3)
        deliver()

    assert [got.is_ping for got in server.received[4:]] == [False]


def test_a_ping_that_fails_is_a_failed_attempt_and_the_event_is_not_sent(account):
    with receiver(status(503, b"fora")) as server:
        endpoint_to(server, account, ping=True)
        announced(account)
        deliver()

    assert [got.is_ping for got in server.received] == [True]
    attempt = WebhookAttempt.objects.get()
    assert (attempt.stage, attempt.status, attempt.error) == ("ping", 503, "HTTP 503")
    assert states() == ["pending"]


def test_the_second_version_adds_keys_and_the_first_has_none_besides_the_contract_s(account):
    with receiver() as server:
        endpoint_to(server, account, version=2)
        event = announced(account)
        deliver()

    (got,) = server.received
    assert got.json == event.payload | {
        "id": event.pk,
        "created_at": event.created_at.isoformat(),
    }


def test_each_endpoint_gets_the_events_it_asked_for(account):
    with receiver() as some, receiver() as all_:
        endpoint_to(some, account, events=["emit", "cancel"])
        endpoint_to(all_, account)
        for event in ("update", "emit", "cancel"):
            announced(account, event)
        deliver()

    assert told(some) == [("emit", 1), ("cancel", 1)]
    assert told(all_) == [("update", 1), ("emit", 1), ("cancel", 1)]


def test_what_a_token_caused_is_not_told_to_the_endpoint_that_ignores_it(account):
    mine, _ = create_token(account, name="ERP", scope="billing")
    other, _ = create_token(account, name="Outro", scope="billing")
    with receiver() as server, receiver() as all_:
        endpoint_to(server, account, token=mine, ignore_own=True)
        endpoint_to(all_, account)
        for object_id, token in ((1, mine), (2, other), (3, None)):
            with structlog.contextvars.bound_contextvars(caller_id=token and token.pk):
                announced(account, object_id=object_id)
        deliver()

    assert told(server) == [("update", 2), ("update", 3)]
    assert told(all_) == [("update", 1), ("update", 2), ("update", 3)]


def test_events_of_before_the_endpoint_are_not_told(account, other_account):
    announced(account, object_id=1)
    with receiver() as server:
        endpoint_to(server, account)
        announced(account, object_id=2)
        announced(other_account, object_id=3)
        deliver()

    assert told(server) == [("update", 2)]


def test_a_change_that_is_rolled_back_is_not_told(account):
    with receiver() as server:
        endpoint_to(server, account)
        with suppress(ZeroDivisionError), transaction.atomic():
            announced(account)
            raise ZeroDivisionError
        deliver()

    assert server.received == []


# --- failures and attempts ---------------------------------------------------------------------


def test_500_then_200_with_the_same_event_id_and_a_new_timestamp(account):
    with receiver(status(500, b"erro interno")) as server:
        endpoint_to(server, account)
        event = announced(account)
        deliver()
        first = WebhookDelivery.objects.get()
        assert (first.state, first.last_status, first.last_error) == ("pending", 500, "HTTP 500")
        assert 26 < seconds_to_next(first) < 34
        server.behave = answer()
        assert deliver() == 0
        with later(timedelta(seconds=34)):
            assert deliver() == 1

    assert states() == ["delivered"]
    ids = [got.headers["X-Event-Id"] for got in server.received]
    assert ids == [f"evt_{event.pk}"] * 2
    stamps = [got.headers["X-Signature"].split(",")[0] for got in server.received]
    assert stamps[0] != stamps[1]
    requests = [got.headers["X-Webhook-RequestId"] for got in server.received]
    assert requests[0] != requests[1]


def test_ten_attempts_at_the_documented_distances_and_then_no_more(account):
    waits = [30, 60, 300, 900, 3600, 10_800, 21_600, 43_200, 86_400]
    with receiver(status(500)) as server, time_machine.travel(clock.now(), tick=False) as now:
        endpoint_to(server, account)
        announced(account)
        deliver()
        for n, wait in enumerate(waits, start=1):
            delivery = WebhookDelivery.objects.get()
            assert (delivery.tries, len(server.received)) == (n, n)
            assert wait * 0.9 <= seconds_to_next(delivery) <= wait * 1.1
            now.move_to(delivery.next_attempt_at - timedelta(seconds=1))
            assert deliver() == 0
            now.move_to(delivery.next_attempt_at)
            assert deliver() == 1
        now.shift(timedelta(days=10))
        assert deliver() == 0

    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.next_attempt_at) == ("dead", None)
    assert len(server.received) == 10
    numbers = list(WebhookAttempt.objects.order_by("pk").values_list("number", flat=True))
    assert numbers == list(range(1, 11))
    notices = AuditEvent.objects.filter(object_type="webhookendpoint").exclude(
        action="webhook.criado"
    )
    assert list(notices.order_by("pk").values_list("action", "after__tentativa")) == [
        ("webhook.falhando", 5),
        ("webhook.esgotado", 10),
    ]


def test_jitter_spreads_the_attempts():
    now = clock.now()
    waits = {webhook_delivery.next_attempt(1, now=now) - now for _ in range(50)}

    assert len(waits) > 10
    assert timedelta(seconds=27) <= min(waits)
    assert max(waits) <= timedelta(seconds=33)


def test_the_log_keeps_request_and_answer_without_secret_and_signatures(account):
    with receiver(status(500, b"x" * 10_000)) as server:
        endpoint_to(server, account)
        announced(account)
        deliver()

    attempt = WebhookAttempt.objects.get()
    (got,) = server.received
    assert attempt.request_body.encode() == got.body
    assert attempt.answer == "x" * 4096
    assert set(attempt.request_headers) == {
        "Content-Type", "X-Event", "X-Event-Id", "X-Webhook-RequestId",
    }  # fmt: skip
    assert attempt.url == server.url
    assert attempt.duration_ms < 1000
    assert SECRET not in str(list(WebhookAttempt.objects.values()))


def test_a_binary_answer_is_kept_as_text_that_both_databases_store(account):
    with receiver(status(500, b"\x00\xff\xfe{}")) as server:
        endpoint_to(server, account)
        announced(account)
        deliver()

    assert WebhookAttempt.objects.get().answer == "���{}"


def test_a_redirect_is_a_failed_attempt_and_nobody_goes_there(account):
    with receiver() as inner:
        head = f"HTTP/1.1 301 Moved\r\nLocation: {inner.url}\r\nContent-Length: 0\r\n\r\n"
        with receiver(answer(head.encode())) as server:
            endpoint_to(server, account)
            announced(account)
            deliver()

    assert inner.n_connections == 0
    assert WebhookAttempt.objects.get().error == "HTTP 301: redirecionamentos não são seguidos"


def test_an_address_that_became_private_is_not_visited(account, settings):
    with receiver() as server:
        endpoint_to(server, account)
        announced(account)
        settings.WEBHOOK_ALLOW_PRIVATE = False
        deliver()
        settings.WEBHOOK_ALLOW_HTTP = False
        with later(timedelta(minutes=1)):
            deliver()

    assert server.n_connections == 0
    errors = list(WebhookAttempt.objects.order_by("pk").values_list("error", flat=True))
    assert errors[0].startswith("a porta")
    assert errors[1] == "o endereço não é https"


def test_nobody_listening_is_a_failed_attempt(account):
    endpoint_to(f"http://127.0.0.1:{free_port()}/", account)
    announced(account)
    deliver()

    attempt = WebhookAttempt.objects.get()
    assert (attempt.status, attempt.error) == (None, "conexão recusada")


def test_a_secret_that_can_no_longer_be_read_is_told_and_nothing_is_sent_unsigned(
    account, settings
):
    with receiver() as server:
        endpoint_to(server, account)
        announced(account)
        settings.SECRET_KEY = "outra"
        deliver()

    assert server.received == []
    assert "SECRET_KEY" in WebhookAttempt.objects.get().error


# --- slow and hostile receivers ----------------------------------------------------------------


@pytest.fixture
def _short(monkeypatch) -> None:
    """The timeouts of WH-2 and WH-4 told in tenths; patched so that the tests do not last."""
    monkeypatch.setattr(webhook_requests, "PING_SECONDS", 0.5)
    monkeypatch.setattr(webhook_requests, "SEND_SECONDS", 1.0)


def test_the_timeouts_are_those_of_the_specification():
    assert (webhook_requests.PING_SECONDS, webhook_requests.SEND_SECONDS) == (5, 10)
    longest = (
        webhook_delivery.TASK_SECONDS
        + webhook_requests.PING_SECONDS
        + webhook_requests.SEND_SECONDS
    )
    assert longest < 60 < 120  # Q_CLUSTER's timeout
    assert webhook_delivery.LEASE.total_seconds() > 15


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize(("ping", "limit"), [(True, 0.5), (False, 1.0)])
def test_a_receiver_that_hangs_costs_a_task_one_timeout_however_much_waits(account, ping, limit):
    with receiver(hang) as server:
        endpoint_to(server, account, ping=ping)
        for object_id in range(30):
            announced(account, object_id=object_id)
        begun = time.monotonic()
        assert deliver() == 1

    assert limit <= time.monotonic() - begun < limit + 0.5
    assert not OrmQ.objects.exists()  # no task follows at once for who is down
    assert WebhookDelivery.objects.exclude(n_attempts=0).count() == 1


@pytest.mark.usefixtures("_short")
def test_an_endless_body_is_a_success_and_costs_nothing(account):
    def endless(_: Received, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with receiver(endless) as server:
        endpoint_to(server, account)
        announced(account)
        begun = time.monotonic()
        deliver()

    assert time.monotonic() - begun < 0.9
    attempt = WebhookAttempt.objects.get()
    assert (attempt.error, len(attempt.answer)) == ("", 4096)


@pytest.mark.usefixtures("_short")
def test_a_receiver_that_hangs_keeps_no_other_waiting(account, other_account):
    with receiver(hang) as slow, receiver() as good:
        failing = endpoint_to(slow, account)
        endpoint_to(good, other_account)
        for object_id in range(5):
            announced(account, object_id=object_id)
            announced(other_account, object_id=object_id)
        deliver()
        assert len(good.received) == 5
        failing = WebhookEndpoint.objects.get(pk=failing.pk)
        assert failing.failing_since is not None
        # Who fails comes last from now on.
        announced(other_account, object_id=9)
        assert [e.pk for e in webhook_delivery.due_endpoints()][-1] == failing.pk


def test_a_failing_event_blocks_its_own_object_and_no_other(account):
    def refuses_object_1(got: Received, connection: socket.socket) -> None:
        bad = got.json["object_id"] == 1
        (status(500) if bad else answer())(got, connection)

    with receiver(refuses_object_1) as server:
        endpoint_to(server, account)
        for event, object_id in (("emit", 1), ("emit", 2), ("cancel", 1), ("cancel", 2)):
            announced(account, event, object_id)
        deliver()
        assert told(server) == [("emit", 1), ("emit", 2), ("cancel", 2)]
        assert states() == ["pending", "delivered", "pending", "delivered"]
        assert not OrmQ.objects.exists()  # what is blocked calls for no task

        server.behave = answer()
        with later(timedelta(seconds=34)):
            deliver()

    assert told(server)[3:] == [("emit", 1), ("cancel", 1)]


def test_after_the_last_attempt_the_object_goes_on(account):
    with receiver(status(500)) as server:
        endpoint_to(server, account)
        announced(account, "emit")
        announced(account, "cancel")
        deliver()
        WebhookDelivery.objects.filter(event__event="emit").update(tries=9)
        with later(timedelta(seconds=34)):
            deliver()
            server.behave = answer()
            WebhookDelivery.objects.filter(state="pending").update(next_attempt_at=clock.now())
            deliver()

    assert states() == ["dead", "delivered"]


# --- workers that die, and several of them -----------------------------------------------------


def test_a_worker_killed_after_sending_sends_the_same_event_id_again(account, monkeypatch):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with receiver() as server:
        endpoint_to(server, account)
        event = announced(account)
        with monkeypatch.context() as patch:
            patch.setattr(webhook_delivery, "record_attempt", killed)
            with pytest.raises(KeyboardInterrupt):
                deliver()
        assert deliver() == 0  # the lease
        with later(timedelta(seconds=61)):
            assert deliver() == 1

    assert [got.headers["X-Event-Id"] for got in server.received] == [f"evt_{event.pk}"] * 2
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.n_attempts) == ("delivered", 2)


def test_an_event_that_kills_its_worker_each_time_comes_to_an_end(account, monkeypatch):
    monkeypatch.setattr(webhook_delivery, "transmit", lambda _: 1 / 0)
    with receiver() as server, time_machine.travel(clock.now(), tick=False) as now:
        endpoint_to(server, account)
        announced(account)
        for _ in range(11):
            deliver()
            now.shift(timedelta(seconds=61))
        assert deliver() == 0

    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.last_error) == ("dead", webhook_delivery.INTERRUPTED)


def test_an_answer_that_comes_after_the_lease_does_not_undo_what_another_worker_did(account):
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        announced(account)
        fan_out(deadline=time.monotonic() + 5)
        first = webhook_delivery.claim(endpoint.pk)
        with later(timedelta(seconds=61)):
            second = webhook_delivery.claim(endpoint.pk)
            webhook_delivery.record_attempt(second, webhook_delivery.transmit(second))
            bad = webhook_requests.Outcome(clock.now(), 1, error="tarde")
            late = webhook_delivery.Sent(WebhookAttempt.Stage.SEND, bad)
            webhook_delivery.record_attempt(first, late)

    assert states() == ["delivered"]
    assert WebhookAttempt.objects.count() == 2


def test_an_endpoint_deleted_while_its_event_is_on_the_way(account):
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        announced(account)
        fan_out(deadline=time.monotonic() + 5)
        claimed = webhook_delivery.claim(endpoint.pk)
        webhooks.delete_endpoint(endpoint.pk, account=account, actor=SYSTEM)
        webhook_delivery.record_attempt(claimed, webhook_delivery.transmit(claimed))

    assert not WebhookAttempt.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_several_workers_send_each_event_once_and_in_order(account):
    """Turns of many workers at the same time, past the lock that lets one task work."""
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        for event in ("emit", "update", "cancel"):
            for object_id in range(12):
                announced(account, event, object_id)
        fan_out(deadline=time.monotonic() + 20)

        def work() -> None:
            until = time.monotonic() + 30
            while webhook_delivery.take_turn(endpoint.pk, deadline=until)[1]:
                pass

        in_threads([work] * 4)
        deliver()  # what a worker left because another held its object

    ids = [got.headers["X-Event-Id"] for got in server.received]
    assert len(ids) == len(set(ids)) == 36
    for object_id in range(12):
        assert [e for e, o in told(server) if o == object_id] == ["emit", "update", "cancel"]


@pytest.mark.django_db(transaction=True)
def test_two_tasks_at_once_send_each_event_once(account):
    def slowly(got: Received, connection: socket.socket) -> None:
        time.sleep(0.02)
        answer()(got, connection)

    with receiver(slowly) as server:
        endpoint_to(server, account)
        for object_id in range(20):
            announced(account, object_id=object_id)

        done = in_threads([webhook_delivery.deliver] * 2)
        webhook_delivery.deliver()

    assert len({got.headers["X-Event-Id"] for got in server.received}) == 20
    assert len(server.received) == 20
    assert sum(done) <= 20


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_short")
def test_in_the_pool_slow_endpoints_wait_side_by_side_and_the_rest_goes_on(account):
    with receiver(only_pings(hang)) as slow, receiver() as good:
        for _ in range(4):
            endpoint_to(slow, account)
        endpoint_to(good, account)
        for object_id in range(40):
            announced(account, object_id=object_id)
        begun = time.monotonic()
        webhook_delivery.deliver()

    assert time.monotonic() - begun < 12
    assert len(good.events) == 40
    assert len(slow.events) <= 16  # at most four at a time for each, and none after that


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("n_hanging", [1, 2])
def test_what_is_announced_while_a_receiver_hangs_is_sent_at_once(
    account, other_account, monkeypatch, n_hanging
):
    """Two that hang on all they have would take all eight threads if each could have four."""
    monkeypatch.setattr(webhook_requests, "SEND_SECONDS", 4)
    with receiver(hang) as slow, receiver() as good:
        for _ in range(n_hanging):
            endpoint_to(slow, account)
        endpoint_to(good, other_account)
        for object_id in range(8):
            announced(account, object_id=object_id)
        waits: list[float] = []

        def announce_meanwhile() -> None:
            _until(lambda: len(slow.events) == n_hanging)
            for n in range(1, 4):
                begun = time.monotonic()
                announced(other_account, object_id=n)
                nudge_after_commit(other_account.pk)
                _until(lambda n=n: len(good.events) == n)
                waits.append(time.monotonic() - begun)
            assert webhook_delivery.deliver() == 0  # the first task has the lock

        done = in_threads([webhook_delivery.deliver, announce_meanwhile])

    assert max(waits) < 1
    assert done[0] == 3 + n_hanging
    assert len(slow.events) == n_hanging
    assert states().count("delivered") == 3


@pytest.mark.django_db(transaction=True)
def test_who_hangs_beyond_the_deadline_does_not_keep_the_lock(account, other_account, monkeypatch):
    monkeypatch.setattr(webhook_requests, "SEND_SECONDS", 3)
    with receiver(hang) as slow, receiver() as good:
        endpoint_to(slow, account)
        endpoint_to(good, other_account)
        announced(account)

        def next_task() -> float:
            _until(lambda: len(slow.events) == 1)
            time.sleep(1)
            begun = time.monotonic()
            announced(other_account)
            assert webhook_delivery.deliver() == 1
            return time.monotonic() - begun

        done = in_threads([lambda: webhook_delivery.deliver(seconds=0.5), next_task])

    assert done[0] == 1
    assert done[1] < 1
    assert len(good.events) == 1


def _until(is_so: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.02)


# --- the call for a task -----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_transaction_calls_for_one_task_and_only_when_somebody_listens(account):
    nudge_after_commit(account.pk)
    assert not OrmQ.objects.exists()
    endpoint_to("https://exemplo.com.br/", account)

    with transaction.atomic():
        for _ in range(3):
            nudge_after_commit(account.pk)
        assert not OrmQ.objects.exists()
    with transaction.atomic():
        nudge_after_commit(account.pk)

    (queued,) = OrmQ.objects.all()
    assert queued.task["func"] == "accounts.tasks.deliver_webhooks"


@pytest.mark.django_db(transaction=True)
def test_a_call_within_a_rolled_back_part_is_forgotten_and_a_later_one_counts(account):
    endpoint_to("https://exemplo.com.br/", account)

    with transaction.atomic():
        with suppress(ZeroDivisionError), transaction.atomic():
            nudge_after_commit(account.pk)
            raise ZeroDivisionError
        nudge_after_commit(account.pk)

    assert OrmQ.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_task_that_begins_may_be_followed_by_another(account):
    with receiver() as server:
        endpoint_to(server, account)
        nudge_after_commit(account.pk)
        webhook_delivery.deliver()
        announced(account)
        nudge_after_commit(account.pk)

    assert OrmQ.objects.count() == 2


def test_a_task_without_time_left_calls_for_its_successor(account):
    with receiver() as server:
        endpoint_to(server, account)
        announced(account)

        assert webhook_delivery.deliver(seconds=0, threads=1) == 0
        assert OrmQ.objects.count() == 1
        assert deliver() == 1

    assert len(server.received) == 1


def test_an_account_without_endpoint_costs_the_task_nothing(account, django_assert_max_num_queries):
    for object_id in range(20):
        announced(account, object_id=object_id)

    with django_assert_max_num_queries(9):
        assert deliver() == 0

    assert WebhookEvent.objects.filter(fanned_out_at=None).count() == 20


def test_thousands_of_events_fan_out_in_a_few_statements(account, django_assert_max_num_queries):
    endpoint_to("https://exemplo.com.br/", account)
    endpoint_to("https://exemplo.org/", account)
    for object_id in range(300):
        announced(account, object_id=object_id)

    with django_assert_max_num_queries(12):
        assert fan_out(deadline=time.monotonic() + 20) == 300

    assert WebhookDelivery.objects.count() == 600
    assert fan_out(deadline=time.monotonic() + 20) == 0


# --- pause, resume, resend ---------------------------------------------------------------------


def failing_for(account, server, *, hours: float, n: int) -> WebhookEndpoint:
    """An endpoint whose first `n` events failed once, `hours` after the first failure."""
    endpoint = endpoint_to(server, account)
    for object_id in range(n):
        announced(account, object_id=object_id)
    while deliver():
        pass
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        failing_since=clock.now() - timedelta(hours=hours)
    )
    return endpoint


@pytest.mark.parametrize(
    ("n", "hours", "paused"), [(50, 24.1, True), (49, 24.1, False), (50, 23.5, False)]
)
def test_fifty_failed_events_in_a_row_over_a_day_pause_the_endpoint(account, n, hours, paused):
    with receiver(status(500)) as server:
        endpoint = failing_for(account, server, hours=hours, n=n)
        with later(timedelta(seconds=34)):
            deliver()

    endpoint = WebhookEndpoint.objects.get(pk=endpoint.pk)
    assert endpoint.is_active is not paused
    told_ = AuditEvent.objects.filter(action="webhook.desativado")
    assert list(told_.values_list("actor_kind", "object_id")) == (
        [("system", endpoint.pk)] if paused else []
    )


def test_one_success_ends_the_streak(account):
    with receiver(status(500)) as server:
        endpoint = failing_for(account, server, hours=25, n=50)
        server.behave = answer()
        announced(account, object_id=999)
        deliver()
        server.behave = status(500)
        with later(timedelta(seconds=34)):
            deliver()

    endpoint = WebhookEndpoint.objects.get(pk=endpoint.pk)
    assert endpoint.is_active
    assert clock.now() - endpoint.failing_since < timedelta(minutes=2)


def test_a_paused_endpoint_is_sent_nothing_and_gets_everything_in_order_when_it_resumes(account):
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        webhooks.pause_endpoint(endpoint.pk, account=account, actor=SYSTEM)
        for event, object_id in (("emit", 1), ("emit", 2), ("cancel", 1)):
            announced(account, event, object_id)
            assert deliver() == 0
        with later(timedelta(days=3)):
            webhooks.resume_endpoint(endpoint.pk, account=account, actor=SYSTEM)
            deliver()

    assert told(server) == [("emit", 1), ("emit", 2), ("cancel", 1)]


def test_resuming_replays_what_was_given_up_in_the_streak_and_not_what_came_before(account):
    with receiver(status(500)) as server:
        endpoint = endpoint_to(server, account)
        for object_id in (1, 2, 3):
            announced(account, object_id=object_id)
        deliver()
        rows = WebhookDelivery.objects.order_by("event_id")
        old, given_up, _ = rows
        now = clock.now()
        for row, at in ((old, now - timedelta(days=9)), (given_up, now)):
            WebhookDelivery.objects.filter(pk=row.pk).update(
                state="dead", next_attempt_at=None, last_attempt_at=at
            )
        webhooks.pause_endpoint(endpoint.pk, account=account, actor=SYSTEM)
        server.behave = answer()
        server.received.clear()

        webhooks.resume_endpoint(endpoint.pk, account=account, actor=SYSTEM)
        deliver()

    assert told(server) == [("update", 2), ("update", 3)]
    assert states() == ["dead", "delivered", "delivered"]
    assert WebhookEndpoint.objects.get().failing_since is None


def test_a_manual_resend_is_a_new_attempt_with_the_same_event_id(account):
    with receiver() as server:
        endpoint_to(server, account)
        announced(account)
        deliver()
        delivery = WebhookDelivery.objects.get()
        with later(timedelta(seconds=5)):
            webhooks.resend_delivery(delivery.pk, account=account, actor=SYSTEM)
            deliver()

    first, second = server.received
    assert first.headers["X-Event-Id"] == second.headers["X-Event-Id"]
    assert first.headers["X-Signature"] != second.headers["X-Signature"]
    numbers = list(delivery.attempts.order_by("number").values_list("number", "status"))
    assert numbers == [(1, 200), (2, 200)]


def test_a_range_is_resent_only_its_failures_unless_all_are_wanted(account):
    with receiver(status(500)) as server:
        endpoint = endpoint_to(server, account)
        announced(account, object_id=1)
        deliver()
        server.behave = answer()
        announced(account, object_id=2)
        deliver()
        WebhookDelivery.objects.filter(object_id=1).update(state="dead", next_attempt_at=None)
        since = clock.now() - timedelta(hours=1)
        args = {"account": account, "actor": SYSTEM}

        assert webhooks.resend_range(endpoint.pk, since=clock.now(), **args) == 0
        soon = since + timedelta(seconds=1)
        assert webhooks.resend_range(endpoint.pk, since=since, until=soon, **args) == 0
        with pytest.raises(InvalidInput, match="antes do começo"):
            webhooks.resend_range(endpoint.pk, since=since, until=since, **args)
        assert webhooks.resend_range(endpoint.pk, since=since, **args) == 1
        deliver()
        assert told(server)[2:] == [("update", 1)]
        assert webhooks.resend_range(endpoint.pk, since=since, only_failed=False, **args) == 2
        deliver()

    assert len(server.received) == 5


def test_the_present_secret_sent_again_does_not_end_the_former_one(account, settings):
    endpoint = endpoint_to("https://exemplo.com.br/", account)
    for _ in range(2):
        values = {"secret": "segredo novo"}
        webhooks.update_endpoint(endpoint.pk, values, account=account, actor=SYSTEM)

    endpoint = WebhookEndpoint.objects.get()
    at = clock.now()
    assert webhook_requests.receiver_of(endpoint, at=at).secrets == ("segredo novo", SECRET)

    settings.SECRET_KEY = "outra"  # what cannot be read counts as different
    webhooks.update_endpoint(endpoint.pk, values, account=account, actor=SYSTEM)
    assert WebhookEndpoint.objects.get().old_secret == endpoint.secret


def test_old_events_are_forgotten_with_their_log(account):
    with receiver() as server:
        endpoint_to(server, account)
        for days in (31, 29):
            with later(timedelta(days=-days)):
                event = announced(account)
                deliver()

    assert purge_webhooks() == 1
    assert WebhookEvent.objects.get() == event
    assert WebhookAttempt.objects.get().delivery == WebhookDelivery.objects.get()
    assert purge_webhooks() == 0


# --- secrets -----------------------------------------------------------------------------------


def test_during_a_rotation_both_secrets_sign_and_afterwards_only_the_new_one(account):
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        new = webhooks.rotate_secret(endpoint.pk, account=account, actor=SYSTEM)
        announced(account, object_id=1)
        deliver()
        with later(timedelta(hours=25)):
            announced(account, object_id=2)
            deliver()

    both, alone = server.received
    marks = both.headers["X-Signature"].split(",")[1:]
    assert marks == [f"v1={sha256(new, both)}", f"v1={sha256(SECRET, both)}"]
    assert both.headers["X-Webhook-Signature"] == sha1(new, both)
    assert alone.headers["X-Signature"].split(",")[1:] == [f"v1={sha256(new, alone)}"]


def test_secrets_are_closed_at_rest(account):
    endpoint = endpoint_to("https://exemplo.com.br/", account)
    new = webhooks.rotate_secret(endpoint.pk, account=account, actor=SYSTEM)

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_webhookendpoint")
        row = str(cursor.fetchall())
    assert SECRET not in row
    assert new not in row
    assert new not in str(list(AuditEvent.objects.values()))


def test_health_counts_up_to_fifty(account):
    endpoint = endpoint_to("https://exemplo.com.br/", account)

    assert webhook_health.failed_events(endpoint) == 0
