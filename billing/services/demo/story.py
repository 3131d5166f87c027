"""What is going on at the demonstration: a payment in progress, a dispute, help for customers."""

from __future__ import annotations

from datetime import date

from accounts.models import Account, AuditEvent, User
from accounts.services.audit import Actor
from billing.models import Dispute, HelpArticle, Invoice, Party, Payment
from billing.services import ledger
from billing.services.demo.ledger import SOURCE
from billing.services.demo.people import People
from billing.services.demo.when import When, moment
from billing.services.disputes import terms
from billing.services.disputes.opening import Statement, open_dispute

IN_PROGRESS, DISPUTED = 1007, 1008
DISPUTED_ON = date(2026, 8, 11)
COMPLAINT = "As visitas técnicas de agosto não foram feitas: o técnico só veio uma vez, no dia 4."
HELP = (
    (
        "dia-das-visitas",
        "Como marcar uma visita técnica",
        "Ligue para (11) 3000-1000 ou responda a qualquer e-mail de cobrança, de segunda a sexta, "
        "das 9h às 18h.\n\nConfirmamos o dia e a hora em até um dia útil. Visitas não usadas no "
        "mês não são cobradas.",
    ),
    (
        "mudar-de-plano",
        "Como mudar de plano",
        "Escreva para atendimento@demo.test dizendo qual serviço quer mudar.\n\nA mudança vale a "
        "partir do próximo mês; a fatura já emitida não muda.",
    ),
)


def load(account: Account, people: People, when: When) -> None:
    """Created where missing."""
    _payment(account, when)
    _dispute(account, people.customers["A"], when)
    _help(account)


def _invoice(account: Account, number: int) -> Invoice:
    found: Invoice = Invoice.objects.get(account=account, idempotency_key=f"{SOURCE}:{number}")
    return found


def _payment(account: Account, when: When) -> None:
    """The operator has not said yet what became of it. Of no gateway: nobody is asked."""
    invoice = _invoice(account, IN_PROGRESS)
    if invoice.payments.exists():
        return
    held = ledger.hold(account, invoice_id=invoice.pk)
    [receivable] = held.receivables
    payment = ledger.new_payment(
        held,
        receivable,
        method=Payment.Method.CARD,
        amount=receivable.open_principal,
        external_id=f"pi_demo_{IN_PROGRESS}",
        is_on_session=True,
    )
    payment.process()
    payment.created_at = moment(when.today, 8)
    payment.save()


def _dispute(account: Account, customer: Party, when: When) -> None:
    """Opened yesterday at 16:00, by the titular."""
    invoice = _invoice(account, DISPUTED)
    if invoice.disputes.exists():
        return
    user = User.objects.get(email="titular@aurora.test")
    dispute = open_dispute(
        invoice.pk,
        Statement(Dispute.Reason.UNKNOWN_SERVICE, COMPLAINT),
        account=account,
        customer=customer,
        user=user,
        actor=Actor(AuditEvent.Actor.CUSTOMER, user.pk, user.email),
    )
    day = when.day(DISPUTED_ON)
    opened = moment(day, 16)
    answer_by = terms.answer_by(invoice, today=day)
    Dispute.objects.filter(pk=dispute.pk).update(opened_at=opened, answer_by=answer_by)
    dispute.messages.update(at=opened)


def _help(account: Account) -> None:
    for position, (slug, title, body) in enumerate(HELP):
        HelpArticle.objects.get_or_create(
            account=account,
            slug=slug,
            defaults={"title": title, "body": body, "position": position},
        )
