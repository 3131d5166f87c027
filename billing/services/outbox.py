"""Notices to integrators, written in the transaction of the change that they tell (WH-3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from accounts.models import WebhookEvent
from accounts.services.webhook_outbox import causing_token_id, nudge_after_commit
from billing.models import Contract, Invoice
from lib import clock
from lib.bulk import insert_rows


class Event(StrEnum):
    """Invoice events of billing-engine §11."""

    UPDATE = "update"
    EMIT = "emit"
    UNDO_EMISSION = "undo_emission"
    CANCEL = "cancel"
    UNDO_CANCELLATION = "undo_cancellation"
    CONFIRM_RECEIVAL = "confirm_receival"
    UNDO_RECEIVAL = "undo_receival"
    RECEIVEMENT_ERROR = "receivement_error"


CHANGE_PLAN = "change_plan"
DUNNING_STEP = "dunning_step"  # told to endpoints of version 2 only
OBJECT_TYPE = "Invoice"
EVENT_COLUMNS = (
    "account", "event", "object_type", "object_id", "payload", "created_at", "caused_by_token_id",
)  # fmt: skip


def payload(
    event: Event, *, invoice_id: int, contract_id: int | None, contract_token: str | None
) -> dict[str, str | int | None]:
    """Body of the notice: ids are integers; the contract's are null when there is none (§4)."""
    return {
        "event": event.value,
        "object_type": OBJECT_TYPE,
        "object_id": invoice_id,
        "contract_token": contract_token,
        "contract_id": contract_id,
    }


def announce(invoice: Invoice, event: Event) -> None:
    """Write one notice about `invoice`."""
    contract = invoice.contract
    WebhookEvent.objects.create(
        account_id=invoice.account_id,
        event=event.value,
        object_type=OBJECT_TYPE,
        object_id=invoice.pk,
        payload=payload(
            event,
            invoice_id=invoice.pk,
            contract_id=invoice.contract_id,
            contract_token=contract.token if contract else None,
        ),
        created_at=clock.now(),
        caused_by_token_id=causing_token_id(),
    )
    nudge_after_commit(invoice.account_id)


def announce_plan_change(contract: Contract, *, plan_id: int) -> None:
    """Write the notice of a subscription's new plan; its body names no object (§4)."""
    WebhookEvent.objects.create(
        account_id=contract.account_id,
        event=CHANGE_PLAN,
        object_type="Contract",
        object_id=contract.pk,
        payload={"event": CHANGE_PLAN, "plan_id": plan_id, "contract_token": contract.token},
        created_at=clock.now(),
        caused_by_token_id=causing_token_id(),
    )
    nudge_after_commit(contract.account_id)


def announce_dunning(invoice: Invoice, told: dict[str, str | int | None]) -> None:
    """Write the notice that a ruler's step has come for a parcel; `told` are its further keys."""
    contract = invoice.contract
    body: dict[str, str | int | None] = {
        "event": DUNNING_STEP,
        "object_type": OBJECT_TYPE,
        "object_id": invoice.pk,
        "contract_token": contract.token if contract else None,
        "contract_id": invoice.contract_id,
    }
    WebhookEvent.objects.create(
        account_id=invoice.account_id,
        event=DUNNING_STEP,
        object_type=OBJECT_TYPE,
        object_id=invoice.pk,
        payload=body | told,
        created_at=clock.now(),
        caused_by_token_id=causing_token_id(),
    )
    nudge_after_commit(invoice.account_id)


def event_row(
    account_id: int,
    event: Event,
    *,
    invoice_id: int,
    contract_id: int | None,
    contract_token: str | None,
    at: datetime,
    token_id: int | None,
) -> tuple[Any, ...]:
    """One notice as a row of EVENT_COLUMNS."""
    body = payload(
        event, invoice_id=invoice_id, contract_id=contract_id, contract_token=contract_token
    )
    return (account_id, event.value, OBJECT_TYPE, invoice_id, body, at, token_id)


def announce_many(
    account_id: int,
    event: Event,
    *,
    invoices: Iterable[tuple[int, int | None, str | None]],
    at: datetime,
) -> None:
    """Write one notice per (invoice id, contract id, contract token), all in one statement."""
    token_id = causing_token_id()
    insert_rows(
        WebhookEvent,
        EVENT_COLUMNS,
        (
            event_row(
                account_id,
                event,
                invoice_id=invoice_id,
                contract_id=contract_id,
                contract_token=token,
                at=at,
                token_id=token_id,
            )
            for invoice_id, contract_id, token in invoices
        ),
    )
    nudge_after_commit(account_id)
