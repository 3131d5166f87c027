"""What payers do, whichever page they do it from (P08, P10, P17).

Banks and providers are asked here: not inside a transaction.
"""

from __future__ import annotations

from datetime import date

from accounts.models import Account
from accounts.services.audit import Actor
from billing.models import Charge, Invoice, Payment, Receivable
from billing.services.boletos.copies import SecondCopy, look
from billing.services.boletos.issue import issue_boleto
from billing.services.boletos.reissue import reissue
from billing.services.payments.card_checks import cancel_attempt
from billing.services.payments.card_checks import look_now as look_now_at_card
from billing.services.pix.looking import look_now
from lib.br import date_br, parse_date

REGISTERING = "O boleto está em registro no banco. Tente novamente em alguns minutos."
MADE = "Boleto de vencimento {due} pronto."
PIX_LATER = "O Pix está em registro no banco. Tente novamente em alguns minutos."
NO_ANSWER = "O banco ou a operadora não respondeu. Nada mudou; tente de novo em instantes."
NOTHING_YET = "Ainda não recebemos a confirmação do pagamento."


def make_boleto(receivable: Receivable, chosen: str, *, account: Account, actor: Actor) -> Charge:
    """The parcel's first boleto, or one of its updated value for the `chosen` day (SV-1, P08).

    One that is still good is answered instead; what is not a day means the first one offered.
    Raises what `look`, `issue_boleto` and `reissue` raise.
    """
    found = look(receivable.pk, account=account)
    if found.charge is None and not found.is_overdue:
        return issue_boleto(receivable.pk, account=account, actor=actor)
    return reissue(receivable.pk, _day(chosen, found), account=account, actor=actor).charge


def _day(text: str, found: SecondCopy) -> date:
    try:
        return parse_date(text)
    except ValueError:
        return found.choices[0].due if found.choices else found.bank_value.due


def told_boleto(charge: Charge) -> tuple[str, str]:
    """What became of a boleto that was asked for, and the kind of message."""
    if charge.state == Charge.State.OPEN:
        return MADE.format(due=date_br(charge.due_date)), "ok"
    return REGISTERING, "atencao"


def give_up(receivable: Receivable, *, account: Account, actor: Actor) -> None:
    """End an attempt by card that waits for its payer, to pay in another way.

    Raises CardNotReady, GatewayUnavailable, CardRefused.
    """
    for payment in receivable.payments.filter(state=Payment.State.REQUIRES_ACTION):
        cancel_attempt(payment.pk, account=account, actor=actor)


def refresh(invoice: Invoice, *, actor: Actor) -> bool:
    """Ask the providers about what is under way, for somebody who has just paid.

    Whether more is paid than before. Raises GatewayUnavailable, GatewayRefused.
    """
    before = invoice.paid_total
    receivables = list(invoice.receivables.all())
    attempts = Payment.objects.filter(
        receivable__in=receivables, state__in=Payment.IN_FLIGHT, method=Payment.Method.CARD
    )
    for payment in attempts:
        look_now_at_card(payment.pk, actor=actor)
    pix = Charge.objects.filter(
        receivable__in=receivables, kind=Charge.Kind.PIX, state=Charge.State.OPEN
    )
    for charge in pix:
        look_now(charge.pk)
    invoice.refresh_from_db(fields=["paid_total"])
    return bool(invoice.paid_total != before)
