"""Telling banks by their API: the intent is committed, then the call, then its answer.

A boleto is taken by moving its next attempt into the future, so a killed worker only delays it.
Whatever was asked before with an unknown outcome is asked about before it is asked again.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.db import transaction

from accounts.services import calls
from accounts.services.audit import SYSTEM, Actor
from billing.gateways.boleto import codes
from billing.gateways.boleto.registrar import BoletoRegistrar, Registration, Standing
from billing.models import Charge
from billing.services.boletos import answers
from billing.services.boletos.banks import key_of, registrar_of, title_of
from billing.services.boletos.changes import CHANGE
from billing.services.boletos.draft import ENTRY
from billing.services.boletos.nudge import TASK
from billing.services.charge_closing import WRITE_OFF
from lib import clock
from lib.errors import GatewayRefused, GatewayUnavailable

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)  # longer than the queue lets a task run
BACK_OFF = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
)
# A bank that answers later is asked after this.
LATER = timedelta(minutes=2)
# A registration whose answer was lost may still be on its way to the bank.
IN_THE_AIR = timedelta(minutes=10)
IMPATIENCE = 5.0  # seconds after which a person is told that the bank is silent
WRONG_CODE = "o banco devolveu outro valor, vencimento ou código de barras"
UNEXPECTED = "Erro inesperado; veja o registro do servidor."


def work_off(*, seconds: float = 60) -> int:
    """Tell banks what is due, the longest waiting first; start nothing more after `seconds`.

    Answers how many boletos were dealt with. Safe to run many times together.
    """
    calls.begin(TASK)
    until, n = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        charge = _take()
        if charge is None:
            return n
        _do(charge)
        n += 1
    calls.call(TASK)
    return n


def tell_now(charge_id: int, *, actor: Actor = SYSTEM) -> bool:
    """Tell the bank of a boleto that somebody waits for; whether it answered.

    A connection that broke at once is followed by a question, which also finds what was registered
    without our hearing of it. Not inside a transaction.
    """
    until = time.monotonic() + IMPATIENCE
    while (charge := _take(charge_id)) is not None:
        if _do(charge, actor=actor):
            return True
        if charge.attempts > 1 or time.monotonic() > until:
            return False
    return True


@transaction.atomic
def _take(charge_id: int | None = None) -> Charge | None:
    """A boleto that is ours until its lease ends, its attempt counted; None at the end."""
    now = clock.now()
    rows = Charge.objects.filter(
        kind=Charge.Kind.BOLETO, gateway__isnull=False, next_attempt_at__isnull=False
    )
    rows = rows.filter(next_attempt_at__lte=now) if charge_id is None else rows.filter(pk=charge_id)
    charge = (
        rows.order_by("next_attempt_at", "id")
        .select_for_update(of=("self",), skip_locked=True)
        .first()
    )
    if charge is None:
        return None
    if charge.state == Charge.State.DRAFT:
        charge.submit()
    charge.attempts += 1
    charge.next_attempt_at = now + LEASE
    charge.save(update_fields=["state", "attempts", "next_attempt_at"])
    return _with_parties(charge.pk)


def _with_parties(pk: int) -> Charge:
    found: Charge = Charge.objects.select_related(
        "account",
        "gateway",
        "agreement__financial_account",
        "receivable__invoice__customer_snapshot",
        "receivable__invoice__organization_snapshot",
    ).get(pk=pk)
    return found


def _do(charge: Charge, *, actor: Actor = SYSTEM) -> bool:
    """One attempt; whether the bank answered."""
    assert charge.gateway is not None
    try:
        registrar = registrar_of(charge.gateway)
        _INSTRUCTIONS[charge.instruction](charge, registrar, actor)
        return True
    except GatewayUnavailable as error:
        _put_off(charge, str(error))
    except Exception:
        # One boleto that nobody foresaw must not keep the others waiting.
        log.exception("boleto.crashed", extra={"charge_id": charge.pk})
        _put_off(charge, UNEXPECTED)
    return False


def _enter(charge: Charge, registrar: BoletoRegistrar, actor: Actor) -> None:
    key = key_of(charge)
    try:
        found = registrar.retrieve(key) if charge.attempts > 1 else None
        found = found or registrar.register(title_of(charge))
    except GatewayRefused as error:
        answers.rejected(charge.pk, account=charge.account, reason=str(error), actor=actor)
        return
    _keep_standing(charge, found, actor)


def _keep_standing(charge: Charge, found: Registration, actor: Actor) -> None:
    if found.standing == Standing.REGISTERING:
        _put_off(charge, "", after=LATER)
    elif found.standing == Standing.REJECTED:
        reason = found.reason or "sem motivo informado"
        answers.rejected(charge.pk, account=charge.account, reason=reason, actor=actor)
    elif found.standing == Standing.CANCELLED:
        on = clock.today(charge.account.time_zone)
        answers.written_off(charge.pk, account=charge.account, on=on, reason="Baixado pelo banco.")
    elif not _fits(charge, found):
        # Registered with other data: nobody may pay it.
        answers.rejected(
            charge.pk, account=charge.account, reason=WRONG_CODE, actor=actor, is_at_bank=True
        )
        log.warning("boleto.wrong_code", extra={"charge_id": charge.pk})
    else:
        answers.registered(
            charge.pk, account=charge.account, actor=actor, external_id=found.external_id,
            barcode=found.barcode if found.barcode != charge.barcode else "",
        )  # fmt: skip


def _fits(charge: Charge, found: Registration) -> bool:
    """The bank has our value and day, and a barcode of its own is a right one of them (BAR-1)."""
    given = (found.due_date or charge.due_date, found.amount or charge.amount)
    if given != (charge.due_date, charge.amount):
        return False
    if not found.barcode:
        return True
    try:
        theirs, ours = codes.parts(codes.read(found.barcode)), codes.parts(charge.barcode)
    except codes.InvalidCode:
        return False
    return (theirs.bank, theirs.fator, theirs.amount) == (ours.bank, ours.fator, ours.amount)


def _write_off(charge: Charge, registrar: BoletoRegistrar, actor: Actor) -> None:
    try:
        found = registrar.cancel(key_of(charge))
    except GatewayRefused as error:
        answers.write_off_refused(charge.pk, account=charge.account, reason=str(error))
        return
    if found is None and charge.registered_at is None and charge.attempts <= 1:
        _put_off(charge, "", after=IN_THE_AIR)
    elif found is not None and found.standing == Standing.PAID:
        answers.write_off_refused(charge.pk, account=charge.account, reason="Pago no banco.")
    else:
        on = clock.today(charge.account.time_zone)
        answers.written_off(charge.pk, account=charge.account, on=on, actor=actor)


def _change(charge: Charge, registrar: BoletoRegistrar, actor: Actor) -> None:
    due, amount = answers.wanted_of(charge)
    try:
        found = registrar.change(key_of(charge), due_date=due, amount=amount)
    except GatewayRefused as error:
        _refused_change(charge, str(error), actor)
        return
    if found is None or (found.due_date, found.amount) not in ((due, amount), (None, None)):
        _refused_change(charge, "o banco não fez a alteração pedida", actor)
        return
    answers.changed(charge.pk, account=charge.account, actor=actor, due=due, amount=amount)


def _refused_change(charge: Charge, reason: str, actor: Actor) -> None:
    due, amount = answers.wanted_of(charge)
    answers.change_refused(
        charge.pk, account=charge.account, reason=reason, actor=actor, due=due, amount=amount
    )


def _nothing(charge: Charge, registrar: BoletoRegistrar, actor: Actor) -> None:
    Charge.objects.filter(pk=charge.pk, instruction="").update(next_attempt_at=None, attempts=0)


_INSTRUCTIONS = {ENTRY: _enter, WRITE_OFF: _write_off, CHANGE: _change, "": _nothing}


@transaction.atomic
def _put_off(charge: Charge, reason: str, *, after: timedelta | None = None) -> None:
    """Try again later, unless the row was taken or told otherwise meanwhile."""
    wait = after or BACK_OFF[min(charge.attempts, len(BACK_OFF)) - 1]
    Charge.objects.filter(
        pk=charge.pk, instruction=charge.instruction, next_attempt_at=charge.next_attempt_at
    ).update(next_attempt_at=clock.now() + wait, reason=reason)
    log.info("boleto.put_off", extra={"charge_id": charge.pk, "n_attempts": charge.attempts})
