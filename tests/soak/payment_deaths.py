"""Where a process of the card payment path may die: kill -9 before or after a step of it.

The process is forked, so that a death costs milliseconds; it dies at the step's `nth` call, or a
moment after the provider was asked.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from django.db import connections

from billing.gateways.stripe import adapter

PAYMENTS = "billing.services.payments"
STRIPE = "billing.gateways.stripe.adapter.Stripe"
NOT_REACHED = 7


@dataclass(frozen=True)
class Death:
    """During `job`, before or after (`when`) the function at `path`.

    With a `fault`, it is ordered from the stand-in and the process dies while it waits for the
    answer.
    """

    job: str
    path: str = ""
    when: str = "after"
    fault: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        where = f"{self.fault['kind']} answer" if self.fault else f"{self.when} {self.path}"
        return f"{self.job}: {where.replace(PAYMENTS + '.', '').replace(STRIPE + '.', '')}"


def _slow(kind: str, path: str) -> dict[str, Any]:
    return {"kind": kind, "method": "POST", "path": path, "seconds": 0.5}


CHARGES = "/v1/payment_intents"
REFUNDS = "/v1/refunds"
DEATHS = [
    # The click: the row is committed, the key goes out, the money moves, the answer is recorded.
    Death("charge", f"{PAYMENTS}.card_charging.ask", "before"),
    Death("charge", f"{PAYMENTS}.card_charging._process"),
    Death("charge", f"{STRIPE}.charge", "before"),
    Death("charge", fault=_slow("slow", CHARGES)),
    Death("charge", fault=_slow("late", CHARGES)),
    Death("charge", f"{STRIPE}.charge"),
    Death("charge", f"{PAYMENTS}.card_answers.take_answer", "before"),
    Death("charge", f"{PAYMENTS}.arrivals.confirm", "before"),
    Death("charge", f"{PAYMENTS}.arrivals.confirm"),  # in the transaction, not committed
    Death("charge", f"{PAYMENTS}.card_answers.take_answer"),
    # A refusal, and the way to the bank and back.
    Death("refused", f"{STRIPE}.charge"),
    Death("refused", f"{PAYMENTS}.card_answers._fail"),
    Death("refused", f"{PAYMENTS}.card_answers.take_answer"),
    Death("bank", f"{STRIPE}.charge"),
    Death("bank", f"{PAYMENTS}.card_answers._ask_customer"),
    Death("return", f"{STRIPE}.attempt", "before"),
    Death("return", f"{STRIPE}.attempt"),
    Death("return", f"{PAYMENTS}.arrivals.confirm"),
    # The notice, of a charge whose answer was lost.
    Death("notice", "billing.services.inbound._keep", "before"),
    Death("notice", "billing.services.inbound._keep"),
    Death("notice", "billing.services.inbound._claim"),
    Death("notice", f"{STRIPE}.attempt"),
    Death("notice", f"{PAYMENTS}.arrivals.confirm"),
    Death("notice", f"{PAYMENTS}.card_answers.take_answer"),
    Death("notice", "billing.services.inbound._close", "before"),
    # The poll, of the same.
    Death("poll", f"{PAYMENTS}.card_checks._take"),
    Death("poll", f"{STRIPE}.find"),
    Death("poll", f"{PAYMENTS}.arrivals.confirm"),
    Death("poll", f"{PAYMENTS}.card_answers.take_answer"),
    # The poll of one that never arrived: asked for with its own key.
    Death("again", f"{STRIPE}.charge", "before"),
    Death("again", fault=_slow("late", CHARGES)),
    Death("again", f"{STRIPE}.charge"),
    # Money back.
    Death("refund", f"{PAYMENTS}.refunds.open_refund"),  # not committed
    Death("refund", f"{PAYMENTS}.card_refunds._ask", "before"),
    Death("refund", fault=_slow("slow", REFUNDS)),
    Death("refund", fault=_slow("late", REFUNDS)),
    Death("refund", f"{STRIPE}.refund"),
    Death("refund", f"{PAYMENTS}.refunds.refund_succeeded", "before"),
    Death("refund", f"{PAYMENTS}.refunds.refund_succeeded"),
]


def die_during(work: Callable[[], Any], death: Death) -> None:
    """Do `work` in a process that dies there; it did, or RuntimeError."""
    connections.close_all()  # a connection cannot be shared with a child
    pid = os.fork()
    if not pid:
        _child(work, death)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
        raise RuntimeError(f"{death.name}: o processo não morreu lá ({status})")


def _child(work: Callable[[], Any], death: Death) -> None:
    try:
        adapter._client.cache_clear()  # nor its connections to the provider
        if death.fault:
            _die_while_waiting()
        else:
            _set(death)
        work()
    finally:
        os._exit(NOT_REACHED)


def _die_while_waiting() -> None:
    """A moment after the provider was asked for money or for money back."""
    for name in ("charge", "refund"):
        real = getattr(adapter.Stripe, name)

        def asking(*args: Any, real: Any = real, **kwargs: Any) -> Any:
            threading.Timer(0.2, _die).start()
            return real(*args, **kwargs)

        setattr(adapter.Stripe, name, asking)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _set(death: Death) -> None:
    """Have the function die. It is looked up where it is defined, as its callers do."""
    owner, _, name = death.path.rpartition(".")
    place = _found(owner)
    real = getattr(place, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if death.when == "before":
            _die()
        result = real(*args, **kwargs)
        _die()
        return result

    setattr(place, name, dying)


def _found(path: str) -> Any:
    try:
        return import_module(path)
    except ModuleNotFoundError:
        owner, _, name = path.rpartition(".")
        return getattr(import_module(owner), name)
