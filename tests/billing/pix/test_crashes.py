"""A worker that dies at any moment of a Pix's life: nothing is lost, nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.invoices import emitted_invoice
from support.pix import Bank, work_off

from accounts.services.audit import SYSTEM
from billing.gateways.pix import wire
from billing.models import Charge, InboundEvent, Payment, Refund
from billing.selectors.invariants import violations
from billing.services.pix.reconciling import reconcile_all
from billing.services.pix.refunding import refund_pix
from billing.services.pix.sweep import sweep_pix
from billing.services.receivables import receive
from lib import clock, outbound

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """What kill -9 leaves behind: nothing runs any more, open transactions are rolled back."""


class Deaths:
    """Dies at one exchange with the bank, before it or after it; counts them all.

    Patched, because the moments between two statements of ours cannot be staged from outside.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real = outbound.send
        self.at, self.after, self.n = -1, False, 0
        monkeypatch.setattr(outbound, "send", self)

    def plan(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.n = at, after, 0

    def __call__(self, *args: Any, **given: Any) -> outbound.Answer:
        here = self.n == self.at
        self.n += 1
        if here and not self.after:
            raise Killed
        answer = self.real(*args, **given)
        if here:
            raise Killed
        return answer


def surviving(step: Callable[[], Any]) -> Any:
    """What it answers; None for one that died. A new process has no token."""
    try:
        return step()
    except Killed:
        wire.TOKENS.clear()
        return None


def recover() -> None:
    """Later, on another worker: the sweeps find what was left behind."""
    now = clock.now()
    Charge.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=now)
    Refund.objects.filter(next_check_at__isnull=False).update(next_check_at=now)
    InboundEvent.objects.filter(state="waiting").update(next_attempt_at=now)
    for step in (sweep_pix, work_off):
        surviving(step)


def paid_and_returned(bank: Bank, receivable: Any) -> None:
    """Issued, asked for again, paid, told, given back; each step may be the last of its worker."""
    account = receivable.account
    surviving(lambda: bank.issue(receivable))
    recover()
    charge = bank.issue(receivable)
    bank.pay(charge)
    for notice in bank.providers.notices("pix"):
        bank.post(notice)
    surviving(work_off)
    recover()
    payment = Payment.objects.get(receivable=receivable)
    surviving(lambda: refund_pix(payment.pk, account=account, actor=SYSTEM, reason="Engano"))
    recover()
    recover()


def settled_by_hand(bank: Bank, receivable: Any) -> None:
    """Issued, and taken away from the bank because it was received otherwise."""
    surviving(lambda: bank.issue(receivable))
    recover()
    receive(receivable.pk, account=receivable.account, actor=SYSTEM)
    surviving(sweep_pix)
    recover()
    recover()


def charges_at_bank(bank: Bank, receivable: Any) -> list[dict[str, Any]]:
    known = bank.providers.books("pix")["clients"][f"conta-{receivable.account_id}"]["charges"]
    ours = {one.txid for one in receivable.charges.all()}
    assert ours == {txid for txid in known if txid in ours}
    return [known[txid] for txid in ours]


@pytest.mark.parametrize("story", [paid_and_returned, settled_by_hand])
def test_a_worker_that_dies_at_any_exchange_with_the_bank(
    bank, organization, customer, account, monkeypatch, story
):
    deaths = Deaths(monkeypatch)
    last = 0
    while True:
        for after in (False, True):
            receivable = emitted_invoice(organization, customer).receivables.get()
            wire.TOKENS.clear()
            bank.providers.running.world.deliveries.notices.clear()
            deaths.plan(last, after=after)

            story(bank, receivable)

            [there] = charges_at_bank(bank, receivable)
            charge = receivable.charges.get()
            if story is paid_and_returned:
                assert (there["status"], charge.state) == ("CONCLUIDA", Charge.State.PAID)
                payment = receivable.payments.get()
                assert payment.state == Payment.State.REFUNDED
                assert payment.refunds.get().state == Refund.State.SUCCEEDED
            else:
                assert there["status"] == "REMOVIDA_PELO_USUARIO_RECEBEDOR"
                assert charge.state == Charge.State.CANCELLED
        if deaths.n <= last:
            break
        last += 1
    assert last >= 4
    deaths.plan(-1, after=False)
    assert not InboundEvent.objects.exclude(state="done").exists()
    assert reconcile_all() == 0
    assert list(violations(account)) == []
