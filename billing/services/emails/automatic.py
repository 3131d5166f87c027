"""E-mails that nobody presses a button for, each once (EM-7).

All of them make files and query much: never inside a transaction. They answer the new messages,
none when they were written before.
"""

from __future__ import annotations

from collections.abc import Sequence

from accounts.models import Account
from billing.errors import CannotEmail
from billing.gateways.boleto.codes import line
from billing.models import Charge, EmailMessage, EmailTemplate, Invoice, Payment, Receivable, Refund
from billing.services.emails import words
from billing.services.emails.composing import compose, queue
from billing.services.emails.variables import About, money
from billing.services.preferences import Event, wants
from lib import clock
from lib.br import date_br

_Trigger = EmailMessage.Trigger


def invoice_of(invoice_id: int, account: Account) -> Invoice:
    """The invoice with all that its e-mail needs. Raises NotFound."""
    rows = Invoice.objects.select_related("account", "organization", "customer", "series")
    found: Invoice = rows.get_of(account, pk=invoice_id)
    return found


def check_sendable(invoice: Invoice) -> None:
    """Raises CannotEmail."""
    if invoice.emitted_at is None or invoice.void or invoice.state == Invoice.State.CANCELLED:
        raise CannotEmail()


def send_emission(invoice_id: int, account: Account) -> list[EmailMessage]:
    """Tell the customer of a new invoice, once for each day it is emitted on.

    Whoever calls waits for the boleto (follow_ups); one that is not registered is left out. Raises
    CannotEmail and what `compose` raises.
    """
    invoice = invoice_of(invoice_id, account)
    check_sendable(invoice)
    chosen = words.words_of(invoice)
    assert invoice.emitted_at is not None
    key = f"emission:{invoice.pk}:{chosen.key}:{invoice.emitted_at:%Y%m%d}"
    return queue(compose(About(invoice), chosen), trigger=_Trigger.EMISSION, key=key)


def send_for_dunning(
    receivables: Sequence[Receivable],
    *,
    key: str,
    template: EmailTemplate | None = None,
    is_overdue: bool = True,
) -> list[EmailMessage]:
    """One message of the ruler about open receivables of one customer and organization (DUN-4).

    `key` is of the customer, step and day; the same key again writes nothing. Without a template
    the text is ours, for what is overdue or not yet. What was paid since is asked again when the
    message goes. Raises what `compose` raises.
    """
    oldest = sorted(receivables, key=lambda one: (one.due_date, one.pk))
    first = oldest[0]
    invoice = invoice_of(first.invoice_id, first.account)
    ours = words.shipped("cobranca" if is_overdue else "lembrete")
    chosen = words.own(template) if template is not None else ours
    draft = compose(About(invoice, tuple(oldest)), chosen)
    return queue(draft, trigger=_Trigger.DUNNING, key=f"dunning:{key}")


def send_authentication_link(payment: Payment) -> list[EmailMessage]:
    """ST-4: the bank wants the customer, so the link to the page goes to them."""
    extra = {"total_amount": money(payment.amount), "VALOR": money(payment.amount)}
    return _of_payment(payment, "autenticacao", _Trigger.AUTHENTICATION, payment.pk, extra)


def send_receipt(payment: Payment) -> list[EmailMessage]:
    """A payment was received, unless its customer does not want to be told."""
    if not wants(payment.customer_id, Event.PAID):
        return []
    on = payment.received_on or clock.today(payment.account.time_zone)
    extra = {"VALOR_PAGO": money(payment.amount), "DATA_PAGAMENTO": date_br(on)}
    return _of_payment(payment, "recibo", _Trigger.RECEIPT, payment.pk, extra)


def send_refund(refund: Refund) -> list[EmailMessage]:
    """A refund succeeded."""
    extra = {"VALOR_REEMBOLSO": money(refund.amount)}
    return _of_payment(refund.payment, "reembolso", _Trigger.REFUND, refund.pk, extra)


def _of_payment(
    payment: Payment, text: str, trigger: str, number: int, extra: dict[str, str]
) -> list[EmailMessage]:
    """Of the invoice that a payment is for; one that is for none (credit) tells nobody."""
    if payment.invoice_id is None:
        return []
    invoice = invoice_of(payment.invoice_id, payment.account)
    method = {"FORMA_PAGAMENTO": payment.method_said}
    draft = compose(About(invoice, extra={**method, **extra}), words.shipped(text))
    return queue(draft, trigger=trigger, key=f"{trigger}:{number}")


def send_reissued(charge: Charge) -> list[EmailMessage]:
    """A boleto that was reissued and is registered, with the boleto itself."""
    invoice = invoice_of(charge.receivable.invoice_id, charge.account)
    amount, due = money(charge.amount), date_br(charge.due_date)
    codes = {"linha_digitavel": line(charge.barcode)} if charge.barcode else {}
    extra = {"VALOR": amount, "total_amount": amount, "VENCIMENTO": due, "due_date": due, **codes}
    draft = compose(About(invoice, extra=extra), words.shipped("reemissao"), charges=[charge])
    return queue(draft, trigger=_Trigger.REISSUE, key=f"reissue:{charge.pk}")
