"""A world of open parcels and a ruler that is on, for tests of dunning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from factories import CompanyFactory, OrganizationFactory
from support.invoices import emitted_invoice, line

from accounts.models import Account
from billing.models import (
    Contact,
    Invoice,
    NotificationRuler,
    Party,
    Receivable,
    RulerExecution,
    RulerStep,
)
from lib.clock import SAO_PAULO

LONG_AGO = date(2020, 1, 1)


def at(day: str, hour: int = 10) -> datetime:
    """A local hour in São Paulo."""
    return datetime.combine(date.fromisoformat(day), time(hour), tzinfo=ZoneInfo(SAO_PAULO))


@dataclass
class World:
    account: Account
    organization: Party
    customer: Party
    ruler: NotificationRuler

    def step(self, offset: int, **values: Any) -> RulerStep:
        given = {"channel": "email", "action": "remind", "hour": 9}
        if values.get("action", "remind") != "remind":
            given["channel"] = "none"
        step: RulerStep = RulerStep.objects.create(
            ruler=self.ruler, offset_days=offset, **(given | values)
        )
        return step

    def parcel(self, due: str, value: str = "100.00", **fields: Any) -> Receivable:
        """The parcel of a new invoice."""
        customer = fields.pop("customer", self.customer)
        options = fields.pop("options", {})
        invoice: Invoice = emitted_invoice(
            self.organization, customer, due_dates=[date.fromisoformat(due)],
            lines=[line(value)], options=options, **fields,
        )  # fmt: skip
        receivable: Receivable = invoice.receivables.get()
        return receivable


def dunning_world(account: Account, steps: Sequence[int] = ()) -> World:
    """An active default ruler with e-mails at those offsets, and a customer to write to."""
    organization = OrganizationFactory(account=account)
    customer = CompanyFactory(account=account)
    Contact.objects.create(
        account=account, party=customer, name="Ana", email="ana@cliente.test", is_billing=True
    )
    ruler = NotificationRuler.objects.create(
        account=account, organization=organization, name="Padrão", is_default=True,
        is_active=True, activated_on=LONG_AGO,
    )  # fmt: skip
    world = World(account, organization, customer, ruler)
    for offset in steps:
        world.step(offset)
    return world


def executed(world: World) -> list[tuple[int, str]]:
    """(offset, state) of every step, in order."""
    rows = RulerExecution.objects.filter(account=world.account)
    return list(
        rows.order_by("step__offset_days", "step_id", "id").values_list(
            "step__offset_days", "state"
        )
    )
