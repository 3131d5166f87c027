"""May a step that was selected still be done? Asked again at the very moment (DUN-5, P-9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import Account
from billing.engine import dunning
from billing.engine.dunning import ACTS_AFTER, RESUMES_AFTER, Debt, Moment, Step
from billing.models import (
    DunningPause,
    NotificationRuler,
    Payment,
    Receivable,
    RulerExecution,
    RulerStep,
)
from billing.services.dunning.terms import (
    calendar_of,
    moment_at,
    ruler_serving,
    start_of,
    step_terms,
    time_of,
)
from lib.br import date_br
from lib.calendars import Calendar

IN_FLIGHT_WAIT = timedelta(hours=1)
OF_CONTRACT = (
    RulerStep.Action.SUSPEND,
    RulerStep.Action.BLOCK_EMISSION,
    RulerStep.Action.CANCEL_CONTRACT,
)
CLOSED = "A parcela não está em aberto: {state}."
NOTHING_OPEN = "A parcela não tem valor em aberto."
NEW_DUE = "O vencimento mudou para {due}."
OTHER_RULER = "A fatura não segue mais esta régua."
RULER_OFF = "A régua ou o passo foi desativado."
NOT_FOR_IT = "A parcela não atende mais à condição do passo."
OVERTAKEN = "Um aviso mais recente da mesma parcela tomou o lugar deste."
PAUSED = "Cobrança em pausa: {reason}."
DISPUTED = "Há contestação aberta, ou rejeitada há menos dias úteis do que o prazo."
IN_FLIGHT = "Há um pagamento em processamento."
HOURS = "Aguarda o próximo dia útil, das 8 às 20 h."


class Way(Enum):
    GO = "go"
    WAIT = "wait"
    SKIP = "skip"


@dataclass(frozen=True)
class Verdict:
    """Whether to do a step; `note` says in pt-BR why not, `until` when to ask again."""

    way: Way
    note: str = ""
    until: datetime | None = None


GO = Verdict(Way.GO)


@dataclass(frozen=True)
class Judge:
    """What is the same for everything of an organization at one moment."""

    account: Account
    organization_id: int
    now: datetime

    @cached_property
    def calendar(self) -> Calendar:
        return calendar_of(self.organization_id)

    @cached_property
    def rulers(self) -> list[NotificationRuler]:
        return list(NotificationRuler.objects.filter(organization=self.organization_id))

    @cached_property
    def steps(self) -> Mapping[int, list[Step]]:
        """Of each ruler of the organization, those in use."""
        found = defaultdict(list)
        rows = RulerStep.objects.filter(ruler__organization=self.organization_id, is_active=True)
        for row in rows:
            found[row.ruler_id].append(step_terms(row))
        return found

    @property
    def moment(self) -> Moment:
        return moment_at(self.account, self.now)

    def judge(self, execution: RulerExecution, receivable: Receivable) -> Verdict:
        """`receivable` has been read now, with its invoice and customer."""
        over = self._over(execution, receivable)
        if over:
            return Verdict(Way.SKIP, over)
        return self._waits(execution, receivable) or GO

    def _over(self, execution: RulerExecution, receivable: Receivable) -> str:
        """Why the step will never be done any more; "" while it may."""
        step = execution.step
        if receivable.state != Receivable.State.TO_RECEIVE:
            return CLOSED.format(state=receivable.get_state_display().lower())
        if not receivable.open_principal:
            return NOTHING_OPEN
        if receivable.due_date != execution.cycle:
            return NEW_DUE.format(due=date_br(receivable.due_date))
        serving = ruler_serving(
            self.organization_id, receivable.invoice.notification_ruler_ref, self.rulers
        )
        if serving is None or serving.pk != step.ruler_id:
            return OTHER_RULER
        if not (serving.is_active and step.is_active):
            return RULER_OFF
        if not step_terms(step).condition.fits(debt_of(receivable)):
            return NOT_FOR_IT
        return OVERTAKEN if self._is_overtaken(step, receivable) else ""

    def _is_overtaken(self, step: RulerStep, receivable: Receivable) -> bool:
        """A later contact's day has come while this one waited, selected already or not (DUN-3)."""
        debt = debt_of(receivable)
        return any(
            later.condition.fits(debt)
            and dunning.is_due(later, receivable.due_date, self.moment, self.calendar)
            for later in dunning.replaced_by(step_terms(step), self.steps[step.ruler_id])
        )

    def _waits(self, execution: RulerExecution, receivable: Receivable) -> Verdict | None:
        """What the step has to wait for, with a moment to ask again."""
        pause = live_pauses(receivable, self.moment).first()
        if pause is not None:
            return Verdict(
                Way.WAIT, PAUSED.format(reason=pause.get_reason_display().lower()), self.tomorrow
            )
        if self._was_disputed(execution.step, receivable):
            return Verdict(Way.WAIT, DISPUTED, self.tomorrow)
        if Payment.objects.filter(receivable=receivable, state__in=Payment.IN_FLIGHT).exists():
            return Verdict(Way.WAIT, IN_FLIGHT, self.now + IN_FLIGHT_WAIT)
        if not dunning.is_open(self.moment, self.calendar):
            return Verdict(Way.WAIT, HOURS, self.opening(self.moment))
        return None

    def _was_disputed(self, step: RulerStep, receivable: Receivable) -> bool:
        """A dispute was rejected too short a time ago (P-9).

        What is done to a contract waits for the disputes of all of its parcels, also live ones.
        """
        days = RESUMES_AFTER if step_terms(step).is_contact else ACTS_AFTER
        since = dunning.held_since(self.moment.day, business_days=days, calendar=self.calendar)
        recent = Q(lifted_at__gte=start_of(self.account, since))
        whose: dict[str, Any] = {"receivable": receivable.pk}
        contract_id = receivable.invoice.contract_id
        if step.action in OF_CONTRACT and contract_id is not None:
            recent |= Q(lifted_at=None)
            whose = {"receivable__invoice__contract": contract_id}
        disputes = DunningPause.objects.filter(reason=DunningPause.Reason.DISPUTE, **whose)
        return disputes.filter(recent).exists()

    @property
    def tomorrow(self) -> datetime:
        """The next business day's first hour."""
        return self.opening(Moment(self.moment.day + timedelta(days=1), 0))

    def opening(self, moment: Moment) -> datetime:
        return time_of(self.account, dunning.next_opening(moment, self.calendar))


def live_pauses(receivable: Receivable, moment: Moment) -> QuerySet[DunningPause]:
    """Pauses in force on the moment's day."""
    pauses = DunningPause.objects.filter(receivable=receivable, lifted_at=None)
    return pauses.exclude(until__lt=moment.day)


def debt_of(receivable: Receivable) -> Debt:
    """What conditions look at; the invoice and its customer are loaded."""
    invoice = receivable.invoice
    return Debt(
        receivable.due_date, receivable.open_principal, invoice.payment_method,
        invoice.customer.is_consumer,
    )  # fmt: skip


def fresh(receivable_id: int) -> Receivable:
    """The parcel as it is now, with what a verdict looks at."""
    rows = Receivable.objects.select_related("invoice__customer", "invoice__contract")
    found: Receivable = rows.get(pk=receivable_id)
    return found
