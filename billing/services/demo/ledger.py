"""Invoices 1001 to 1010 and the unbilled transactions of customer A, made by the services."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.models import (
    Contract,
    Invoice,
    NfseTemplate,
    Payment,
    ServiceItem,
    Transaction,
)
from billing.services.demo.people import FIRST_NUMBER, People
from billing.services.demo.resources import NOTES
from billing.services.demo.when import When, moment
from billing.services.drafts import InvoiceDraft, LineDraft
from billing.services.invoices import create_invoice, emit_invoice, void_invoice
from billing.services.payments.arrivals import arrived
from billing.services.payments.manual import amount_owed, pay_manually
from billing.services.payments.refunds import open_refund, refund_succeeded
from billing.services.transactions import TransactionData, add_transaction
from lib.br import date_br

SOURCE = "demo"
NOTED = 1001
N_TRANSACTIONS = 15
N_TAXED = 10


@dataclass(frozen=True)
class Bill:
    """An invoice of A: what it charges (service, quantity, price), when, and what became of it."""

    contract: str
    title: str
    lines: tuple[tuple[str, str, str], ...]
    issue: date
    due: tuple[date, ...]
    paid: tuple[date, ...] = ()
    method: str = Payment.Method.TRANSFER
    reference: str = ""
    refund: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    void: str = ""


def bills(when: When) -> list[Bill]:
    """1001 to 1010, in order (ux §1.6)."""
    day = when.day
    card = {"payment_method": "payment_gateway"}
    return [
        Bill(  # 1001: open, with its NFS-e
            "plataforma",
            "Plataforma de pedidos",
            (("Plataforma de pedidos", "1", "950.00"), ("Armazenamento", "17.08", "16.6604")),
            day(date(2026, 8, 3)),
            (day(date(2026, 8, 20)),),
            options={"issue_nfse": True, "days_until_automatic_nfe_emission": 0},
        ),
        Bill(  # 1002: overdue
            "plataforma",
            "Treinamento da equipe",
            (("Consulta avulsa", "5", "100.00"),),
            day(date(2026, 6, 25)),
            (day(date(2026, 7, 10)),),
        ),
        Bill(  # 1003: paid by card
            "plataforma",
            "Consultas de maio",
            (("Consulta avulsa", "3", "100.00"),),
            day(date(2026, 6, 2)),
            (day(date(2026, 6, 15)),),
            paid=(day(date(2026, 6, 12)),),
            method=Payment.Method.CARD,
            reference="pi_demo_1003",
            options=card,
        ),
        Bill(  # 1004: paid in cash
            "suporte",
            "Suporte estendido",
            (("Suporte estendido", "1", "480.00"),),
            day(date(2026, 7, 1)),
            (day(date(2026, 7, 20)),),
            paid=(day(date(2026, 7, 17)),),
            method=Payment.Method.CASH,
        ),
        Bill(  # 1005: void
            "hospedagem",
            "Hospedagem da loja",
            (("Hospedagem", "1", "200.00"),),
            day(date(2026, 8, 3)),
            (day(date(2026, 8, 17)),),
            void="Cobrança em duplicidade.",
        ),
        Bill(  # 1006: refunded
            "hospedagem",
            "Migração da loja",
            (("Consulta avulsa", "1.8", "100.00"),),
            day(date(2026, 5, 18)),
            (day(date(2026, 6, 1)),),
            paid=(day(date(2026, 5, 29)),),
            method=Payment.Method.CARD,
            reference="pi_demo_1006",
            refund="re_demo_1006",
            options=card,
        ),
        Bill(  # 1007: its payment is in progress
            "plataforma",
            "Cadastro do cardápio",
            (("Consulta avulsa", "6.4", "100.00"),),
            day(date(2026, 8, 5)),
            (day(date(2026, 8, 18)),),
            options=card,
        ),
        Bill(  # 1008: disputed
            "suporte",
            "Visitas técnicas",
            (("Consulta avulsa", "9.8", "100.00"),),
            day(date(2026, 8, 6)),
            (day(date(2026, 8, 28)),),
        ),
        Bill(  # 1009: two instalments, one paid
            "hospedagem",
            "Renovação do domínio e certificado",
            (("Hospedagem", "6", "200.00"),),
            day(date(2026, 7, 10)),
            (day(date(2026, 7, 25)), day(date(2026, 8, 25))),
            paid=(day(date(2026, 7, 24)),),
        ),
        Bill(  # 1010: due on a Saturday
            "hospedagem",
            "Espaço adicional",
            (("Hospedagem", "0.4", "200.00"),),
            day(date(2026, 7, 27)),
            (when.last_saturday(),),
        ),
    ]


def load(account: Account, people: People, contracts: dict[str, Contract], when: When) -> None:
    """The ten invoices and the unbilled transactions, created where missing."""
    items = {item.name: item.pk for item in ServiceItem.objects.of(account)}
    known = set(
        Invoice.objects.of(account)
        .filter(idempotency_key__startswith=SOURCE)
        .values_list("idempotency_key", flat=True)
    )
    template = NfseTemplate.objects.of(account).get(organization=people.organization, name=NOTES)
    for number, bill in enumerate(bills(when), start=FIRST_NUMBER):
        key = f"{SOURCE}:{number}"
        if bill.options.get("issue_nfse"):
            bill.options["nfse_template_ref"] = template.pk
        if key not in known:
            _bill(bill, key, account, people, contracts[bill.contract], items)
    _transactions(account, people, when, items)


def _bill(
    bill: Bill,
    key: str,
    account: Account,
    people: People,
    contract: Contract,
    items: dict[str, int],
) -> None:
    start = bill.issue.replace(day=1)
    draft = InvoiceDraft(
        organization_id=people.organization.pk,
        customer_id=people.customers["A"].pk,
        contract_id=contract.pk,
        title=bill.title,
        issue_date=bill.issue,
        due_dates=bill.due,
        lines=[
            LineDraft(name, Decimal(units), Decimal(price), service_item_id=items[name])
            for name, units, price in bill.lines
        ],
        accrual_date=start,
        start_date=start,
        end_date=bill.issue,
        idempotency_key=key,
        options=bill.options,
    )
    invoice = create_invoice(draft, account=account, actor=SYSTEM)
    invoice = emit_invoice(invoice.pk, account=account, actor=SYSTEM, today=bill.issue)
    receivables = invoice.receivables.order_by("position").values_list("pk", flat=True)
    for receivable_id, on in zip(receivables, bill.paid, strict=False):
        payment = _pay(bill, receivable_id, account, on)
        if bill.refund:
            _refund(bill, payment, account)
    if bill.void:
        void_invoice(invoice.pk, account=account, actor=SYSTEM, reason=bill.void)
    _back_date(invoice.pk, bill)


def _pay(bill: Bill, receivable_id: int, account: Account, on: date) -> Payment:
    """By card, as its provider told it, or by hand."""
    if bill.method != Payment.Method.CARD:
        return pay_manually(receivable_id, account=account, actor=SYSTEM, method=bill.method, on=on)
    owed = amount_owed(receivable_id, account=account, on=on)
    return arrived(
        account,
        receivable_id=receivable_id,
        method=bill.method,
        amount=owed.paid,
        received_on=on,
        external_id=bill.reference,
        actor=SYSTEM,
    ).payment


def _refund(bill: Bill, payment: Payment, account: Account) -> None:
    asked = open_refund(payment.pk, account=account, actor=SYSTEM, reason="Migração cancelada")
    refund_succeeded(asked.pk, account=account, actor=SYSTEM, external_id=bill.refund)


def _back_date(invoice_id: int, bill: Bill) -> None:
    """The services write "now"; the story happened on its own days."""
    issued = moment(bill.issue)
    row = Invoice.objects.filter(pk=invoice_id)
    row.update(created_at=issued, emitted_at=issued)
    if bill.paid:
        row.filter(received_at__isnull=False).update(received_at=moment(bill.paid[-1], 15))


def _transactions(account: Account, people: People, when: When, items: dict[str, int]) -> None:
    """Fifteen of R$ 100,00 in the month before, ten of them taxed 10%."""
    customer = people.customers["A"]
    known = Transaction.objects.filter(customer=customer, source__startswith=f"{SOURCE}:").count()
    if known:
        return
    first = when.month(-1)
    for n in range(N_TRANSACTIONS):
        on = first + timedelta(days=27 * n // (N_TRANSACTIONS - 1))  # 1st to 28th
        add_transaction(
            TransactionData(
                title=f"Consulta fiscal {n + 1:02d}",
                description=f"Atendimento de {date_br(on)}",
                retail_cost=Decimal("100.00"),
                tax_percentage=Decimal(10 if n < N_TAXED else 0),
                service_item_id=items["Consulta avulsa"],
                created_at=moment(on, 14),
                source=f"{SOURCE}:{n + 1}",
            ),
            customer_id=customer.pk,
            account=account,
            actor=SYSTEM,
        )
