"""How the card charge of a receivable stands, in the words of the API (billing-api §5)."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, CharField, Exists, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from billing.models import Payment, Receivable, Refund
from billing.services.payments.card_texts import OF_THE_REQUEST

PENDING, CAPTURED, CANCELED = "pending", "captured", "canceled"
REFUSED, NOT_MADE = "authorize_error", "error_on_creation"
GOING_BACK = "pending_cancelation"
_State = Payment.State


def gateway_status_of(receivable: Receivable) -> str:
    """Of its last attempt by card; "" where there was none."""
    rows = Receivable.objects.filter(pk=receivable.pk)
    found: str = rows.values_list(gateway_status(), flat=True).get()
    return found


def gateway_status() -> Any:
    """The same as an expression over rows of Receivable."""
    attempts = Payment.objects.filter(receivable=OuterRef("pk"), method=Payment.Method.CARD)
    last = attempts.order_by("-id").annotate(status=_status()).values("status")
    tried = Coalesce(Subquery(last[:1]), Value(""), output_field=CharField())
    return Case(
        When(state=Receivable.State.TO_EMIT, then=Value("")),  # nobody could have
        default=tried,
        output_field=CharField(),
    )


def _status() -> Case:
    going_back = Refund.objects.filter(payment=OuterRef("pk"), state=Refund.State.PENDING)
    return Case(
        When(state__in=Payment.IN_FLIGHT, then=Value(PENDING)),
        When(state=_State.FAILED, failure_code__in=OF_THE_REQUEST, then=Value(NOT_MADE)),
        When(state=_State.FAILED, then=Value(REFUSED)),
        When(state__in=(_State.CANCELED, _State.REFUNDED), then=Value(CANCELED)),
        When(Q(Exists(going_back)), then=Value(GOING_BACK)),
        default=Value(CAPTURED),
        output_field=CharField(),
    )
