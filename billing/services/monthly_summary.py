"""The monthly summary of those who asked for it (P18): last month's invoices and what is open."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from decimal import Decimal

from accounts.models import Account
from billing.errors import EmailNoContact, EmailSuppressed
from billing.models import NotificationPreference, Party
from billing.selectors.customer_invoices import customer_invoices
from billing.selectors.situations import Estado, Situation, situations
from billing.services.emails.letters import send_letter
from billing.services.emails.recipients import recipients_of
from lib import clock
from lib.br import date_br
from lib.money import NBSP, brl

log = logging.getLogger(__name__)

TEMPLATE = "resumo_mensal"
LISTED = 50  # further invoices are only counted
_HIDDEN = (Estado.ANULADA, Estado.CANCELADA)


def send_summaries() -> int:
    """Write to every customer who turned it on, once for each month; answers how many letters."""
    asked = NotificationPreference.objects.filter(
        event=NotificationPreference.Event.MONTHLY,
        channel=NotificationPreference.Channel.EMAIL,
        is_on=True,
        account__is_active=True,
    )
    rows = asked.select_related("account", "customer").order_by("account_id", "customer_id")
    return sum(send_summary(row.account, row.customer) for row in rows)


def send_summary(account: Account, customer: Party) -> int:
    """The letter about the month before; sent again, it writes nothing new. How many recipients."""
    today = clock.today(account.time_zone)
    last = today.replace(day=1) - timedelta(days=1)
    try:
        recipients = recipients_of(customer)
    except (EmailNoContact, EmailSuppressed) as error:
        log.info("summary.not_sent", extra={"customer_id": customer.pk, "why": error.codigo})
        return 0
    context = _context(account, customer, first=last.replace(day=1), last=last, today=today)
    for one in recipients:
        send_letter(
            account,
            customer=customer,
            recipient=one.address,
            template=TEMPLATE,
            context=context,
            key=f"{TEMPLATE}:{customer.pk}:{last:%Y-%m}",
        )
    return len(recipients)


def _context(
    account: Account, customer: Party, *, first: date, last: date, today: date
) -> dict[str, object]:
    issued = customer_invoices(account, customer).filter(issue_date__range=(first, last))
    known = situations(issued.order_by("issue_date", "pk"), today=today)
    shown = [one for one in known.values() if one.estado not in _HIDDEN]
    return {
        "mes": f"{first:%m/%Y}",
        "faturas": [_line(one) for one in shown[:LISTED]],
        "mais": max(0, len(shown) - LISTED),
        "em_aberto": _money(sum((one.open_principal for one in shown), Decimal("0.00"))),
    }


def _line(one: Situation) -> str:
    due = f", vencimento {date_br(one.due_date)}" if one.due_date else ""
    return f"Fatura {one.invoice.label}: {_money(one.invoice.payment_value)}{due} – {one.texto}"


def _money(value: Decimal) -> str:
    return brl(value).replace(NBSP, " ")
